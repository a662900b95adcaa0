"""A bundle of a stranger's: it fills caches, and nothing else, whatever it says."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.engine.bundle_samples import Blobs
from tests.real.clients import tool
from vendorpack.boundary import GIT_CONFIGS, Boundary, Setting, address, compiled, foreign, path
from vendorpack.bundle.manifest import Head
from vendorpack.bundle.plan import Section
from vendorpack.bundle.writer import write_bundle
from vendorpack.environment import ENV_NAME, env_file
from vendorpack.formats import BUILTIN, boundary_of
from vendorpack.formats._shared.git.repository import _config
from vendorpack.model import Arguments, Base, Entry, Environment, Variable, Word
from vendorpack.shells import render


@pytest.fixture
def vendorpack(tmp_path: Path) -> Cli:
    (tmp_path / "home").mkdir()
    return Cli(tmp_path)


def made(
    folder: Path,
    layouts: Sequence[str],
    files: Iterable[Entry] = (),
    environment: Environment | None = None,
    env: bytes | None = None,
) -> Path:
    """A bundle that no vendorpack would make, with all hashes right."""
    environment = environment or Environment()
    own = Entry(ENV_NAME, env_file(environment) if env is None else env)
    head = Head("ab" * 32, (), dict.fromkeys(layouts, 1), {}, (), environment)
    entries = [(entry, None) for entry in (own, *files)]
    bundle = folder / "evil.tar.zst"
    write_bundle(bundle, head, [Section("", False, entries)], read_blob=Blobs().read, jobs=1)
    return bundle


def refused_by_all(vendorpack: Cli, bundle: Path, what: str) -> None:
    """By every command that opens a bundle; nothing is written, nothing is run."""
    home = sorted(vendorpack.folder.rglob("home/**/*"))
    commands: list[tuple[str | Path, ...]] = [
        ("verify", bundle),
        ("show", bundle),
        ("env", bundle),
        ("unpack", bundle),
        ("unpack", bundle, "--prefix", vendorpack.folder / "prefix"),
        ("run", bundle, "--", "touch", vendorpack.folder / "ran"),
        ("push", bundle, "127.0.0.1:9/deps"),
    ]
    for command in commands:
        done = vendorpack(*command)
        assert (done.code, what in done.err) == (10, True), (command, done)
    assert not (vendorpack.folder / "prefix").exists()
    assert not (vendorpack.folder / "ran").exists()
    assert sorted(vendorpack.folder.rglob("home/**/*")) == home


@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("cargo", "cargo/bin/cargo"),
        ("cargo", "cargo/config.toml"),
        ("cargo", "cargo/credentials.toml"),
        ("cargo", "cargo/env"),
        ("cargo", "cargo/registry/src/index.crates.io-1949cf8c6b5b557f/a-1.0.0/build.rs"),
        ("cargo", "cargo/git/checkouts/a-0/0/build.rs"),
        ("cargo", "cargo/git/db/a-0/hooks/post-checkout"),
        ("cargo", "cargo/git/db/a-0/config"),
        ("cargo", "cargo/git/db/a-0/objects/info/alternates"),
        ("npm", "npm/_npx/abc/node_modules/.bin/x"),
        ("npm", "npm/_cacache/tmp/x"),
        ("pnpm", "pnpm/store/v10/links/a/1.0.0/0/node_modules/a/index.js"),
        ("pnpm", "pnpm/global/5/node_modules/.bin/x"),
        ("yarn-classic", "yarn-classic/.npmrc"),
        ("yarn-classic", "yarn-classic/bin/x"),
        ("yarn-berry", "yarn-berry/.yarnrc.yml"),
        ("bun", "bun/install/global/package.json"),
        ("deno", "deno/gen/file/x.js"),
        ("deno", "deno/bin/x"),
        ("pip", "pip/wheelhouse/.netrc"),
        ("pip", "pip/pip.conf"),
        ("pip", "pip/git/a-0/config"),
        ("pip", "pip/requirements-pdm.txt"),
        ("pipenv", "pip/selfcheck/x.json"),
        ("pdm", "pip/requirements.txt"),
        ("poetry", "poetry/virtualenvs/a/bin/python"),
        ("poetry", "poetry/auth.toml"),
        ("uv", "uv/environments-v2/a/bin/python"),
        ("uv", "uv/builds-v0/x"),
        ("uv", "uv/git/a.git/hooks/x"),
        ("gomod", "go/github.com/a/b@v1.0.0/a.go"),
        ("gomod", "go/cache/download/github.com/a/b/@v/v1.0.0.ziphash"),
        ("gomod", "go/cache/lock"),
        ("bundler", "bundler/user/git/a/hooks/x"),
        ("bundler", "bundler/config"),
        ("npm", "cargo/registry/cache/a/a.crate"),
        ("npm", "else"),
    ],
)
def test_a_file_that_is_no_cache(vendorpack: Cli, layout: str, file: str) -> None:
    bundle = made(vendorpack.folder, [layout], [Entry(file, b"#!/bin/sh\n", 0o755)])
    done = vendorpack("unpack", bundle)
    assert done.code == 10 and "is no part of a cache" in done.err and file in done.err
    assert list((vendorpack.folder / "home").rglob("*")) == []


def test_every_command_refuses_a_file_that_is_no_cache(vendorpack: Cli) -> None:
    programs = vendorpack.folder / "home/.cargo/bin"
    programs.mkdir(parents=True)
    (programs / "cargo").write_text("#!/bin/sh\necho the real one\n")
    (programs.parent / "config.toml").write_text("[net]\n")
    hostile = [
        Entry("cargo/bin/cargo", b"#!/bin/sh\necho another\n", 0o755),
        Entry("cargo/config.toml", b'[build]\nrustc-wrapper = "/tmp/x"\n'),
    ]
    bundle = made(vendorpack.folder, ["cargo"], hostile)
    refused_by_all(vendorpack, bundle, "'cargo/bin/cargo'")
    assert "the real one" in (programs / "cargo").read_text()
    assert (programs.parent / "config.toml").read_text() == "[net]\n"


@pytest.mark.parametrize(
    "variable",
    [
        Variable("LD_PRELOAD", "npm/_cacache/content-v2/sha512/x", is_path=True),
        Variable("PATH", "/nonexistent"),
        Variable("BASH_ENV", "npm", is_path=True),
        Variable("GIT_CONFIG_COUNT", "1"),
        Variable("NODE_OPTIONS", "--require=/tmp/x"),
        Variable("npm_config_script_shell", "/tmp/x"),
        Variable("NPM_CONFIG_CACHE", "npm", is_path=True),
        Variable("npm_config_cache", "npm/_cacache", is_path=True),
        Variable("npm_config_cache", "npm"),
        Variable("npm_config_offline", "false"),
        Variable("npm_config_registry", "$(touch x)"),
        Variable("npm_config_registry", "https://user:secret@registry.example/"),
        Variable("npm_config_registry", "https://registry.example/'; touch x; '"),
        Variable("CARGO_HOME", "cargo", is_path=True),
    ],
    ids=lambda v: f"{v.name}={v.value}",
)
def test_a_variable_that_is_not_the_rooms(vendorpack: Cli, variable: Variable) -> None:
    bundle = made(vendorpack.folder, ["npm"], environment=Environment((variable,)))
    for done in (
        vendorpack("env", bundle),
        vendorpack("unpack", bundle, "--prefix", vendorpack.folder / "p"),
    ):
        assert done.code == 10 and f"sets {variable.name} to" in done.err, done
    assert not (vendorpack.folder / "p").exists()


def test_every_command_refuses_a_variable_that_is_not_the_rooms(vendorpack: Cli) -> None:
    environment = Environment((Variable("LD_PRELOAD", "/tmp/x.so"),))
    refused_by_all(
        vendorpack, made(vendorpack.folder, ["npm"], environment=environment), "LD_PRELOAD"
    )


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("h", "cargo/git/db/a"),
        ("", "cargo/git/db/a"),
        ("https://", "cargo/git/db/a"),
        ("https://example.com/a.git", "cargo/registry/cache"),
        ("https://example.com/a.git", "cargo/git/db/a/objects"),
    ],
)
def test_a_git_address_that_is_none(url: str, folder: str) -> None:
    boundary = boundary_of("cargo")
    assert boundary is not None
    assert foreign(boundary, Environment((), ((url, folder),))) is not None
    good = ("https://example.com/a.git", "cargo/git/db/a")
    assert foreign(boundary, Environment((), (good,))) is None


@pytest.mark.parametrize("text", [b"touch OWNED\n", b"", b"export A=1\n"])
def test_an_env_file_that_the_manifest_does_not_make(vendorpack: Cli, text: bytes) -> None:
    bundle = made(vendorpack.folder, ["npm"], env=text)
    refused_by_all(vendorpack, bundle, "is not the one that its manifest makes")


def test_a_folder_is_held_to_it_too(vendorpack: Cli) -> None:
    """What plain tar extracted."""
    variable = Variable("LD_PRELOAD", "/tmp/x.so")
    bundle = made(vendorpack.folder, ["npm"], environment=Environment((variable,)))
    folder = vendorpack.folder / "prefix"
    folder.mkdir()
    tool("zstd")
    subprocess.run(["tar", "--zstd", "-xf", bundle, "-C", folder], check=True)
    for command in ("verify", "env", "show"):
        done = vendorpack(command, folder)
        assert done.code == 10 and "LD_PRELOAD" in done.err, done


def test_a_format_that_is_not_known(vendorpack: Cli) -> None:
    """It can be looked at and unpacked to a folder, with a word of warning; nothing more."""
    variable = Variable("LD_PRELOAD", "/tmp/x.so")
    files = [Entry("else/bin/x", b"1", 0o755), Entry("cargo/bin/cargo", b"2", 0o755)]
    bundle = made(vendorpack.folder, ["cargo", "else"], files, Environment((variable,)))
    prefix = vendorpack.folder / "p"
    assert vendorpack("verify", bundle).code == 0
    done = vendorpack.ok("unpack", bundle, "--prefix", prefix)
    assert "no format is named 'else' here" in done.err and "next:" not in done.err
    for done in (
        vendorpack("unpack", bundle),
        vendorpack("env", bundle),
        vendorpack("env", prefix),
        vendorpack("run", bundle, "true"),
    ):
        assert done.code == 10 and "'else'" in done.err, done
    assert not (vendorpack.folder / "home/.cargo").exists()


def test_merging_replaces_no_program(vendorpack: Cli) -> None:
    bundle = made(vendorpack.folder, ["bun"], [Entry("bun/cache/a@1.0.0@@@1/cli.js", b"ours")])
    there = vendorpack.folder / "home/.bun/install/cache/a@1.0.0@@@1/cli.js"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"theirs")
    there.chmod(0o755)
    done = vendorpack("unpack", bundle)
    assert done.code == 12 and "a program is in the way" in done.err and str(there) in done.err
    assert there.read_bytes() == b"theirs"
    there.chmod(0o644)
    vendorpack.ok("unpack", bundle)
    assert there.read_bytes() == b"ours"


# -- the rules themselves -------------------------------------------------------------------


def within(patterns: tuple[str, ...], path: str) -> bool:
    return compiled(Boundary(paths=patterns))(path, None)


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("a/b/**", ["a/b/c", "a/b/c/d", "a/b/.c"], ["a/b", "a/b/", "a/bc", "x/a/b/c"]),
        ("a/*", ["a/b", "a/b.c"], ["a/.b", "a/b/c", "a/"]),
        ("a/v*/b", ["a/v1/b", "a/v/b"], ["a/v1/c/b", "a/v1/bc", "a/w/b"]),
        ("a/**/@v/*.zip", ["a/x/@v/1.zip", "a/x/y/@v/1.zip"], ["a/@v/1.zip", "a/x/@v/1.zipx"]),
        ("a/b", ["a/b", "a/b/"], ["a/b/c", "a"]),
        ("a.b/*", ["a.b/c"], ["axb/c"]),
    ],
)
def test_patterns(pattern: str, good: list[str], bad: list[str]) -> None:
    assert [p for p in good if not within((pattern,), p)] == []
    assert [p for p in bad if within((pattern,), p)] == []


def test_a_repository_has_no_other_configuration_than_ours() -> None:
    assert (_config(20), _config(32)) == GIT_CONFIGS
    within = compiled(Boundary(repositories=("x/git/*",)))
    for text in GIT_CONFIGS:
        assert within("x/git/r/config", hashlib.sha256(text).hexdigest())
    evil = GIT_CONFIGS[0] + b"\tfsmonitor = touch OWNED\n"
    assert not within("x/git/r/config", hashlib.sha256(evil).hexdigest())
    assert not within("x/git/r/hooks/post-checkout", None)


@pytest.mark.parametrize("name", [room.name for room in BUILTIN])
def test_each_room_says_what_its_bundles_hold(name: str) -> None:
    boundary = boundary_of(name)
    assert boundary is not None
    assert boundary.paths and (boundary.settings or boundary.arguments)
    tops = {pattern.split("/")[0] for pattern in (*boundary.paths, *boundary.repositories)}
    # Corepack's folder is one for all that it runs; extras lie where their clients look.
    assert len(tops - {"corepack"}) == 1 or name == "extras"
    assert "*" not in "".join(tops)
    assert all(s.path is None or s.path.split("/")[0] in tops for s in boundary.settings)


def test_arguments_are_words_of_a_list() -> None:
    known = Arguments("MAVEN_ARGS", (Word("-o"), Word("-Drepo=", Base.PREFIX, "maven")))
    boundary = Boundary(arguments=(known,))
    assert foreign(boundary, Environment(arguments=(known,))) is None
    for words in ((Word("-o"), Word("-Drepo=", Base.PREFIX, "x")), (Word("-Dexec=x"),)):
        assert foreign(boundary, Environment(arguments=(Arguments("MAVEN_ARGS", words),)))
    assert foreign(boundary, Environment(arguments=(Arguments("X", known.words),)))


def test_a_setting_is_exact() -> None:
    index = address("CARGO_REGISTRIES_*_INDEX")
    good = Variable("CARGO_REGISTRIES_MY_ONE_INDEX", "sparse+https://crates.example/index/")
    assert index.allows(good)
    for name in (
        "CARGO_REGISTRIES__INDEXX",
        "CARGO_REGISTRIES_a_INDEX",
        "XCARGO_REGISTRIES_A_INDEX",
    ):
        assert not index.allows(Variable(name, good.value))
    assert not index.allows(Variable(good.name, good.value, is_path=True))
    assert path("A", "a").allows(Variable("A", "a", is_path=True))
    assert not path("A", "a").allows(Variable("A", "a", is_path=True, scheme="file://"))
    assert path("A", "a", "file://").allows(Variable("A", "a", is_path=True, scheme="file://"))
    assert not path("A", "a", "file://").allows(Variable("A", "a", is_path=True))
    assert not Setting("A", path="").allows(Variable("A", "a", is_path=True))


def test_powershells_curly_quotes_end_no_text() -> None:
    text = render([("A", "x\u2019; touch y; \u2018\u201a\u201b'")], "pwsh")
    assert text == ("$env:A = 'x\u2019\u2019; touch y; \u2018\u2018\u201a\u201a\u201b\u201b'''")
