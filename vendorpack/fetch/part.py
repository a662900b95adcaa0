"""A file that is being downloaded: appended to, and hashed as it grows.

Whatever happens, it holds nothing but a beginning of what came; so a later run can go on.

A small file is written where its bytes arrive: a change of thread costs more than that. From
a large one, whole blocks are written and hashed in a thread while the next ones come in.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import Hashers
from vendorpack.errors import StoreError
from vendorpack.files.disk import advice

HEAD_SIZE: Final = 64
"""Bytes kept of the beginning, to say what it looks like."""
_BLOCK: Final = 256 << 10
"""Bytes that are worth a change of thread. Twice as many are held for each download."""


@dataclass(frozen=True, slots=True)
class Download:
    """What is in the part file now, and where it came from.

    values: streamed algorithm to digest, sha256 always among them.
    size: bytes.
    url: the address that answered in the end, redacted.
    fetched: bytes that crossed the network for it now.
    head: the first bytes, at most 64.
    mirror: which of the addresses it came from, counted from 0: those behind it are still
        to be tried if the bytes are wrong.
    """

    values: dict[str, bytes]
    size: int
    url: str
    fetched: int
    head: bytes
    mirror: int


class Part:
    """Opened (created 0600 if need be) for appending.

    Attributes:
        fetched: bytes appended by this object, whether or not they were thrown away since.
        head: the first bytes, at most `HEAD_SIZE`.
    """

    def __init__(self, path: Path, algorithms: Iterable[str]) -> None:
        """Raises `StoreError`, as every method does."""
        self.fetched = 0
        self.head = b""
        self._path = path
        self._algorithms = tuple(algorithms)
        self._hashers = Hashers(self._algorithms)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise self._refused(error) from None

    async def read_back(self) -> None:
        """Hash what an earlier run left. Called once, before anything else."""
        if os.fstat(self._descriptor).st_size:
            await _settled(_in_thread(self._read_back))

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._hashers.size

    @property
    def values(self) -> dict[str, bytes]:
        """Algorithm to value over all that is in the file."""
        return self._hashers.values()

    @asynccontextmanager
    async def appending(self) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
        """A function that takes the next bytes; at the context's end, all are in the file.

        That holds for an error and a cancellation too.
        """
        waiting: list[bytes] = []
        held = 0
        writing: asyncio.Future[None] | None = None

        async def take(chunk: bytes) -> None:
            nonlocal held, writing
            waiting.append(chunk)
            held += len(chunk)
            if held < _BLOCK:
                return
            if writing is not None:
                await _settled(writing)
            block = b"".join(waiting)
            waiting.clear()
            held = 0
            writing = _in_thread(partial(self._append, block))

        try:
            yield take
        finally:
            if writing is not None:
                await _settled(writing)
            self._append(b"".join(waiting))

    def restart(self) -> None:
        """Throw away what is there."""
        try:
            os.ftruncate(self._descriptor, 0)
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

    def _read_back(self) -> None:
        try:
            while block := os.pread(self._descriptor, 1 << 20, self.size):
                self._count(block)
        except OSError as error:
            raise self._refused(error) from None

    def _append(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise self._refused(error) from None
        self.fetched += len(data)
        self._count(data)

    def _count(self, data: bytes) -> None:
        if len(self.head) < HEAD_SIZE:
            self.head += data[: HEAD_SIZE - len(self.head)]
        self._hashers.update(data)

    def _refused(self, error: OSError) -> StoreError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(self._path.parent).free
            return StoreError(
                f"no space left for a download ({free} bytes free, {self.size} written)",
                where=str(self._path),
                fix="Make room there, or name another folder for the store.",
            )
        return StoreError(
            f"cannot write a download: {error.strerror}",
            where=str(self._path),
            fix=advice(error.errno),
        )


def _in_thread(work: Callable[[], None]) -> asyncio.Future[None]:
    return asyncio.get_running_loop().run_in_executor(None, work)


async def _settled(work: asyncio.Future[None]) -> None:
    """Wait until a thread is done with the file, even if cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    failed = work.exception()
    problem = cancelled or failed
    if problem is not None:
        raise problem
