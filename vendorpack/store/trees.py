"""The trees of `vendorpack run`: bundles unpacked in the user's cache, to be used once more.

::

    <cache>/run/<32 hex>/        the tree; the name is the start of the bundle's id
    <cache>/run/<32 hex>.lock    held (flock, shared) by all who use the tree; its time is the
                                 last use. Who prunes holds it alone.

The lock is inherited by the command that `run` becomes, and goes with its last process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from pathlib import Path

from vendorpack.dataclass import dataclass
from vendorpack.files import temporary
from vendorpack.files.disk import storage_error
from vendorpack.project import Host
from vendorpack.store.local import cache_folder

_NAME = re.compile(r"[0-9a-f]{32}")
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class TreeUsage:
    """How many trees, and the bytes of their files."""

    trees: int
    size: int


class RunTrees:
    """The folder of all trees. Every method may raise `StoreError`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, host: Host) -> RunTrees:
        """Those of this user."""
        return cls(cache_folder(host) / "run")

    def hold(self, bundle_id: str) -> Path:
        """Where the tree of a bundle is, or is to be; not pruned while this process lives.

        Nor while a program lives that it turns into or starts.
        """
        tree = self.folder / bundle_id[:32]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = _lock(tree, fcntl.LOCK_SH)
            if lock is not None:
                os.utime(lock)
                os.set_inheritable(lock, True)
        except OSError as error:
            raise storage_error(error, self.folder) from None
        return tree

    def usage(self) -> TreeUsage:
        """Count what is there."""
        trees = [tree for tree in self._trees() if tree.is_dir()]
        return TreeUsage(len(trees), sum(map(_size, trees)))

    def prune(self, unused_for: float, now: float) -> TreeUsage:
        """Remove what was not used for so many seconds; never what is in use."""
        removed = freed = 0
        for tree in self._trees():
            last_use = _last_use(tree)
            if now - last_use < unused_for:
                continue
            try:
                lock = _lock(tree, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue  # somebody is at it
            size = _size(tree)
            removed += tree.is_dir()
            freed += size
            shutil.rmtree(tree, ignore_errors=True)
            with contextlib.suppress(OSError):
                tree.with_suffix(_LOCK).unlink()
            if lock is not None:
                os.close(lock)
        return TreeUsage(removed, freed)

    def _trees(self) -> list[Path]:
        """All there are; what killed runs left of others is removed on the way."""
        try:
            names = {entry.name for entry in os.scandir(self.folder)}
        except FileNotFoundError:
            return []
        except OSError as error:
            raise storage_error(error, self.folder) from None
        for name in sorted({name[1:33] for name in names if name.startswith(".")}):
            temporary.sweep(self.folder, name)
        ids = {name.removesuffix(_LOCK) for name in names}
        return [self.folder / name for name in sorted(ids) if _NAME.fullmatch(name)]


def _lock(tree: Path, kind: int) -> int | None:
    """A lock on a tree's name; None where the file system has none. Raises `OSError`."""
    path = tree.with_suffix(_LOCK)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, kind)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError:
            os.close(descriptor)
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(path.lstat(), os.fstat(descriptor)):
                return descriptor
        os.close(descriptor)  # it was pruned in between, and there is another by now


def _last_use(tree: Path) -> float:
    for path in (tree.with_suffix(_LOCK), tree):
        with contextlib.suppress(OSError):
            status = path.stat()
            return max(status.st_mtime, status.st_ctime)
    return 0.0


def _size(tree: Path) -> int:
    size = 0
    for parent, _, names in os.walk(tree):
        for name in names:
            with contextlib.suppress(OSError):
                size += Path(parent, name).lstat().st_size
    return size
