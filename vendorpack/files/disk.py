"""What the file system says, in words: how much room there is, and why it refused."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

from vendorpack.errors import StoreError, TargetError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_CHUNK = 256 << 10
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_ADVICE = {
    errno.EMFILE: "Allow more open files (ulimit -n 4096), or ask for fewer --jobs.",
    errno.ENFILE: "The whole system has too many files open: end some programs.",
    errno.ENAMETOOLONG: "Choose a place with a shorter path or name.",
    errno.ELOOP: "Links there lead in a circle, or to where none is followed: name another place.",
    errno.ENOTDIR: "A part of that path is a file: name another place.",
    errno.EISDIR: "A folder has that name: name another place.",
    errno.ENOENT: "Check the path: was it removed meanwhile?",
    errno.ESTALE: "The network file system lost it: run the command again.",
    errno.EIO: "The disk failed: look at the system's log, or choose another place.",
    errno.EFBIG: "Allow larger files (ulimit -f), or choose another file system.",
    errno.ENOMEM: "Allow more memory, or ask for fewer --jobs.",
    errno.ETXTBSY: "A program runs from that file: end it, or name another place.",
    **dict.fromkeys(_REFUSED, "Choose a place that you may write to, or run as a user who may."),
}


def real_path(path: Path) -> Path:
    """The absolute path without links and dots, so that it has a name at its end."""
    return Path(os.path.realpath(path))


def existing_folder(path: Path) -> Path:
    """`path` itself if it is a folder, else the nearest one above it."""
    while not path.is_dir() and path != path.parent:
        path = path.parent
    return path


def free_space(path: Path) -> int:
    """Bytes that this process may still write at `path`."""
    status = os.statvfs(existing_folder(path))
    return status.f_bavail * status.f_frsize


def sync(fd: int) -> None:
    """Wait until what was written to the file system of `fd` is on disk. Raises `OSError`.

    Once for any number of files: an fsync each takes minutes for a hundred thousand.
    """
    import ctypes  # noqa: PLC0415 - dear, and only needed to publish

    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):  # not Linux
        os.sync()
        return
    if syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk. Raises `OSError`."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sha256_of(fd: int) -> str:
    """Hex sha256 of an open file, from its start; where it stands does not change."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK))
    offset = 0
    while count := os.preadv(fd, [buffer], offset):
        digest.update(buffer[:count])
        offset += count
    return digest.hexdigest()


def no_space(path: Path, needed: int | None) -> StoreError:
    """The error for a full disk. `needed`: bytes in all, if that is known."""
    try:
        status = os.statvfs(existing_folder(path))
        room = f"{_mebibytes(status.f_bavail * status.f_frsize)} are free"
        if status.f_files and not status.f_favail:
            room += ", but no more files can be made"
    except OSError:
        room = "how much is free cannot be told"
    wanted = "" if needed is None else f"{_mebibytes(needed)} are needed, "
    return StoreError(
        f"no space left on the device: {wanted}{room}",
        where=str(path),
        fix="Make room there, or choose another place.",
    )


def storage_error(error: OSError, path: Path) -> StoreError:
    """Why a file of vendorpack's own (bundle, store) cannot be written."""
    return _lacking(error, path, None) or StoreError(
        f"cannot write there: {_reason(error)}", where=str(path), fix=advice(error.errno)
    )


def _lacking(error: OSError, path: Path, needed: int | None) -> StoreError | None:
    """What the machine has too little of, if that is it, whatever was to be done."""
    if error.errno == errno.ENOMEM:
        return system_error(error)
    return no_space(path, needed) if error.errno in _FULL else None


def system_error(error: OSError) -> StoreError:
    """Why the system refused something, where nothing more is known of it."""
    if error.errno == errno.ENOMEM:
        return StoreError("there is too little memory", fix=advice(error.errno))
    what, where = error.strerror or str(error), None
    if error.filename:
        where = os.fsdecode(error.filename) if not isinstance(error.filename, int) else None
    elif error.errno == errno.ENOENT and not _has_folder():
        return StoreError("the current folder is gone", fix="Change to a folder that exists.")
    return StoreError(what[:1].lower() + what[1:], where=where, fix=advice(error.errno))


def advice(number: int | None) -> str:
    """What to do about an error of the system, by its errno."""
    return _ADVICE.get(number or 0, "Choose another place, or look at the system's log.")


def _has_folder() -> bool:
    try:
        Path.cwd()
    except OSError:
        return False
    return True


def target_error(error: OSError, path: Path, needed: int | None = None) -> StoreError | TargetError:
    """Why a folder that is to be filled cannot be."""
    lacking = _lacking(error, path, needed)
    if lacking is not None:
        return lacking
    if error.errno in _REFUSED:
        return TargetError(
            f"the folder cannot be written: {_reason(error)}",
            where=str(path),
            fix="Choose another folder with --prefix, or run as a user who may write there.",
        )
    return TargetError(
        f"the folder cannot be filled: {_reason(error)}", where=str(path), fix=advice(error.errno)
    )


def _reason(error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    if isinstance(error.filename, str) and error.filename:
        return f"{reason} ({error.filename})"
    return reason


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB" if size >= 1 << 16 else f"{size} bytes"
