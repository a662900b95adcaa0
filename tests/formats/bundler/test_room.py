"""The room as the engine sees it, and whole packs from a loopback gem server."""

from __future__ import annotations

import asyncio
import base64
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import pytest

from tests.cli import Cli
from tests.corpus import corpus
from tests.memory import MemoryIndex
from tests.world.gems import (
    GemSource,
    GemWorld,
    Release,
    gem_file,
    gem_world,
    lock_text,
    sha256,
)
from tests.world.git import Repository
from vendorpack.errors import FetchError, IntegrityError, UnsupportedError, UsageError
from vendorpack.formats.bundler import FORMAT
from vendorpack.formats.bundler.artifacts import Gem, asked_addresses
from vendorpack.model import Artifact, Credential, Lockfile, Options, Trust
from vendorpack.project import Host, Project
from vendorpack.target import parse_target

LINUX = Options(targets=(parse_target("linux-x86_64"),))
SOURCE = "https://rubygems.org/"


def release(name: str, version: str = "1.0", platform: str = "ruby", note: str = "") -> Release:
    return Release(name, version, gem_file(name, version, platform, note), platform)


def project_of(folder: Path, lock: str, environ: Mapping[str, str] | None = None) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Gemfile.lock").write_text(lock)
    host = Host(environ or {}, folder / "home", "linux")
    return Project(folder, PurePosixPath("Gemfile.lock"), host)


def purls(lockfile: Lockfile) -> list[str]:
    return [artifact.purl.removeprefix("pkg:gem/") for artifact in lockfile.artifacts]


# -- what is chosen --------------------------------------------------------------------------

VARIANTS = [
    release("native"),
    release("native", platform="x86_64-linux"),
    release("native", platform="x86_64-linux-musl"),
    release("native", platform="arm64-darwin"),
    release("native", platform="java"),
    release("pure"),
]


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (LINUX, ["ruby", "x86_64-linux"]),
        (
            Options(targets=tuple(map(parse_target, ("linux-x86_64-musl", "macos-aarch64")))),
            ["ruby", "x86_64-linux", "x86_64-linux-musl", "arm64-darwin"],
        ),
        (Options(targets=(parse_target("windows-x86_64"),)), ["ruby"]),
        (Options(), [variant.platform for variant in VARIANTS if variant.name == "native"]),
    ],
)
def test_platforms(options: Options, chosen: list[str], tmp_path: Path) -> None:
    project = project_of(tmp_path, lock_text({SOURCE: VARIANTS}))
    lockfile = FORMAT.read(project, options)
    gems = [a for a in lockfile.artifacts if isinstance(a, Gem)]
    assert [gem.id.platform for gem in gems if gem.name == "native"] == chosen
    assert [gem.url for gem in gems if gem.name == "pure"] == [f"{SOURCE}gems/pure-1.0.gem"]
    assert not lockfile.warnings
    named = sorted(set(chosen) - {"ruby"})
    assert FORMAT.fingerprint(project, options) == {"platforms": named}


def test_a_lockfile_for_other_platforms_only(tmp_path: Path) -> None:
    lock = lock_text({SOURCE: [release("native", platform="arm64-darwin"), release("pure")]})
    lockfile = FORMAT.read(project_of(tmp_path, lock), LINUX)
    assert purls(lockfile) == ["pure@1.0"]
    (warning,) = lockfile.warnings
    assert "native 1.0" in warning.what and "--add-platform x86_64-linux" in warning.what
    assert warning.where == "Gemfile.lock:4"


def test_what_only_another_platforms_variant_needs_is_not_missed(tmp_path: Path) -> None:
    lock = f"""GEM
  remote: {SOURCE}
  specs:
    main (1.0.0)
    main (1.0.0-x64-mingw-ucrt)
      winonly (~> 1.0)
    winonly (1.0.0-universal-mingw32)

PLATFORMS
  ruby
  x64-mingw-ucrt

DEPENDENCIES
  {{main}}
"""
    project = project_of(tmp_path / "one", lock.format(main="main"))
    assert not FORMAT.read(project, LINUX).warnings
    project = project_of(tmp_path / "two", lock.format(main="main\n  winonly (~> 1.0)!"))
    (warning,) = FORMAT.read(project, LINUX).warnings
    assert "winonly 1.0.0" in warning.what


