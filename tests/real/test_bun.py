"""Bun 1.1 to 1.4 install from one bundle with the network cut off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import (
    PROJECTS,
    Machine,
    another_user,
    client,
    copy_project,
    extract,
    pack,
)

pytestmark = [pytest.mark.real, pytest.mark.network]

HELLO = PROJECTS / "hello-bun"
INSTALL = ("install", "--frozen-lockfile")
VERSIONS = ("1.1", "1.2", "1.3", "1.4")


def bun(version: str) -> Path:
    return client(f"bun-{version}") / "node_modules/bun/bin/bun.exe"


def hello(version: str, into: Path) -> Path:
    """The project as this Bun would have locked it: Bun 1.1 reads bun.lockb only."""
    project = copy_project(HELLO, into)
    (project / ("bun.lock" if version == "1.1" else "bun.lockb")).unlink()
    return project


def works(target: Machine, version: str, project: Path) -> None:
    """What was installed runs."""
    shown = target.offline(bun(version), "index.ts", cwd=project)
    assert "...installed offline 19.0.0" in shown
    assert target.offline("node_modules/.bin/esbuild", "--version", cwd=project) == "0.25.12\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_one_bundle_serves_all(version: str, real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    pack(real_cli, HELLO / "bun.lock", "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    project = hello(version, tmp_path / "project")
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    target = Machine(tmp_path)
    target.offline(bun(version), *INSTALL, cwd=project, prefix=prefix)
    assert {p: p.read_bytes() for p in before} == before  # nothing of the user's is edited
    works(target, version, project)


@pytest.mark.parametrize("version", ["1.3", "1.4"])
def test_bun_s_own_cache(version: str, real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """Without a prefix, and with a mirror configured that is not reached."""
    pack(real_cli, HELLO / "bun.lock", "-o", bundles / "deps.tar.zst")
    target = Machine(tmp_path)
    machine = Cli(tmp_path)
    done = machine("unpack", bundles / "deps.tar.zst")
    assert done.code == 0, done.err
    variables = machine("env", bundles / "deps.tar.zst", "--shell", "json").json
    project = hello(version, tmp_path / "project")
    (project / "bunfig.toml").write_text('[install]\nregistry = "https://mirror.invalid/npm/"\n')
    target.offline(bun(version), *INSTALL, cwd=project, env=variables)
    assert (target.home / ".bun/install/cache/is-odd@3.0.1@@@1/package.json").is_file()
    works(target, version, project)


@pytest.mark.parametrize("version", ["1.2", "1.4"])
def test_without_development_dependencies(
    version: str, real_cli: Cli, bundles: Path, tmp_path: Path
) -> None:
    bundle = bundles / "no-dev.tar.zst"
    pack(real_cli, HELLO / "bun.lock", "--no-dev", "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    assert not any(path.name.startswith("typescript@") for path in prefix.rglob("*"))
    project = hello(version, tmp_path / "project")
    target = Machine(tmp_path)
    target.offline(bun(version), *INSTALL, "--production", cwd=project, prefix=prefix)
    assert "...installed offline" in target.offline(bun(version), "index.ts", cwd=project)


def test_it_fails_without_the_bundle(tmp_path: Path) -> None:
    project = hello("1.4", tmp_path / "project")
    done = Machine(tmp_path).attempt(bun("1.4"), *INSTALL, cwd=project)
    assert done.code != 0


def test_the_binary_lockfile_is_converted_as_the_error_says(real_cli: Cli, tmp_path: Path) -> None:
    project = hello("1.1", tmp_path / "project")
    done = real_cli("pack", project / "bun.lockb", "-o", tmp_path / "deps.tar.zst")
    assert done.code == 5, done.err
    command = done.err.partition("without network: ")[2].splitlines()[0].split()
    Machine(tmp_path).offline(bun("1.4"), *command[1:], cwd=project)
    pinned = json.loads(real_cli("pack", project / "bun.lock", "--dry-run", "--json").out)
    assert len(pinned["artifacts"]) == 10


def test_another_user_with_bun_1_4(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """A cache that belongs to somebody else and cannot be written."""
    pack(real_cli, HELLO / "bun.lock", "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    project = hello("1.4", tmp_path / "project")
    target = Machine(tmp_path)
    nobody = another_user(target.home, project)
    target.offline(*nobody, bun("1.4"), *INSTALL, cwd=project, prefix=prefix)
    works(target, "1.4", project)
