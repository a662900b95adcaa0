"""`--git-config`: git finds a mirror and a login where the user keeps them."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.world import Reply, Request, Server
from tests.world.git import Repository, git_over_http

LOGIN = "Basic " + base64.b64encode(b"me:s3cret").decode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Serves the repositories below `tmp_path` to whoever logs in."""

    def answer(request: Request) -> Reply:
        if request.headers.get("authorization") != LOGIN:
            return Reply(b"who are you?", 401, {"WWW-Authenticate": "Basic"})
        return git_over_http(tmp_path, request.path.lstrip("/"), request)

    with Server({}, default=answer) as running:
        yield running


def test_a_mirror_and_a_credential_helper(server: Server, tmp_path: Path) -> None:
    commit = Repository(tmp_path / "demo.git").commit({"pyproject.toml": b"[project]\n"})
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    home.mkdir()
    requirement = f"demo @ git+https://git.example/demo.git@{commit}\n"
    (project / "requirements.txt").write_text(requirement)
    (home / ".gitconfig").write_text(
        f'[url "{server.url}/"]\n\tinsteadOf = https://git.example/\n'
        '[credential]\n\thelper = "!echo username=me; echo password=s3cret; :"\n'
    )
    cli = Cli(tmp_path, environ={"HOME": str(home), "PATH": os.environ["PATH"]})
    bundle = tmp_path / "deps.tar.zst"
    command: list[str | Path] = ["pack", project, "--allow-host", "git.example"]
    command += ["--pip-build-deps", "no", "--target", "linux-x86_64-gnu-py3.12", "-o", bundle]

    alone = cli(*command)
    assert alone.code == 7 and "--git-config" in alone.err and not bundle.exists()
    to_http = cli(*command, "--git-config")
    assert to_http.code == 7 and "transport 'http' not allowed" in to_http.err
    assert f"--allow-host {server.url}" in to_http.err
    cli.ok(*command, "--git-config", "--allow-host", server.url)
    shown = cli.ok("show", bundle, "--json")
    assert [artifact["name"] for artifact in shown.json["artifacts"]] == ["demo"]
    for secret in ("s3cret", "127.0.0.1"):
        assert secret not in shown.out
