"""The HTTP client: one pool of connections, for artifacts and for the documents of an index.

Bytes are taken as they come: nothing is asked for encoded, and what comes encoded all the
same is not decoded, so a download can be as large as its cap allows and no larger, and a
file that happens to be compressed stays the file that was pinned. Only `Client.get` asks for
gzip, since an index's documents shrink tenfold, and decodes it up to the same cap.

A cut download goes on where it stopped (`Range`). Within one run `If-Range` keeps a file that
changed on the server from being stitched together; from one run to the next, and between
mirrors, the caller's check of the hash does.

Nothing is believed here: whoever downloads must verify what came.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import random
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from vendorpack.dataclass import dataclass
from vendorpack.errors import FetchError
from vendorpack.fetch.address import Landing
from vendorpack.fetch.faults import Fault
from vendorpack.fetch.part import Download, Part
from vendorpack.fetch.request import Limits, Reply, Requester, Upload, UrlPolicy
from vendorpack.fetch.transfer import Transfer
from vendorpack.model import Access
from vendorpack.redact import redact_url
from vendorpack.room import Answer

__all__ = ["Client", "Download", "Limits", "Response", "Upload", "UrlPolicy"]

T = TypeVar("T")

_ABSENT: Final = (404, 410)
_PROGRESS: Final = 1 << 20
"""Bytes that a file must have grown by for the failures on the way to be forgotten."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer with a small body. url: the address that gave it, without userinfo."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


