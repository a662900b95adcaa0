"""Temporary files and folders beside their final place, which never outlive a run for long.

A temporary name is `.<final>.vendorpack-<pid>-<random>`, and whoever made it holds a lock
(flock) on it. The lock goes with its process, however that ends, so `sweep` can tell what a
kill left behind from what another run is working on, in other containers too.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from pathlib import Path

_MARK = ".vendorpack-"
_NOT_A_LINK = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def create_file(final: Path) -> tuple[Path, int]:
    """A new file beside `final`, locked and open for reading and writing. Raises `OSError`."""
    while True:
        path = final.parent / _temporary_name(final.name)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOT_A_LINK, 0o666)
        if _claim(fd, path):
            return path, fd
        os.close(fd)


def create_folder(holder: Path, final: str) -> tuple[Path, int]:
    """A new folder in `holder` for what will be named `final`: private, locked, open."""
    while True:
        path = holder / _temporary_name(final)
        path.mkdir(mode=0o700)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _NOT_A_LINK)
        except FileNotFoundError:
            continue
        if _claim(fd, path):
            return path, fd
        os.close(fd)


def is_temporary(name: str, final: str) -> bool:
    """Whether `name` is a temporary one for `final`."""
    return name.startswith(_temporary_start(final))


def sweep(holder: Path, final: str) -> None:
    """Remove what killed runs left for `final`. What cannot be removed is let be."""
    try:
        with os.scandir(holder) as entries:
            found = [Path(entry.path) for entry in entries if is_temporary(entry.name, final)]
    except OSError:
        return
    for path in sorted(found):
        fd = _take_over(path)
        if fd is not None:
            remove(path)
            # Held until now: its maker may be about to lock it.
            os.close(fd)


def remove(path: Path) -> None:
    """Remove a temporary file or folder if that is possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def publish(path: Path, final: Path) -> None:
    """Give a finished temporary file its final name, which may be a file's that it replaces.

    Raises `OSError`; `FileExistsError` for a link, a fifo, a device or a folder of that name.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(final.lstat().st_mode):
            raise FileExistsError(errno.EEXIST, "something else than a file is there", str(final))
    path.replace(final)


def write_file(final: Path, content: bytes) -> None:
    """A file that appears whole, as `publish` gives it its name. Raises `OSError`."""
    path, fd = create_file(final)
    try:
        with open(fd, "wb") as file:
            file.write(content)
        publish(path, final)
    except BaseException:
        remove(path)
        raise


def _temporary_start(final: str) -> str:
    # A name has at most 255 bytes, and ours must fit too.
    return "." + os.fsdecode(os.fsencode(final)[:150]) + _MARK


def _temporary_name(final: str) -> str:
    return f"{_temporary_start(final)}{os.getpid()}-{os.urandom(6).hex()}"


def _claim(fd: int, path: Path) -> bool:
    """Lock what was just made; False if a sweeping run was faster and removed it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # A file system without locks: others cannot lock it either.
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    mine = os.fstat(fd)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _take_over(path: Path) -> int | None:
    """Lock what somebody else made; None if some process still holds it, or may do so."""
    try:
        fd = os.open(path, os.O_RDONLY | _NOT_A_LINK)
    except OSError:
        return None
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
    except OSError:
        pass
    os.close(fd)
    return None
