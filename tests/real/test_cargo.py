"""cargo builds from a bundle with the network cut off."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.corpus import corpus
from tests.formats.cargo.crates import CRATES_IO, crate, package, project
from tests.git_repository import Repository
from tests.memory import MemoryIndex, MemoryWorkshop
from tests.real.clients import PROJECTS, Machine, copy_project, extract, pack, tool
from vendorpack.fetch.git import GitAddress, fetch_commit
from vendorpack.formats.cargo import FORMAT
from vendorpack.formats.cargo.artifacts import Crate
from vendorpack.model import Artifact, Options, Packed

pytestmark = pytest.mark.real


def machine(folder: Path) -> Machine:
    return Machine(folder, [Path(tool("cargo")).parent])


def toolchain() -> dict[str, str]:
    """rustup's programs find the real ones by it; it is no part of cargo's own cache."""
    home = os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup")
    return {"RUSTUP_HOME": home}


MAIN = """
fn main() {
    println!("{}", [one::NAME, renamed::NAME, left::NAME, right::NAME].join(" "));
}
"""


def name_of(text: str) -> str:
    return f'pub const NAME: &str = "{text}";\n'


class World:
    """Crates and repositories made here, and a project that depends on all of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        features = "[features]\nextra = []\n[dependencies]\none = '1'\n"
        windows = "[target.'cfg(windows)'.dependencies]\nonly-windows = '1'\n"
        self.crates = {
            "one": crate("one", "1.2.3+meta", windows, name_of("one")),
            "Two": crate("Two", "0.1.0", features, '#[cfg(feature = "extra")]\n' + name_of("two")),
            "only-windows": crate("only-windows", "1.0.0", "", "compile_error!();"),
        }
        shared = Repository(folder / "shared")
        shared.commit({"name.rs": name_of("shared").encode()})
        self.repository = Repository(folder / "library")
        manifest = b'[package]\nname = "library"\nversion = "0.1.0"\nedition = "2021"\n'
        first = {"Cargo.toml": manifest, "src/lib.rs": name_of("left").encode()}
        self.first = self.repository.commit(first)
        self.repository.git("submodule", "add", "-q", "../shared", "shared")
        second = b'include!("../shared/name.rs");\n'
        self.second = self.repository.commit({"src/lib.rs": second})

    def write_project(self) -> Path:
        url = self.repository.url
        into = self.folder / "app"
        (into / "src").mkdir(parents=True)
        (into / "src/main.rs").write_text(MAIN)
        (into / "Cargo.toml").write_text(f"""
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[dependencies]
one = "1"
renamed = {{ package = "Two", version = "0.1", features = ["extra"] }}
left = {{ package = "library", git = "{url}", rev = "{self.first}" }}
right = {{ package = "library", git = "{url}", branch = "main" }}
""")
        left = f"git+{url}?rev={self.first}#{self.first}"
        right = f"git+{url}?branch=main#{self.second}"
        lock = (
            "version = 4\n\n"
            + package("Two", "0.1.0", CRATES_IO, self.crates["Two"])
            + 'dependencies = [\n "one",\n]\n\n'
            + package("app", "0.1.0", None)
            + f'dependencies = [\n "Two",\n "library 0.1.0 ({right})",\n'
            + f' "library 0.1.0 ({left})",\n "one",\n]\n\n'
            + package("library", "0.1.0", right)
            + "\n"
            + package("library", "0.1.0", left)
            + "\n"
            + package("one", "1.2.3+meta", CRATES_IO, self.crates["one"])
            + 'dependencies = [\n "only-windows",\n]\n\n'
            + package("only-windows", "1.0.0", CRATES_IO, self.crates["only-windows"])
        )
        (into / "Cargo.lock").write_text(lock)
        return into

    def fetched(self, artifact: Artifact, workshop: MemoryWorkshop) -> Packed:
        if isinstance(artifact, Crate):
            content = self.crates[artifact.name]
            assert artifact.integrity.accepts({"sha256": hashlib.sha256(content).digest()})
        else:
            assert artifact.url is not None
            out = self.folder / "pack"
            address = GitAddress.parse(artifact.url)
            asyncio.run(fetch_commit(address, out, environ=os.environ, protocols=["file"]))
            assert artifact.integrity.accepts({"git": FORMAT.derive(artifact, "git", out)})
            content = out.read_bytes()
        return Packed(artifact, workshop.add(content))


def test_crates_and_commits_with_a_submodule(tmp_path: Path) -> None:
    world = World(tmp_path)
    app = world.write_project()
    lock = (app / "Cargo.lock").read_bytes()
    lockfile = FORMAT.read(project(tmp_path / "alone", lock), Options())
    workshop = MemoryWorkshop()
    packed = [world.fetched(artifact, workshop) for artifact in lockfile.artifacts]
    more = asyncio.run(FORMAT.expand(lockfile, packed, workshop, MemoryIndex({})))
    packed += [world.fetched(artifact, workshop) for artifact in more]
    workshop.write(FORMAT.layout(packed, workshop), tmp_path / "deps")
    for origin in ("library", "shared"):
        shutil.rmtree(tmp_path / origin)
    variables = FORMAT.environment(packed).variables
    env = toolchain() | {
        v.name: str(tmp_path / "deps" / v.value) if v.is_path else v.value for v in variables
    }
    here = machine(tmp_path)
    here.offline("cargo", "build", "--frozen", cwd=app, env=env)
    assert here.offline("target/debug/app", cwd=app) == "one two left shared\n"
    here.offline("cargo", "fetch", "--frozen", cwd=app, env=env)
    here.offline("cargo", "metadata", "--frozen", "--format-version=1", cwd=app, env=env)
    assert (app / "Cargo.lock").read_bytes() == lock


@pytest.mark.network
@pytest.mark.parametrize("lines", ["crate", "registry"])
def test_hello(real_cli: Cli, bundles: Path, tmp_path: Path, lines: str) -> None:
    bundle = bundles / "deps.tar.zst"
    lockfile = PROJECTS / "hello-cargo/Cargo.lock"
    pack(real_cli, lockfile, "--cargo-index-lines", lines, "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    app = copy_project(PROJECTS / "hello-cargo", tmp_path / "app")
    here = machine(tmp_path)
    here.offline("cargo", "build", "--frozen", cwd=app, prefix=prefix, env=toolchain())
    assert here.offline("target/debug/hello", cwd=app) == '{"greeting":"hello"}\n'
    assert (app / "Cargo.lock").read_bytes() == lockfile.read_bytes()


@pytest.mark.network
def test_a_real_workspace_resolves(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    source = corpus("cargo-ripgrep")
    bundle = bundles / "deps.tar.zst"
    pack(real_cli, source / "Cargo.lock", "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    app = copy_project(source, tmp_path / "app")
    for manifest in app.rglob("Cargo.toml"):
        for name in ("src/lib.rs", "crates/core/main.rs", "tests/tests.rs", "build.rs"):
            (manifest.parent / name).parent.mkdir(parents=True, exist_ok=True)
            (manifest.parent / name).touch()
    here = machine(tmp_path)
    here.offline("cargo", "fetch", "--frozen", cwd=app, prefix=prefix, env=toolchain())
    assert (app / "Cargo.lock").read_bytes() == (source / "Cargo.lock").read_bytes()
