"""pnpm 7 to 12 install from a bundle with the network cut off."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

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
from tests.world import World
from tests.world.npm import NpmRegistry, sri, tarball

pytestmark = [pytest.mark.real, pytest.mark.network]

HELLO = PROJECTS / "hello-pnpm"
LOCKS = {"7": "locks/5.4.yaml", "8": "locks/6.0.yaml"}
"""Versions of pnpm that write another lockfile than pnpm 9 to 12."""
STORE = {"7": "v3", "8": "v3", "9": "v3", "10": "v10", "11": "v11", "12": "v11"}
INSTALL = ("install", "--frozen-lockfile")
VERSIONS = tuple(STORE)


def install(version: str) -> tuple[str, ...]:
    """Every second version runs no scripts, so that each case is seen with and without them."""
    return (*INSTALL, "--ignore-scripts") if int(version) % 2 else INSTALL


def pnpm(version: str) -> list[str | Path]:
    """The command; pnpm 12 is a program of its own, the others run on node."""
    package = client(f"pnpm-{version}") / "node_modules/pnpm"
    if version == "12":
        return [package / "pnpm"]
    script = "pnpm.mjs" if version == "11" else "pnpm.cjs"
    return [client("node") / "bin/node", package / "bin" / script]


def machine(folder: Path) -> Machine:
    return Machine(folder, [client("node") / "bin"])


def hello(version: str, into: Path) -> Path:
    """The project as this pnpm would have locked it."""
    project = copy_project(HELLO, into)
    if version in LOCKS:
        shutil.copyfile(project / LOCKS[version], project / "pnpm-lock.yaml")
    if version not in ("11", "12"):
        (project / "pnpm-workspace.yaml").unlink()
    return project


def works(target: Machine, project: Path) -> None:
    """What was installed runs."""
    node = client("node") / "bin/node"
    shown = target.offline(node, "node_modules/typescript/bin/tsc", "--version", cwd=project)
    assert shown == "Version 5.9.3\n"
    target.offline(
        "node_modules/.bin/esbuild", "index.ts", "--bundle", "--platform=node", "--format=esm",
        "--outfile=out.mjs", "--log-level=warning", cwd=project,
    )  # fmt: skip
    assert "...installed offline" in target.offline(node, "out.mjs", cwd=project)


@pytest.mark.parametrize("scripts", ["on", "off"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_small_project(
    version: str, scripts: str, real_cli: Cli, bundles: Path, tmp_path: Path
) -> None:
    command = pnpm(version)
    project = hello(version, tmp_path / "project")
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    options = ("--ignore-scripts",) if scripts == "off" else ()
    target.offline(*command, *INSTALL, *options, cwd=project, prefix=prefix)
    assert {p: p.read_bytes() for p in before} == before  # nothing of the user's is edited
    works(target, project)


@pytest.mark.parametrize("version", ["9", "10", "11", "12"])
def test_another_pnpm_than_the_project_names(
    version: str, real_cli: Cli, bundles: Path, tmp_path: Path
) -> None:
    """It does not try to download that one, and the bundle has one store only."""
    command = pnpm(version)
    project = hello(version, tmp_path / "project")
    manifest = project / "package.json"
    field = f'"private": true, "packageManager": "pnpm@{version}.0.0",'
    manifest.write_text(manifest.read_text().replace('"private": true,', field))
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    assert [path.name for path in (prefix / "pnpm/store").iterdir()] == [STORE[version]]
    target = machine(tmp_path)
    target.offline(*command, *install(version), cwd=project, prefix=prefix)
    works(target, project)


@pytest.mark.parametrize("version", ["7", "10", "11", "12"])
def test_without_dev(version: str, real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    command = pnpm(version)
    project = hello(version, tmp_path / "project")
    pack(real_cli, project, "--no-dev", "-o", bundles / "deps.tar.zst")
    shown = real_cli.ok("show", bundles / "deps.tar.zst", "--json").json
    assert [a["name"] for a in shown["artifacts"]] == ["@sindresorhus/is", "kleur", "left-pad"]
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    target.offline(*command, *install(version), "--prod", cwd=project, prefix=prefix)
    missing = target.attempt(*command, *install(version), cwd=project, prefix=prefix)
    assert missing.code != 0


@pytest.mark.parametrize("version", ["9", "10", "11", "12"])
def test_a_read_only_store_of_another_user(
    version: str, real_cli: Cli, bundles: Path, tmp_path: Path
) -> None:
    """As in an image: root unpacked it, somebody else installs."""
    command = pnpm(version)
    project = hello(version, tmp_path / "project")
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    nobody = another_user(target.home, project)
    target.offline(*nobody, *command, *install(version), cwd=project, prefix=prefix)
    works(target, project)


@pytest.mark.parametrize("version", ["11", "12"])
def test_the_users_own_store_keeps_what_it_had(
    version: str, real_cli: Cli, bundles: Path, tmp_path: Path
) -> None:
    """Unpacked into the native store twice, from two projects: both install."""
    command = pnpm(version)
    target = machine(tmp_path)
    unpacking = Cli(tmp_path, environ={"HOME": str(target.home)})
    first = hello(version, tmp_path / "first")
    pack(real_cli, first, "--no-dev", "-o", bundles / "first.tar.zst")
    second = hello(version, tmp_path / "second")
    pack(real_cli, second, "-o", bundles / "second.tar.zst")
    offline = ("--offline", "--trust-lockfile")
    unpacking.ok("unpack", bundles / "first.tar.zst")
    target.offline(*command, *install(version), *offline, "--prod", cwd=first)
    unpacking.ok("unpack", bundles / "second.tar.zst")
    target.offline(*command, *install(version), *offline, cwd=second)
    works(target, second)


@pytest.mark.parametrize("version", ["11", "12"])
def test_a_large_project(version: str, real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """A workspace with catalogs; build scripts run offline too."""
    command = pnpm(version)
    project = copy_project(corpus("pnpm-vue-core"), tmp_path / "project")
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    env = {"PUPPETEER_SKIP_DOWNLOAD": "1"}
    target.offline(*command, *INSTALL, cwd=project, prefix=prefix, env=env)
    shown = target.offline("node_modules/.bin/tsc", "--version", cwd=project)
    assert shown.startswith("Version 6.")


COMMIT = "2109f11fa48cea2da5e6d83cef0a62e032149cec"
CODELOAD = f"https://codeload.github.com/o/plain/tar.gz/{COMMIT}"


@pytest.mark.parametrize("mark", ["gitHosted: true, ", ""])
@pytest.mark.parametrize("scripts", ["on", "off"])
@pytest.mark.parametrize("version", ["9", "10", "11", "12"])
def test_a_tarball_of_a_git_host(version: str, scripts: str, mark: str, tmp_path: Path) -> None:
    """A package without scripts installs with the ordinary command, as from a registry.

    Whether the lockfile says that a git host made it or only its address tells. The host is not
    asked: a team's store has the bytes that the lockfile pins.
    """
    data = tarball("plain", "1.0.0")
    sha256 = hashlib.sha256(data).hexdigest()
    sha512 = hashlib.sha512(data).hexdigest()
    shared = {
        f"cas/sha256/{sha256[:2]}/{sha256}": data,
        f"index/sha512/{sha512[:2]}/{sha512}": f"{sha256} {len(data)}\n".encode(),
    }
    for path, content in shared.items():
        (tmp_path / "team" / path).parent.mkdir(parents=True)
        (tmp_path / "team" / path).write_bytes(content)
    project = tmp_path / "project"
    project.mkdir()
    (project / "package.json").write_text(
        json.dumps({"name": "p", "dependencies": {"plain": f"github:o/plain#{COMMIT}"}})
    )
    (project / "pnpm-lock.yaml").write_text(
        "lockfileVersion: '9.0'\nsettings:\n  autoInstallPeers: true\n"
        "  excludeLinksFromLockfile: false\nimporters:\n  .:\n    dependencies:\n      plain:\n"
        f"        specifier: github:o/plain#{COMMIT}\n        version: {CODELOAD}\n"
        f"packages:\n  plain@{CODELOAD}:\n    resolution: {{{mark}"
        f"integrity: {sri(data)}, tarball: {CODELOAD}}}\n    version: 1.0.0\n"
        f"snapshots:\n  plain@{CODELOAD}: {{}}\n"
    )
    Cli(tmp_path).ok(
        "pack", project, "-o", tmp_path / "deps.tar.zst", "--store", tmp_path / "team",
        "--allow-host", "codeload.github.com",
    )  # fmt: skip
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    options = ("--ignore-scripts",) if scripts == "off" else ()
    target.offline(*pnpm(version), *INSTALL, *options, cwd=project, prefix=prefix)
    node = client("node") / "bin/node"
    assert "plain@1.0.0" in target.offline(node, "-p", "require('plain')", cwd=project)


@pytest.mark.parametrize("version", ["9", "10", "11", "12"])
def test_an_archive_in_the_project(version: str, tmp_path: Path) -> None:
    """Beside a package of a registry: pnpm puts it into the store itself."""
    with World(tmp_path) as world:
        registry = world.site().mount("npm", NpmRegistry(packuments=True))
        data = registry.packages[registry.path("far", "1.0.0")] = tarball("far", "1.0.0")
        own = tarball("own", "1.0.0")
        project = tmp_path / "project"
        (project / "vendor").mkdir(parents=True)
        (project / "vendor/own.tgz").write_bytes(own)
        (project / "package.json").write_text(
            '{"name": "p", "dependencies": {"far": "1.0.0", "own": "file:vendor/own.tgz"}}'
        )
        (project / ".npmrc").write_text(f"registry={registry.url}/\n")
        (project / "pnpm-lock.yaml").write_text(
            "lockfileVersion: '9.0'\nsettings:\n  autoInstallPeers: true\n"
            "  excludeLinksFromLockfile: false\nimporters:\n  .:\n    dependencies:\n"
            "      far:\n        specifier: 1.0.0\n        version: 1.0.0\n      own:\n"
            "        specifier: file:vendor/own.tgz\n        version: file:vendor/own.tgz\n"
            f"packages:\n  far@1.0.0:\n    resolution: {{integrity: {sri(data)}}}\n"
            "  own@file:vendor/own.tgz:\n    resolution: "
            f"{{integrity: {sri(own)}, tarball: file:vendor/own.tgz}}\n    version: 1.0.0\n"
            "snapshots:\n  far@1.0.0: {}\n  own@file:vendor/own.tgz: {}\n"
        )
        Cli(tmp_path).ok("pack", project, "-o", tmp_path / "deps.tar.zst")
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    target.offline(*pnpm(version), *install(version), cwd=project, prefix=prefix)
    node = client("node") / "bin/node"
    program = "require('far') + require('own')"
    shown = target.offline(node, "-p", program, cwd=project)
    assert "far@1.0.0" in shown and "own@1.0.0" in shown


@pytest.mark.parametrize("version", ["9", "10", "11", "12"])
def test_a_lockfile_with_a_sha1(version: str, tmp_path: Path) -> None:
    """pnpm finds the package by the lockfile's hash, whatever the registry added to it."""
    data = tarball("old", "1.0.0")
    with World(tmp_path) as world:
        registry = world.site().mount("npm", NpmRegistry(packuments=True))
        registry.packages[registry.path("old", "1.0.0")] = data
        project = tmp_path / "project"
        project.mkdir()
        (project / "package.json").write_text('{"name": "p", "dependencies": {"old": "1.0.0"}}')
        (project / ".npmrc").write_text(f"registry={registry.url}/\n")
        (project / "pnpm-lock.yaml").write_text(
            "lockfileVersion: '9.0'\nsettings:\n  autoInstallPeers: true\n"
            "  excludeLinksFromLockfile: false\nimporters:\n  .:\n    dependencies:\n      old:\n"
            "        specifier: 1.0.0\n        version: 1.0.0\npackages:\n  old@1.0.0:\n"
            f"    resolution: {{integrity: {sri(data, 'sha1')}}}\n"
            "snapshots:\n  old@1.0.0: {}\n"
        )
        Cli(tmp_path).ok("pack", project, "-o", tmp_path / "deps.tar.zst")
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    target.offline(*pnpm(version), *install(version), cwd=project, prefix=prefix)
    node = client("node") / "bin/node"
    assert "old@1.0.0" in target.offline(node, "-p", "require('old')", cwd=project)
