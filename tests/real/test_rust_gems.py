"""A gem that is compiled from Rust, installed with the network cut off."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import tool
from tests.real.test_bundler import Built, bundler, gemspec
from tests.real.test_cargo import toolchain
from tests.real.ways import Way
from tests.world import World
from tests.world.gems import GemSource

pytestmark = [pytest.mark.real, pytest.mark.network]

SPEC = 's.extensions = ["ext/extconf.rb"]; s.files = Dir["ext/**/*"]'
MANIFEST = """
    [package]
    name = "rusty"
    version = "0.1.0"
    edition = "2021"
    [lib]
    crate-type = ["cdylib"]
    path = "lib.rs"
    [dependencies]
    itoa = "=1.0.15"
"""
LIBRARY = r"""
    use std::ffi::c_char;
    extern "C" { fn rb_define_global_const(name: *const c_char, value: usize); }
    #[no_mangle]
    pub extern "C" fn Init_rusty() {
        let mut buffer = itoa::Buffer::new();
        let number: usize = buffer.format(42).parse().unwrap();
        unsafe { rb_define_global_const(b"RUSTY\0".as_ptr() as *const c_char, number << 1 | 1) }
    }
"""
EXTCONF = """
    place = RbConfig::CONFIG["sitearchdir"]
    File.write("Makefile", <<~MAKE)
      all:
      \tcargo build --release --locked
      install:
      \tmkdir -p #{place}
      \tcp target/release/librusty.so #{place}/rusty.so
      clean:
    MAKE
"""


def publish(world: World, folder: Path, *, locked: bool) -> str:
    """A gem server with the gem: its address."""
    files = {
        "rusty.gemspec": gemspec("rusty", more=SPEC),
        "ext/extconf.rb": EXTCONF,
        "ext/Cargo.toml": MANIFEST,
        "ext/lib.rs": LIBRARY,
    }
    built = Built(folder / "built")
    spec = built.add("rusty", files)
    if locked:
        command = [tool("cargo"), "generate-lockfile"]
        subprocess.run(command, cwd=spec.parent / "ext", check=True, capture_output=True)
    built.build(spec)
    source = world.site(tls=True).mount("gems", GemSource())
    source.releases.append(built.release("rusty"))
    return source.url


@pytest.mark.parametrize("version", ["system", "2.6"])
def test_its_crates_are_in_the_bundle(version: str, world: World, tmp_path: Path) -> None:
    url = publish(world, tmp_path, locked=True)
    bundle = bundler(version)
    jobs = {"BUNDLE_JOBS": "1"}
    way = Way(
        files={"Gemfile": f'source "{url}/"\ngem "rusty"\n'},
        lock=[(*bundler("system"), "lock")],
        install=[(*bundle, "install", "--local")],
        proof=(*bundle, "exec", "ruby", "-e", "require 'rusty'; puts RUSTY"),
        said="42",
        path=[Path(tool("cargo")).parent],
        locking=jobs,
        installing=jobs | toolchain() | {"BUNDLE_PATH": str(tmp_path / "installed")},
        options=("--allow-host", url.partition("://")[2].partition("/")[0]),
    )
    prefix = way.go(world, tmp_path)
    assert [p.name for p in prefix.glob("cargo/registry/cache/*/*.crate")] == ["itoa-1.0.15.crate"]
    shown = Cli(tmp_path).ok("show", tmp_path / "deps.tar.zst", "--json").json
    (itoa,) = (a for a in shown["artifacts"] if a["name"] == "itoa")
    assert itoa["where"].startswith("rusty-1.0.0/ext/Cargo.lock:")


def test_one_without_a_lockfile_is_named(world: World, tmp_path: Path) -> None:
    url = publish(world, tmp_path, locked=False)
    (tmp_path / "Gemfile.lock").write_text(
        f"GEM\n  remote: {url}/\n  specs:\n    rusty (1.0.0)\n\nPLATFORMS\n  ruby\n"
    )
    host = url.partition("://")[2].partition("/")[0]
    cli = Cli(tmp_path, environ=world.environ)
    done = cli.ok("pack", tmp_path / "Gemfile.lock", "--allow-host", host)
    assert "rusty 1.0.0 is compiled with cargo and holds no Cargo.lock" in done.err