class Client:
    """Downloads and asks indexes; an asynchronous context manager.

    Every address, and every target of a redirect, goes through the policy before it is asked.
    """

    def __init__(
        self,
        access: Access,
        policy: UrlPolicy,
        *,
        environ: Mapping[str, str],
        home: Path,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        on_bytes: Callable[[int], None] | None = None,
        on_retry: Callable[[str], None] | None = None,
    ) -> None:
        """`on_bytes` is told of bytes gained, and, by a negative number, of bytes thrown away.

        `on_retry` is told in one line what failed and when it is tried again.
        Raises `UsageError` for settings that cannot be used.
        """
        self._requester = Requester(access, policy, environ=environ, home=home, limits=limits)
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.jobs)
        self._on_bytes = on_bytes or (lambda count: None)
        self._on_retry = on_retry or (lambda message: None)

    async def __aenter__(self) -> Client:
        await self._requester.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._requester.close()

    @property
    def requests(self) -> int:
        """HTTP requests made so far."""
        return self._requester.requests

    async def download(
        self,
        urls: Sequence[str],
        part: Path,
        *,
        algorithms: Iterable[str],
        size: int | None,
        max_size: int,
        label: str,
        only_if_absent: bool = False,
    ) -> Download:
        """Fill `part` from the first of `urls` that serves it, going on with what is there.

        Nothing is verified: all that holds is that no more than `size` bytes (`max_size` where
        that is not known) are there. After a mismatch the caller deletes `part` before it
        tries again. `label` names what is downloaded, for messages. `only_if_absent`: go on to
        the next address only after an answer that there is nothing. If this is cancelled,
        `part` keeps what came.

        Raises `FetchError`, `PolicyError`, `StoreError`, `UsageError` (an unusable proxy).
        """
        failures: list[FetchError] = []
        # The slot is kept while waiting to try again: a server in trouble gets less to do.
        async with self._slots:
            with Part(part, algorithms) as file:
                await file.read_back()
                self._on_bytes(file.size)
                for mirror, url in enumerate(urls):
                    transfer = Transfer(
                        self._requester,
                        url,
                        file,
                        size=size,
                        max_size=max_size,
                        on_bytes=self._on_bytes,
                    )
                    try:
                        shown = await self._persist(url, label, transfer.attempt, lambda: file.size)
                    except FetchError as error:
                        failures.append(error)
                        if only_if_absent and error.status not in _ABSENT:
                            break
                        continue
                    return Download(
                        values=file.values,
                        size=file.size,
                        url=shown,
                        fetched=file.fetched,
                        head=file.head,
                        mirror=mirror,
                    )
        raise _all_of(failures, label)

    async def get(self, url: str, *, accept: str = "*/*", max_size: int = 64 << 20) -> Answer:
        """Fetch a small document. Raises `FetchError` with `.status` (404 …) or `PolicyError`."""
        headers = {"Accept": accept, "Accept-Encoding": "gzip"}

        async def attempt() -> Answer:
            async with self._requester.send(url, headers) as reply:
                body = await _document(reply, max_size)
            return Answer(body, reply.headers.get("Content-Type", ""), reply.address.url)

        async with self._slots:
            return await self._persist(url, "", attempt, lambda: 0)

    async def landing(self, url: str) -> Landing:
        """Where an address leads to, each hop judged. Raises what `get` does."""

        async def attempt() -> Landing:
            async with self._requester.send(url, {"Accept-Encoding": "gzip"}) as reply:
                if reply.status != 200:
                    raise reply.fault(f"the server answers {reply.status} where 200 is due")
                return Landing(reply.address.url, reply.judged)

        async with self._slots:
            return await self._persist(url, "", attempt, lambda: 0)

    async def exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        accepted: Iterable[int],
        upload: Upload | None = None,
        named_by: str | None = None,
        max_size: int = 4 << 20,
    ) -> Response:
        """One request of any kind, made once. Raises `Fault` and what the policy raises.

        accepted: the statuses that are answers. named_by: the address whose answer said to go
        on at `url`, which may be relative to it.
        """
        sending = self._requester.send(
            url,
            {"Accept-Encoding": "identity", **(headers or {})},
            method=method,
            upload=upload,
            accepted=frozenset(accepted),
            named_by=named_by,
        )
        async with sending as reply:
            body = await _whole(reply, max_size)
            return Response(reply.status, reply.headers, body, reply.address.url)

    async def persist(self, url: str, label: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make an attempt of several exchanges again until it works, or no trying helps.

        url: for messages, as `label` is. Raises `FetchError` and what else `attempt` raises.
        """
        async with self._slots:
            return await self._persist(url, label, attempt, lambda: 0)

    async def _persist(
        self,
        url: str,
        label: str,
        attempt: Callable[[], Awaitable[T]],
        grown: Callable[[], int],
    ) -> T:
        """Try until it works, or no more trying helps. Raises `FetchError`."""
        limits = self._limits
        prefix = f"{label}: " if label else ""
        failures, best = 0, grown()
        try:
            async with asyncio.timeout(limits.max_time):
                while True:
                    try:
                        return await attempt()
                    except Fault as fault:
                        if grown() >= best + _PROGRESS:
                            failures, best = 0, grown()
                        if not fault.again or failures >= limits.retries:
                            raise _given_up(prefix, fault, failures) from None
                        wait = self._wait(prefix, fault, failures)
                        self._on_retry(
                            f"{prefix}{fault.reason} ({fault.where}); trying again in {wait:.1f} s"
                        )
                    failures += 1
                    await asyncio.sleep(wait)
        except TimeoutError:
            raise FetchError(
                f"{prefix}not done after {limits.max_time:,.0f} s", where=redact_url(url)
            ) from None

    def _wait(self, prefix: str, fault: Fault, failures: int) -> float:
        """Seconds to wait before the next attempt."""
        limits = self._limits
        jitter = random.uniform(0, 1)  # noqa: S311 - no secret
        if fault.wait is None:
            return jitter * min(limits.backoff_cap, limits.backoff_base * 2.0**failures)
        if fault.wait > limits.retry_after_cap:
            raise FetchError(
                f"{prefix}{fault.reason} and asks to wait {fault.wait:,.0f} s",
                where=fault.where,
                fix=f"Try again after that; up to {limits.retry_after_cap:,.0f} s are waited for.",
                status=fault.status,
            )
        # All who were sent away together should not come back together.
        return fault.wait + jitter * limits.backoff_base


def _given_up(prefix: str, fault: Fault, failures: int) -> FetchError:
    often = f" (after {failures + 1} attempts)" if failures else ""
    return FetchError(
        f"{prefix}{fault.reason}{often}", where=fault.where, fix=fault.fix, status=fault.status
    )


def _all_of(failures: Sequence[FetchError], label: str) -> FetchError:
    """One error for the failures of all the addresses there are."""
    if len(failures) == 1:
        return failures[0]
    if not failures:
        return FetchError(f"{label}: there is no address to download it from")
    lines = (f"{error.where}: {error.what.removeprefix(f'{label}: ')}" for error in failures)
    return FetchError(
        f"{label}: none of the {len(failures)} addresses serves it",
        where="\n".join(lines),
        fix=failures[0].fix,
        status=failures[0].status,
    )


async def _document(reply: Reply, max_size: int) -> bytes:
    """The whole body, decoded; neither form of it is larger than `max_size`."""
    if reply.status != 200:
        raise reply.fault(f"the server answers {reply.status} where 200 is due")
    body = await _whole(reply, max_size)
    encoding = reply.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise reply.fault("the document is encoded in a way that was not asked for")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            document = file.read(max_size + 1)
    except (OSError, EOFError, zlib.error):
        raise reply.fault("the document's gzip encoding is damaged", again=True) from None
    if len(document) > max_size:
        raise _too_large(reply, max_size)
    return document


async def _whole(reply: Reply, max_size: int) -> bytes:
    """The whole body as it comes."""
    body = bytearray()

    async def take(chunk: bytes) -> None:
        if len(body) + len(chunk) > max_size:
            raise _too_large(reply, max_size)
        body.extend(chunk)

    await reply.pour(take)
    return bytes(body)


def _too_large(reply: Reply, max_size: int) -> Fault:
    return reply.fault(f"the document is larger than {max_size:,} bytes")
