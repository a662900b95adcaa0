"""Deno 2.2, 2.4 and 2.9 install and run from a bundle with the network cut off."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import PROJECTS, Machine, another_user, client, copy_project, extract, pack
from tests.world import World
from tests.world.jsr import JsrRegistry

pytestmark = pytest.mark.real

HELLO = PROJECTS / "hello-deno"
INSTALL = ("install", "--frozen", "--cached-only")
RUN = ("run", "--frozen", "--cached-only", "--allow-all", "main.ts")
VERSIONS = ("2.2", "2.4", "2.9")


def deno(version: str) -> Path:
    return client(f"deno-{version}") / "node_modules/deno/deno"


def hello(version: str, into: Path) -> Path:
    """The project as this Deno would have locked it."""
    project = copy_project(HELLO, into)
    if version == "2.2":
        shutil.copyfile(project / "locks/4.json", project / "deno.lock")
    return project


@pytest.mark.network
@pytest.mark.parametrize("version", VERSIONS)
def test_packages_of_npm(version: str, real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    project = hello(version, tmp_path / "project")
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = Machine(tmp_path)
    target.offline(deno(version), *INSTALL, cwd=project, prefix=prefix)
    assert {p: p.read_bytes() for p in before} == before  # nothing of the user's is edited
    shown = target.offline(deno(version), *RUN, cwd=project, prefix=prefix)
    assert "...installed offline" in shown
    done = Machine(tmp_path / "other").attempt(deno(version), *RUN, cwd=project)
    assert done.code != 0


@pytest.mark.network
def test_a_node_project(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """With package.json, whose modules `deno install` puts into node_modules."""
    project = copy_project(HELLO, tmp_path / "project")
    imports = json.loads((project / "deno.json").read_text())["imports"]
    (project / "deno.json").unlink()
    names = {name: address.rpartition("@")[2] for name, address in imports.items()}
    (project / "package.json").write_text(json.dumps({"dependencies": names}))
    lock = json.loads((project / "deno.lock").read_text())
    specifiers = sorted(lock.pop("workspace")["dependencies"])
    lock["workspace"] = {"packageJson": {"dependencies": specifiers}}
    (project / "deno.lock").write_text(json.dumps(lock, indent=2))
    pack(real_cli, project / "deno.lock", "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = Machine(tmp_path)
    target.offline(deno("2.9"), *INSTALL, cwd=project, prefix=prefix)
    assert target.offline("node_modules/.bin/esbuild", "--version", cwd=project) == "0.25.12\n"


def jsr_project(registry: JsrRegistry, folder: Path, remote: Mapping[str, str]) -> Path:
    """A program that needs two packages of JSR's and modules by their addresses."""
    two = b'import { three } from "jsr:@s/b@1";\nexport const two: number = three - 1;\n'
    one = registry.publish(
        "@s/a",
        "1.2.0",
        {"mod.ts": b'export { two } from "./lib/two.ts";\n', "lib/two.ts": two, "README.md": b"x"},
    )
    other = registry.publish("@s/b", "1.0.3", {"mod.ts": b"export const three = 3;\n"})
    lock = {
        "version": "5",
        "specifiers": {"jsr:@s/a@1": "1.2.0", "jsr:@s/b@1": "1.0.3"},
        "jsr": {
            "@s/a@1.2.0": {"integrity": one, "dependencies": ["jsr:@s/b"]},
            "@s/b@1.0.3": {"integrity": other},
        },
        **({"remote": dict(remote)} if remote else {}),
    }
    folder.mkdir()
    (folder / "deno.json").write_text("{}")
    (folder / "deno.lock").write_text(json.dumps(lock, indent=2))
    (folder / "main.ts").write_text(
        'import { two } from "jsr:@s/a@^1.0.0";\nconsole.log("two is", two);\n'
    )
    return folder


@pytest.mark.parametrize("version", ["2.4", "2.9"])
def test_packages_of_jsr(version: str, tmp_path: Path) -> None:
    """From a mirror that the user names at packing only: the target asks JSR's own address."""
    with World(tmp_path) as world:
        registry = world.site().mount("jsr", JsrRegistry())
        project = jsr_project(registry, tmp_path / "project", {})
        cli = Cli(tmp_path, environ={**world.environ, "JSR_URL": registry.url})
        cli.ok("pack", project, "-o", tmp_path / "deps.tar.zst")
        assert not any(path.endswith("/meta.json") for path in registry.server.paths)
        registry.files["@s/b/1.0.3/mod.ts"] = b"export const three = 4;\n"
        changed = Cli(tmp_path, store="other", environ=cli.environ)(
            "pack", project, "-o", tmp_path / "changed.tar.zst"
        )
    assert changed.code == 8 and "@s/b 1.0.3" in changed.err
    assert not (tmp_path / "changed.tar.zst").exists()
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    target = Machine(tmp_path)
    for path in prefix.rglob("*"):
        path.chmod(path.stat().st_mode & 0o555)
    nobody = another_user(target.home, project)
    shown = target.offline(*nobody, deno(version), *RUN, cwd=project, prefix=prefix)
    assert "two is 2" in shown


def test_modules_by_their_address(tmp_path: Path) -> None:
    """With a redirect, a query, and a path that does not say what it is."""
    with World(tmp_path) as world:
        registry = world.site().mount("x", JsrRegistry())
        registry.files = {
            "plain.ts": b'export { q } from "./lib@1.0?target=deno";\n',
            "lib@1.0": b'export const q = "by address";\n',
        }
        base = registry.url
        remote = {
            f"{base}/plain.ts": hashlib.sha256(registry.files["plain.ts"]).hexdigest(),
            f"{base}/lib@1.0?target=deno": hashlib.sha256(registry.files["lib@1.0"]).hexdigest(),
        }
        lock = {
            "version": "5",
            "redirects": {f"{base}/moved.ts": f"{base}/plain.ts"},
            "remote": remote,
        }
        project = tmp_path / "project"
        project.mkdir()
        (project / "deno.json").write_text("{}")
        (project / "deno.lock").write_text(json.dumps(lock, indent=2))
        (project / "main.ts").write_text(
            f'import {{ q }} from "{base}/moved.ts";\nconsole.log("q is", q);\n'
        )
        cli = Cli(tmp_path, environ=world.environ)
        refused = cli("pack", project, "-o", tmp_path / "deps.tar.zst")
        assert refused.code == 6 and "--allow-host" in refused.err
        cli.ok("pack", project, "-o", tmp_path / "deps.tar.zst", "--allow-host", registry.origin)
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    target = Machine(tmp_path)
    assert "q is by address" in target.offline(deno("2.9"), *RUN, cwd=project, prefix=prefix)
    # What lies here is Deno's to verify too.
    modules = [path for path in prefix.rglob("remote/*/*/*") if path.is_file()]
    (module,) = [path for path in modules if b"export const q" in path.read_bytes()]
    module.write_bytes(module.read_bytes().replace(b"by address", b"by accident"))
    done = target.attempt(deno("2.9"), *RUN, cwd=project, prefix=prefix)
    assert done.code != 0 and "by accident" not in done.out
