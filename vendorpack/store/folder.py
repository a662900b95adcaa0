"""A team's store in a folder, such as one on a network file system."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vendorpack.errors import FetchError
from vendorpack.files import temporary
from vendorpack.files.disk import storage_error
from vendorpack.store.objects import Listed

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

    def names(self, folder: str, limit: int) -> list[str]:
        """The names of objects right below a folder (`a/b/`), sorted; at most `limit`."""
        try:
            with os.scandir(self._folder / folder) as entries:
                listed = itertools.islice((entry.name for entry in entries), limit)
                return sorted(folder + name for name in listed if not name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._fault(error, folder) from None

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

    def listed(self, folder: str) -> Iterator[Listed]:
        """All objects below a folder (`a/`), in any order."""
        for parent, _, names in os.walk(self._folder / folder):
            for name in names:
                if name.startswith("."):
                    continue  # on its way to its name
                path = Path(parent, name)
                with contextlib.suppress(FileNotFoundError):
                    found = path.stat()
                    relative = path.relative_to(self._folder).as_posix()
                    yield Listed(relative, found.st_size, found.st_mtime)

    def remove(self, name: str) -> None:
        """Take an object away; it is no fault if it is gone."""
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._fault(error, name) from None

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
