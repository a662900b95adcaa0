"""A file that is being downloaded: appended to, and hashed as it grows.

Whatever happens, it holds nothing but a beginning of what came; so a later run can go on.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final

from vendorpack.digest import Hashers
from vendorpack.errors import StoreError

HEAD_SIZE: Final = 64
"""Bytes kept of the beginning, to say what it looks like."""
_BLOCK: Final = 1 << 20


class Part:
    """Opened (created 0600 if need be) for appending; what is there already is hashed.

    Attributes:
        size: bytes in the file.
        fetched: bytes appended by this object, thrown away or not.
        head: the first bytes, at most `HEAD_SIZE`.
    """

    def __init__(self, path: Path, algorithms: Iterable[str]) -> None:
        """Raises `StoreError`, as every method does."""
        self.path = path
        self.fetched = 0
        self.head = b""
        self._algorithms = tuple(algorithms)
        self._hashers = Hashers(self._algorithms)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise self._refused(error) from None
        try:
            while block := os.read(self._descriptor, _BLOCK):
                self._take(block)
        except OSError as error:
            os.close(self._descriptor)
            raise self._refused(error) from None

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._hashers.size

    @property
    def values(self) -> dict[str, bytes]:
        """Algorithm to value over all that is in the file."""
        return self._hashers.values()

    def append(self, data: bytes) -> None:
        """Write and hash the next bytes."""
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise self._refused(error) from None
        self.fetched += len(data)
        self._take(data)

    def restart(self) -> None:
        """Throw away what is there."""
        try:
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        except OSError as error:
            raise self._refused(error) from None
        self.head = b""
        self._hashers = Hashers(self._algorithms)

    def __enter__(self) -> Part:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def _take(self, data: bytes) -> None:
        if len(self.head) < HEAD_SIZE:
            self.head += data[: HEAD_SIZE - len(self.head)]
        self._hashers.update(data)

    def _refused(self, error: OSError) -> StoreError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(self.path.parent).free
            return StoreError(
                f"no space left for a download ({free} bytes free, {self.size} written)",
                where=str(self.path),
                fix="Make room there, or name another folder for the store.",
            )
        return StoreError(f"cannot write a download: {error.strerror}", where=str(self.path))
