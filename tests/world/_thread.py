"""An asyncio server that runs in a thread of its own for as long as its context lasts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from types import TracebackType
from typing import Self


class ThreadedServer:
    """Subclasses serve one connection in `serve`; ending the context cuts all of them.

    Attributes:
        connections: how many were accepted.
        resets: how many of the next connections to reset at once, before any handshake.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        bind: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        """`host` is a name of the loopback that the server goes by; `bind` where it listens."""
        self.host = host
        self.connections = 0
        self.resets = 0
        self._tls = tls
        at = ("::1", 0) if ":" in host else bind
        family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET
        self._listener = socket.create_server(at, family=family, backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        """`http(s)://host:port`, without a slash behind."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self._tls is None else 'https'}://{host}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it is closed."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def join(self) -> None:
        """Serve until somebody ends the process."""
        self._thread.join()

    def _run(self) -> None:
        loop = self._loop
        accepting = loop.create_task(self._accept())
        loop.run_forever()
        for task in (accepting, *self._tasks):
            task.cancel()
        loop.run_until_complete(asyncio.gather(accepting, *self._tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        self._listener.close()
        loop.close()

    async def _accept(self) -> None:
        self._listener.setblocking(False)
        while True:
            connection, _ = await self._loop.sock_accept(self._listener)
            self.connections += 1
            if self.resets > 0:
                self.resets -= 1
                linger_none(connection)
                connection.close()
                continue
            task = self._loop.create_task(self._connected(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connected(self, connection: socket.socket) -> None:
        reader = asyncio.StreamReader(limit=1 << 18, loop=self._loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self._loop)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._tls,
                # Clients drop connections without a farewell.
                ssl_shutdown_timeout=None if self._tls is None else 0.2,
            )
            writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
            try:
                await self.serve(reader, writer)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()


def linger_none(connection: socket.socket) -> None:
    """Make the coming close a reset (RST)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
