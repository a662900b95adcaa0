"""Locks between processes: flock on a file, which goes with its process however that ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

_OPEN = os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def try_lock(path: Path) -> int | None:
    """Hold `path`, made if need be, as a descriptor; None if another process does.

    Whoever holds it may remove the file. Raises `OSError` if it cannot be made.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | _OPEN, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # held, or a file system without locks
            os.close(descriptor)
            return None
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # its last holder removed it meanwhile


def is_held(path: Path) -> bool:
    """Whether another process is why `try_lock` could not have it; else there are no locks here."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return isinstance(error, BlockingIOError)
    finally:
        os.close(descriptor)
    return True


@contextlib.contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold `path` together with others; waits while one holds it alone.

    Where the file can neither be made nor opened (a read-only disk) there is nothing to hold:
    nobody else can write there either.
    """
    descriptor = _open(path)
    try:
        if descriptor is not None:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Hold `path` against all others, if none holds it now; whether that is so."""
    descriptor = _open(path)
    try:
        held = False
        if descriptor is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held = True
        yield held
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open(path: Path) -> int | None:
    """A file that stays: whoever shares the folder can read it, and so lock it."""
    for flags in (os.O_RDWR | _OPEN, os.O_RDONLY | os.O_CLOEXEC):
        with contextlib.suppress(OSError):
            return os.open(path, flags, 0o644)
    return None


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
