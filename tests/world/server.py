"""An HTTP/1.1 server that says exactly what a test wants said, however wrong.

    with Server({"/a.tgz": b"…", "/b.tgz": [Reply(status=503), Reply(b"…")]}) as server:
        fetch(server.url + "/a.tgz")
    assert server.paths == ["/a.tgz"]

A route is bytes, a `Reply`, a list of them (one for each request, the last for all further
ones), or a function from `Request` to `Reply`; `default` is the function for all other paths.
What is asked is kept in `Server.requests`. Connections are kept alive; Range and If-Range are
understood unless a reply says otherwise.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from tests.world._thread import ThreadedServer, linger_none

_RANGE = re.compile(r"bytes=(\d+)-")
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. Header names are in lower case."""

    method: str
    target: str
    """Path and query, as they came."""
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered, and what goes wrong with it.

    cut: bytes of the body after which the connection is closed (reset, if `reset`).
    drip: seconds between the body's bytes, sent one by one.
    delay: seconds before anything is sent.
    silent: nothing is ever sent; with `cut`, nothing after those bytes.
    length: the Content-Length to claim; None is the true one, -1 none at all.
    ranges: whether Range is understood.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    drip: float | None = None
    delay: float = 0.0
    silent: bool = False
    length: int | None = None
    ranges: bool = True


Handler = Callable[[Request], Reply]
Route = bytes | Reply | Sequence[Reply] | Handler


def not_here(request: Request) -> Reply:
    """What an unknown path gets unless told otherwise."""
    return Reply(b"not here", 404)


class Server(ThreadedServer):
    """Serves `routes`, which may be changed at any time.

    Attributes:
        requests: what was asked, in order.
        most_at_once: the highest number of requests that were being answered at a time.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        *,
        default: Handler = not_here,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        bind: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        super().__init__(tls=tls, host=host, bind=bind)
        self.requests: list[Request] = []
        self.most_at_once = 0
        self._routes = routes
        self._default = default
        self._at_once = 0
        self._turns: dict[str, int] = {}

    @property
    def paths(self) -> list[str]:
        """The paths of all requests, in order."""
        return [request.path for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await read_request(reader)) is not None:
            self.requests.append(request)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            try:
                if not await _send(writer, request, self._answer(request)):
                    return
            finally:
                self._at_once -= 1

    def _answer(self, request: Request) -> Reply:
        route = self._routes.get(request.path, self._default)
        if isinstance(route, bytes):
            return Reply(route)
        if isinstance(route, Reply):
            return route
        if callable(route):
            return route(request)
        turn = self._turns.get(request.path, 0)
        self._turns[request.path] = turn + 1
        return route[min(turn, len(route) - 1)]


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection; None at its end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


async def _send(writer: asyncio.StreamWriter, request: Request, reply: Reply) -> bool:
    """Send a reply. Returns whether the connection is still good."""
    if reply.silent and reply.cut is None:
        await asyncio.Event().wait()
    if reply.delay:
        await asyncio.sleep(reply.delay)
    status, body, headers = reply.status, reply.body, dict(reply.headers)
    wanted = _RANGE.fullmatch(request.headers.get("range", ""))
    condition = request.headers.get("if-range")
    unchanged = condition is None or condition in (
        headers.get("ETag"),
        headers.get("Last-Modified"),
    )
    if reply.ranges and status == 200 and wanted is not None and unchanged:
        start = int(wanted[1])
        if start < len(body):
            status = 206
            headers.setdefault("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            body = body[start:]
        else:
            status, body = 416, b""
    length = len(body) if reply.length is None else reply.length
    if length >= 0:
        headers["Content-Length"] = str(length)
    last = request.headers.get("connection") == "close"
    if last:
        headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    kept = body if reply.cut is None else body[: reply.cut]
    if request.method == "HEAD":
        kept = b""
    if reply.drip is None and len(kept) <= _BLOCK:
        writer.write(head + kept)
    else:
        writer.write(head)
        await _send_slowly(writer, kept, reply.drip)
    await writer.drain()
    if reply.silent:
        await asyncio.Event().wait()
    if reply.reset:
        # What is on its way must arrive first: a reset takes it along.
        await asyncio.sleep(0.05)
        linger_none(writer.get_extra_info("socket"))
        writer.transport.abort()
        return False
    return reply.cut is None and length == len(body) and not last


async def _send_slowly(writer: asyncio.StreamWriter, body: bytes, drip: float | None) -> None:
    step = _BLOCK if drip is None else 1
    for start in range(0, len(body), step):
        writer.write(body[start : start + step])
        await writer.drain()
        if drip is not None:
            await asyncio.sleep(drip)