def test_names_of_artifacts(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    git = f"GIT\n  remote: git@git.example:o/a.git\n  revision: {commit}\n  tag: v1\n  specs:\n"
    mac = release("native", platform="arm64-darwin")
    lock = lock_text({"https://gems.example/x": [mac], "http://rubygems.org": [mac]}, git=git)
    ours, public, repository = FORMAT.read(project_of(tmp_path, lock), Options()).artifacts
    assert str(ours) == "native 1.0-arm64-darwin"
    where = "repository_url=https%3A%2F%2Fgems.example%2Fx%2F"
    assert ours.purl == f"pkg:gem/native@1.0?platform=arm64-darwin&{where}"
    assert ours.url == "https://gems.example/x/gems/native-1.0-arm64-darwin.gem"
    assert public.purl == "pkg:gem/native@1.0?platform=arm64-darwin"
    assert public.url == f"{SOURCE}gems/native-1.0-arm64-darwin.gem"  # https, whatever was locked
    assert repository.url == f"git+ssh://git@git.example/o/a.git?refs/tags/v1#{commit}"


@pytest.mark.parametrize(
    ("lock", "what"),
    [
        (lock_text({"file:///srv/gems": [release("a")]}), "no web address"),
        (lock_text({"https://[x": [release("a")]}), "no web address"),
        ("GIT\n  remote: /srv/a\n  revision: " + "a" * 40 + "\n  specs:\n", "on a network"),
        ("GIT\n  remote: https://x.example/a\n  revision: abc\n  specs:\n", "full commit"),
    ],
)
def test_what_cannot_be_served(lock: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError) as caught:
        FORMAT.read(project_of(tmp_path, lock), Options())
    assert what in caught.value.what and "Gemfile.lock:" in (caught.value.where or "")


def test_a_real_lockfile_whole(tmp_path: Path) -> None:
    source = corpus("bundler-lobsters")
    text = (source / "Gemfile.lock").read_text()
    project = project_of(tmp_path, text)
    every = [a for a in FORMAT.read(project, Options()).artifacts if isinstance(a, Gem)]
    checksums = dict(
        line.strip().rsplit(" sha256=", 1) for line in text.splitlines() if " sha256=" in line
    )
    assert len(every) == len(checksums) == 183
    for gem in every:
        (digest,) = gem.integrity.digests
        assert digest.hex == checksums[f"{gem.name} ({gem.id.full_version})"]
    here = FORMAT.read(project, LINUX)
    assert len(here.artifacts) == 180 and not here.warnings
    assert here.access.origins == {"https://rubygems.org"}


# -- configuration ---------------------------------------------------------------------------


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


PRIVATE = "https://gems.example-host.org/x/"
KEY = "BUNDLE_GEMS__EXAMPLE___HOST__ORG"


@pytest.mark.parametrize(
    ("environ", "local", "user", "header"),
    [
        ({KEY: "me:pa%3Ass"}, "", "", basic("me:pa:ss")),
        ({KEY: "token"}, "", "", basic("token:")),
        ({}, f'---\n{KEY}: "me:local"\n', "", basic("me:local")),
        ({}, "", f"---\n{KEY}: me:user\n", basic("me:user")),
        ({}, "", "---\nBUNDLE_HTTPS://GEMS.EXAMPLE-HOST.ORG/X: 'me:url'\n", basic("me:url")),
        ({KEY: "me:env"}, "", f'{KEY}: "me:user"\n', basic("me:env")),
        ({KEY: "me:env"}, f'{KEY}: "me:local"\n', f'{KEY}: "me:user"\n', basic("me:local")),
        ({"BUNDLE_OTHER__ORG": "me:env"}, "", "", None),
        ({}, "\0\xff: [\n- {", "", None),
    ],
)
def test_credentials(
    environ: dict[str, str], local: str, user: str, header: str | None, tmp_path: Path
) -> None:
    project = project_of(tmp_path, lock_text({PRIVATE: [release("a")]}), environ)
    for folder, text in ((tmp_path, local), (tmp_path / "home", user)):
        (folder / ".bundle").mkdir(parents=True)
        (folder / ".bundle/config").write_text(text)
    access = FORMAT.read(project, LINUX).access
    expected = () if header is None else (Credential(PRIVATE, header),)
    assert access.credentials == expected
    # A host that the user has a login for is one that the user knows.
    assert ("https://gems.example-host.org" in access.origins) == (header is not None)


def test_userinfo_goes_to_its_server_and_nowhere_else(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    git = f"GIT\n  remote: https://u:s3cret@git.example/a.git\n  revision: {commit}\n  specs:\n"
    lock = lock_text({"https://me:s3cret@gems.example/": [release("a")]}, git=git)
    lockfile = FORMAT.read(project_of(tmp_path, lock), LINUX)
    assert lockfile.access.credentials == (
        Credential("https://gems.example/", basic("me:s3cret")),
        Credential("https://git.example/a.git", basic("u:s3cret")),
    )
    assert lockfile.access.origins == {"https://rubygems.org"}  # a lockfile vouches for no host
    assert "s3cret" not in repr(lockfile)


def test_mirrors(tmp_path: Path) -> None:
    environ = {
        "BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/": "https://me:pw@mirror.example/all",
        "BUNDLE_SSL_CA_CERT": "/etc/ca.pem",
    }
    lock = lock_text({SOURCE: [release("a")], PRIVATE: [release("b")]})
    lockfile = FORMAT.read(project_of(tmp_path, lock, environ), LINUX)
    ours, other = lockfile.artifacts
    assert ours.url == f"{SOURCE}gems/a-1.0.gem"
    assert ours.sources == ("https://mirror.example/all/gems/a-1.0.gem",)
    assert other.sources == (f"{PRIVATE}gems/b-1.0.gem",)
    assert lockfile.access.origins == {"https://rubygems.org", "https://mirror.example"}
    assert lockfile.access.credentials == (
        Credential("https://mirror.example/all/", basic("me:pw")),
    )
    assert lockfile.access.ca_files == ("/etc/ca.pem",)


def test_a_project_that_hides_the_bundle_is_told(tmp_path: Path) -> None:
    project = project_of(tmp_path, lock_text({SOURCE: [release("a")]}))
    (tmp_path / ".bundle").mkdir()
    (tmp_path / ".bundle/config").write_text('---\nBUNDLE_CACHE_PATH: "vendor/cache"\n')
    (warning,) = FORMAT.read(project, LINUX).warnings
    assert "BUNDLE_CACHE_PATH" in warning.what and warning.where == ".bundle/config"


# -- the index -------------------------------------------------------------------------------

A, B = release("a"), release("a", note="other bytes")
ONE, TWO = "https://one.example/", "https://two.example/"


def located(tmp_path: Path, lock: str, answers: Mapping[str, bytes]) -> Artifact:
    project = project_of(tmp_path, lock)
    lockfile = FORMAT.read(project, Options())
    found = asyncio.run(FORMAT.locate(lockfile, Options(), MemoryIndex(answers)))
    return found.artifacts[0]


def both(releases: list[Release]) -> str:
    """One section with two remotes, as Bundler 1 wrote them."""
    text = lock_text({ONE: releases}, checksums=False)
    return text.replace(f"  remote: {ONE}", f"  remote: {ONE}\n  remote: {TWO}")


def info(*releases: Release, checksums: bool = True) -> bytes:
    return GemSource(checksums=checksums, releases=list(releases)).info("a")


def test_hashes_from_the_index(tmp_path: Path) -> None:
    mac = release("a", platform="arm64-darwin")
    body = info(release("a", "1.0.1"), mac, A)
    gem = located(tmp_path, lock_text({ONE: [A]}, checksums=False), {f"{ONE}info/a": body})
    assert [d.hex for d in gem.integrity.digests] == [sha256(A.data)]
    assert gem.trust is Trust.REGISTRY


def test_the_source_that_has_it(tmp_path: Path) -> None:
    answers = {f"{ONE}info/a": info(release("a", "0.9")), f"{TWO}info/a": info(A)}
    gem = located(tmp_path, both([A]), answers)
    assert gem.sources == (f"{TWO}gems/a-1.0.gem",)
    same = located(tmp_path, both([A]), {f"{ONE}info/a": info(A), f"{TWO}info/a": info(A)})
    assert same.sources == (f"{ONE}gems/a-1.0.gem", f"{TWO}gems/a-1.0.gem")


def test_two_sources_with_other_bytes(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError) as caught:
        located(tmp_path, both([A]), {f"{ONE}info/a": info(A), f"{TWO}info/a": info(B)})
    assert ONE in (caught.value.where or "") and TWO in (caught.value.where or "")


@pytest.mark.parametrize("answers", [{}, {f"{ONE}info/a": info(A, checksums=False)}])
def test_an_index_that_knows_no_hash(answers: Mapping[str, bytes], tmp_path: Path) -> None:
    gem = located(tmp_path, lock_text({ONE: [A]}, checksums=False), answers)
    assert not gem.integrity and gem.sources == (f"{ONE}gems/a-1.0.gem",)


@pytest.mark.parametrize(
    "body",
    [info(release("a", "2.0")), b"", b"<html>", b"1.0 |checksum:zz\n", b"\xff\0"],
)
def test_an_index_that_does_not_have_the_release(body: bytes, tmp_path: Path) -> None:
    with pytest.raises(FetchError):
        located(tmp_path, lock_text({ONE: [A]}, checksums=False), {f"{ONE}info/a": body})


@pytest.mark.parametrize("server", [SOURCE, ONE])
def test_an_index_that_has_no_such_gem(server: str, tmp_path: Path) -> None:
    """The public server has an index, and so has one that knows another gem of the lockfile."""
    lock = lock_text({server: [A, release("b")]}, checksums=False)
    answers = {f"{server}info/b": GemSource(releases=[release("b")]).info("b")}
    with pytest.raises(FetchError) as caught:
        located(tmp_path, lock, answers)
    assert "does not have a 1.0" in caught.value.what
    assert caught.value.fix is not None and "--exclude a" in caught.value.fix
    assert "No gem is called a there" in caught.value.fix


# -- what editors do -------------------------------------------------------------------------


def test_windows_line_ends_are_warned_of(tmp_path: Path) -> None:
    """Bundler 4 compares the lockfile with what it would write, and it writes other line ends."""
    plain = project_of(tmp_path / "plain", lock_text({SOURCE: [A]}))
    assert not FORMAT.read(plain, LINUX).warnings
    windows = project_of(tmp_path / "windows", "")
    (windows.folder / "Gemfile.lock").write_bytes(plain.lock_bytes().replace(b"\n", b"\r\n"))
    (warning,) = FORMAT.read(windows, LINUX).warnings
    assert "Windows' line ends" in warning.what


# -- whole packs -----------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Iterator[GemWorld]:
    made = gem_world(tmp_path / "repositories", ("main", "private"))
    made.sources["private"].login = "me:c4n4ry"
    with made.server:
        yield made


def write_lock(
    world: GemWorld, folder: Path, *names: str, checksums: bool = True, git: str = ""
) -> Path:
    """A lockfile of all that these sources have now."""
    sources = {world.url(name): world.sources[name].releases for name in names}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Gemfile.lock").write_text(lock_text(sources, checksums=checksums, git=git))
    return folder


@pytest.mark.parametrize("checksums", [True, False])
def test_a_gem_that_was_changed_is_refused(
    checksums: bool, world: GemWorld, tmp_path: Path
) -> None:
    main = world.sources["main"]
    main.releases.append(release("a"))
    folder = write_lock(world, tmp_path / "project", "main", checksums=checksums)
    before = main.info("a")
    main.releases[0] = release("a", note="evil")
    if not checksums:
        main.info = lambda name: before  # type: ignore[method-assign]
    cli = Cli(tmp_path)
    done = cli("pack", folder, *world.allow(), "-o", tmp_path / "deps.tar")
    assert done.code == 8 and "a 1.0" in done.err and "Gemfile.lock:4" in done.err
    assert not (tmp_path / "deps.tar").exists()


def test_no_hash_at_all(world: GemWorld, tmp_path: Path) -> None:
    world.sources["main"].releases.append(release("a"))
    world.sources["main"].compact_index = False
    folder = write_lock(world, tmp_path / "project", "main", checksums=False)
    cli = Cli(tmp_path)
    command: list[str | Path] = ["pack", folder, *world.allow(), "-o", tmp_path / "deps.tar"]
    assert cli(*command).code == 6
    cli.ok(*command, "--allow-missing-hash", "a")
    (artifact,) = cli.ok("show", tmp_path / "deps.tar", "--json").json["artifacts"]
    assert artifact["trust"] == "first-use"


def test_two_lockfiles_with_other_bytes_of_one_name(world: GemWorld, tmp_path: Path) -> None:
    world.sources["main"].releases.append(release("a"))
    world.sources["private"].releases.append(release("a", note="other bytes"))
    world.sources["private"].login = None
    write_lock(world, tmp_path / "both/one", "main")
    write_lock(world, tmp_path / "both/two", "private")
    cli = Cli(tmp_path)
    command: list[str | Path] = ["pack", "-r", tmp_path / "both", *world.allow()]
    command += ["-o", tmp_path / "deps.tar"]
    done = cli(*command)
    assert done.code == 5 and "a-1.0.gem" in done.err
    assert "one/Gemfile.lock" in done.err and "two/Gemfile.lock" in done.err
    assert not (tmp_path / "deps.tar").exists()
    # The very same bytes from two sources are one file.
    world.sources["private"].releases[0] = release("a")
    write_lock(world, tmp_path / "both/two", "private")
    cli.ok(*command)
    assert len(cli.ok("show", tmp_path / "deps.tar", "--json").json["artifacts"]) == 2


def test_a_pack_is_the_same_twice_and_has_no_secret(world: GemWorld, tmp_path: Path) -> None:
    origin = Repository(tmp_path / "origin")
    commit = origin.commit({"x.gemspec": b"# x\n", "lib/x.rb": b"X = 1\n"})
    origin.git("clone", "-q", "--bare", ".", str(tmp_path / "repositories/x.git"))
    remote = f"{world.server.url}/git/x.git"
    git = f"GIT\n  remote: {remote}\n  revision: {commit}\n  specs:\n    x (1.0)\n"
    world.sources["main"].releases += VARIANTS
    world.sources["private"].releases.append(release("secret"))
    folder = write_lock(world, tmp_path / "project", "main", "private", checksums=False, git=git)
    environ = {"BUNDLE_127__0__0__1": "me:c4n4ry"}
    bundles = []
    for number, store in enumerate(("one", "two")):
        cli = Cli(tmp_path, store=store, environ=environ, umask=(0o022, 0o077)[number])
        bundle = tmp_path / f"{store}.tar"
        said = cli.ok("pack", folder, "--target", "linux-x86_64", "-o", bundle)
        assert "c4n4ry" not in said.out + said.err
        bundles.append(bundle.read_bytes())
    assert bundles[0] == bundles[1]
    assert b"c4n4ry" not in bundles[0]

    shown = Cli(tmp_path).ok("show", tmp_path / "one.tar", "--json").json["artifacts"]
    trust = {a["name"]: a["trust"] for a in shown}
    assert trust == dict.fromkeys(("native", "pure", "secret"), "registry") | {"x": "lockfile"}
    prefix = tmp_path / "deps"
    prefix.mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "one.tar", "-C", prefix], check=True)
    files = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if p.is_file()}
    gems = ("native-1.0.gem", "native-1.0-x86_64-linux.gem", "pure-1.0.gem", "secret-1.0.gem")
    assert {f for f in files if f.startswith("bundler/cache/")} == {
        f"bundler/cache/{name}" for name in gems
    }
    (repository,) = (prefix / "bundler/user/git").iterdir()
    head = subprocess.run(
        ["git", "-C", repository, "rev-parse", "HEAD", f"refs/heads/locked-{commit}"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert head.stdout.split() == [commit, commit]
    variables = Cli(tmp_path).ok("env", prefix, "--json").json
    assert variables == {
        "BUNDLE_CACHE_PATH": f"{prefix}/bundler/cache",
        "BUNDLE_FROZEN": "true",
        "BUNDLE_GLOBAL_GEM_CACHE": "true",
        "BUNDLE_USER_CACHE": f"{prefix}/bundler/user",
    }


@pytest.mark.parametrize(
    ("remote", "asked"),
    [
        ("git@git.example:o/a.git", ["git@git.example:o/a.git"]),
        ("ssh://git@git.example/a", ["ssh://git.example/a", "ssh://git@git.example/a"]),
        ("https://git.example/a", ["https://git.example/a"]),
    ],
)
def test_what_git_asks_for_submodules_by(remote: str, asked: list[str]) -> None:
    assert list(asked_addresses(remote)) == asked


def test_the_bundler_that_wrote_it(tmp_path: Path) -> None:
    carry = Options(extra={"bundler-bundled-with": "yes"})
    lock = lock_text({PRIVATE: [release("a")]})
    project = project_of(tmp_path, lock)
    names = [(a.name, a.version, a.url) for a in FORMAT.read(project, carry).artifacts]
    assert names[1:] == [("bundler", "2.6.7", f"{SOURCE}gems/bundler-2.6.7.gem")]
    assert FORMAT.fingerprint(project, carry) != FORMAT.fingerprint(project, Options())
    assert len(FORMAT.read(project, Options()).artifacts) == 1
    pinned = lock.replace("CHECKSUMS\n", f"CHECKSUMS\n  bundler (2.6.7) sha256={'0' * 64}\n")
    own = FORMAT.read(project_of(tmp_path / "pinned", pinned), carry).artifacts[1]
    assert own.integrity.digests[0].hex == "0" * 64
    with pytest.raises(UnsupportedError, match="which Bundler"):
        FORMAT.read(project_of(tmp_path / "x", lock.partition("BUNDLED WITH")[0]), carry)
    with pytest.raises(UsageError):
        FORMAT.read(project, Options(extra={"bundler-bundled-with": "2.6"}))
