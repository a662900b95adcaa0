"""npm 10, 11 and 12 install from a bundle with the network cut off."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli import Cli
from tests.corpus import corpus
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

VERSIONS = ("10", "11", "12")
INSTALL = ("ci", "--ignore-scripts")


def npm(version: str) -> tuple[Path, Path]:
    """node and npm's own script."""
    script = client(f"npm-{version}") / "node_modules/npm/bin/npm-cli.js"
    return client("node") / "bin/node", script


def machine(folder: Path) -> Machine:
    return Machine(folder, [client("node") / "bin"])


def drop(field: str) -> Callable[[Any], None]:
    def change(lock: Any) -> None:
        for entry in lock["packages"].values():
            entry.pop(field, None)

    return change


def same(_lock: Any) -> None:
    pass


LOCKS: dict[str, tuple[str, str, Callable[[Any], None], set[str]]] = {
    # what: lockfile, name at the target, change, versions of npm that take it
    "v3": ("package-lock.json", "package-lock.json", same, {"10", "11", "12"}),
    "v2": ("locks/v2.json", "package-lock.json", same, {"10", "11", "12"}),
    "shrinkwrap": ("package-lock.json", "npm-shrinkwrap.json", same, {"10", "11"}),
    "no resolved": ("locks/no-resolved.json", "package-lock.json", same, {"10", "11", "12"}),
    "no integrity": (
        "package-lock.json",
        "package-lock.json",
        drop("integrity"),
        {"10", "11", "12"},
    ),
}


@pytest.mark.parametrize(
    ("lock", "version"),
    [(lock, version) for lock, row in LOCKS.items() for version in VERSIONS if version in row[3]],
)
def test_a_small_project(
    lock: str, version: str, real_cli: Cli, bundles: Path, tmp_path: Path
) -> None:
    node, script = npm(version)
    source, name, change, _ = LOCKS[lock]
    project = copy_project(PROJECTS / "hello-npm", tmp_path / "project")
    value = json.loads((project / source).read_text())
    change(value)
    (project / "package-lock.json").unlink()
    (project / name).write_text(json.dumps(value, indent=2))
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    target.offline(node, script, *INSTALL, cwd=project, prefix=prefix)
    assert {p: p.read_bytes() for p in before} == before  # nothing of the user's is edited
    target.offline(node, "node_modules/typescript/bin/tsc", "--version", cwd=project)
    bundled = target.offline(
        "node_modules/.bin/esbuild", "index.ts", "--bundle", "--platform=node", "--format=esm",
        "--outfile=out.mjs", "--log-level=warning", cwd=project,
    )  # fmt: skip
    assert bundled == ""
    assert "...installed offline" in target.offline(node, "out.mjs", cwd=project)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lockfile_of_version_1(
    version: str, real_cli: Cli, bundles: Path, tmp_path: Path
) -> None:
    node, script = npm(version)
    project = copy_project(PROJECTS / "hello-npm-v1", tmp_path / "project")
    done = pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    assert "version 1" in done.err
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    target.offline(node, script, *INSTALL, cwd=project, prefix=prefix)
    shown = target.offline(node, "node_modules/typescript/bin/tsc", "--version", cwd=project)
    assert shown == "Version 5.9.3\n"


