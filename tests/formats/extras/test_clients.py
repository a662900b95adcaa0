"""The same words of the same packages, whichever client's lockfile pins them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.formats.extras.files import HEADERS
from tests.formats.yarn_berry import locks as berry
from tests.world.files import Files
from tests.world.npm import NpmRegistry, sri
from tests.world.site import Site

VERSION = "1.0.0"
PUBLISHED: Mapping[str, tuple[dict[str, object], dict[str, bytes]]] = {
    "addon": ({}, {"binding.gyp": b"{}"}),
    "plain": ({}, {}),
    "no-gypfile": ({"gypfile": False}, {"binding.gyp": b"{}"}),
    "prebuilt": ({"scripts": {"install": "node-gyp-build"}}, {"prebuilds/linux-x64/a.node": b"-"}),
    "program": (
        {
            "scripts": {"postinstall": "node install.js"},
            "optionalDependencies": {"program-linux-x64": VERSION},
        },
        {"install.js": b"require('https')"},
    ),
    "program-linux-x64": ({"os": ["linux"], "cpu": ["x64"]}, {}),
    "quiet": ({"scripts": {"postinstall": "node hello"}}, {"hello.js": b"console.log(1)"}),
    "unknown": ({"scripts": {"postinstall": "node get.js"}}, {"get.js": b"require('https')"}),
    "unknown-too": ({"scripts": {"install": "fetch-it"}}, {}),
}


@pytest.fixture
def registry() -> Iterator[NpmRegistry]:
    site = Site()
    npm = site.mount("", NpmRegistry(packuments=True))
    site.mount("files", Files()).put("v24.1.0/node-v24.1.0-headers.tar.gz", HEADERS)
    for name, (fields, files) in PUBLISHED.items():
        npm.publish(name, VERSION, files, **fields)
    with site:
        npm.url = site.url
        yield npm


def npm(registry: NpmRegistry, folder: Path) -> None:
    scripted = {name: {"hasInstallScript": True} for name in PUBLISHED if "plain" not in name}
    registry.lock(folder, dict.fromkeys(PUBLISHED, VERSION), **scripted)


def pnpm(registry: NpmRegistry, folder: Path) -> None:
    lines = ["lockfileVersion: '9.0'", "importers:", "  .:", "    dependencies:"]
    for name in PUBLISHED:
        lines += [f"      {name}:", f"        specifier: {VERSION}", f"        version: {VERSION}"]
    lines.append("packages:")
    for name in PUBLISHED:
        integrity = sri(registry.packages[registry.path(name, VERSION)])
        lines += [f"  {name}@{VERSION}:", f"    resolution: {{integrity: {integrity}}}"]
    lines += ["snapshots:", *(f"  {name}@{VERSION}: {{}}" for name in PUBLISHED), ""]
    (folder / "pnpm-lock.yaml").write_text("\n".join(lines))


def bun(registry: NpmRegistry, folder: Path) -> None:
    packages = {
        name: [f"{name}@{VERSION}", "", {}, sri(registry.packages[registry.path(name, VERSION)])]
        for name in PUBLISHED
    }
    workspace = {"name": "app", "dependencies": dict.fromkeys(PUBLISHED, VERSION)}
    lock = {"lockfileVersion": 1, "workspaces": {"": workspace}, "packages": packages}
    (folder / "bun.lock").write_text(json.dumps(lock, indent=2))


def yarn_classic(registry: NpmRegistry, folder: Path) -> None:
    lines = ["# yarn lockfile v1", ""]
    for name in PUBLISHED:
        integrity = sri(registry.packages[registry.path(name, VERSION)])
        lines += [f"{name}@{VERSION}:", f'  version "{VERSION}"']
        lines += [f'  resolved "{registry.address(name, VERSION)}"', f"  integrity {integrity}", ""]
    (folder / "yarn.lock").write_text("\n".join(lines))


def yarn_berry(registry: NpmRegistry, folder: Path) -> None:
    entries = [berry.entry(f"{name}@npm:{VERSION}") for name in PUBLISHED]
    (folder / "yarn.lock").write_text(berry.lock(*entries))
    (folder / ".yarnrc.yml").write_text(
        f'npmRegistryServer: "{registry.url}"\nunsafeHttpWhitelist: ["127.0.0.1", "localhost"]\n'
    )


@pytest.mark.parametrize("lock", [npm, pnpm, bun, yarn_classic, yarn_berry])
def test_warned_of_and_pinned(
    lock: Callable[[NpmRegistry, Path], None], registry: NpmRegistry, tmp_path: Path
) -> None:
    cli = Cli(tmp_path)
    project = tmp_path / "project"
    project.mkdir()
    lock(registry, project)
    (project / "package.json").write_text(json.dumps({"name": "app", "version": VERSION}))
    (project / ".npmrc").write_text(f"registry={registry.url}/\ndisturl={registry.url}/files\n")
    (project / ".nvmrc").write_text("24.1.0\n")
    options = (project, "--allow-host", registry.origin, "--target", "linux-x86_64-gnu")
    said = cli.ok("pack", *options).err
    assert said.count("fetches what is not in the bundle") == 1
    assert "addon 1.0.0 fetches what is not in the bundle when it is installed (node" in said
    unknown = "unknown 1.0.0 (node get.js), unknown-too 1.0.0 (fetch-it): `vendorpack rehearse"
    assert said.count(unknown) == 1
    for name in ("no-gypfile", "plain", "prebuilt", "program", "quiet"):
        assert f"{name} {VERSION}" not in said
    done = cli.ok("extras", "--write", *options)
    assert done.err.count(unknown) == 1
    assert "for addon 1.0.0;" in (project / "artifacts.lock.yaml").read_text()
    said = cli.ok("pack", *options).err
    assert "fetches what is not" not in said
    assert unknown in said
