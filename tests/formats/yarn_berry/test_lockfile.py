"""What is read from a lockfile: which packages, from where, with which digests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.yarn_berry.locks import (
    LINUX,
    MAC,
    MUSL,
    WINDOWS,
    artifacts,
    entry,
    lock,
    project,
    read,
)
from vendorpack.digest import Digest
from vendorpack.errors import LockfileError, UnsupportedError, VendorpackError
from vendorpack.formats._shared.npm.registry import DEFAULT_REGISTRY as REGISTRY
from vendorpack.formats.yarn_berry.locator import Locator
from vendorpack.model import Options, Target

SUM = "ab" * 64


def test_an_entry_becomes_an_artifact(tmp_path: Path) -> None:
    text = lock(entry("@babel/core@npm:7.26.0", version="7.26.0", checksum=f"10c0/{SUM}"))
    (found,) = artifacts(project(tmp_path, text))
    assert (found.name, found.version) == ("@babel/core", "7.26.0")
    assert found.url == REGISTRY + "@babel/core/-/core-7.26.0.tgz"
    assert found.purl == "pkg:npm/%40babel/core@7.26.0"
    assert found.integrity.digests == (Digest.from_hex("berry-zip-10c0", SUM),)
    assert found.where == "yarn.lock:7"
    assert found.file_name.startswith("@babel-core-npm-7.26.0-")
    assert found.file_name.endswith("-10c0.zip")


@pytest.mark.parametrize(
    ("locator", "slug"),
    [  # names of files that Yarn 3 and 4 wrote
        ("js-tokens@npm:4.0.0", "js-tokens-npm-4.0.0-0ac852e9e2"),
        ("scheduler@npm:0.23.2", "scheduler-npm-0.23.2-6d1dd9c2b7"),
        (
            "@s/every@file:./t.tgz#./t.tgz::hash=a6606f&locator=p%40workspace%3A.",
            "@s-every-file-",
        ),
    ],
)
def test_slugs(locator: str, slug: str) -> None:
    parsed = Locator.parse(locator)
    assert parsed is not None
    assert str(parsed) == locator
    assert parsed.slug.startswith(slug)


def test_names_with_two_readings_never_collide(tmp_path: Path) -> None:
    names = ["@a/b", "a-b", "ab", "@a/b-c", "@a-b/c", "a--b"]
    text = lock(*(entry(f"{name}@npm:1.0.0", checksum=f"10c0/{SUM}") for name in names))
    found = artifacts(project(tmp_path, text))
    assert len({one.file_name for one in found}) == len(names)
    assert len({one.url for one in found}) == len(names)


def test_a_bare_checksum_is_for_the_lockfiles_own_key(tmp_path: Path) -> None:
    entries = (
        entry("a@npm:1.0.0", checksum=SUM),
        entry("b@npm:1.0.0", checksum=f"10c0/{SUM}"),
        entry("c@npm:1.0.0"),
    )
    found = artifacts(project(tmp_path, lock(*entries, version="6", key="8")))
    assert [a.integrity.algorithms for a in found] == [("berry-zip-8",), ("berry-zip-10c0",), ()]
    assert [str(a.key) for a in found] == ["8", "10c0", "8c0"]
    assert {str(a.name_key) for a in found} == {"8"}


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        ((), ["base", "glibc", "mac", "musl", "windows"]),
        ((LINUX,), ["base", "glibc"]),
        ((MUSL,), ["base", "musl"]),
        ((MAC,), ["base", "mac"]),
        ((MAC, WINDOWS), ["base", "mac", "windows"]),
    ],
)
def test_targets_decide_over_conditional_packages(
    tmp_path: Path, targets: tuple[Target, ...], names: list[str]
) -> None:
    text = lock(
        entry("glibc@npm:1.0.0", conditions="os=linux & cpu=x64 & libc=glibc"),
        entry("musl@npm:1.0.0", conditions="os=linux & cpu=x64 & libc=musl"),
        entry("mac@npm:1.0.0", conditions="os=darwin & cpu=arm64"),
        entry("windows@npm:1.0.0", conditions="os=win32"),
        # The base of a patch is fetched whatever its conditions say; the patch never.
        entry("base@npm:2.3.3", conditions="os=sunos", checksum=f"10c0/{SUM}"),
        entry("base@patch:base@npm%3A2.3.3#optional!builtin<compat/base>::version=2.3.3&hash=df"),
    )
    found = artifacts(project(tmp_path, text), Options(targets=targets))
    assert [one.name for one in found] == names


def test_supported_architectures_widen_and_narrow_as_in_yarn(tmp_path: Path) -> None:
    text = lock(
        entry("linux@npm:1.0.0", conditions="os=linux & cpu=x64"),
        entry("mac@npm:1.0.0", conditions="os=darwin & cpu=x64"),
        entry("arm@npm:1.0.0", conditions="os=darwin & cpu=arm64"),
    )
    both = "supportedArchitectures:\n  os: [current, darwin]\n"
    only = "supportedArchitectures:\n  os: [darwin]\n  cpu: [arm64]\n"
    options = Options(targets=(LINUX,))
    found = artifacts(project(tmp_path / "1", text, yarnrc=both), options)
    assert [one.name for one in found] == ["linux", "mac"]
    found = artifacts(project(tmp_path / "2", text, yarnrc=only), options)
    assert [one.name for one in found] == ["arm"]


def test_what_needs_no_download_is_passed_over(tmp_path: Path) -> None:
    text = lock(
        entry("root@workspace:."),
        entry("linked@link:./lib::locator=root%40workspace%3A."),
        entry("$linked@link:./lib::locator=root%40workspace%3A."),
        entry("portal@portal:../lib::locator=root%40workspace%3A."),
        entry("file@file:./x.tgz#./x.tgz::hash=1&locator=root%40workspace%3A.", checksum=SUM),
        entry("made@exec:./make.js::locator=root%40workspace%3A."),
        entry("mine@patch:mine@npm%3A1.0.0#~/.yarn/patches/mine.patch::version=1&hash=1"),
        entry("mine@npm:1.0.0", checksum=SUM),
    )
    lockfile = read(project(tmp_path, text))
    assert [a.name for a in lockfile.artifacts] == ["mine"]
    assert ["exec:" in warning.what for warning in lockfile.warnings] == [True]


def test_addresses_in_references(tmp_path: Path) -> None:
    archive = "https%3A%2F%2Fregistry.example%2Fdownload%2Fa.tgz"
    text = lock(
        entry(f"a@npm:1.0.0::__archiveUrl={archive}", checksum=SUM),
        entry("b@https://files.example/b-2.tgz?x=1#hash", version="2.0.0", checksum=SUM),
    )
    first, second = artifacts(project(tmp_path, text))
    assert first.url == "https://registry.example/download/a.tgz"
    assert second.url == "https://files.example/b-2.tgz?x=1"
    assert second.purl.startswith("pkg:npm/b@2.0.0?download_url=https%3A%2F%2Ffiles.example")
    assert second.registry is None
    # One address may be two packages, with a zip and a checksum each.
    assert first.integrity.algorithms == ("berry-zip-10c0",)
    assert second.integrity.algorithms == ("berry-zip-10c0-as-b",)
    assert second.slug.startswith("b-https-")


@pytest.mark.parametrize(
    "reference",
    [
        "https://git.example/u/r.git#commit=" + "a" * 40,
        "https://git.example/u/r.tgz#commit=" + "a" * 40,
        "git@git.example:u/r.git#commit=" + "a" * 40,
        "ssh://git@git.example/u/r.git#commit=" + "a" * 40,
        "https://git.example/page",
        "unknown:thing",
        "ftp://files.example/a.tgz",
    ],
)
def test_what_yarn_packs_itself_is_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        artifacts(project(tmp_path, lock(entry(f"a@{reference}", checksum=SUM))))
    assert caught.value.where == "yarn.lock:7"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# yarn lockfile v1\n\n", "Yarn Classic"),
        ("", "no __metadata"),
        ("a: b\n", "no __metadata"),
        ("- a\n", "no __metadata"),
        ("__metadata: 1\n", "not a mapping"),
        (lock(version="11"), "newer than the newest known"),
        (lock(key="11c0"), "newer than the newest known"),
        (lock(version="3"), "older than the oldest known"),
        (lock(version="x"), "not a number"),
        (lock(version="9" * 10000), "not a number"),
        (lock(key="mine"), "not a cache key"),
        ("__metadata:\n  version: 8\n  cacheKey: x\n", "not a cache key"),
        (lock("a: 1\n"), "not a mapping"),
        (lock("a:\n  version: 1\n"), "names no package"),
        (lock(entry("a@npm:latest")), "no version"),
        (lock(entry("../a@npm:1.0.0")), "names no package"),
        (lock(entry("..@npm:1.0.0")), "not a package name"),
        (lock(entry("@a/..@npm:1.0.0")), "not a package name"),
        (lock(entry("a@npm:1.0.0", checksum="10c0/ab")), "not sha512"),
        (lock(entry("a@npm:1.0.0", checksum="[1]")), "not a text"),
        (lock(entry("a@npm:1.0.0", conditions="os=linux &")), "make no sense"),
        (lock(entry("a@npm:1.0.0::__archiveUrl=file%3A%2Fetc")), "no usable address"),
        (lock(entry("a@npm:1.0.0::__archiveUrl=https%3A%2F%2F%5B")), "no usable address"),
        (lock(entry("a@npm:1.0.0"), entry("a@npm:1.0.0")), "comes twice"),
        (lock("a: &x\n  b: 1\nc: *x\n"), "anchors"),
        (lock("<<<<<<< HEAD\na: 1\n"), "merge conflict"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LockfileError, match=message) as caught:
        artifacts(project(tmp_path, text))
    assert (caught.value.where or "").startswith("yarn.lock")


def test_two_entries_for_one_package_are_refused(tmp_path: Path) -> None:
    twice = entry("a@npm:1.0.0"), entry("a@npm:1.0.0").replace('"a@npm:1.0.0":', '"a@npm:1":', 1)
    with pytest.raises(LockfileError, match="two entries"):
        artifacts(project(tmp_path, lock(*twice)))


@pytest.mark.parametrize("data", [b"\xff", b"__metadata:\n  version: 8\n\0", b"[" * 5000])
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(VendorpackError):
        artifacts(project(tmp_path, data))


def test_a_level_that_the_lockfile_was_not_written_with_is_told(tmp_path: Path) -> None:
    text = lock(entry("a@npm:1.0.0", checksum=SUM))
    assert read(project(tmp_path, text, yarnrc="compressionLevel: 0\n")).warnings == ()
    (warning,) = read(project(tmp_path, text, yarnrc="compressionLevel: mixed\n")).warnings
    assert "compressionLevel is mixed" in warning.what


@pytest.mark.parametrize("version", [4, 6, 8])
def test_a_lockfile_without_a_cache_key(version: int, tmp_path: Path) -> None:
    """Yarn 3 writes none where there are workspaces alone."""
    text = (
        f"__metadata:\n  version: {version}\n\n"
        '"app@workspace:.":\n  version: 0.0.0-use.local\n  resolution: "app@workspace:."\n'
        "  languageName: unknown\n  linkType: soft\n"
    )
    assert artifacts(project(tmp_path, text)) == []
