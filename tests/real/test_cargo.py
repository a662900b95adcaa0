"""cargo builds from a bundle with the network cut off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.corpus import corpus
from tests.real.clients import PROJECTS, Machine, copy_project, extract, pack, tool
from tests.world.crates import package
from tests.world.git import Repository, git_server

pytestmark = pytest.mark.real


def machine(folder: Path) -> Machine:
    return Machine(folder, [Path(tool("cargo")).parent])


def toolchain() -> dict[str, str]:
    """rustup's programs find the real ones by it; it is no part of cargo's own cache."""
    home = os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup")
    return {"RUSTUP_HOME": home}


def write_app(into: Path, dependencies: str, lock: str, expression: str) -> Path:
    """A program that prints the names that its dependencies export."""
    (into / "src").mkdir(parents=True)
    main = f'fn main() {{ println!("{{}}", [{expression}].join(" ")); }}\n'
    (into / "src/main.rs").write_text(main)
    head = '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n'
    (into / "Cargo.toml").write_text(head + dependencies)
    (into / "Cargo.lock").write_text("version = 4\n\n" + lock)
    return into


def name_of(text: str) -> bytes:
    return f'pub const NAME: &str = "{text}";\n'.encode()


def member(name: str) -> bytes:
    return f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'.encode()


# -- git -----------------------------------------------------------------------------------------


def test_commits_of_every_kind_with_submodules(tmp_path: Path) -> None:
    """A revision, a branch and an annotated tag, one with a submodule that has one itself."""
    served = tmp_path / "served"
    deep = Repository(tmp_path / "deep")
    deep.commit({"deep.rs": name_of("deep")})
    shared = Repository(tmp_path / "shared")
    shared.submodule("../deep.git", deep)
    shared.commit({"name.rs": b'include!("deep/deep.rs");\n'})
    library = Repository(tmp_path / "library")
    first = library.commit({"Cargo.toml": member("library"), "src/lib.rs": name_of("left")})
    library.git("tag", "-a", "v1", "-m", "x")
    middle = library.commit({"src/lib.rs": name_of("middle")})
    library.submodule("../shared.git", shared)
    last = library.commit({"src/lib.rs": b'include!("../shared/name.rs");\n'})
    for repository in (deep, shared, library):
        repository.publish(served)
    cli = Cli(tmp_path)
    with git_server(served) as address:
        url = f"{address}/library.git"
        sources = [
            f"git+{url}?branch=main#{last}",
            f"git+{url}?rev={middle}#{middle}",
            f"git+{url}?tag=v1#{first}",
        ]
        wanted = ",\n ".join(f'"library 0.1.0 ({source})"' for source in sources)
        lock = package("app", "0.1.0", None) + f"dependencies = [\n {wanted},\n]\n"
        lock += "".join("\n" + package("library", "0.1.0", source) for source in sources)
        dependencies = "".join(
            f'{name} = {{ package = "library", git = "{url}", {kind} = "{value}" }}\n'
            for name, kind, value in (
                ("left", "tag", "v1"),
                ("middle", "rev", middle),
                ("right", "branch", "main"),
            )
        )
        app = write_app(
            tmp_path / "app", dependencies, lock, "left::NAME, middle::NAME, right::NAME"
        )
        cli.ok("pack", app, "--allow-host", address, "-o", "deps.tar.zst")
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    here = machine(tmp_path)
    here.offline("cargo", "build", "--frozen", cwd=app, prefix=prefix, env=toolchain())
    assert here.offline("target/debug/app", cwd=app) == "left middle deep\n"
    here.offline("cargo", "fetch", "--frozen", cwd=app, prefix=prefix, env=toolchain())
    metadata = ("cargo", "metadata", "--frozen", "--format-version=1")
    here.offline(*metadata, cwd=app, prefix=prefix, env=toolchain())
    assert (app / "Cargo.lock").read_text() == "version = 4\n\n" + lock


# -- the public registry -----------------------------------------------------------------------


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
