"""Commits as JavaScript dependencies: cloned from the bundle by the ordinary install."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli import Cli
from tests.real.clients import client, extract
from tests.real.test_npm import npm
from tests.real.test_pnpm import machine, pnpm
from tests.world import World
from tests.world.git import GitHost, Repository

pytestmark = pytest.mark.real


def commits(folder: Path, served: Path) -> tuple[str, str]:
    """A package's repository, published: its first commit and its second, which has a script."""
    repository = Repository(folder / "plain")
    manifest = {"name": "plain", "version": "1.0.0", "main": "index.js"}
    first = repository.commit(
        {"package.json": json.dumps(manifest).encode(), "index.js": b"module.exports = 'one'\n"}
    )
    built = {**manifest, "scripts": {"prepare": "x"}, "devDependencies": {"tool": "1.0.0"}}
    second = repository.commit({"package.json": json.dumps(built).encode()})
    repository.publish(served)
    return first, second


def pnpm_lock(version: str, remote: str, commit: str) -> str:
    address = f"git+{remote}#{commit}"
    key = f"{remote.partition('://')[2].removesuffix('.git')}/{commit}"
    resolution = f"resolution: {{commit: {commit}, repo: {remote}, type: git}}\n"
    if version == "8":
        return (
            "lockfileVersion: '6.0'\nsettings:\n  autoInstallPeers: true\n"
            "  excludeLinksFromLockfile: false\ndependencies:\n  plain:\n"
            f"    specifier: {address}\n    version: {key}\npackages:\n  {key}:\n"
            f"    {resolution}    name: plain\n    version: 1.0.0\n    dev: false\n"
        )
    return (
        "lockfileVersion: '9.0'\nsettings:\n  autoInstallPeers: true\n"
        "  excludeLinksFromLockfile: false\nimporters:\n  .:\n    dependencies:\n      plain:\n"
        f"        specifier: {address}\n        version: {address}\n"
        f"packages:\n  plain@{address}:\n    {resolution}    version: 1.0.0\n"
        f"snapshots:\n  plain@{address}: {{}}\n"
    )


@pytest.mark.parametrize("version", ["8", "9", "10", "11", "12"])
def test_pnpm(version: str, tmp_path: Path) -> None:
    first, second = commits(tmp_path, tmp_path / "served")
    project = tmp_path / "project"
    project.mkdir()
    with World(tmp_path) as world:
        site = world.site(tls=True)
        remote = site.mount("git", GitHost(tmp_path / "served")).url + "/plain.git"
        manifest = {"name": "p", "dependencies": {"plain": f"git+{remote}#{first}"}}
        (project / "package.json").write_text(json.dumps(manifest))
        lock = project / "pnpm-lock.yaml"
        options = ("--allow-host", f"127.0.0.1:{site.port}")
        cli = Cli(tmp_path, environ=world.environ)
        lock.write_text(pnpm_lock(version, remote, second))
        done = cli.ok("pack", project, "-o", tmp_path / "built.tar.zst", *options)
        assert "plain comes from git and has a prepare script: pnpm" in done.err
        lock.write_text(pnpm_lock(version, remote, first))
        done = cli.ok("pack", project, "-o", tmp_path / "deps.tar.zst", *options)
        assert "prepare script" not in done.err
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    target.offline(*pnpm(version), "install", "--frozen-lockfile", cwd=project, prefix=prefix)
    node = client("node") / "bin/node"
    assert target.offline(node, "-p", "require('plain')", cwd=project) == "one\n"


@pytest.mark.parametrize("scripts", ["on", "off"])
@pytest.mark.parametrize("version", ["9", "10", "11", "12"])
def test_pnpm_with_a_folder_of_a_repository(version: str, scripts: str, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "many")
    manifest = json.dumps({"name": "plain", "version": "1.0.0"}).encode()
    commit = repository.commit(
        {"packages/plain/package.json": manifest, "packages/plain/index.js": b"module.exports = 1"}
    )
    repository.publish(tmp_path / "served")
    project = tmp_path / "project"
    project.mkdir()
    with World(tmp_path) as world:
        site = world.site(tls=True)
        remote = site.mount("git", GitHost(tmp_path / "served")).url + "/many.git"
        address = f"git+{remote}#{commit}&path:/packages/plain"
        of = {"plain": address}
        (project / "package.json").write_text(json.dumps({"name": "p", "dependencies": of}))
        lock = pnpm_lock(version, remote, commit).replace(f"git+{remote}#{commit}", address)
        lock = lock.replace("type: git", "path: /packages/plain, type: git")
        (project / "pnpm-lock.yaml").write_text(lock)
        cli = Cli(tmp_path, environ=world.environ)
        options = ("--allow-host", f"127.0.0.1:{site.port}")
        cli.ok("pack", project, "-o", tmp_path / "deps.tar.zst", *options)
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    install = ["install", "--frozen-lockfile", *(["--ignore-scripts"] if scripts == "off" else [])]
    target.offline(*pnpm(version), *install, cwd=project, prefix=prefix)
    node = client("node") / "bin/node"
    assert target.offline(node, "-p", "require('plain')", cwd=project) == "1\n"


