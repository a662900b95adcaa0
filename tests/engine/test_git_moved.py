"""Repositories that have moved: git follows no redirect, and each hop is judged as any other."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import Cli, Done
from tests.world import World
from tests.world.git import GitHost, Repository
from tests.world.server import Reply
from tests.world.site import Redirect, Site
from vendorpack.errors import PolicyError
from vendorpack.fetch.commits import Reach, download_commit
from vendorpack.fetch.git_client import GitAddress, scratch
from vendorpack.fetch.http import Client
from vendorpack.model import Access
from vendorpack.policy import Policy


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        yield made


def commit_in(served: Path) -> str:
    repository = Repository(served.parent / "thing")
    manifest = b'[package]\nname = "thing"\nversion = "1.0.0"\nedition = "2021"\n'
    commit = repository.commit({"Cargo.toml": manifest, "src/lib.rs": b""})
    served.mkdir()
    repository.publish(served)
    return commit


def pack(folder: Path, url: str, commit: str, *hosts: str) -> Done:
    """`vendorpack pack` for a project with one git dependency."""
    project = folder / "project"
    project.mkdir(exist_ok=True)
    (project / "Cargo.lock").write_text(
        'version = 4\n\n[[package]]\nname = "app"\nversion = "1.0.0"\ndependencies = ["thing"]\n\n'
        f'[[package]]\nname = "thing"\nversion = "1.0.0"\nsource = "git+{url}#{commit}"\n'
    )
    allowed = [word for host in hosts for word in ("--allow-host", host)]
    return Cli(folder)("pack", project, "-o", folder / "deps.tar.zst", *allowed)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_repository_that_moved_is_found(world: World, tmp_path: Path, status: int) -> None:
    commit = commit_in(tmp_path / "served")
    site, new = world.site(), world.site()
    new.mount("new", GitHost(tmp_path / "served"))
    site.mount("old", Redirect(f"{new.url}/new", status))
    done = pack(tmp_path, f"{site.url}/old/thing.git", commit, site.url, new.url)
    assert done.code == 0, done.err
    assert all(request.path.startswith("/new/") for request in new.requests)


def refused(site: Site, folder: Path, location: str, commit: str) -> str:
    site.mount("old", Redirect(location))
    done = pack(folder, f"{site.url}/old/thing.git", commit, site.url)
    assert done.code in (6, 7), done.err
    assert not (folder / "deps.tar.zst").exists()
    return done.err


@pytest.mark.parametrize(
    "location", ["file:///etc", "ext::sh -c id", "ssh://-oProxyCommand=x/", "//[::", "gopher://x/"]
)
def test_a_redirect_to_another_transport(world: World, tmp_path: Path, location: str) -> None:
    site = world.site()
    said = refused(site, tmp_path, location, commit_in(tmp_path / "served"))
    assert "cannot be used" in said


def test_a_redirect_that_git_is_not_to_follow(world: World, tmp_path: Path) -> None:
    """Neither in a circle, nor to where no repository is, nor from https to http."""
    commit = commit_in(tmp_path / "served")
    site, plain = world.site(), world.site()
    assert "redirects" in refused(site, tmp_path, f"{site.url}/old/x", commit)
    elsewhere = plain.mount("page", GitHost(tmp_path / "served"))
    site.next["/old/thing.git/info/refs"] = [
        Reply(b"", 302, {"Location": f"{elsewhere.url}/a.html"}) for _ in range(3)
    ]
    done = pack(tmp_path, f"{site.url}/old/thing.git", commit, site.url, plain.url)
    assert done.code == 7 and not (tmp_path / "deps.tar.zst").exists()
    # git itself came to no place that it was redirected to.
    agents = {request.headers.get("user-agent", "")[:4] for request in plain.requests}
    assert "git/" not in agents


def follow(folder: Path, old: Site, commit: str) -> bytes:
    """The pack of a commit whose repository has moved, by the client that judges."""

    async def fetch() -> bytes:
        policy, environ = Policy(allow_hosts=frozenset({old.url})), dict(os.environ)
        async with Client(Access(), policy, environ=environ, home=folder) as client:
            reach = Reach(Access(), environ, False, True, client.landing)
            url = f"git+{old.url}/old/thing.git#{commit}"
            await download_commit(url, folder / "part", algorithms=(), reach=reach)
        return (folder / "part").read_bytes()

    return asyncio.run(fetch())


def test_git_goes_to_no_other_address_than_was_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git asks for a name again, and may be told another address (DNS rebinding)."""
    commit = commit_in(tmp_path / "served")
    asked: list[str] = []

    async def resolve(_: object, host: str, port: int = 0, family: int = 0) -> list[object]:
        asked.append(host)
        found = {"hostname": host, "host": "127.0.0.3", "port": port, "proto": 0}
        return [{**found, "family": socket.AF_INET, "flags": socket.AI_NUMERICHOST}]

    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", resolve)
    with Site(bind=("127.0.0.3", 0)) as judged:
        port = int(judged.url.rpartition(":")[2])
        # What the system says of this name, and git when it is free to ask.
        with Site(bind=("127.0.0.1", port)) as trap, Site() as old:
            for site in (judged, trap):
                site.mount("new", GitHost(tmp_path / "served"))
            old.mount("old", Redirect(f"http://localhost:{port}/new"))
            assert follow(tmp_path, old, commit).startswith(b"PACK")
            assert asked.count("localhost") == 1
            assert not trap.requests and judged.requests
            agents = {request.headers.get("user-agent", "")[:4] for request in judged.requests}
            assert "git/" in agents


def test_a_git_that_cannot_be_held_to_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before 2.37 git had no such setting."""
    commit = commit_in(tmp_path / "served")
    programs = tmp_path / "bin"
    programs.mkdir()
    git = shutil.which("git")
    said = "*' version') echo git version 2.36.6;;"
    (programs / "git").write_text(f'#!/bin/sh\ncase "$*" in {said} *) exec {git} "$@";; esac\n')
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    with Site() as new, Site() as old:
        new.mount("new", GitHost(tmp_path / "served"))
        old.mount("old", Redirect(f"{new.url}/new"))
        with pytest.raises(PolicyError, match=r"git 2\.37 or newer is needed") as caught:
            follow(tmp_path, old, commit)
        assert "--allow-host" in (caught.value.fix or "")
        assert "git/" not in {r.headers.get("user-agent", "")[:4] for r in new.requests}


@pytest.mark.parametrize(
    ("url", "judged", "setting"),
    [
        ("https://h.example/x", ("192.0.2.1",), "h.example:443:192.0.2.1"),
        ("http://h.example:81/x", ("192.0.2.1", "::1"), "h.example:81:192.0.2.1,[::1]"),
    ],
)
def test_how_git_is_held(url: str, judged: tuple[str, ...], setting: str, tmp_path: Path) -> None:
    async def settings() -> list[str]:
        address = GitAddress(url, "ab" * 20)
        http = ("https", "http")
        made = scratch(
            address, tmp_path / "part", environ=os.environ, protocols=http, judged=judged
        )
        async with made as git:
            return [*git.settings]

    assert asyncio.run(settings()) == [f"http.curloptResolve={setting}"]
