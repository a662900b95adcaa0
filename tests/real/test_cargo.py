"""cargo builds from a bundle with the network cut off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.corpus import corpus
from tests.real.clients import PROJECTS, Machine, client, copy_project, extract, pack, tool
from tests.real.ways import Way
from tests.world import World
from tests.world.cargo import CargoRegistry, CrateDownloads, index_files
from tests.world.crates import CRATES_IO, crate, package
from tests.world.git import GitHost, Repository, git_server

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


def test_ways_to_name_a_commit(tmp_path: Path) -> None:
    """By an abbreviated id and by a proposal's ref, under two addresses, and by a patch.

    The crates lie in folders of the repository, and inherit from its workspace.
    """
    served = tmp_path / "served"
    workspace = Repository(tmp_path / "ws")
    inherited = b"version.workspace = true\nedition.workspace = true\n"
    first = workspace.commit(
        {
            "Cargo.toml": b'[workspace]\nmembers = ["crates/*"]\n'
            b'[workspace.package]\nversion = "0.1.0"\nedition = "2021"\n'
            b'[workspace.dependencies]\none = { path = "crates/one" }\n',
            "crates/one/Cargo.toml": b'[package]\nname = "one"\n' + inherited,
            "crates/one/src/lib.rs": name_of("first"),
            "crates/two/Cargo.toml": b'[package]\nname = "two"\n'
            + inherited
            + b"[dependencies]\none.workspace = true\n",
            "crates/two/src/lib.rs": b"pub use one::NAME;\n",
        }
    )
    workspace.commit({"crates/one/src/lib.rs": name_of("newest")})
    workspace.publish(served)
    workspace.commit({"crates/one/src/lib.rs": name_of("proposed")})
    workspace.git("push", "-q", str(served / "ws.git"), "HEAD:refs/pull/7/head")
    (served / "ws").symlink_to("ws.git")
    for name in ("original", "patched"):
        other = Repository(tmp_path / name)
        other.commit({"Cargo.toml": member("other"), "src/lib.rs": name_of(name)})
        other.publish(served)
    with World(tmp_path) as world:
        site = world.site()
        url = site.mount("git", GitHost(served)).url
        Way(
            files={
                "Cargo.toml": member("app").decode()
                + f"""[dependencies]
                a = {{ package = "one", git = "{url}/ws.git", rev = "{first[:8]}" }}
                b = {{ package = "two", git = "{url}/ws.git", rev = "refs/pull/7/head" }}
                c = {{ package = "two", git = "{url}/ws" }}
                other = {{ git = "{url}/original.git" }}
                [patch."{url}/original.git"]
                other = {{ git = "{url}/patched.git" }}
                """,
                "src/main.rs": "fn main() { println!("
                '"{} {} {} {}", a::NAME, b::NAME, c::NAME, other::NAME) }\n',
            },
            lock=[("cargo", "generate-lockfile")],
            install=[("cargo", "build", "--frozen")],
            proof=("target/debug/app",),
            said="first proposed newest patched",
            path=[Path(tool("cargo")).parent],
            locking=toolchain() | {"CARGO_NET_GIT_FETCH_WITH_CLI": "true"},
            installing=toolchain(),
            options=("--allow-host", site.url),
        ).go(world, tmp_path)


# -- crates of some targets ----------------------------------------------------------------------


def test_crates_that_no_target_needs_are_left_out(tmp_path: Path) -> None:
    """The kept ones build and test; the lockfile keeps its word on all of them."""
    with World(tmp_path) as world:
        site = world.site()
        downloads = site.mount("dl", CrateDownloads())
        registry = site.mount("index", CargoRegistry(downloads))
        own = f'registry-index = "{registry.source}"'
        manifest = f"""
            [features]
            default = ["dep:chosen"]
            [dependencies]
            chosen = {{ version = "1", optional = true, {own} }}
            [target.'cfg(windows)'.dependencies]
            windows-only = {{ version = "1", {own} }}
            [target.'cfg(target_os = "nowhere")'.build-dependencies]
            nowhere = {{ version = "1", {own} }}
            [target.'cfg(not(some_flag))'.dependencies]
            unknown = {{ version = "1", {own} }}
        """
        windows = f"[dependencies]\nimports = {{ version = '1', {own} }}\n"
        for name, more, lib in (
            ("top", manifest, "pub use chosen::NAME;\n"),
            ("chosen", "", name_of("chosen").decode()),
            ("windows-only", windows, "compile_error!();"),
            ("imports", "", "compile_error!();"),
            ("nowhere", "", "compile_error!();"),
            ("unknown", "", ""),
        ):
            registry.publish(name, "1.0.0", crate(name, "1.0.0", more, lib))
        environ = {"CARGO_REGISTRIES_CORP_INDEX": registry.source}
        files = {
            "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n'
            '[dependencies]\ntop = { version = "1", registry = "corp" }\n',
            "src/main.rs": 'fn main() { println!("{}", top::NAME) }\n',
        }
        chosen = ("--target", "linux-x86_64-gnu", "--target", "linux-aarch64-musl")
        prefix = Way(
            files=files,
            lock=[("cargo", "generate-lockfile")],
            install=[("cargo", "build", "--frozen"), ("cargo", "test", "--frozen")],
            proof=("target/debug/app",),
            said="chosen",
            path=[Path(tool("cargo")).parent],
            locking=environ | toolchain(),
            packing=environ,
            installing=toolchain(),
            options=("--cargo-crates", "targets", *chosen, "--allow-host", site.url),
        ).go(world, tmp_path)
        cli = Cli(tmp_path, environ=environ)
        options = ("--cargo-crates", "targets", *chosen, "--allow-host", site.url)
        plan = cli.ok("pack", tmp_path / "project", "--dry-run", "--json", *options)
    shown = cli.ok("show", tmp_path / "deps.tar.zst", "--json")
    planned, packed = (
        sorted(one["url"] for one in done.json["artifacts"]) for done in (plan, shown)
    )
    assert planned == packed and len(packed) == 3
    assert plan.err.count("left out, as no target builds them") == 1
    assert sorted(path.name for path in prefix.rglob("*.crate")) == [
        "chosen-1.0.0.crate",
        "top-1.0.0.crate",
        "unknown-1.0.0.crate",
    ]
    project = copy_project(tmp_path / "project", tmp_path / "elsewhere")
    fetch = ("cargo", "fetch", "--frozen")
    done = machine(tmp_path).attempt(*fetch, cwd=project, prefix=prefix, env=toolchain())
    assert done.code != 0 and "windows-only" in done.out  # as the warning says


# -- older ones --------------------------------------------------------------------------------


def test_one_bundle_serves_every_cargo(tmp_path: Path) -> None:
    """1.65 reads a git index, 1.84 and older have other folder names than the newest."""
    with World(tmp_path) as world:
        site = world.site()
        registry = site.mount("index", CargoRegistry(site.mount("dl", CrateDownloads())))
        content = registry.publish(
            "left", "1.0.0", crate("left", "1.0.0", "", name_of("left").decode())
        )
        mirror = '[source.crates-io]\nreplace-with = "near"\n[source.near]\n'
        config = tmp_path / "home/.cargo/config.toml"
        config.parent.mkdir(parents=True)
        config.write_text(f'{mirror}registry = "{registry.source}"\n')
        library = Repository(tmp_path / "library")
        commit = library.commit({"Cargo.toml": member("library"), "src/lib.rs": name_of("right")})
        library.publish(tmp_path / "served")
        git = f"{site.mount('git', GitHost(tmp_path / 'served')).url}/library.git"
        lock = package("app", "0.1.0", None) + 'dependencies = ["left", "library"]\n'
        lock += package("left", "1.0.0", CRATES_IO, content)
        lock += package("library", "0.1.0", f"git+{git}#{commit}")
        wanted = f'left = "1"\nlibrary = {{ git = "{git}" }}\n'
        app = write_app(tmp_path / "app", wanted, lock, "left::NAME, library::NAME")
        # Version 4 is of cargo 1.78 and newer.
        written = (app / "Cargo.lock").read_text().replace("version = 4", "version = 3")
        (app / "Cargo.lock").write_text(written)
        allowed = ("--allow-host", site.url)
        Cli(tmp_path).ok("pack", app, "--cargo-compat", "1.65", *allowed, "-o", "deps.tar.zst")
    rust = Path(tool("cargo")).parent
    for name in ("1.65", "1.85", "newest"):
        prefix = extract(tmp_path / "deps.tar.zst", tmp_path / name / "deps")
        project = copy_project(app, tmp_path / name / "app")
        own = [] if name == "newest" else [client(f"cargo-{name}") / "bin"]
        here = Machine(tmp_path / name, [*own, rust])
        version = here.offline("cargo", "--version", cwd=project, env=toolchain())
        assert name == "newest" or version.startswith(f"cargo {name}.")
        here.offline("cargo", "build", "--frozen", cwd=project, prefix=prefix, env=toolchain())
        assert here.offline("target/debug/app", cwd=project) == "left right\n"
        assert (project / "Cargo.lock").read_text() == written


@pytest.mark.parametrize("name", ["1.65", "newest"])
def test_two_bundles_in_one_cargo_home(tmp_path: Path, name: str) -> None:
    """Both of one registry, whose index is a git repository: the lines of both are found."""
    cargo_home = {"CARGO_HOME": str(tmp_path / "cargo-home")}
    with World(tmp_path) as world:
        site = world.site()
        downloads = site.mount("dl", CrateDownloads())
        for one in ("left", "right"):
            content = crate(one, "1.0.0", "", name_of(one).decode())
            downloads.crates[one, "1.0.0"] = content
        index = Repository(tmp_path / "index")
        index.commit(index_files(downloads))
        index.publish(tmp_path / "served")
        url = f"{site.mount('git', GitHost(tmp_path / 'served')).url}/index.git"
        registry = {"CARGO_REGISTRIES_CORP_INDEX": url}
        cli = Cli(tmp_path, environ=registry | cargo_home)
        for one in ("left", "right"):
            lock = package("app", "0.1.0", None) + f'dependencies = ["{one}"]\n'
            lock += package(one, "1.0.0", f"registry+{url}", downloads.crates[one, "1.0.0"])
            wanted = f'{one} = {{ version = "1", registry = "corp" }}\n'
            app = write_app(tmp_path / one, wanted, lock, f"{one}::NAME")
            written = (app / "Cargo.lock").read_text().replace("version = 4", "version = 3")
            (app / "Cargo.lock").write_text(written)
            bundle = f"{one}.tar.zst"
            cli.ok("pack", app, "--cargo-compat", "1.65", "-o", bundle)
            cli.ok("unpack", bundle)
    own = [] if name == "newest" else [client(f"cargo-{name}") / "bin"]
    here = Machine(tmp_path, [*own, Path(tool("cargo")).parent])
    env = toolchain() | registry | cargo_home
    for one in ("left", "right"):
        here.offline("cargo", "build", "--frozen", cwd=tmp_path / one, env=env)
        assert here.offline("target/debug/app", cwd=tmp_path / one) == f"{one}\n"


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
