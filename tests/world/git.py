"""Git repositories, in a folder or over HTTP."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.real.clients import tool
from tests.world.server import Reply, Request
from tests.world.site import Service, Site

SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "x",
    "GIT_AUTHOR_EMAIL": "x@example.com",
    "GIT_AUTHOR_DATE": "1000000000 +0000",
    "GIT_COMMITTER_NAME": "x",
    "GIT_COMMITTER_EMAIL": "x@example.com",
    "GIT_COMMITTER_DATE": "1000000000 +0000",
}


class Repository:
    """A work tree with its own git configuration and clock."""

    def __init__(self, folder: Path, object_format: str = "sha1") -> None:
        tool("git")
        self.folder = folder
        self.url = f"file://{folder}"
        self.git("init", "-q", "-b", "main", f"--object-format={object_format}", str(folder))

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run git in the work tree: its standard output."""
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *arguments],
            cwd=self.folder if self.folder.exists() else None,
            env={**os.environ, **SETTINGS},
            input=stdin,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    def commit(self, files: Mapping[str, bytes]) -> str:
        """Write files and commit all there is: the commit's id."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        return self.git("rev-parse", "HEAD")

    def submodule(self, url: str, of: Repository) -> None:
        """Put the other repository's work tree in, by its name, as found at `url`."""
        name = of.folder.name
        self.git("submodule", "add", "-q", of.url, name)
        self.git("submodule", "set-url", name, url)

    def publish(self, folder: Path) -> None:
        """Make a bare copy in a folder that `git_server` serves, or is to serve."""
        self.git("clone", "-q", "--bare", ".", str(folder / f"{self.folder.name}.git"))


class GitHost(Service):
    """The bare repositories of a folder over HTTP.

    kind: `smart` hands out any commit by its id; `named` is an old smart server, which hands
    out only what refs name; `dumb` is a web server that knows nothing of git.
    """

    def __init__(self, folder: Path, kind: str = "smart") -> None:
        assert kind in ("smart", "named", "dumb")
        self._folder, self._kind = folder, kind

    def answer(self, path: str, request: Request) -> Reply:
        if self._kind != "dumb":
            return git_over_http(self._folder, path, request, by_id=self._kind == "smart")
        repository = self._folder / path.partition("/")[0]
        if not repository.is_dir():
            return Reply(b"not here", 404)
        subprocess.run(["git", "update-server-info"], cwd=repository, env=_served(), check=True)
        file = self._folder / path
        return Reply(file.read_bytes()) if file.is_file() else Reply(b"not here", 404)


@contextmanager
def git_server(folder: Path) -> Iterator[str]:
    """The address that serves the bare repositories of a folder, while it lasts."""
    with Site() as site:
        yield site.mount("", GitHost(folder)).url


def _served(*, by_id: bool = True) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "uploadpack.allowAnySHA1InWant",
        "GIT_CONFIG_VALUE_0": str(by_id).lower(),
        "GIT_CONFIG_KEY_1": "safe.directory",
        "GIT_CONFIG_VALUE_1": "*",
    }


def git_over_http(folder: Path, path: str, request: Request, *, by_id: bool = True) -> Reply:
    """What a web server does with git's own CGI program."""
    done = subprocess.run(
        ["git", "http-backend"],
        input=request.body,
        env={
            **_served(by_id=by_id),
            "GIT_PROJECT_ROOT": str(folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{path}",
            "QUERY_STRING": request.target.partition("?")[2],
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            # Version 2 of the protocol hands out whatever is asked for.
            "GIT_PROTOCOL": request.headers.get("git-protocol", "") if by_id else "",
            "REMOTE_ADDR": "127.0.0.1",
        },
        capture_output=True,
        check=True,
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    status = int(headers.pop("Status", "200").split()[0])
    return Reply(body, status, headers)
