"""What pnpm installs beside packages: configuration dependencies and runtimes."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import client, extract
from tests.real.test_pnpm import machine, pnpm
from tests.world import Reply, Request, Service, World
from tests.world.npm import NpmRegistry, sri

pytestmark = pytest.mark.real


@pytest.mark.parametrize("scripts", ["on", "off"])
@pytest.mark.parametrize("pin", ["version", "integrity"])
@pytest.mark.parametrize("version", ["10", "11", "12"])
def test_configuration_dependencies(version: str, pin: str, scripts: str, tmp_path: Path) -> None:
    """One with a scope and one that has optional dependencies, for one platform each."""
    project = tmp_path / "project"
    project.mkdir()
    with World(tmp_path) as world:
        registry = world.site().mount("npm", NpmRegistry(packuments=True))
        far = registry.publish("far", "1.0.0")
        plain = registry.publish("@scope/plain", "1.0.0")
        optional = {"here": "1.0.0", "there": "1.0.0"}
        hooks = registry.publish("hooks", "1.0.0", optionalDependencies=optional)
        here, there = (registry.publish(name, "1.0.0") for name in optional)
        (project / ".npmrc").write_text(f"registry={registry.url}/\n")
        (project / "package.json").write_text('{"name": "p", "dependencies": {"far": "1.0.0"}}')
        pinned = {"@scope/plain": sri(plain), "hooks": sri(hooks)}
        (project / "pnpm-workspace.yaml").write_text(
            "configDependencies:\n"
            + "".join(
                f"  '{name}': 1.0.0{'+' + hashed if pin == 'integrity' else ''}\n"
                for name, hashed in pinned.items()
            )
        )
        (project / "pnpm-lock.yaml").write_text(
            "---\nlockfileVersion: '9.0'\nimporters:\n  .:\n    configDependencies:\n"
            + "".join(
                f"      '{name}':\n        specifier: 1.0.0\n        version: 1.0.0\n"
                for name in pinned
            )
            + "packages:\n"
            + f"  '@scope/plain@1.0.0':\n    resolution: {{integrity: {sri(plain)}}}\n"
            + f"  here@1.0.0:\n    resolution: {{integrity: {sri(here)}}}\n    os: [linux]\n"
            + f"  hooks@1.0.0:\n    resolution: {{integrity: {sri(hooks)}}}\n"
            + f"  there@1.0.0:\n    resolution: {{integrity: {sri(there)}}}\n    os: [win32]\n"
            + "snapshots:\n  '@scope/plain@1.0.0': {}\n  here@1.0.0:\n    optional: true\n"
            + "  hooks@1.0.0:\n    optionalDependencies:\n      here: 1.0.0\n      there: 1.0.0\n"
            + "  there@1.0.0:\n    optional: true\n"
            + "---\nlockfileVersion: '9.0'\nsettings:\n  autoInstallPeers: true\n"
            "  excludeLinksFromLockfile: false\nimporters:\n  .:\n    dependencies:\n      far:\n"
            "        specifier: 1.0.0\n        version: 1.0.0\n"
            f"packages:\n  far@1.0.0:\n    resolution: {{integrity: {sri(far)}}}\n"
            "snapshots:\n  far@1.0.0: {}\n"
        )
        done = Cli(tmp_path).ok(
            "pack", project, "-o", tmp_path / "deps.tar.zst", "--target", "linux-x86_64-gnu"
        )
    assert "pnpm 10 downloads configDependencies (@scope/plain, hooks)" in done.err
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    options = ("--ignore-scripts",) if scripts == "off" else ()
    install = (*pnpm(version), "install", "--frozen-lockfile", *options)
    if version == "10":
        assert target.attempt(*install, cwd=project, prefix=prefix).code != 0
        return
    target.offline(*install, cwd=project, prefix=prefix)
    node = client("node") / "bin/node"
    assert "far@1.0.0" in target.offline(node, "-p", "require('far')", cwd=project)
    program = "require('./node_modules/.pnpm-config/'+p)"
    for name in pinned:
        shown = target.offline(node, "-p", f"p={json.dumps(name)};{program}", cwd=project)
        assert f"{name}@1.0.0" in shown


NODE = "24.19.0"


class Builds(Service):
    """A mirror of Node.js' download page: path below it to archive."""

    def __init__(self) -> None:
        self.archives: dict[str, bytes] = {}

    def answer(self, path: str, request: Request) -> Reply:
        data = self.archives.get(path)
        return Reply(b"no such build", 404) if data is None else Reply(data)


def node_build(node: Path) -> bytes:
    """An archive as Node.js' own, whose program starts the one that is here."""
    folder = f"node-v{NODE}-linux-x64"
    program = f'#!/bin/sh\necho "from the bundle" >&2\nexec "{node}" "$@"\n'.encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, data, mode in (
            ("bin/node", program, 0o755),
            ("include/node/node.h", b"/* node */\n", 0o644),
            ("lib/node_modules/npm/package.json", b'{"name": "npm"}', 0o644),
        ):
            member = tarfile.TarInfo(f"{folder}/{path}")
            member.size, member.mode = len(data), mode
            tar.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo(f"{folder}/bin/npm")
        link.type, link.linkname = tarfile.SYMTYPE, "../lib/node_modules/npm/bin/npm-cli.js"
        tar.addfile(link)
    return out.getvalue()


