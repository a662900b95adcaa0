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
    if error.errno in _FULL:
        return no_space(path, None)
    return StoreError(f"cannot write there: {_reason(error)}", where=str(path))


def target_error(error: OSError, path: Path, needed: int | None = None) -> StoreError | TargetError:
    """Why a folder that is to be filled cannot be."""
    if error.errno in _FULL:
        return no_space(path, needed)
    if error.errno in _REFUSED:
        return TargetError(
            f"the folder cannot be written: {_reason(error)}",
            where=str(path),
            fix="Choose another folder with --prefix, or run as a user who may write there.",
        )
    return TargetError(f"the folder cannot be filled: {_reason(error)}", where=str(path))


def _reason(error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    if isinstance(error.filename, str) and error.filename:
        return f"{reason} ({error.filename})"
    return reason


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB" if size >= 1 << 16 else f"{size} bytes"
