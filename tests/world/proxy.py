"""A forward proxy: CONNECT for https, absolute addresses for http; with or without a login."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from tests.world._thread import ThreadedServer
from tests.world.server import Request, read_request


class Proxy(ThreadedServer):
    """`authorization` is the Proxy-Authorization it insists on; `requests` is what it was sent.

    hosts: names that lead to a port of the loopback, whichever port is asked for.
    """

    def __init__(
        self, *, authorization: str | None = None, hosts: Mapping[str, int | None] | None = None
    ) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self._authorization = authorization
        self._hosts = hosts or {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        if request is None:
            return
        self.requests.append(request)
        sent = request.headers.get("proxy-authorization")
        if self._authorization is not None and sent != self._authorization:
            refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
            writer.write(refusal.encode())
            await writer.drain()
            return
        if request.method == "CONNECT":
            host, _, port = request.target.rpartition(":")
            if host in self._hosts:
                host, port = "127.0.0.1", str(self._hosts[host])
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            # One request a connection: enough for a test, and nothing to keep apart.
            parts = urlsplit(request.target)
            name, port_of = parts.hostname or "", parts.port
            if name in self._hosts:
                name, port_of = "127.0.0.1", self._hosts[name]
            far_reader, far_writer = await asyncio.open_connection(name, port_of)
            headers = {**request.headers, "connection": "close"}
            headers.pop("proxy-authorization", None)
            target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
            lines = [f"{request.method} {target} HTTP/1.1"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            far_writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + request.body)
        pumps = {
            asyncio.create_task(_pump(reader, far_writer)),
            asyncio.create_task(_pump(far_reader, writer)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            far_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
