"""Names to addresses, once a run: what the policy judges is what is connected to.

A name that resolves to one address when it is looked at and to another when it is used is how a
check is walked around (DNS rebinding). So an answer is kept for the whole run, and forgotten only
with a connection that failed; whoever asks then is judged anew.
"""

from __future__ import annotations

import asyncio
import socket

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult


class Resolver(AbstractResolver):
    """The system's resolver, with a memory."""

    def __init__(self) -> None:
        self._system = aiohttp.ThreadedResolver()
        self._known: dict[tuple[str, int], asyncio.Future[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host. Raises `OSError`."""
        known = self._known.get((host, port))
        if known is None:
            known = asyncio.ensure_future(self._ask(host, port, family))
            self._known[host, port] = known
        try:
            return await asyncio.shield(known)
        except OSError:
            self.forget(host)
            raise

    async def _ask(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        try:
            return await self._system.resolve(host, port, family)
        except OSError:
            if host != "localhost":
                raise
            # It is the loopback everywhere (RFC 6761), also in a root without an /etc/hosts.
            loopback = ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            return [loopback]

    async def addresses(self, host: str, port: int) -> list[str]:
        """The same as texts; of an address itself. Raises `OSError`."""
        return [found["host"] for found in await self.resolve(host, port)]

    def forget(self, host: str) -> None:
        """Ask anew the next time."""
        for key in [key for key in self._known if key[0] == host]:
            del self._known[key]

    async def close(self) -> None:
        """Nothing is open."""
