"""One request: policy, credentials, proxy, redirects and the low-speed watchdog.

What goes wrong here comes out as a `Fault`; whoever asked decides whether to ask again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

import aiohttp
from yarl import URL

from vendorpack import __version__
from vendorpack.dataclass import dataclass
from vendorpack.fetch.address import Address, AddressError, parse_address, shown_unread
from vendorpack.fetch.auth import Logins, read_netrc
from vendorpack.fetch.faults import Fault, of_error, of_status
from vendorpack.fetch.proxy import Proxies
from vendorpack.fetch.resolver import Resolver
from vendorpack.fetch.tls import trust
from vendorpack.model import Access

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_RESENT: Final = frozenset({307, 308})
"""Redirects that a request other than GET or HEAD may follow: they keep the method."""
SUCCESS: Final = frozenset({200, 206, 416})
"""416 answers a Range request for bytes behind the end: a matter of whoever sent it."""
_COMMIT_TIME: Final = 300.0
"""Seconds that a server may take over what it was sent: it hashes it, or moves it elsewhere."""
_DRAINED: Final = 64 << 10
"""Bytes of an unwanted body that are read so that the connection can be used again."""
_FIELD: Final = 64 << 10
"""Bytes of one header: signed addresses to redirect to are long."""


class UrlPolicy(Protocol):
    """Which addresses may be asked. The engine's policy implements it."""

    def check(self, url: str, *, redirected_from: str | None = None) -> None:
        """Raise `PolicyError` unless `url` is allowed.

        Both are in the plain form they are asked for in, without userinfo and fragment.
        """
        ...

    def judges_addresses(self, url: str) -> bool:
        """Whether a redirect to `url` is also to be judged by what its host resolves to."""
        ...

    def check_addresses(
        self, url: str, addresses: Iterable[str], *, redirected_from: str, before: Iterable[str]
    ) -> None:
        """Raise `PolicyError` unless these IP addresses may be asked.

        before: those of the host that redirects; none if a proxy asked it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How hard to try. Times are seconds.

    jobs: downloads at once, and connections kept.
    connect_timeout: for connection and TLS handshake.
    low_speed_bytes, low_speed_time: fewer bytes a second than this, for this long, is a dead
        connection; so is an answer that does not begin in this time.
    retries: failures in a row that are forgiven one address, unless the file grows meanwhile.
    backoff_base, backoff_cap: the longest wait after the first failure, and after any.
    retry_after_cap: the longest wait that a server may ask for.
    max_redirects: hops.
    max_time: for one download from all its addresses with all its retries.
    """

    jobs: int = 32
    connect_timeout: float = 20.0
    low_speed_bytes: int = 10
    low_speed_time: float = 30.0
    retries: int = 5
    backoff_base: float = 0.5
    backoff_cap: float = 20.0
    retry_after_cap: float = 120.0
    max_redirects: int = 10
    max_time: float = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Upload:
    """A request's body. `open` gives its `size` bytes from the start, for every attempt anew."""

    size: int
    open: Callable[[], AsyncIterable[bytes]]
    media_type: str = "application/octet-stream"


