"""Yarn 1, 3 and 4 install from a bundle with the network cut off."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.corpus import corpus
from tests.real.clients import PROJECTS, Machine, client, copy_project, extract, miss, pack

pytestmark = [pytest.mark.real, pytest.mark.network]

CLASSIC = ("install", "--offline", "--frozen-lockfile", "--non-interactive")
BERRY = ("install", "--immutable")
SCRIPTS = {
    "yarn-1": "node_modules/yarn/bin/yarn.js",
    "yarn-3": "node_modules/@yarnpkg/cli-dist/bin/yarn.js",
    "yarn-4": "node_modules/@yarnpkg/cli-dist/bin/yarn.js",
    "yarn-4.4": "node_modules/@yarnpkg/cli-dist/bin/yarn.js",
}


def yarn(version: str) -> tuple[Path, Path]:
    """node and Yarn's own script."""
    return client("node") / "bin/node", client(version) / SCRIPTS[version]


def needs_zlib_ng() -> None:
    if importlib.util.find_spec("zlib_ng") is None:
        miss("the Python package zlib-ng is not installed")


def machine(folder: Path) -> Machine:
    return Machine(folder, [client("node") / "bin"])


def empty_cache(folder: Path) -> dict[str, str]:
    """As root Yarn 1 has one cache for all users, whatever HOME is."""
    return {"YARN_CACHE_FOLDER": str(folder / "yarn-cache")}


def unpacked(cli: Cli, project: Path, bundles: Path, folder: Path, *options: str) -> Path:
    pack(cli, project, *options, "-o", bundles / "deps.tar.zst")
    return extract(bundles / "deps.tar.zst", folder / "deps")


def runs(target: Machine, node: Path, project: Path) -> None:
    """Whether what was installed works: a patched package, one for this platform, an alias."""
    shown = target.offline(node, "node_modules/typescript/bin/tsc", "--version", cwd=project)
    assert shown == "Version 5.9.3\n"
    target.offline(
        "node_modules/.bin/esbuild", "index.ts", "--bundle", "--platform=node", "--format=esm",
        "--outfile=out.mjs", "--log-level=warning", cwd=project,
    )  # fmt: skip
    assert "...installed offline" in target.offline(node, "out.mjs", cwd=project)


@pytest.mark.parametrize(
    ("version", "name", "install"),
    [
        ("yarn-1", "hello-yarn-1", CLASSIC),
        ("yarn-3", "hello-yarn-3", BERRY),
        ("yarn-4", "hello-yarn-4", BERRY),
        ("yarn-4", "hello-yarn-4-mixed", BERRY),
    ],
)
def test_a_small_project(
    version: str,
    name: str,
    install: tuple[str, ...],
    real_cli: Cli,
    bundles: Path,
    tmp_path: Path,
) -> None:
    if name.endswith("mixed"):
        needs_zlib_ng()
    node, script = yarn(version)
    project = copy_project(PROJECTS / name, tmp_path / "project")
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    prefix = unpacked(real_cli, project, bundles, tmp_path)
    target = machine(tmp_path)
    target.offline(node, script, *install, cwd=project, prefix=prefix, env=empty_cache(tmp_path))
    assert {p: p.read_bytes() for p in before} == before  # nothing of the user's is edited
    runs(target, node, project)


@pytest.mark.parametrize("version", ["yarn-3", "yarn-4"])
def test_plug_n_play(version: str, real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """No node_modules: Node.js reads from the zips."""
    node, script = yarn(version)
    project = copy_project(PROJECTS / f"hello-{version}", tmp_path / "project")
    (project / ".yarnrc.yml").write_text("nodeLinker: pnp\n")
    prefix = unpacked(real_cli, project, bundles, tmp_path)
    target = machine(tmp_path)
    target.offline(node, script, *BERRY, cwd=project, prefix=prefix)
    shown = target.offline(node, script, "run", "tsc", "--version", cwd=project, prefix=prefix)
    assert "Version 5.9.3" in shown


def test_the_cache_fills_the_projects_own(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """Yarn 4 with its cache in the project, which a project may ask for."""
    node, script = yarn("yarn-4")
    project = copy_project(PROJECTS / "hello-yarn-4", tmp_path / "project")
    settings = "nodeLinker: node-modules\nenableGlobalCache: false\nenableMirror: false\n"
    (project / ".yarnrc.yml").write_text(settings)
    prefix = unpacked(real_cli, project, bundles, tmp_path)
    target = machine(tmp_path)
    target.offline(node, script, *BERRY, cwd=project, prefix=prefix)
    assert list((project / ".yarn/cache").glob("kleur-npm-4.1.5-*.zip"))
    runs(target, node, project)


def test_a_mirror_that_the_project_names(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """Yarn 1's environment goes before the project's .yarnrc."""
    node, script = yarn("yarn-1")
    project = copy_project(PROJECTS / "hello-yarn-1", tmp_path / "project")
    (project / ".yarnrc").write_text('yarn-offline-mirror "./no-mirror"\n')
    prefix = unpacked(real_cli, project, bundles, tmp_path)
    target = machine(tmp_path)
    target.offline(node, script, *CLASSIC, cwd=project, prefix=prefix, env=empty_cache(tmp_path))
    runs(target, node, project)


@pytest.mark.parametrize(
    ("version", "install", "file"),
    [
        ("yarn-1", CLASSIC, "yarn-classic/kleur-*.tgz"),
        ("yarn-4", BERRY, "yarn-berry/cache/kleur-npm-*.zip"),
    ],
)
def test_a_missing_package_is_noticed(
    version: str,
    install: tuple[str, ...],
    file: str,
    real_cli: Cli,
    bundles: Path,
    tmp_path: Path,
) -> None:
    """The tests above can fail: without one file Yarn wants the network."""
    node, script = yarn(version)
    project = copy_project(PROJECTS / f"hello-{version}", tmp_path / "project")
    prefix = unpacked(real_cli, project, bundles, tmp_path)
    (missing,) = prefix.glob(file)
    missing.unlink()
    env = empty_cache(tmp_path)
    done = machine(tmp_path).attempt(node, script, *install, cwd=project, prefix=prefix, env=env)
    assert done.code != 0
    assert "kleur" in done.out


def test_redux(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """Yarn 4, `compressionLevel: mixed`: every zip is the one that Yarn made."""
    needs_zlib_ng()
    node, script = yarn("yarn-4.4")
    project = copy_project(corpus("yarn4-redux"), tmp_path / "project")
    settings = (project / ".yarnrc.yml").read_text()
    # The release that it names is not among the files here.
    (project / ".yarnrc.yml").write_text(settings.partition("yarnPath")[0])
    prefix = unpacked(real_cli, project, bundles, tmp_path)
    target = machine(tmp_path)
    target.offline(
        node, script, *BERRY, cwd=project, prefix=prefix, env={"YARN_ENABLE_SCRIPTS": "false"}
    )
    shown = target.offline(node, "node_modules/typescript/bin/tsc", "--version", cwd=project)
    assert shown == "Version 5.8.2\n"


def test_excalidraw(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """Yarn 1, workspaces, 1441 tarballs."""
    node, script = yarn("yarn-1")
    project = copy_project(corpus("yarn1-excalidraw"), tmp_path / "project")
    prefix = unpacked(real_cli, project, bundles, tmp_path)
    target = machine(tmp_path)
    options = ("--ignore-scripts", "--ignore-engines")
    env = empty_cache(tmp_path)
    target.offline(node, script, *CLASSIC, *options, cwd=project, prefix=prefix, env=env)
    target.offline(node, "node_modules/typescript/bin/tsc", "--version", cwd=project)
