"""One file from one address, over as many requests as it takes.

A request goes on behind what is there (`Range`), bound to the very file the earlier ones came
from (`If-Range`) as far as this run knows it. An answer that does not continue there starts
the file over.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from vendorpack.fetch.faults import Fault
from vendorpack.fetch.part import Part
from vendorpack.fetch.request import Reply, Requester
from vendorpack.redact import redact_url

_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class _TooLarge(Fault):
    """More bytes than there may be: none of them is of use."""


class Transfer:
    """Fills `file` from `url` with `size` bytes or, where that is None, `max_size` at most."""

    def __init__(
        self,
        requester: Requester,
        url: str,
        file: Part,
        *,
        size: int | None,
        max_size: int,
        on_bytes: Callable[[int], None],
    ) -> None:
        self._requester = requester
        self._url = url
        self._file = file
        self._size = size
        self._limit = max_size if size is None else size
        self._on_bytes = on_bytes
        self._validator: str | None = None

    async def attempt(self) -> str:
        """Get the rest of the file. Returns the redacted address that answered.

        Raises `Fault`, `StoreError` and what the policy raises.
        """
        file = self._file
        if file.size > self._limit:
            self._restart()
        if file.size == self._size:
            return redact_url(self._url)
        # Encoded bytes would not be the file that was pinned.
        headers = {"Accept-Encoding": "identity"}
        if file.size:
            headers["Range"] = f"bytes={file.size}-"
            if self._validator is not None:
                headers["If-Range"] = self._validator
        try:
            async with self._requester.send(self._url, headers) as reply:
                total = self._begin(reply)
                await self._receive(reply)
        except _TooLarge:
            self._restart()
            raise
        if total is not None and file.size < total:
            raise reply.fault("the answer was cut short", again=True)
        return reply.address.shown

    def _begin(self, reply: Reply) -> int | None:
        """Make the file ready for the body. Returns the size it will have, if that is known."""
        length = reply.length
        if reply.status == 200:
            self._restart()
            self._validator = _validator(reply)
            framed = length is not None or "Transfer-Encoding" in reply.headers
            total = length if framed else self._size
        elif reply.status == 206:
            first, total = _content_range(reply)
            if first is None or first != self._file.size:
                self._restart()
                raise reply.fault("the server sends another part than was asked for", again=True)
        else:
            self._restart()
            raise reply.fault("the server has no such part of the file", again=True, wait=0)
        if total is not None and total > self._limit:
            raise self._too_large(reply)
        return total

    async def _receive(self, reply: Reply) -> None:
        room = self._limit - self._file.size
        async with self._file.appending() as append:

            async def take(chunk: bytes) -> None:
                nonlocal room
                room -= len(chunk)
                if room < 0:
                    raise self._too_large(reply)
                await append(chunk)
                self._on_bytes(len(chunk))

            await reply.pour(take)

    def _too_large(self, reply: Reply) -> Fault:
        said = "the size that is pinned" if self._size is not None else "the largest size allowed"
        reason = f"the file is larger than {self._limit:,} bytes, {said}"
        fix = None if self._size is not None else "If that is meant: a larger --max-size."
        return _TooLarge(reason, where=reply.address.shown, status=reply.status, fix=fix)

    def _restart(self) -> None:
        if self._file.size:
            self._on_bytes(-self._file.size)
            self._file.restart()


def _content_range(reply: Reply) -> tuple[int | None, int | None]:
    """Where a partial answer begins, and the size of the whole file; None if it does not say."""
    match = _CONTENT_RANGE.fullmatch(reply.headers.get("Content-Range", "").strip())
    if match is None:
        return None, None
    first, last, total = match.groups()
    return int(first), int(last) + 1 if total == "*" else int(total)


def _validator(reply: Reply) -> str | None:
    """What names this very file: a strong ETag, else its date."""
    etag = reply.headers.get("ETag")
    if etag is not None and not etag.startswith("W/"):
        return etag
    return reply.headers.get("Last-Modified")
