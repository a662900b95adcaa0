"""Put staged files into a folder that others use at the same time: a native cache.

Each file appears whole, by one system call, in the order of the bundle: a room lists what
points to other files after them. What is there already and equal is not touched. Below the
root no symbolic link is followed; the root itself may be one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import field
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from vendorpack.bundle.manifest import ENVIRONMENT_PATH
from vendorpack.bundle.table import MANIFEST_PATH, File
from vendorpack.dataclass import dataclass
from vendorpack.errors import TargetError
from vendorpack.files.disk import real_path, sha256_of, sync, target_error
from vendorpack.unpack.stage import STICKY, TREE, Filler, Stage, refuse_file, room_for

Merge: TypeAlias = Callable[[str, bytes, bytes], bytes]
"""`(path in the bundle, bytes there, our bytes) -> bytes to write`."""

MAX_MERGED = 64 << 20
"""Bytes; a larger file is no index, and is replaced without asking."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_HARD_LINKS = {errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS, errno.EXDEV}
_LINK = {errno.ELOOP, errno.EMLINK}
"""What systems say to O_NOFOLLOW on a symbolic link."""
_MERGED = "merged"


@dataclass(slots=True)
class MergeResult:
    """How many files were new, were there already, or took the place of another content."""

    written: int = 0
    kept: int = 0
    replaced: int = 0

    def __str__(self) -> str:
        return f"{self.written} files written, {self.replaced} replaced, {self.kept} kept"


class Caches:
    """The stages of several roots, made as they are needed. A context manager.

    roots: path in the bundle to the folder that holds what is below it. files: what will be
    written, as far as that is known: their stages are made (and seen to have room) at once,
    as processes that share the work must have it.
    """

    def __init__(self, roots: Mapping[str, Path], files: Iterable[File], mtime: int) -> None:
        # Longest first: the first that fits is the right one.
        self._starts = sorted((f"{path}/" for path in roots), key=lambda start: -len(start))
        self._roots = {f"{path}/": root for path, root in roots.items()}
        self._files = files
        self._mtime = mtime
        self._stages: dict[str, Stage] = {}
        self._fillers: dict[str, Filler] = {}
        self._stack = ExitStack()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        needed: dict[str, int] = {}
        for file in self._files:
            if (start := self._find(file.path)) is not None:
                needed[start] = needed.get(start, 0) + room_for([file])
        with self._stack:
            for start, room in needed.items():
                self._open(start, room)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def route(self, path: str) -> tuple[Filler, str] | None:
        """The stage that `path` of the bundle goes to; None for the bundle's own files."""
        start = self._find(path)
        if start is None:
            return None
        filler = self._fillers.get(start)
        if filler is None:
            with self._lock:
                filler = self._fillers.get(start) or self._open(start, 0)
        return filler, path[len(start) :]

    def publish(self, files: Sequence[File], merge: Merge) -> MergeResult:
        """Give the staged files their places, root by root, each in the order of `files`."""
        result = MergeResult()
        for start, stage in self._stages.items():
            try:
                # What is visible is on disk, whatever happens to the power.
                sync(stage.fd)
                with Publisher(stage, merge, result) as publisher:
                    for file in files:
                        if self._find(file.path) == start:
                            publisher.publish(file, file.path[len(start) :])
                sync(stage.fd)
            except OSError as error:
                raise target_error(error, stage.target, stage.needed) from None
        return result

    def _open(self, start: str, needed: int) -> Filler:
        target = real_path(self._roots[start])
        refuse_file(target)
        self._stages[start] = self._stack.enter_context(Stage(target, needed))
        self._fillers[start] = Filler(self._stages[start], self._mtime)
        return self._fillers[start]

    def _find(self, path: str) -> str | None:
        for start in self._starts:
            if path.startswith(start):
                return start
        if path in {MANIFEST_PATH, ENVIRONMENT_PATH}:
            return None
        raise TargetError(
            f"no native cache is known for {path!r}", fix="Unpack to a folder with --prefix."
        )