def windows_build() -> bytes:
    """The same for Windows: a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for path in ("node.exe", "npm.cmd", "node_modules/npm/package.json"):
            made.writestr(f"node-v{NODE}-win-x64/{path}", f"{path} of Windows\n")
    return out.getvalue()


def runtime_lock(unix: bytes, windows: bytes, far: bytes) -> str:
    site = f"https://nodejs.org/download/release/v{NODE}/node-v{NODE}"
    return (
        "lockfileVersion: '9.0'\nsettings:\n  autoInstallPeers: true\n"
        "  excludeLinksFromLockfile: false\nimporters:\n  .:\n    dependencies:\n      far:\n"
        "        specifier: 1.0.0\n        version: 1.0.0\n    devDependencies:\n      node:\n"
        f"        specifier: runtime:{NODE}\n        version: runtime:{NODE}\n"
        f"packages:\n  far@1.0.0:\n    resolution: {{integrity: {sri(far)}}}\n"
        f"  node@runtime:{NODE}:\n    hasBin: true\n    resolution:\n      type: variations\n"
        "      variants:\n        - resolution:\n            archive: tarball\n"
        "            bin:\n              node: bin/node\n"
        f"            integrity: {sri(unix, 'sha256')}\n"
        f"            type: binary\n            url: {site}-linux-x64.tar.gz\n"
        "          targets:\n            - cpu: x64\n              os: linux\n"
        "        - resolution:\n            archive: zip\n            bin:\n"
        f"              node: node.exe\n            integrity: {sri(windows, 'sha256')}\n"
        f"            prefix: node-v{NODE}-win-x64\n            type: binary\n"
        f"            url: {site}-win-x64.zip\n"
        "          targets:\n            - cpu: x64\n              os: win32\n"
        f"    version: {NODE}\nsnapshots:\n  far@1.0.0: {{}}\n  node@runtime:{NODE}: {{}}\n"
    )


@pytest.mark.parametrize("scripts", ["on", "off"])
@pytest.mark.parametrize("system", ["linux", "windows"])
@pytest.mark.parametrize("version", ["10", "11", "12"])
def test_a_runtime(version: str, system: str, scripts: str, tmp_path: Path) -> None:
    """The target's archive alone is fetched, from the user's mirror."""
    node = client("node") / "bin/node"
    project = tmp_path / "project"
    project.mkdir()
    with World(tmp_path) as world:
        site = world.site(tls=True)
        registry = site.mount("npm", NpmRegistry(packuments=True))
        builds = site.mount("builds", Builds())
        unix, windows = node_build(node), windows_build()
        builds.archives[f"v{NODE}/node-v{NODE}-linux-x64.tar.gz"] = unix
        builds.archives[f"v{NODE}/node-v{NODE}-win-x64.zip"] = windows
        far = registry.publish("far", "1.0.0")
        settings = f"registry={registry.url}/\n"
        workspace = ""
        if version == "10":
            settings += f"node-mirror:release={builds.url}\n"
        else:
            workspace += f"nodeDownloadMirrors:\n  release: {builds.url}/\n"
        if system == "windows":
            workspace += "supportedArchitectures:\n  os: [win32]\n  cpu: [x64]\n"
        (project / ".npmrc").write_text(settings)
        (project / "pnpm-workspace.yaml").write_text("packages: []\n" + workspace)
        manifest = {
            "name": "p",
            "dependencies": {"far": "1.0.0"},
            "devEngines": {"runtime": {"name": "node", "version": NODE, "onFail": "download"}},
            "scripts": {"show": "node -p \"require('far')\""},
        }
        (project / "package.json").write_text(json.dumps(manifest))
        (project / "pnpm-lock.yaml").write_text(runtime_lock(unix, windows, far))
        Cli(tmp_path, environ=world.environ).ok(
            "pack", project, "-o", tmp_path / "deps.tar.zst",
            "--target", "linux-x86_64-gnu" if system == "linux" else "windows-x86_64",
        )  # fmt: skip
        assert sum("/builds/" in path for path in site.paths) == 1
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    options = ("--ignore-scripts",) if scripts == "off" else ()
    install = (*pnpm(version), "install", "--frozen-lockfile", *options)
    target.offline(*install, cwd=project, prefix=prefix)
    installed = project / "node_modules/node"
    if system == "windows":
        assert (installed / "node.exe").read_text() == "node.exe of Windows\n"
        return
    assert json.loads((installed / "package.json").read_text())["version"] == NODE
    shown = target.offline(*pnpm(version), "run", "show", cwd=project, prefix=prefix)
    assert "from the bundle" in shown and "far@1.0.0" in shown
