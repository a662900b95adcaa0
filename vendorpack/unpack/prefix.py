"""Make a stage the content of a prefix: a folder that holds what one bundle holds.

A prefix that does not exist yet is made by one rename. One that exists stays the folder it is
(it may be a mount, or be bound into containers): what it held is moved aside and the new tree
moved in, `vendorpack.json` first out and last in, so its presence says that all is there. A
kill in between leaves the stage behind, by which the next run knows the prefix for its own.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from vendorpack.bundle.frames import MAX_MANIFEST_FRAME
from vendorpack.bundle.manifest import Head, Manifest
from vendorpack.bundle.table import MANIFEST_PATH, File
from vendorpack.dataclass import dataclass
from vendorpack.errors import BundleError, TargetError
from vendorpack.files import temporary
from vendorpack.files.disk import sha256_of, sync, sync_folder, target_error
from vendorpack.parallel import split_evenly
from vendorpack.unpack.stage import OLD, TREE, Stage

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


# -- what is there -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Content:
    """What a prefix holds.

    manifest: of a bundle that was unpacked there in full. names: what lies at its top, but
    for stages.
    """

    manifest: Manifest | None = None
    names: frozenset[str] = frozenset()


def look(prefix: Path) -> Content:
    """See what a prefix holds. Raises `TargetError` if it is not a bundle's, and not empty."""
    try:
        names = frozenset(path.name for path in prefix.iterdir())
    except FileNotFoundError:
        return Content()
    except OSError as error:
        raise target_error(error, prefix) from None
    stages = frozenset(name for name in names if temporary.is_temporary(name, prefix.name))
    names -= stages
    if MANIFEST_PATH in names:
        return Content(_manifest_of(prefix), names)
    if names and not stages:
        raise _stranger(prefix, "it is not empty and holds no unpacked bundle")
    return Content(None, names)


def _stranger(prefix: Path, why: str) -> TargetError:
    return TargetError(
        f"the folder is in the way: {why}",
        where=str(prefix),
        fix="Choose another --prefix, or empty this one.",
    )


def _manifest_of(prefix: Path) -> Manifest:
    path = prefix / MANIFEST_PATH
    try:
        if path.is_file():
            with path.open("rb") as file:
                return Manifest.parse(file.read(MAX_MANIFEST_FRAME))
    except (BundleError, OSError):
        pass
    raise _stranger(prefix, f"its {MANIFEST_PATH} is not one that this vendorpack reads")


def holds(prefix: Path, there: Content, manifest: bytes, *, jobs: int) -> bool:
    """Whether what lies in a prefix is the bundle with this manifest, unchanged."""
    known = there.manifest
    if known is None or known.dump() != manifest:
        return False
    return bool(check_folder(prefix, known, jobs=jobs))


@dataclass(frozen=True, slots=True)
class Successor:
    """A bundle that is to take another's place, as far as that is allowed.

    head: its own. extends: id of the bundle that a delta is made for. replace: whether it may be
    any other.
    """

    head: Head
    extends: str | None
    replace: bool

    def __call__(self, prefix: Path, there: Content) -> None:
        """Raise `TargetError` if a prefix holds a bundle of lockfiles that this one lacks."""
        old = there.manifest
        if self.replace or old is None:
            return
        missing = lockfiles_of(old.head) - lockfiles_of(self.head)
        if missing and (self.extends is None or _id_of(old) != self.extends):
            raise TargetError(
                f"the folder holds a bundle of other lockfiles: {name_of(old)}",
                where=str(prefix),
                fix="Name another --prefix for each, or pass --replace to lose that one. Lockfiles "
                "that are packed together (`vendorpack pack A B`) share a bundle.",
            )

    def replaced(self, there: Content) -> Manifest | None:
        """The bundle that loses its place, if it is another one."""
        old = there.manifest
        return None if old is None or old.head == self.head else old


def lockfiles_of(head: Head) -> frozenset[tuple[str, str]]:
    """Format and path of each; what is the same in a later bundle of the same project."""
    return frozenset((lock.format, lock.path) for lock in head.lockfiles)


def name_of(manifest: Manifest) -> str:
    """What people call a bundle: the start of its id, and its lockfiles."""
    lockfiles = ", ".join(f"{path} ({kind})" for kind, path in sorted(lockfiles_of(manifest.head)))
    return f"bundle {_id_of(manifest)[:12]}… of {lockfiles or 'no lockfile'}"


def _id_of(manifest: Manifest) -> str:
    return manifest.full().id()


@dataclass(frozen=True, slots=True)
class FolderCheck:
    """How a folder differs from a manifest; what is there beside the bundle's does not count."""

    missing: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        """Whether everything is there as it should be."""
        return not self.missing and not self.changed