@dataclass(slots=True)
class Publisher:
    """Moves the files of one stage below its target. A context manager.

    While it is open no other run publishes below the same root: two that add to one index
    would lose each other's lines.
    """

    stage: Stage
    merge: Merge
    result: MergeResult
    _parts: list[str] = field(default_factory=list)
    _folders: list[int] = field(default_factory=list)

    def __enter__(self) -> Self:
        root = self.stage.target
        root.mkdir(parents=True, exist_ok=True)
        fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._folders.append(fd)
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._folders:
            os.close(self._folders.pop())

    def publish(self, file: File, path: str) -> None:
        """Give one staged file its place: `path` below the root, as it is in the stage.

        Raises `TargetError` for a link or something else that is not what it should be, and
        `OSError`.
        """
        above, _, name = path.rstrip("/").rpartition("/")
        folder = self._folder(above)
        if file.sha256 is None:
            if self._make(folder, name) and file.mode == STICKY:
                os.chmod(name, file.mode, dir_fd=folder)
            os.close(self._open(folder, name, path))
            return
        while not self._link(path, folder, name):
            with suppress(FileNotFoundError):
                self._settle(file, path, folder, name)
                return
        self.result.written += 1

    def _settle(self, file: File, path: str, folder: int, name: str) -> None:
        """Keep, merge with or replace the file that is there."""
        try:
            fd = os.open(name, _FILE, dir_fd=folder)
        except OSError as error:
            if error.errno in _LINK:
                raise self._in_the_way(path) from None
            raise
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise self._in_the_way(path)
            if status.st_size == file.size and sha256_of(fd) == file.sha256:
                self.result.kept += 1
                return
            before = None
            if max(status.st_size, file.size) <= MAX_MERGED:
                os.lseek(fd, 0, os.SEEK_SET)
                before = _read(fd)
        finally:
            os.close(fd)
        self._replace(file, path, folder, name, before, status.st_mode & 0o777)

    def _link(self, path: str, folder: int, name: str) -> bool:
        """Make the staged file appear; False if there is a file already."""
        try:
            os.link(
                f"{TREE}/{path}",
                name,
                src_dir_fd=self.stage.fd,
                dst_dir_fd=folder,
                follow_symlinks=False,
            )
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            try:
                os.stat(name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                self._rename(f"{TREE}/{path}", folder, name)
            else:
                return False
        return True

    def _replace(
        self, file: File, path: str, folder: int, name: str, before: bytes | None, mode: int
    ) -> None:
        """Put ours, or what the room makes of both, in the place of another content."""
        source = f"{TREE}/{path}"
        if before is not None:
            fd = os.open(source, _FILE, dir_fd=self.stage.fd)
            try:
                ours = _read(fd)
            finally:
                os.close(fd)
            after = self.merge(file.path, before, ours)
            if after == before:
                self.result.kept += 1
                return
            if after != ours:
                source = _MERGED
                with open(os.open(source, _CREATE, mode, dir_fd=self.stage.fd), "wb") as out:
                    os.fchmod(out.fileno(), mode)
                    out.write(after)
                    out.flush()
                    os.fsync(out.fileno())
                self._rename(source, folder, name)
                self.result.replaced += 1
                return
        if mode & 0o111:
            raise TargetError(
                "a program is in the way: an executable file is never replaced",
                where=str(self.stage.target / path),
                fix="If it is a cached file that was changed, remove it.",
            )
        self._rename(source, folder, name)
        self.result.replaced += 1

    def _rename(self, source: str, folder: int, name: str) -> None:
        os.rename(source, name, src_dir_fd=self.stage.fd, dst_dir_fd=folder)

    def _folder(self, path: str) -> int:
        """Open a folder below the root, part by part; those that are missing are made."""
        parts = path.split("/") if path else []
        common = 0
        while common < min(len(parts), len(self._parts)) and parts[common] == self._parts[common]:
            common += 1
        while len(self._parts) > common:
            os.close(self._folders.pop())
            self._parts.pop()
        for part in parts[common:]:
            above = self._folders[-1]
            try:
                fd = self._open(above, part, path)
            except FileNotFoundError:
                self._make(above, part)
                fd = self._open(above, part, path)
            self._folders.append(fd)
            self._parts.append(part)
        return self._folders[-1]

    def _open(self, folder: int, name: str, path: str) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=folder)
        except OSError as error:
            if error.errno in _LINK or error.errno == errno.ENOTDIR:
                raise self._in_the_way(path) from None
            raise

    def _make(self, folder: int, name: str) -> bool:
        try:
            os.mkdir(name, 0o755, dir_fd=folder)
        except FileExistsError:
            return False
        return True

    def _in_the_way(self, path: str) -> TargetError:
        return TargetError(
            "a symbolic link or something else that is no plain file or folder is in the way",
            where=str(self.stage.target / path),
            fix="Remove it, or unpack to a folder of its own with --prefix.",
        )


def _read(fd: int) -> bytes:
    chunks = []
    while chunk := os.read(fd, 1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)