@pytest.mark.parametrize("version", ["10", "11", "12"])
def test_npm(version: str, tmp_path: Path) -> None:
    first, second = commits(tmp_path, tmp_path / "served")
    project = tmp_path / "project"
    project.mkdir()

    def lock(remote: str, commit: str) -> None:
        of = {"plain": f"git+{remote}#{commit}"}
        packages = {
            "": {"name": "p", "dependencies": of},
            "node_modules/plain": {"version": "1.0.0", "resolved": f"git+{remote}#{commit}"},
        }
        written = {"name": "p", "lockfileVersion": 3, "requires": True, "packages": packages}
        (project / "package.json").write_text(json.dumps({"name": "p", "dependencies": of}))
        (project / "package-lock.json").write_text(json.dumps(written))

    with World(tmp_path) as world:
        site = world.site(tls=True)
        remote = site.mount("git", GitHost(tmp_path / "served")).url + "/plain.git"
        options = ("--allow-host", f"127.0.0.1:{site.port}")
        cli = Cli(tmp_path, environ=world.environ)
        lock(remote, second)
        done = cli.ok("pack", project, "-o", tmp_path / "built.tar.zst", *options)
        assert "plain comes from git and has a prepare script: npm" in done.err
        lock(remote, first)
        done = cli.ok("pack", project, "-o", tmp_path / "deps.tar.zst", *options)
        assert "prepare script" not in done.err
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    allowed = {"npm_config_allow_git": "all"} if version == "12" else {}
    target.offline(*npm(version), "ci", cwd=project, prefix=prefix, env=allowed)
    node = client("node") / "bin/node"
    assert target.offline(node, "-p", "require('plain')", cwd=project) == "one\n"


@pytest.mark.parametrize("kind", ["npm-10", "npm-12", "pnpm-8", "pnpm-10", "pnpm-12"])
def test_two_commits_of_one_repository(kind: str, tmp_path: Path) -> None:
    """Packed twice the bundle is the same, and it holds what it says."""
    name, _, version = kind.partition("-")
    repository = Repository(tmp_path / "many")
    ids = {}
    for package in ("first", "second", "third"):
        manifest = json.dumps({"name": package, "version": "1.0.0"}).encode()
        files = {"package.json": manifest, "index.js": f"module.exports = '{package}'\n".encode()}
        ids[package] = repository.commit(files)
    repository.publish(tmp_path / "served")
    del ids["third"]
    project = tmp_path / "project"
    project.mkdir()
    with World(tmp_path) as world:
        site = world.site(tls=True)
        remote = site.mount("git", GitHost(tmp_path / "served")).url + "/many.git"
        of = {package: f"git+{remote}#{commit}" for package, commit in ids.items()}
        (project / "package.json").write_text(json.dumps({"name": "p", "dependencies": of}))
        if name == "npm":
            packages = {
                f"node_modules/{package}": {"version": "1.0.0", "resolved": address}
                for package, address in of.items()
            }
            root = {"": {"name": "p", "dependencies": of}}
            lock = {
                "name": "p",
                "lockfileVersion": 3,
                "requires": True,
                "packages": root | packages,
            }
            (project / "package-lock.json").write_text(json.dumps(lock))
        else:
            parts = [
                pnpm_lock(version, remote, commit).replace("plain", package)
                for package, commit in ids.items()
            ]
            (project / "pnpm-lock.yaml").write_text(_joined(*parts))
        cli = Cli(tmp_path, environ=world.environ)
        for bundle in ("deps.tar.zst", "again.tar.zst"):
            options = ("--allow-host", f"127.0.0.1:{site.port}")
            cli.ok("pack", project, "-o", tmp_path / bundle, *options)
    assert (tmp_path / "deps.tar.zst").read_bytes() == (tmp_path / "again.tar.zst").read_bytes()
    cli.ok("verify", tmp_path / "deps.tar.zst")
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    command = (
        (*npm(version), "ci") if name == "npm" else (*pnpm(version), "install", "--frozen-lockfile")
    )
    target = machine(tmp_path)
    allowed = {"npm_config_allow_git": "all"} if name == "npm" and version == "12" else {}
    target.offline(*command, cwd=project, prefix=prefix, env=allowed)
    node = client("node") / "bin/node"
    program = "require('first') + ' ' + require('second')"
    assert target.offline(node, "-p", program, cwd=project) == "first second\n"


def _joined(one: str, other: str) -> str:
    """Two lockfiles of one dependency each as one of both."""
    first, second = yaml.safe_load(one), yaml.safe_load(other)
    for place in ("dependencies", "packages", "snapshots"):
        if place in first:
            first[place] |= second[place]
    if "importers" in first:
        first["importers"]["."]["dependencies"] |= second["importers"]["."]["dependencies"]
    return str(yaml.safe_dump(first))


@pytest.mark.parametrize("name", ["npm", "pnpm"])
def test_the_users_own_repositories_keep_what_they_had(name: str, tmp_path: Path) -> None:
    """Unpacked into the client's own folders twice, both commits have branches."""
    ids = commits(tmp_path, tmp_path / "served")
    home = tmp_path / "user"
    home.mkdir()
    with World(tmp_path) as world:
        site = world.site(tls=True)
        remote = site.mount("git", GitHost(tmp_path / "served")).url + "/plain.git"
        cli = Cli(tmp_path, environ={**world.environ, "HOME": str(home)})
        for commit in ids:
            project = tmp_path / commit
            project.mkdir()
            if name == "npm":
                resolved = {"version": "1.0.0", "resolved": f"git+{remote}#{commit}"}
                lock = {"lockfileVersion": 3, "packages": {"node_modules/plain": resolved}}
                (project / "package-lock.json").write_text(json.dumps(lock))
            else:
                (project / "pnpm-lock.yaml").write_text(pnpm_lock("9", remote, commit))
            bundle = tmp_path / f"{commit}.tar.zst"
            cli.ok("pack", project, "-o", bundle, "--allow-host", f"127.0.0.1:{site.port}")
            cli.ok("unpack", bundle)
    (folder,) = home.rglob("*.git")
    assert {path.name for path in (folder / "refs/heads").iterdir()} == {"master", *ids}
    assert (folder / "shallow").read_text().split() == sorted(ids)
