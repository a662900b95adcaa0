"""A team's store in a folder, such as one on a network file system."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import BinaryIO

from vendorpack.errors import FetchError
from vendorpack.files import temporary
from vendorpack.files.disk import storage_error

_CHUNK = 1 << 20
_NO_HARD_LINKS = {errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}


class FolderObjects:
    """Objects as files below a folder; see `Objects`."""

    def __init__(self, folder: Path) -> None:
        self.url = str(folder)
        self._folder = folder

    def size(self, name: str) -> int | None:
        """Bytes of an object; None if there is none."""
        try:
            return (self._folder / name).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._fault(error, name) from None

    def read(self, name: str, size: int, offset: int = 0) -> bytes | None:
        """At most `size` bytes of an object; None if there is none."""
        try:
            with (self._folder / name).open("rb") as file:
                file.seek(offset)
                return file.read(size)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._fault(error, name) from None

    def save(self, name: str, path: Path, limit: int) -> bool:
        """Write an object to `path`; False if there is none."""
        try:
            source = (self._folder / name).open("rb")
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._fault(error, name) from None
        rest = limit + 1
        with source:
            try:
                with path.open("wb") as out:
                    while rest and (chunk := source.read(min(_CHUNK, rest))):
                        rest -= out.write(chunk)
            except OSError as error:
                raise storage_error(error, path) from None
        return True

    def create(self, name: str, content: BinaryIO) -> bool:
        """Write an object unless it is there; False if it is."""
        final = self._folder / name
        try:
            if final.exists():
                return False
            final.parent.mkdir(parents=True, exist_ok=True)
            path, fd = temporary.create_file(final)
            try:
                with open(fd, "wb") as out:
                    shutil.copyfileobj(content, out, _CHUNK)
                    out.flush()
                    # It stays for good: nobody could mend what a power cut emptied.
                    os.fsync(fd)
                    return _appear(path, final)
            finally:
                temporary.remove(path)
        except OSError as error:
            raise self._fault(error, name) from None

    def _fault(self, error: OSError, name: str) -> FetchError:
        return FetchError(
            f"the team's store is out of order: {error.strerror or error}",
            where=str(self._folder / name),
        )


def _appear(path: Path, final: Path) -> bool:
    """Give a file its name; False if another file has it."""
    try:
        os.link(path, final)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        # Whoever comes second here replaces the same bytes by the same bytes.
        path.replace(final)
    return True