def check_folder(folder: Path, manifest: Manifest, *, jobs: int) -> FolderCheck:
    """Compare a folder with what `manifest` says: kind, size, x bit and sha256 of each file."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return FolderCheck(tuple(file.path for file in manifest.files), ())
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - costs 10 ms

    try:
        files = manifest.files
        rows = range(len(files))
        runs = split_evenly(rows, lambda row: files[row].size + 4096, max(jobs, 1) * 4)
        with ThreadPoolExecutor(max(jobs, 1), "check") as pool:
            found = list(pool.map(lambda run: _others(fd, files, run), runs))
    finally:
        os.close(fd)
    outcomes = [outcome for run in found for outcome in run]
    return FolderCheck(
        missing=tuple(path for path, same in outcomes if same is None),
        changed=tuple(path for path, same in outcomes if same is False),
    )


def _others(
    folder: int, files: Sequence[File], rows: Iterable[int]
) -> list[tuple[str, bool | None]]:
    """The paths of those rows' files that are not as they should be, with what `_same` says."""
    checked = ((file.path, _same(folder, file)) for file in map(files.__getitem__, rows))
    return [(path, same) for path, same in checked if not same]


def _same(folder: int, file: File) -> bool | None:
    """Whether a file is as it should be; None if it is not there."""
    try:
        fd = os.open(file.path.rstrip("/"), _OPEN | os.O_NOFOLLOW, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return False
    try:
        status = os.fstat(fd)
        if file.sha256 is None:
            return stat.S_ISDIR(status.st_mode)
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
            return False
        if (status.st_mode ^ file.mode) & stat.S_IXUSR:
            return False
        return sha256_of(fd) == file.sha256
    except OSError:
        return False
    finally:
        os.close(fd)


# -- publishing ----------------------------------------------------------------------------


def publish(stage: Stage, manifest: bytes, check: Successor, *, jobs: int) -> bool:
    """Give the tree of `stage` its place; False if the very same was there already.

    manifest: the bytes of the one in the tree. check: asked again, as others may have
    been faster. Raises `StoreError`, `TargetError`.
    """
    prefix = stage.target
    try:
        # What is visible is on disk, whatever happens to the power.
        sync(stage.fd)
        if not prefix.is_dir():
            prefix.parent.mkdir(parents=True, exist_ok=True)
            # Another run may be faster; then there is a folder after all.
            with _unless(errno.ENOTEMPTY, errno.EEXIST):
                os.rename(TREE, prefix, src_dir_fd=stage.fd)
                sync_folder(prefix.parent)
                return True
        return _publish_into(stage, manifest, check, jobs=jobs)
    except OSError as error:
        raise target_error(error, prefix, stage.needed) from None


def _publish_into(stage: Stage, manifest: bytes, check: Successor, *, jobs: int) -> bool:
    prefix = stage.target
    folder = os.open(prefix, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # One at a time; where there are no locks, nobody can be kept out.
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX)
        there = look(prefix)
        if holds(prefix, there, manifest, jobs=jobs):
            return False
        check(prefix, there)
        with os.scandir(stage.tree_fd) as entries:
            new = {entry.name for entry in entries}
        old = {MANIFEST_PATH}
        if there.manifest is not None:
            old.update(file.path.partition("/")[0] for file in there.manifest.files)
            if strangers := sorted(there.names & new - old):
                raise _stranger(prefix, f"{strangers[0]!r} there is from no bundle")
        leaving = sorted(there.names & (old | new) - {MANIFEST_PATH})
        if there.manifest is not None:
            leaving.insert(0, MANIFEST_PATH)
        coming = [*sorted(new - {MANIFEST_PATH}), MANIFEST_PATH]
        _move_all(
            [(folder, name, stage.fd, f"{OLD}/{name}") for name in leaving]
            + [(stage.fd, f"{TREE}/{name}", folder, name) for name in coming]
        )
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def _move_all(moves: list[tuple[int, str, int, str]]) -> None:
    """Rename one after another; if one fails, undo those before it."""
    done = []
    try:
        for source, name, target, new_name in moves:
            os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
            done.append((source, name, target, new_name))
    except BaseException:
        for source, name, target, new_name in reversed(done):
            os.rename(new_name, name, src_dir_fd=target, dst_dir_fd=source)
        raise


@contextmanager
def _unless(*numbers: int) -> Iterator[None]:
    """Pass over the operating system's errors with these numbers."""
    try:
        yield
    except OSError as error:
        if error.errno not in numbers:
            raise