def test_scripts_run_offline_too(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """esbuild's install script checks its binary; npm 11 runs it."""
    node, script = npm("11")
    project = copy_project(PROJECTS / "hello-npm", tmp_path / "project")
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    machine(tmp_path).offline(node, script, "ci", cwd=project, prefix=prefix)


def test_without_dev(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    node, script = npm("11")
    project = copy_project(PROJECTS / "hello-npm", tmp_path / "project")
    pack(real_cli, project, "--no-dev", "-o", bundles / "deps.tar.zst")
    shown = real_cli.ok("show", bundles / "deps.tar.zst", "--json").json
    assert [a["name"] for a in shown["artifacts"]] == ["@sindresorhus/is", "kleur", "left-pad"]
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    target.offline(node, script, *INSTALL, "--omit=dev", cwd=project, prefix=prefix)
    missing = target.attempt(node, script, *INSTALL, cwd=project, prefix=prefix)
    assert missing.code != 0 and "ENOTCACHED" in missing.out


def test_a_read_only_cache_of_another_user(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """As in an image: root unpacked it, somebody else installs."""
    node, script = npm("11")
    project = copy_project(PROJECTS / "hello-npm", tmp_path / "project")
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    nobody = another_user(target.home, project)
    target.offline(*nobody, node, script, *INSTALL, cwd=project, prefix=prefix)
    assert (project / "node_modules/kleur/package.json").exists()


@pytest.fixture(scope="module")
def warehouse(real_cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A real project of 990 packages, and its bundle."""
    source = corpus("npm-warehouse")
    bundle = tmp_path_factory.mktemp("warehouse") / "deps.tar.zst"
    pack(real_cli, source, "-o", bundle)
    return source, bundle


@pytest.mark.parametrize("way", ["tar", "prefix", "cache", "run"])
def test_a_large_project(
    way: str, warehouse: tuple[Path, Path], real_cli: Cli, tmp_path: Path
) -> None:
    source, bundle = warehouse
    node, script = npm("11")
    project = copy_project(source, tmp_path / "project")
    target = machine(tmp_path)
    install: list[str | Path] = [node, script, *INSTALL]
    unpacking = Cli(tmp_path, environ={"HOME": str(target.home)})
    if way == "tar":
        out = target.offline(*install, cwd=project, prefix=extract(bundle, tmp_path / "deps"))
    elif way == "prefix":
        unpacking.ok("unpack", bundle, "--prefix", tmp_path / "deps")
        out = target.offline(*install, cwd=project, prefix=tmp_path / "deps")
    elif way == "cache":
        unpacking.ok("unpack", bundle)
        assert (target.home / ".npm/_cacache/content-v2").is_dir()
        out = target.offline(*install, "--offline", cwd=project)
    else:
        vendorpack = unpacking.argv("run", bundle, "--")
        env = {"PYTHONPATH": unpacking.env()["PYTHONPATH"]}
        out = target.offline(*vendorpack, *install, cwd=project, env=env)
    assert "added 990 packages" in out
    version = target.offline(node, "node_modules/webpack/bin/webpack.js", "--version", cwd=project)
    assert "webpack" in version.lower()


def test_a_delta_of_a_large_project(
    warehouse: tuple[Path, Path], real_cli: Cli, tmp_path: Path
) -> None:
    """An upgrade that brings one package in twenty: what crosses is small, and gives the same."""
    source, full = warehouse
    old = copy_project(source, tmp_path / "old") / "package-lock.json"
    lock = json.loads(old.read_text())
    known = [name for name in lock["packages"] if name]
    for name in known[::20]:
        del lock["packages"][name]
    old.write_text(json.dumps(lock))
    base, delta = tmp_path / "base.tar.zst", tmp_path / "delta.tar.zst"
    pack(real_cli, old, "-o", base)
    made = pack(real_cli, source, "--base", base, "-o", delta, "--json").json
    assert made["downloaded"] == 0
    assert made["id"] == real_cli.ok("verify", full, "--json").json["id"]
    assert delta.stat().st_size < full.stat().st_size / 8
    prefixes = {name: tmp_path / name for name in ("together", "at once")}
    real_cli.ok("unpack", base, "--prefix", prefixes["together"])
    real_cli.ok("unpack", delta, "--prefix", prefixes["together"])
    real_cli.ok("unpack", full, "--prefix", prefixes["at once"])
    subprocess.run(["diff", "-r", *prefixes.values()], check=True)
    for name in prefixes:
        assert real_cli.ok("verify", prefixes[name], "--json").json["id"] == made["id"]
