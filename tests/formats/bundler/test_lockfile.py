"""Reading `Gemfile.lock`, and what follows from its words alone."""

from __future__ import annotations

import base64
import hashlib

import pytest

from vendorpack.digest import Digest, Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats.bundler.artifacts import git_url, repository_hash, repository_name
from vendorpack.formats.bundler.lockfile import GemId, LockedCommit, LockedGem, read_lock
from vendorpack.formats.bundler.platforms import fits, platform_of
from vendorpack.target import parse_target

COMMIT = "0123456789abcdef0123456789abcdef01234567"
RACC = hashlib.sha256(b"racc").digest()
NOKO = hashlib.sha256(b"nokogiri").digest()

LOCK = f"""\
GIT
  remote: https://git.example/a.git
  revision: {COMMIT}
  branch: main
  glob: sub/*.gemspec
  specs:
    a (1.0)
      racc (>= 1, < 3)

PATH
  remote: .
  specs:
    mine (0.1.0.pre)
      a!

GEM
  remote: https://gems.example/
  remote: https://other.example/gems/
  specs:
    nokogiri (1.19.4-x86_64-linux-gnu)
      racc (~> 1.4)
    racc (1.8.1)

GEM
  remote: https://private.example/
  specs:
    racc (1.8.1-java)

PLATFORMS
  java
  x86_64-linux

DEPENDENCIES
  a!
  nokogiri (~> 1.19)

CHECKSUMS
  a (1.0)
  mine (0.1.0.pre)
  nokogiri (1.19.4-x86_64-linux-gnu) sha256={base64.b64encode(NOKO).decode()}
  racc (1.8.1) sha256={RACC.hex()},blake9=xyz
  bundler (4.0.3) sha256={RACC.hex()}

RUBY VERSION
   ruby 3.3.0p0

TASTE
  sweet

BUNDLED WITH
   4.0.3
"""


def test_every_section() -> None:
    lock = read_lock(LOCK.encode(), "Gemfile.lock")
    both = ("https://gems.example/", "https://other.example/gems/")
    nokogiri = GemId("nokogiri", "1.19.4", "x86_64-linux-gnu")
    assert lock.gems == (
        LockedGem(nokogiri, both, Integrity.of([Digest("sha256", NOKO)]), 20, ("racc",)),
        LockedGem(GemId("racc", "1.8.1", "ruby"), both, Integrity.of([Digest("sha256", RACC)]), 22),
        LockedGem(GemId("racc", "1.8.1", "java"), ("https://private.example/",), Integrity(), 27),
    )
    assert [gem.id.file_name for gem in lock.gems] == [
        "nokogiri-1.19.4-x86_64-linux-gnu.gem",
        "racc-1.8.1.gem",
        "racc-1.8.1-java.gem",
    ]
    assert lock.commits == (
        LockedCommit(
            "https://git.example/a.git", COMMIT, "refs/heads/main", False, 1, ("a",), ("racc",)
        ),
    )
    assert lock.unknown == (("TASTE", 47),)


def test_windows_line_ends_mean_nothing() -> None:
    assert read_lock(LOCK.replace("\n", "\r\n").encode(), "x") == read_lock(LOCK.encode(), "x")


def gem_section(*lines: str) -> str:
    return "\n".join(["GEM", "  remote: https://gems.example/", "  specs:", *lines, ""])


def checksums(*lines: str) -> str:
    return "\n".join(["DEPENDENCIES", "CHECKSUMS", *lines, ""])


ZERO, ONE = "0" * 64, "1" * 64


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        (b"", "not a Gemfile.lock", "L"),
        (b"hello\n", "not a Gemfile.lock", "L"),
        (b"  specs:\n", "before the first section", "L:1"),
        (b"GEM\n  remote: \xff\n", "not UTF-8", "L:2"),
        (b"GEM\n\n<<<<<<< HEAD\n", "merge conflicts", "L:3"),
        (gem_section("    a"), "neither an option nor a gem", "L:4"),
        (gem_section("    a (1.0) sha256=0"), "neither an option nor a gem", "L:4"),
        (gem_section("    ../../a (1.0)"), "neither an option nor a gem", "L:4"),
        (gem_section("    .. (1.0)"), "neither an option nor a gem", "L:4"),
        (gem_section("    a (1.0-x/../y)"), "neither an option nor a gem", "L:4"),
        (gem_section("    a (1.0-../y)"), "neither an option nor a gem", "L:4"),
        (gem_section("    a\0 (1.0)"), "neither an option nor a gem", "L:4"),
        (gem_section("     a (1.0)"), "neither an option nor a gem", "L:4"),
        ("GEM\n  specs:\n    a (1.0)\n", "without a source", "L:1"),
        ("GEM\n  remote:\n  specs:\n    a (1.0)\n", "empty address", "L:1"),
        ("GIT\n  remote: https://x.example/a\n  specs:\n", "without remote and revision", "L:1"),
        (checksums("  a"), "no checksum of a gem", "L:3"),
        (checksums("  a (1.0) sha256=12"), "cannot be read", "L:3"),
        (checksums("  a (1.0) sha512=12"), "cannot be read", "L:3"),
        (checksums(f"  a (1.0) sha256={'ä' * 43}"), "cannot be read", "L:3"),
        (checksums(f"  a (1.0) sha256={ZERO},sha256={ONE}"), "two sha256 checksums", "L:3"),
        (
            checksums(f"  a (1.0) sha256={ZERO}", f"  a (1.0) sha256={ONE}"),
            "two sha256 checksums",
            "L:4",
        ),
    ],
)
def test_nonsense_is_named_with_its_line(text: str | bytes, what: str, where: str) -> None:
    with pytest.raises(LockfileError) as caught:
        read_lock(text if isinstance(text, bytes) else text.encode(), "L")
    assert what in caught.value.what and caught.value.where == where


