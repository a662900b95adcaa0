"""cargo builds from a bundle with the network cut off."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.corpus import corpus
from tests.real.clients import PROJECTS, Machine, copy_project, extract, pack, tool
from tests.world import Reply, Request, Server
from tests.world.crates import crate, package
from tests.world.git import Repository, git_server
from vendorpack.formats.cargo.artifacts import index_path
from vendorpack.formats.cargo.index import line_of_crate

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


# -- a registry of one's own ---------------------------------------------------------------------


TOKEN = "Bearer canary-token"


def serve_registry(crates: Mapping[tuple[str, str], bytes], dl: str) -> dict[str, bytes]:
    """A sparse index by path."""
    index = {"/index/config.json": json.dumps({"dl": dl, "auth-required": True}).encode()}
    for (name, _), content in crates.items():
        path = f"/index/{index_path(name)}"
        index[path] = index.get(path, b"") + line_of_crate(content, crates_io=False) + b"\n"
    return index


def test_a_registry_that_wants_its_token_everywhere(tmp_path: Path) -> None:
    features = '[features]\nextra = []\n[dependencies.one]\nversion = "1"\nregistry-index = "{}"\n'
    windows = "[target.'cfg(windows)'.dependencies.only-windows]\nversion = '1'\n"
    windows += "registry-index = '{}'\n"
    answers: dict[str, bytes] = {}

    def answer(request: Request) -> Reply:
        if request.headers.get("authorization") != TOKEN:
            return Reply(b"a token is due", 401)
        content = answers.get(request.path)
        return Reply(b"not here", 404) if content is None else Reply(content)

    with Server({}, default=answer) as downloads, Server({}, default=answer) as index:
        registry = f"sparse+{index.url}/index/"
        two = '#[cfg(feature = "extra")]\n' + name_of("two").decode()
        crates = {
            ("one", "1.2.3+meta"): crate(
                "one", "1.2.3+meta", windows.format(registry), name_of("one").decode()
            ),
            ("Two", "0.1.0"): crate("Two", "0.1.0", features.format(registry), two),
            ("only-windows", "1.0.0"): crate("only-windows", "1.0.0", "", "compile_error!();"),
        }
        answers |= serve_registry(crates, downloads.url + "/dl/{crate}-{version}")
        answers |= {f"/dl/{name}-{version}": crates[name, version] for name, version in crates}
        lock = (
            package("Two", "0.1.0", registry, crates["Two", "0.1.0"])
            + 'dependencies = [\n "one",\n]\n\n'
            + package("app", "0.1.0", None)
            + 'dependencies = [\n "Two",\n "one",\n]\n\n'
            + package("one", "1.2.3+meta", registry, crates["one", "1.2.3+meta"])
            + 'dependencies = [\n "only-windows",\n]\n\n'
            + package("only-windows", "1.0.0", registry, crates["only-windows", "1.0.0"])
        )
        dependencies = (
            'one = { version = "1", registry = "corp" }\n'
            'renamed = { package = "Two", version = "0.1", features = ["extra"], '
            'registry = "corp" }\n'
        )
        app = write_app(tmp_path / "app", dependencies, lock, "one::NAME, renamed::NAME")
        environ = {
            "CARGO_REGISTRIES_CORP_INDEX": registry,
            "CARGO_REGISTRIES_CORP_TOKEN": TOKEN,
        }
        Cli(tmp_path, environ=environ).ok("pack", app, "-o", "deps.tar.zst")
        assert len(downloads.paths) == 3
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    here = machine(tmp_path)
    here.offline("cargo", "build", "--frozen", cwd=app, prefix=prefix, env=toolchain())
    assert here.offline("target/debug/app", cwd=app) == "one two\n"
    leaked = [p for p in prefix.rglob("*") if p.is_file() and b"canary" in p.read_bytes()]
    assert leaked == []


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
