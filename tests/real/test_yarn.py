"""Yarn 1, 3 and 4 install from a bundle with the network cut off."""

from __future__ import annotations

import gzip
import importlib.util
import io
import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.corpus import corpus
from tests.real.clients import PROJECTS, Machine, client, copy_project, extract, miss, pack
from tests.world import World
from tests.world.npm import NpmRegistry

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


KINDS: Mapping[str, Callable[[int], bytes]] = {
    "noise": lambda size: random.Random(size).randbytes(size),
    "text": lambda size: (b"the same words again and again\n" * (size // 31 + 1))[:size],
    "half": lambda size: random.Random(size).randbytes(size // 2) + bytes(size - size // 2),
    "sparse": lambda size: bytes(b if b > 250 else 0 for b in random.Random(size).randbytes(size)),
}
BORDERS = (
    *(0, 1, 2, 3, 4, 5, 63, 64, 257, 258, 259, 1023, 4095, 4096, 4097, 8180, 8185, 8186, 8187),
    *(8188, 8191, 8192, 8193, 8200, 12288, 16383, 16384, 16385, 24576, 32767, 32768, 32769),
    *(65535, 65536, 65537, 100_000, 200_000),
)
"""Around the buffers of zlib, libzip and Yarn."""


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("yarn-3", "mixed"),
        ("yarn-4.4", "mixed"),
        ("yarn-4", "mixed"),
        ("yarn-4", "5"),
        ("yarn-4", "0"),
    ],
)
def test_every_size_and_kind_of_file(version: str, level: str, tmp_path: Path) -> None:
    """Whatever Yarn makes of a tarball: pack verifies the checksum that Yarn itself locked."""
    needs_zlib_ng()
    node, script = yarn(version)
    contents = {
        f"{kind}/{size}.bin": make(size) for kind, make in KINDS.items() for size in BORDERS
    }
    contents["package.json"] = b'{"name": "borders", "version": "1.0.0"}'
    with World(tmp_path) as world:
        registry = world.site().mount("", NpmRegistry(packuments=True))
        registry.packages["/borders/-/borders-1.0.0.tgz"] = tarball_of(contents)
        project = tmp_path / "project"
        project.mkdir()
        (project / "package.json").write_text(
            '{"name": "app", "dependencies": {"borders": "1.0.0"}}'
        )
        (project / ".yarnrc.yml").write_text(
            f"npmRegistryServer: {registry.url}\nunsafeHttpWhitelist: ['127.0.0.1']\n"
            f"compressionLevel: {level}\nenableGlobalCache: true\nnodeLinker: node-modules\n"
            "enableTelemetry: false\n"
        )
        env = {**machine(tmp_path).env(), "YARN_ENABLE_IMMUTABLE_INSTALLS": "false"}
        if version == "yarn-4":  # older ones know no such setting
            env["YARN_NPM_MINIMAL_AGE_GATE"] = "0"
        locked = subprocess.run(
            [node, script, "install"], cwd=project, env=env, capture_output=True, text=True
        )
        assert locked.returncode == 0, locked.stdout
        Cli(tmp_path).ok("pack", project, "-o", tmp_path / "deps.tar.zst")
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    shutil.rmtree(project / "node_modules")
    target = machine(tmp_path / "other")
    target.offline(node, script, *BERRY, cwd=project, prefix=prefix)
    installed = project / "node_modules/borders"
    assert {
        path.relative_to(installed).as_posix(): path.read_bytes()
        for path in installed.rglob("*")
        if path.is_file()
    } == contents


def tarball_of(contents: Mapping[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, data in contents.items():
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), mtime=0)


def test_yarn_1_where_another_yarn_is_named(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """It would refuse to run, and ask for corepack."""
    node, script = yarn("yarn-1")
    project = copy_project(PROJECTS / "hello-yarn-1", tmp_path / "project")
    manifest = (project / "package.json").read_text()
    field = '{ "packageManager": "yarn@4.4.1",'
    (project / "package.json").write_text(manifest.replace("{", field, 1))
    prefix = unpacked(real_cli, project, bundles, tmp_path)
    target, env = machine(tmp_path), empty_cache(tmp_path)
    refused = target.attempt(node, script, *CLASSIC, cwd=project, env=env)
    assert refused.code != 0 and "Corepack" in refused.out
    target.offline(node, script, *CLASSIC, cwd=project, prefix=prefix, env=env)
    assert (project / "node_modules/kleur/package.json").is_file()
