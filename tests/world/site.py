"""A web server that has services below its paths, and who may ask them."""

from __future__ import annotations

import base64
import ssl
from dataclasses import replace
from typing import TypeVar

from tests.world.server import Reply, Request, Server

S = TypeVar("S", bound="Service")


def basic(login: str) -> str:
    """The Authorization header of `user:password`."""
    return "Basic " + base64.b64encode(login.encode()).decode()


def bearer(token: str) -> str:
    """The Authorization header of a token."""
    return f"Bearer {token}"


class Service:
    """One registry or the like. `url` (without a slash behind) and `server` are where it is."""

    url: str
    server: Site

    def answer(self, path: str, request: Request) -> Reply:
        """Answer for a path below `url`, which has no slash before it."""
        raise NotImplementedError

    @property
    def origin(self) -> str:
        """The site's address, which is what `--allow-host` takes for plain http."""
        return self.server.url


class Site(Server):
    """A host with services.

    next: replies to give first, by path; each is given once.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        bind: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        super().__init__({}, default=self._route, tls=tls, host=host, bind=bind)
        self.next: dict[str, list[Reply]] = {}
        self._mounts: dict[str, tuple[Service, str | None]] = {}

    def mount(self, at: str, service: S, *, login: str | None = None) -> S:
        """Serve it below `at` (`npm`, or nothing for the root), to who brings `login`."""
        service.url = f"{self.url}/{at}".rstrip("/")
        service.server = self
        self._mounts[at] = (service, login)
        return service

    def _route(self, request: Request) -> Reply:
        first = self.next.get(request.path)
        if first:
            return first.pop(0)
        path = request.path.lstrip("/")
        for at in sorted(self._mounts, key=len, reverse=True):
            if at and path != at and not path.startswith(f"{at}/"):
                continue
            service, login = self._mounts[at]
            if login is not None and request.headers.get("authorization") != login:
                kind = login.partition(" ")[0]
                return Reply(b"who are you?", 401, {"WWW-Authenticate": f'{kind} realm="world"'})
            return service.answer(path[len(at) :].lstrip("/"), request)
        return Reply(b"nothing is here", 404)


class Redirect(Service):
    """Sends all who ask to the same path below another address."""

    def __init__(self, to: str, status: int = 302) -> None:
        self._to, self._status = to, status

    def answer(self, path: str, request: Request) -> Reply:
        target = f"{self._to}/{path}" if path else self._to
        _, mark, query = request.target.partition("?")
        target += f"{mark}{query}"
        return Reply(b"", self._status, {"Location": target})


class Mirror(Service):
    """Another service's content under an address of its own; links in it lead where they led."""

    def __init__(self, of: Service) -> None:
        self._of = of

    def answer(self, path: str, request: Request) -> Reply:
        return self._of.answer(path, replace(request, target=f"/{path}"))