class Reply:
    """An answer whose status is an accepted one, and whose body is still to be read."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        address: Address,
        watchdog: asyncio.Timeout,
        limits: Limits,
        judged: tuple[str, ...],
    ) -> None:
        self.judged = judged
        """The IP addresses that its address was judged by; none if the host is allowed by name."""
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.address = address
        self.length = response.content_length
        """Bytes of the body, if the server says."""
        self._content = response.content
        self._watchdog = watchdog
        self._limits = limits

    async def pour(self, take: Callable[[bytes], Awaitable[None]]) -> None:
        """Hand the body over as it comes, undecoded, for as long as enough of it comes."""
        now = asyncio.get_running_loop().time
        time = self._limits.low_speed_time
        enough = self._limits.low_speed_bytes * time
        window = 0
        async for chunk in self._content.iter_any():
            window += len(chunk)
            if window >= enough:
                window = 0
                self._watchdog.reschedule(now() + time)
            await take(chunk)

    def fault(self, reason: str, *, again: bool = False, wait: float | None = None) -> Fault:
        """A fault found in this answer."""
        return Fault(reason, where=self.address.shown, status=self.status, again=again, wait=wait)


class Requester:
    """A pool of connections and all that decides how they are used.

    requests: HTTP requests made so far.
    """

    def __init__(
        self,
        access: Access,
        policy: UrlPolicy,
        *,
        environ: Mapping[str, str],
        home: Path,
        limits: Limits,
    ) -> None:
        """Raises `UsageError` for settings that cannot be used."""
        self.requests = 0
        self._policy = policy
        self._limits = limits
        netrc = read_netrc(environ, home)
        self._logins = Logins(access.credentials, netrc, access.without_netrc)
        self._proxies = Proxies(environ, access.proxies)
        self._context = trust(environ, access.ca_files)
        self._resolver = Resolver()
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the pool; nothing is connected yet."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._limits.jobs,
                ssl=self._context,
                use_dns_cache=False,  # the resolver has its own
                keepalive_timeout=30,
                resolver=self._resolver,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"vendorpack/{__version__}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect_timeout),
            auto_decompress=False,
            max_field_size=_FIELD,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def send(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        method: str = "GET",
        upload: Upload | None = None,
        accepted: frozenset[int] = SUCCESS,
        named_by: str | None = None,
    ) -> AsyncIterator[Reply]:
        """Ask for `url` and follow redirects. Raises `Fault` and what the policy raises.

        accepted: statuses that are answers; all others are faults. named_by: the address that
        answered with `url` as the place to go on, which the policy sees as a redirect.

        Errors while the body is read inside the context come out as `Fault` too.
        """
        came_from = None if named_by is None else _parse(named_by)
        began = address = _parse(url) if came_from is None else _follow(came_from, url)
        followed = _REDIRECTS if method in ("GET", "HEAD") else _RESENT
        judged: tuple[str, ...] = ()
        for _ in range(self._limits.max_redirects + 1):
            self._policy.check(
                address.url, redirected_from=None if came_from is None else came_from.url
            )
            if came_from is not None:
                judged = await self._judge(address, came_from)
            asked = self._ask(address, began, headers, method, upload, accepted | followed)
            async with asked as (response, watchdog):
                location = response.headers.get("Location")
                if response.status not in followed or location is None:
                    yield Reply(response, address, watchdog, self._limits, judged)
                    return
                await _drain(response)
            came_from, address = address, _follow(address, location)
        raise Fault(f"more than {self._limits.max_redirects} redirects", where=began.shown)

    async def _judge(self, address: Address, came_from: Address) -> tuple[str, ...]:
        """Judge a hop by the addresses that it leads to, and return them.

        Where a proxy is asked, names are its business. Raises `Fault`, what the policy raises.
        """
        if not self._policy.judges_addresses(address.url) or self._proxies.choose(address):
            return ()
        proxied = self._proxies.choose(came_from) is not None
        before = [] if proxied else await self._resolved(came_from)
        found = await self._resolved(address)
        self._policy.check_addresses(
            address.url, found, redirected_from=came_from.url, before=before
        )
        return tuple(found)

    async def _resolved(self, address: Address) -> list[str]:
        try:
            return await self._resolver.addresses(address.host, address.port)
        except OSError as error:
            raise Fault(
                f"the name of {address.host} cannot be resolved",
                where=address.shown,
                again=error.errno == socket.EAI_AGAIN,
            ) from None

    @asynccontextmanager
    async def _ask(
        self,
        address: Address,
        began: Address,
        headers: Mapping[str, str],
        method: str,
        upload: Upload | None,
        accepted: frozenset[int],
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, asyncio.Timeout]]:
        """One hop: the status of its answer is an accepted one."""
        assert self._session is not None, "the client has not been entered"
        login = self._logins.choose(address, began)
        proxy = self._proxies.choose(address)
        sent = dict(headers)
        if login is not None:
            sent[login.name] = login.header
        to_proxy: dict[str, str] = {}
        if proxy is not None and proxy.authorization is not None:
            # Behind a tunnel the server must not see it; without one there is but one request.
            visible = to_proxy if address.scheme == "https" else sent
            visible["Proxy-Authorization"] = proxy.authorization
        if upload is not None:
            sent["Content-Type"] = upload.media_type
            sent["Content-Length"] = str(upload.size)
        self.requests += 1
        try:
            async with (
                asyncio.timeout(self._limits.low_speed_time) as watchdog,
                self._session.request(
                    method,
                    URL(address.url, encoded=True),
                    headers=sent,
                    data=None if upload is None else self._watched(upload, watchdog),
                    allow_redirects=False,
                    proxy=None if proxy is None else proxy.url,
                    proxy_headers=to_proxy or None,
                ) as response,
            ):
                if response.status not in accepted:
                    await _drain(response)
                    raise of_status(response, address, login, self._logins)
                yield response, watchdog
        except (aiohttp.ClientError, OSError) as error:
            self._resolver.forget(address.host)
            raise of_error(error, address, proxy) from None

    async def _watched(self, upload: Upload, watchdog: asyncio.Timeout) -> AsyncIterator[bytes]:
        """The body, for as long as the server takes it."""
        now = asyncio.get_running_loop().time
        async for chunk in upload.open():
            yield chunk
            watchdog.reschedule(now() + self._limits.low_speed_time)
        watchdog.reschedule(now() + max(_COMMIT_TIME, self._limits.low_speed_time))


def _parse(url: str) -> Address:
    try:
        return parse_address(url)
    except AddressError as error:
        raise Fault(f"the address cannot be used: {error}", where=shown_unread(url)) from None


def _follow(address: Address, location: str) -> Address:
    try:
        target = address.join(location)
    except AddressError as error:
        raise Fault(
            f"the server redirects to an address that cannot be used: {error}",
            where=address.shown,
        ) from None
    if address.scheme == "https" and target.scheme != "https":
        raise Fault(
            f"the server redirects from https to http: {target.shown}",
            where=address.shown,
            fix="What comes over plain http could be changed on the way; ask its operator.",
        )
    return target


async def _drain(response: aiohttp.ClientResponse) -> None:
    left = _DRAINED
    async for chunk in response.content.iter_any():
        left -= len(chunk)
        if left < 0:
            break
