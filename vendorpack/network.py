"""The network as a run has it: a client, and git, made when they are first needed."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from vendorpack.model import Access
from vendorpack.room import Answer
from vendorpack.run import Run

if TYPE_CHECKING:
    from pathlib import Path

    from vendorpack.fetch.address import Landing
    from vendorpack.fetch.commits import Reach
    from vendorpack.fetch.http import Client
    from vendorpack.fetch.part import Download


class Network:
    """The client, made at the first request and again once more is granted (`room.Index`)."""

    def __init__(self, run: Run, access: Access, stack: contextlib.AsyncExitStack) -> None:
        import asyncio  # noqa: PLC0415 - as in `gather._fetching`

        self._run, self._stack = run, stack
        self._made: list[Client] = []
        self._making = asyncio.Lock()
        self._access = access
        self.policy = run.policy.trusting(access.origins)

    def grant(self, access: Access) -> None:
        """From now on, go where `access` lets us."""
        if access != self._access:
            self._access = access
            self.policy = self._run.policy.trusting(access.origins)
            self._made.clear()

    async def client(self) -> Client:
        """The client of what is granted by now."""
        async with self._making:
            if not self._made:
                client = self._run.connect(self._access, self.policy)
                self._made.append(await self._stack.enter_async_context(client))
        return self._made[0]

    async def get(self, url: str, *, accept: str = "*/*", max_size: int = 64 << 20) -> Answer:
        """Ask an index."""
        return await (await self.client()).get(url, accept=accept, max_size=max_size)

    async def _moved(self, url: str) -> Landing:
        """Where an address leads to, each hop judged as any other's is."""
        return await (await self.client()).landing(url)

    async def commit(self, url: str, part: Path, algorithms: Sequence[str]) -> Download:
        """Fetch a git commit."""
        from vendorpack.fetch.commits import download_commit  # noqa: PLC0415 - seldom needed

        return await download_commit(url, part, algorithms=algorithms, reach=self._reach())

    async def export(self, url: str, out: Path) -> None:
        """Fetch the export of a git commit."""
        from vendorpack.fetch.commits import download_export  # noqa: PLC0415 - seldom needed

        await download_export(url, out, reach=self._reach())

    async def head(self, repository: str, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Ask an index that is a git repository."""
        from vendorpack.fetch.commits import download_files  # noqa: PLC0415 - seldom needed

        self.policy.check(f"git+{repository}")
        with self._run.store.part(f"head {repository}") as part:
            return await download_files(repository, paths, part, reach=self._reach())

    def _reach(self) -> Reach:
        from vendorpack.fetch.commits import Reach  # noqa: PLC0415 - seldom needed

        return Reach(
            access=self._access,
            environ=self._run.environ,
            keep_config=self._run.git_config,
            moved=self._moved,
            plain_http=any(host.startswith("http://") for host in self.policy.allow_hosts),
        )
