"""Stages: private folders in which a tree is written and checked before anyone can see it.

A stage lies in the target folder itself, or, while that does not exist, in the nearest folder
above it: the only places from which a rename into the target surely stays on one file system
(the target may be a mount) and needs no right that writing the target does not need.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from vendorpack.bundle.frames import Buffer
from vendorpack.bundle.plan import Batch, Member, ReadBlob, content_of
from vendorpack.bundle.reader import Bundle, Frame
from vendorpack.bundle.table import File
from vendorpack.errors import StoreError, TargetError
from vendorpack.files import temporary
from vendorpack.files.disk import existing_folder, free_space, no_space, target_error
from vendorpack.parallel import Progress, in_order, run_shares

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
STICKY = 0o1777

TREE = "tree"
"""The part of a stage that becomes visible."""
OLD = "old"
"""Where what it takes the place of is put."""


class Stage:
    """A stage for `target`, made on entering and removed with all it still holds on leaving.

    needed: bytes that will be written, to refuse at once if there is no room for them.
    fd, tree_fd: the stage and the tree in it. Raises `StoreError`, `TargetError`.
    """

    def __init__(self, target: Path, needed: int) -> None:
        self.target = target
        self.needed = needed

    def __enter__(self) -> Self:
        holder = existing_folder(self.target)
        try:
            if free_space(holder) < self.needed:
                raise no_space(self.target, self.needed)
            self.path, self.fd = temporary.create_folder(holder, self.target.name)
            try:
                os.mkdir(TREE, 0o755, dir_fd=self.fd)
                os.mkdir(OLD, 0o700, dir_fd=self.fd)
                self.tree_fd = os.open(TREE, _FOLDER, dir_fd=self.fd)
                # Only now: a leftover in a prefix is what tells that the prefix is ours.
                sweep(self.target)
            except BaseException:
                self._remove()
                raise
        except OSError as error:
            raise target_error(error, self.target, self.needed) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.tree_fd)
        self._remove()

    def _remove(self) -> None:
        temporary.remove(self.path)
        os.close(self.fd)


class Filler:
    """Writes files into the tree of a stage, all with the same mtime.

    Modes are what they should be less the umask, as for any new file; owners are whoever runs
    this. Only a folder that is to be sticky is opened to all whatever the umask says: that is
    its purpose, and the folders above it still are as the umask has them.
    """

    def __init__(self, stage: Stage, mtime: int) -> None:
        self._stage = stage
        self._fd = stage.tree_fd
        self._times = (mtime * 10**9, mtime * 10**9)
        self._made = {""}

    def write(self, path: str, mode: int, content: Buffer) -> None:
        """Write a whole file."""
        fd = self._create(path, mode)
        try:
            count = os.write(fd, content)
            if count != len(content):
                _pwrite(fd, memoryview(content)[count:], count)
            os.utime(fd, ns=self._times)
        finally:
            os.close(fd)

    def write_chunks(self, path: str, mode: int, chunks: Iterable[Buffer]) -> None:
        """Write a whole file, chunk by chunk."""
        fd = self._create(path, mode)
        try:
            offset = 0
            for chunk in chunks:
                _pwrite(fd, chunk, offset)
                offset += len(chunk)
            os.utime(fd, ns=self._times)
        finally:
            os.close(fd)

    def write_piece(self, path: str, mode: int, content: Buffer, offset: int) -> None:
        """Write a part of a large file; the part with offset 0 comes first."""
        if offset == 0:
            fd = self._create(path, mode)
        else:
            fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        try:
            _pwrite(fd, content, offset)
            os.utime(fd, ns=self._times)
        finally:
            os.close(fd)

    def make_folder(self, path: str, mode: int) -> None:
        """Make an empty folder; `path` without a slash at its end."""
        self._make(path)
        if mode == STICKY:
            os.chmod(path, mode, dir_fd=self._fd)
        os.utime(path, ns=self._times, dir_fd=self._fd)

    def refused(self, error: OSError) -> StoreError | TargetError:
        """What to raise for an error of the operating system."""
        return target_error(error, self._stage.target, self._stage.needed)

    def _create(self, path: str, mode: int) -> int:
        folder = path.rpartition("/")[0]
        if folder not in self._made:
            self._make(folder)
        return os.open(path, _CREATE, mode, dir_fd=self._fd)

    def _make(self, folder: str) -> None:
        above = folder.rpartition("/")[0]
        if above not in self._made:
            self._make(above)
        # Other shares may have made it.
        with suppress(FileExistsError):
            os.mkdir(folder, 0o755, dir_fd=self._fd)
        self._made.add(folder)


Route: TypeAlias = Callable[[str], tuple[Filler, str] | None]
"""Which stage a path of the bundle goes to, and as what; None if it is left out."""


def fill_from_bundle(bundle: Bundle, route: Route, *, jobs: int, progress: Progress | None) -> None:
    """Write the files of a bundle, verified. Raises `BundleError`, `StoreError`, `TargetError`."""

    def work(share: Sequence[Frame], done: Progress) -> None:
        reader = bundle.reader()
        for frame in share:
            for file, content, offset in reader.files(frame):
                place = route(file.path)
                if place is None:
                    continue
                filler, path = place
                try:
                    if file.sha256 is None:
                        filler.make_folder(path[:-1], file.mode)
                    elif frame.span.split:
                        filler.write_piece(path, file.mode, content, offset)
                    else:
                        filler.write(path, file.mode, content)
                except OSError as error:
                    raise filler.refused(error) from None
            done(frame.span.size)

    run_shares(work, bundle.shares(jobs), progress)


def fill_from_entries(
    batches: Iterable[Batch],
    read_blob: ReadBlob,
    route: Route,
    *,
    jobs: int,
    progress: Progress | None,
) -> None:
    """Write the members of `batches`, which are drawn a few ahead.

    Raises `BlobLost`, `StoreError`, `TargetError`.
    """

    def write(member: Member) -> None:
        file = member.file
        place = route(file.path)
        if place is None:
            return
        filler, path = place
        try:
            if member.content is None:
                filler.make_folder(path[:-1], file.mode)
            elif isinstance(member.content, bytes):
                filler.write(path, file.mode, member.content)
            else:
                filler.write_chunks(path, file.mode, content_of(member.content, read_blob))
        except OSError as error:
            raise filler.refused(error) from None

    def write_batch(batch: Batch) -> int:
        for member in batch.members:
            write(member)
        return sum(batch.sizes)

    for size in in_order(write_batch, batches, jobs=jobs):
        if progress is not None:
            progress(size)


def sweep(target: Path) -> None:
    """Remove the stages that killed runs left for `target`."""
    for holder in (target, existing_folder(target.parent)):
        temporary.sweep(holder, target.name)


def refuse_file(target: Path) -> None:
    """Raise `TargetError` if something other than a folder lies at `target` or above it."""
    path = target
    while not os.path.lexists(path):
        path = path.parent
    if not path.is_dir():
        raise TargetError(
            "there is something else where a folder should be",
            where=str(path),
            fix="Move it away, or choose another folder.",
        )


def room_for(files: Iterable[File]) -> int:
    """Bytes that files take on disk, about: whole blocks, and something for each name."""
    return sum((file.size + 4095 & ~4095) + 256 for file in files)


def _pwrite(fd: int, content: Buffer, offset: int) -> None:
    rest = memoryview(content)
    while rest:
        count = os.pwrite(fd, rest, offset)
        rest = rest[count:]
        offset += count