def test_plugin_sources_are_refused() -> None:
    text = "PLUGIN SOURCE\n  remote: s3://bucket\n  type: s3\n  specs:\n    a (1.0)\n"
    with pytest.raises(UnsupportedError) as caught:
        read_lock(text.encode(), "L")
    assert "plugin" in caught.value.what and caught.value.where == "L:1"


@pytest.mark.parametrize(
    ("options", "ref"),
    [
        ("", "HEAD"),
        ("  branch: a/b\n", "refs/heads/a/b"),
        ("  tag: v1\n", "refs/tags/v1"),
        ("  ref: refs/pull/1/head\n", "refs/pull/1/head"),
        ("  ref: 0123456\n", None),
    ],
)
def test_where_a_commit_was_found(options: str, ref: str | None) -> None:
    text = f"GIT\n  remote: https://x.example/a\n  revision: {COMMIT}\n{options}  specs:\n"
    assert read_lock(text.encode(), "L").commits[0].ref == ref


# Name and hash as Ruby computes them, with the expressions of Bundler's Source::Git.
@pytest.mark.parametrize(
    ("remote", "name", "digest"),
    [
        ("https://git.example/org/repo.git", "repo", "8f9101cb2a1c8731f56af30ec89bb689dbf46c90"),
        ("HTTPS://Git.Example/Org/Repo.git/", "Repo", "ee119460e1a29ba2b54729ca8c3fc60901cb6260"),
        ("https://git.example", "git.example", "4ee4c185dad40b01efc523497aa5451108e183b6"),
        ("https://user:pa%40ss@git.example/a", "a", "29490ac3bbd5f6c4c4b380234c8e90db6b2cde4a"),
        ("https://git.example:8443/a/b.c", "b.c", "f6de9babee532635d4efbf0586cfb1385cdd2043"),
        ("git@git.example:org/repo.git", "repo", "e1c89f8c1b2e1dde0e4e7209c15398130098d414"),
        ("ssh://git@git.example/org/repo", "repo", "531ae985247dc4247de4f2df9cd151241ba886a6"),
        ("git://git.example/org/re-po.git", "re-po", "3bbe656c754adc2abc23323e9e893f42e930b32a"),
        ("https://host/a/b/", "", "12ba2b27301c651e5cb01de65740e6cf42474159"),
        ("https://git.example/org/.git", ".git", "a241cb300277a41782a2185b584af73ee9344b1f"),
        ("git@git.example:re-po.git", "re-po", "24141b7eff0c6b531e2c89edc39118ff0081ce45"),
    ],
)
def test_what_bundler_calls_a_repository(remote: str, name: str, digest: str) -> None:
    assert (repository_name(remote), repository_hash(remote)) == (name, digest)


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://user:secret@git.example/a.git", "https://git.example/a.git"),
        ("git://git.example/a.git", "https://git.example/a.git"),
        ("git@git.example:org/a.git", "ssh://git@git.example/org/a.git"),
        ("ssh://git:secret@git.example:22/a", "ssh://git@git.example:22/a"),
        ("/srv/git/a", None),
        ("../a", None),
        ("file:///srv/git/a", None),
        ("ext::sh -c id", None),
        ("https://[git.example/a", None),
        ("https://git.example/a?x=1", None),
        ("-oProxyCommand=id:a", None),
    ],
)
def test_where_a_repository_is_fetched_from(remote: str, url: str | None) -> None:
    if url is not None:
        assert git_url(remote, "L:1") == url
        return
    with pytest.raises(UnsupportedError) as caught:
        git_url(remote, "L:1")
    assert caught.value.where == "L:1"


LINUX, MUSL = "linux-x86_64", "linux-x86_64-musl"
ARM, MAC, WINDOWS = "linux-aarch64", "macos-aarch64", "windows-x86_64"


@pytest.mark.parametrize(
    ("platform", "targets"),
    [
        ("ruby", {LINUX, MUSL, ARM, MAC, WINDOWS}),
        ("x86_64-linux", {LINUX, MUSL}),
        ("x86_64-linux-gnu", {LINUX}),
        ("x86_64-linux-musl", {MUSL}),
        ("aarch64-linux", {ARM}),
        ("aarch64-linux-gnu", {ARM}),
        ("x86-linux", set()),
        ("i686-linux", set()),
        ("arm64-darwin", {MAC}),
        ("arm64-darwin-23", {MAC}),
        ("universal-darwin-20", {MAC}),
        ("x86_64-darwin", set()),
        ("x64-mingw32", {WINDOWS}),
        ("x64-mingw-ucrt", {WINDOWS}),
        ("java", set()),
        ("universal-java-17", set()),
    ],
)
def test_which_targets_a_platform_fits(platform: str, targets: set[str]) -> None:
    every = (LINUX, MUSL, ARM, MAC, WINDOWS)
    assert {text for text in every if fits(platform, parse_target(text))} == targets


def test_what_bundler_calls_a_target() -> None:
    called = [platform_of(parse_target(t)) for t in (LINUX, MUSL, ARM, MAC, WINDOWS)]
    assert called == [
        "x86_64-linux",
        "x86_64-linux-musl",
        "aarch64-linux",
        "arm64-darwin",
        "x64-mingw-ucrt",
    ]
