"""The registries on the loopback: all clients are served the same bytes, at the same speed.

`Mirror` answers for the public registries by their own names, over TLS, from a folder that holds
what was asked for before; what it lacks it asks the registry itself for, once. `Mirror.enter` is
what goes before a command so that these names lead here: a mount namespace with an /etc/hosts of
its own, so no client is configured in any way but to trust the mirror's authority.

Hosts that are made are answered here alone. PyPI's JSON of a release, which Poetry asks for and not
every mirror of PyPI has, is made of the simple page where it is missing.
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import Process, Queue, Value
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from tests.world import Authority, Reply, Request, Server

HOSTS = (
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "pypi.org",
    "files.pythonhosted.org",
    "index.crates.io",
    "static.crates.io",
    "crates.io",
    "proxy.golang.org",
    "sum.golang.org",
)
_ADDRESS = "127.77.0.1"
_ARCHIVES = (".tgz", ".whl", ".tar.gz", ".zip", ".crate", "/download", ".mod", ".info")
_KEPT = ("content-type", "etag", "last-modified")
_SIMPLE = "application/vnd.pypi.simple.v1+json"
_RELEASE = re.compile(r"https://pypi\.org/pypi/([^/]+)/([^/]+)/json")

Made = Mapping[str, Callable[[Request], Reply]]
"""Hosts to what answers for them in place of the registry itself."""


class Mirror:
    """A running mirror. asked: how many requests went on to a registry."""

    def __init__(self, folder: Path, asked: Synchronized[int]) -> None:
        self._folder = folder
        self._asked = asked

    @property
    def asked(self) -> int:
        return self._asked.value

    @property
    def ca_file(self) -> Path:
        """What clients have to trust."""
        return self._folder / "ca.pem"

    @property
    def enter(self) -> tuple[str, ...]:
        """What to put before a command that is to see the mirror in place of the registries."""
        script = f'mount --bind {self._folder}/hosts /etc/hosts && exec "$@"'
        return ("unshare", "--mount", "sh", "-c", script, "sh")


@contextmanager
def mirror(folder: Path, made: Made) -> Iterator[Mirror]:
    """A mirror that keeps what it serves in `folder`. Needs root: for its port and for `enter`."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{_ADDRESS} {host}\n" for host in (*HOSTS, *made))
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n{lines}")
    authority = Authority()
    authority.write_pem(folder / "ca.pem")
    asked: Synchronized[int] = Value("i", 0)
    ready: Queue[bool] = Queue()
    served = (folder, authority.server(*HOSTS, *made), made, asked, ready)
    process = Process(target=_serve, args=served, daemon=True)
    process.start()
    try:
        ready.get(timeout=10)  # another one has the port where this takes longer
        yield Mirror(folder, asked)
    finally:
        process.kill()
        process.join()


def _serve(
    folder: Path,
    tls: ssl.SSLContext,
    made: Made,
    asked: Synchronized[int],
    ready: Queue[bool],
) -> None:
    def answer(request: Request) -> Reply:
        if request.headers["host"] in made:
            return made[request.headers["host"]](request)
        url = f"https://{request.headers['host']}{request.target}"
        is_archive = request.path.endswith(_ARCHIVES)
        accept = "*/*" if is_archive else request.headers.get("accept", "*/*")
        name = hashlib.sha256(f"{url} {accept}".encode()).hexdigest()
        head, body = folder / f"{name}.json", folder / f"{name}.body"
        if not head.exists():
            asked.value += 1
            status, headers, data = _ask(url, accept)
            if status == 404 and (release := _RELEASE.fullmatch(url)):
                status, headers, data = _release(release[1], release[2])
            body.write_bytes(data)
            head.write_text(json.dumps([status, headers]))
        status, headers = json.loads(head.read_text())
        return Reply(body.read_bytes(), status, headers)

    with Server({}, default=answer, tls=tls, bind=(_ADDRESS, 443)) as server:
        ready.put(True)
        server.join()


def _ask(url: str, accept: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, headers={"Accept": accept, "User-Agent": "vendorpack"})
    try:
        with urllib.request.urlopen(request) as reply:
            headers = {name: reply.headers[name] for name in _KEPT if name in reply.headers}
            return reply.status, headers, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, {}, error.read()


def _release(name: str, version: str) -> tuple[int, dict[str, str], bytes]:
    """What PyPI's JSON says of a release's files, made of the simple page."""
    status, headers, page = _ask(f"https://pypi.org/simple/{name}/", _SIMPLE)
    if status != 200:
        return status, headers, page
    urls = [
        {
            "filename": file["filename"],
            "url": file["url"],
            "digests": file["hashes"],
            "packagetype": "bdist_wheel" if file["filename"].endswith(".whl") else "sdist",
            "yanked": bool(file.get("yanked")),
        }
        for file in json.loads(page)["files"]
        if _version(file["filename"]) == Version(version)
    ]
    info = {"name": name, "version": version, "summary": "", "requires_dist": None}
    value = {"info": {**info, "requires_python": None, "yanked": False}, "urls": urls}
    return 200, {"content-type": "application/json"}, json.dumps(value).encode()


def _version(filename: str) -> Version | None:
    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[1]
        return parse_sdist_filename(filename)[1]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
