"""All servers of a test, and the authority that their certificates are from."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.world.proxy import Proxy
from tests.world.site import Site
from tests.world.ssh import SshServer
from tests.world.tls import Authority


class World:
    """Servers that live as long as the context; what they need lies below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "world"
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @cached_property
    def _authority(self) -> Authority:
        return Authority()

    @cached_property
    def ca_file(self) -> Path:
        """The authority's certificate (PEM)."""
        return self._authority.write_pem(self.folder / "ca.pem")

    @property
    def environ(self) -> dict[str, str]:
        """What makes vendorpack and git trust the world's certificates."""
        return {"SSL_CERT_FILE": str(self.ca_file), "GIT_SSL_CAINFO": str(self.ca_file)}

    def site(
        self, *, tls: bool = False, host: str = "127.0.0.1", names: Sequence[str] = ()
    ) -> Site:
        """Another host, running. names: what its certificate is for; else the loopback."""
        context = self._authority.server(*names) if tls else None
        return self._stack.enter_context(Site(tls=context, host=host))

    def internet(self, **sites: Site) -> dict[str, str]:
        """The environment in which names lead to sites: `git_example=site` is `git.example`."""
        ports = {name.replace("_", "."): urlsplit(site.url).port for name, site in sites.items()}
        proxy = self._stack.enter_context(Proxy(hosts=ports))
        return {"HTTPS_PROXY": proxy.url}

    def ssh(self, repositories: Path) -> SshServer:
        """An sshd that serves the bare repositories of a folder, running."""
        return self._stack.enter_context(SshServer(self.folder / "ssh", repositories))
