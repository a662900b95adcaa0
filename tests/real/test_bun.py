"""Bun 1.1 to 1.4 install from one bundle with the network cut off."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
from tests.world import World, bearer
from tests.world.git import GitHost, Repository
from tests.world.npm import NpmRegistry, sri

pytestmark = pytest.mark.real

HELLO = PROJECTS / "hello-bun"
VITE = PROJECTS / "hello-vite"
INSTALL = ("install", "--frozen-lockfile")
VERSIONS = ("1.1", "1.2", "1.3", "1.4")


def bun(version: str) -> Path:
    return client(f"bun-{version}") / "node_modules/bun/bin/bun.exe"


def hello(version: str, into: Path, source: Path = HELLO) -> Path:
    """The project as this Bun would have locked it: Bun 1.1 reads bun.lockb only."""
    project = copy_project(source, into)
    (project / ("bun.lock" if version == "1.1" else "bun.lockb")).unlink()
    return project


def works(target: Machine, version: str, project: Path) -> None:
    """What was installed runs."""
    shown = target.offline(bun(version), "index.ts", cwd=project)
    assert "...installed offline 19.0.0" in shown
    assert target.offline("node_modules/.bin/esbuild", "--version", cwd=project) == "0.25.12\n"


@pytest.mark.network
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


@pytest.mark.network
@pytest.mark.parametrize("version", VERSIONS)
def test_vite_builds(version: str, real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """One bundle for all, as above: a bundler with programs for this platform."""
    pack(real_cli, VITE / "bun.lock", "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    project = hello(version, tmp_path / "project", VITE)
    target = Machine(tmp_path, [client("node") / "bin"])
    target.offline(bun(version), *INSTALL, cwd=project, prefix=prefix)
    target.offline(bun(version), "run", "build", cwd=project, prefix=prefix)
    (built,) = (project / "dist/assets").iterdir()
    assert "...installed offline" in built.read_text()


@pytest.mark.network
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


@pytest.mark.network
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
    command = done.err.partition("for that: ")[2].splitlines()[0].split()
    Machine(tmp_path).offline(bun("1.4"), *command[1:], cwd=project)
    pinned = json.loads(real_cli("pack", project / "bun.lock", "--dry-run", "--json").out)
    assert len(pinned["artifacts"]) == 10


@pytest.mark.network
def test_another_user_with_bun_1_4(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """A cache that belongs to somebody else and cannot be written."""
    pack(real_cli, HELLO / "bun.lock", "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    project = hello("1.4", tmp_path / "project")
    target = Machine(tmp_path)
    nobody = another_user(target.home, project)
    target.offline(*nobody, bun("1.4"), *INSTALL, cwd=project, prefix=prefix)
    works(target, "1.4", project)


def world_lock(folder: Path, packages: Mapping[str, list[object]], **files: str) -> Path:
    """A project that needs these packages. `files`: `bunfig` and `main`."""
    folder.mkdir()
    wanted = {key: str(entry[0]).partition("@")[2] for key, entry in packages.items()}
    wanted |= {key: "1.0.0" for key in packages if key.startswith("@")}
    manifest = {"name": "app", "dependencies": wanted}
    lock = {"lockfileVersion": 1, "workspaces": {"": manifest}, "packages": packages}
    (folder / "package.json").write_text(json.dumps(manifest))
    (folder / "bun.lock").write_text(json.dumps(lock, indent=2))
    (folder / "bunfig.toml").write_text(files.get("bunfig", ""))
    (folder / "main.js").write_text(files["main"])
    return folder


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
def test_a_private_registry_and_git(version: str, tmp_path: Path) -> None:
    """A scope's own registry with a token and a path, and a commit from a git host."""
    library = Repository(tmp_path / "library")
    manifest = {"name": "library", "version": "2.0.0", "main": "i.js"}
    commit = library.commit(
        {"package.json": json.dumps(manifest).encode(), "i.js": b"module.exports = 'from git'\n"}
    )
    library.publish(tmp_path / "repositories")
    with World(tmp_path) as world:
        site = world.site(tls=True, host="localhost")
        registry = site.mount("npm/private", NpmRegistry(), login=bearer("canary-token"))
        host = site.mount("git", GitHost(tmp_path / "repositories"))
        data = registry.publish("@own/thing", "1.0.0")
        remote = f"git+{host.url}/library.git#{commit}"
        project = world_lock(
            tmp_path / "project",
            {
                "@own/thing": ["@own/thing@1.0.0", "", {}, sri(data)],
                "library": [f"library@{remote}", {}, commit],
            },
            bunfig=f'[install.scopes]\n"@own" = {{ url = "{registry.url}/", token = "$TOKEN" }}\n',
            main="console.log(require('@own/thing'), require('library'))\n",
        )
        cli = Cli(tmp_path, environ={**world.environ, "TOKEN": "canary-token"})
        done = cli.ok("pack", project, "-o", tmp_path / "deps.tar.zst", "--allow-host", "localhost")
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    packed = b"".join(path.read_bytes() for path in prefix.rglob("*") if path.is_file())
    assert b"canary" not in packed and "canary" not in done.err + done.out
    target = Machine(tmp_path)
    env = {"TOKEN": ""}
    target.offline(bun(version), *INSTALL, cwd=project, prefix=prefix, env=env)
    shown = target.offline(bun(version), "main.js", cwd=project)
    assert "@own/thing@1.0.0" in shown and "from git" in shown
