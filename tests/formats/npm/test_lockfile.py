"""Which artifacts a package-lock.json or npm-shrinkwrap.json gives."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.corpus import corpus
from tests.formats.npm.locks import LINUX, REGISTRY, artifacts, entry, project, read, sri, v1, v3
from vendorpack.digest import Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.npm.git_dependencies import Commit
from vendorpack.formats.npm import FORMAT
from vendorpack.formats.npm.artifacts import NpmCommit
from vendorpack.model import Options
from vendorpack.project import MAX_LOCKFILE_SIZE, Host, Project
from vendorpack.target import parse_target

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def names(folder: Path, lock: dict[str, Any], options: Options | None = None) -> list[str]:
    return [f"{a.name}@{a.version}" for a in artifacts(project(folder, lock), options)]


def test_every_field_of_an_artifact(tmp_path: Path) -> None:
    lock = v3({"@scope/pkg": entry("@scope/pkg", "1.2.3-rc.1", dev=True)})
    (artifact,) = artifacts(project(tmp_path, lock))
    assert artifact.name == "@scope/pkg"
    assert artifact.version == "1.2.3-rc.1"
    assert artifact.purl == "pkg:npm/%40scope/pkg@1.2.3-rc.1"
    assert artifact.url == f"{REGISTRY}@scope/pkg/-/pkg-1.2.3-rc.1.tgz"
    assert artifact.sources == (artifact.url,)
    assert artifact.integrity == Integrity.parse_sri(sri(b"@scope/pkg@1.2.3-rc.1"))
    assert artifact.why == ("dev",)
    line = json.dumps(lock, indent=2).splitlines().index('    "node_modules/@scope/pkg": {') + 1
    assert artifact.where == f"package-lock.json:{line}"


def test_folders_that_are_no_package_of_their_own(tmp_path: Path) -> None:
    lock = v3(
        {
            "packages/app/": {"version": "1.0.0"},
            "app": {"resolved": "packages/app", "link": True},
            "parent": entry("parent"),
            "parent/node_modules/inside": {"version": "1.0.0", "inBundle": True},
            "parent/node_modules/both": entry("both", inBundle=True),
            "tarball": {"version": "1.0.0", "resolved": "file:vendor/tarball.tgz"},
            "damaged": {"peer": True},
        }
    )
    assert names(tmp_path, lock) == ["both@1.0.0", "parent@1.0.0"]


def test_names(tmp_path: Path) -> None:
    lock = v3(
        {
            "@a/b": entry("@a/b"),
            "a-b": entry("a-b"),
            "alias": entry("real", name="real"),
            "@alias/scoped": entry("other", name="other"),
            "x/node_modules/@a/b": entry("@a/b", "2.0.0"),
            "JSONStream": entry("JSONStream"),
        }
    )
    expected = ["@a/b@1.0.0", "@a/b@2.0.0", "JSONStream@1.0.0", "a-b@1.0.0"]
    assert names(tmp_path, lock) == [*expected, "other@1.0.0", "real@1.0.0"]


def test_only_optional_packages_are_left_out_by_platform(tmp_path: Path) -> None:
    def limited(name: str, **more: object) -> dict[str, object]:
        return entry(name, optional=True, **more)

    lock = v3(
        {
            "linux": limited("linux", os=["linux"], cpu=["x64"]),
            "musl": limited("musl", os=["linux"], cpu=["x64"], libc=["musl"]),
            "glibc": limited("glibc", os=["linux"], libc="glibc"),
            "mac": limited("mac", os=["darwin"]),
            "not-win": limited("not-win", os=["!win32"]),
            "needed": entry("needed", os=["darwin"]),
            "both": entry("both", os=["darwin"], devOptional=True),
            "free": limited("free"),
        }
    )
    everywhere = {"free@1.0.0", "needed@1.0.0"}
    linux = {"glibc@1.0.0", "linux@1.0.0", "not-win@1.0.0"}
    assert set(names(tmp_path, lock, Options(targets=(LINUX,)))) == everywhere | linux
    mac = parse_target("macos-aarch64")
    assert set(names(tmp_path, lock, Options(targets=(mac,)))) == (
        everywhere | {"mac@1.0.0", "not-win@1.0.0", "both@1.0.0"}
    )
    assert len(names(tmp_path, lock, Options(targets=(LINUX, mac)))) == 7
    assert len(names(tmp_path, lock)) == 8


def test_dev(tmp_path: Path) -> None:
    lock = v3(
        {
            "prod": entry("prod"),
            "dev": entry("dev", dev=True),
            "either": entry("either", devOptional=True),
        }
    )
    assert names(tmp_path, lock, Options(dev=False)) == ["either@1.0.0", "prod@1.0.0"]
    why = {a.name: a.why for a in artifacts(project(tmp_path, lock))}
    assert why == {"prod": (), "dev": ("dev",), "either": ("dev", "optional")}


def test_version_1(tmp_path: Path) -> None:
    lock = v1(
        {
            "a": entry("a", dependencies={"b": entry("b", "2.0.0"), "in": {"bundled": True}}),
            "b": entry("b", integrity=sri(b"b", "sha1"), optional=True),
            "renamed": entry("real", "npm:real@3.0.0", resolved=f"{REGISTRY}real/-/real-3.0.0.tgz"),
            "url": {"version": "https://example.com/url.tgz", "integrity": sri(b"url")},
            "local": {"version": "file:../local"},
            "old": {"version": "1.0.0", "resolved": False, "bundled": True},
        }
    )
    found = artifacts(project(tmp_path, lock), Options(targets=(LINUX,)))
    assert [f"{a.name}@{a.version}" for a in found] == [
        "a@1.0.0",
        "b@1.0.0",
        "b@2.0.0",
        "real@3.0.0",
        "url@0.0.0",
    ]
    by_name = {a.name: a for a in found}
    assert by_name["url"].url == "https://example.com/url.tgz"
    # npm reads the packument of whatever comes from a registry, and of nothing else.
    assert {a.name for a in found if a.packuments} == {"a", "b", "real"}
    assert any("all of them are taken" in w.what for w in read(project(tmp_path, lock)).warnings)


def test_version_2_is_read_by_its_packages(tmp_path: Path) -> None:
    lock = {**v3({"a": entry("a")}), "lockfileVersion": 2, "dependencies": {"z": entry("z")}}
    assert names(tmp_path, lock) == ["a@1.0.0"]


def test_how_npm_will_look_it_up(tmp_path: Path) -> None:
    lock = v3(
        {
            "whole": entry("whole"),
            "sha1": entry("sha1", integrity=sri(b"", "sha1")),
            "strong": entry("strong", integrity=f"{sri(b'', 'sha1')} {sri(b'', 'sha256')}"),
            "no-hash": entry("no-hash", integrity=None),
            "no-url": entry("no-url", resolved=None),
        }
    )
    found = {a.name: a for a in artifacts(project(tmp_path, lock))}
    assert {n: a.content for n, a in found.items()} == {
        "whole": ("sha512",),
        "sha1": ("sha1",),
        "strong": ("sha256",),
        "no-hash": (),
        "no-url": (),
    }
    url = f"{REGISTRY}no-url/-/no-url-1.0.0.tgz"
    assert found["no-url"].url == url and found["no-url"].index_urls == (url,)
    assert found["no-url"].packuments == (REGISTRY,)
    assert found["no-hash"].index_urls == (f"{REGISTRY}no-hash/-/no-hash-1.0.0.tgz",)
    assert not any(found[n].index_urls or found[n].packuments for n in ("whole", "sha1", "strong"))


def test_a_mirror_is_fetched_from_but_not_recorded(tmp_path: Path) -> None:
    lock = v3({"a": entry("a"), "x": entry("x", resolved="https://example.com/x.tgz")})
    npmrc = "registry=https://mirror.example/npm"
    found = artifacts(project(tmp_path, lock, npmrc=npmrc))
    assert found[0].url == f"{REGISTRY}a/-/a-1.0.0.tgz"
    assert found[0].sources == ("https://mirror.example/npm/a/-/a-1.0.0.tgz",)
    assert found[1].sources == ("https://example.com/x.tgz",)
    assert found[1].purl == "pkg:npm/x@1.0.0?download_url=https%3A%2F%2Fexample.com%2Fx.tgz"
    access = read(project(tmp_path, lock, npmrc=npmrc)).access
    assert access.origins == {"https://mirror.example", REGISTRY.rstrip("/")}


def test_two_entries_for_one_address_are_one_artifact(tmp_path: Path) -> None:
    lock = v3(
        {
            "a": entry("a", dev=True),
            "b/node_modules/a": entry("a", integrity=sri(b"a@1.0.0", "sha1"), optional=True),
            "c/node_modules/a": entry("a", resolved="https://example.com/a.tgz"),
        }
    )
    other, merged = artifacts(project(tmp_path, lock))
    assert other.url == "https://example.com/a.tgz"
    assert merged.integrity.algorithms == ("sha512", "sha1")
    assert merged.content == ("sha512", "sha1")
    assert merged.why == ("dev", "optional")


def test_contradicting_hashes_are_refused(tmp_path: Path) -> None:
    lock = v3({"a": entry("a"), "b/node_modules/a": entry("a", integrity=sri(b"else"))})
    with pytest.raises(LockfileError, match="contradict"):
        read(project(tmp_path, lock))


def test_git_in_version_1(tmp_path: Path) -> None:
    lock = v1({"git": {"version": f"github:example/git#{COMMIT}", "from": "github:example/git"}})
    (found,) = read(project(tmp_path, lock)).artifacts
    assert (str(found), found.url) == (
        "git 0.0.0",
        f"git+https://github.com/example/git.git#{COMMIT}",
    )


def test_a_commit_on_a_known_host_has_a_key_of_its_own(tmp_path: Path) -> None:
    def decides(resolved: str) -> set[str]:
        made = project(tmp_path, v3({"r": entry("r", resolved=resolved)}))
        return {*FORMAT.fingerprint(made, Options())}

    elsewhere = decides(f"git+https://git.example.com/o/r.git#{COMMIT}")
    hosted = decides(f"git+https://github.com/o/r.git#{COMMIT}")
    assert hosted - elsewhere == {"git-hosts"}


@pytest.mark.parametrize(
    "address",
    [
        f"git+ssh://git@github.com/example/r.git#{COMMIT}",
        f"git+https://github.com/example/r.git#{COMMIT}",
        f"git://github.com/example/r#{COMMIT}",
        f"github:example/r#{COMMIT}",
        f"git@github.com:example/r.git#{COMMIT}",
    ],
)
def test_git_on_github(tmp_path: Path, address: str) -> None:
    lock = v3({"r": entry("r", resolved=address, integrity=sri(b"never looked at"))})
    (found,) = read(project(tmp_path, lock)).artifacts
    assert isinstance(found, NpmCommit)
    assert found.url == f"git+https://github.com/example/r.git#{COMMIT}"
    assert found.sources == (found.url, f"git+ssh://git@github.com/example/r.git#{COMMIT}")
    assert found.index_urls == (f"https://codeload.github.com/example/r/tar.gz/{COMMIT}",)
    assert str(found.integrity).startswith("git-"), "npm does not check the lockfile's"
    assert found.purl.startswith("pkg:npm/r@1.0.0?vcs_url=git%2Bhttps%3A%2F%2Fgithub.com")


@pytest.mark.parametrize(
    ("address", "remote", "asked"),
    [
        ("git+ssh://git@git.example.com/o/r.git", "ssh://git@git.example.com/o/r.git", None),
        ("git+ssh://git@git.example.com:22/o/r.git", "ssh://git@git.example.com:22/o/r.git", None),
        (
            "git+ssh://git@git.example.com:o/r.git",
            "git@git.example.com:o/r.git",
            "ssh://git@git.example.com/o/r.git",
        ),
        ("git+https://git.example.com/o/r.git", "https://git.example.com/o/r.git", None),
        ("https://git.example.com/o/r.git", "https://git.example.com/o/r.git", None),
        (
            "git://git.example.com/o/r.git",
            "git://git.example.com/o/r.git",
            "https://git.example.com/o/r.git",
        ),
    ],
)
def test_git_elsewhere(tmp_path: Path, address: str, remote: str, asked: str | None) -> None:
    lock = v3({"r": entry("r", resolved=f"{address}#{COMMIT}", integrity=sri(b"not looked at"))})
    (found,) = read(project(tmp_path, lock)).artifacts
    assert isinstance(found, Commit)
    assert (found.remote, found.url) == (remote, f"git+{asked or remote}#{COMMIT}")


@pytest.mark.parametrize(
    "address",
    [
        "git+https://git.example.com/o/r.git#main",
        "git+https://git.example.com/o/r.git",
        "git+ssh://git@github.com/o/r.git#main",
        f"git+https://user:secret@git.example.com/o/r.git#{COMMIT}",
        f"git+https://token@github.com/o/r.git#{COMMIT}",
        f"git+ssh://git@github.com/o/r/s.git#{COMMIT}",
        f"git+ssh://git@github.com/../r.git#{COMMIT}",
        f"github:o/..#{COMMIT}",
        f"github:o/r#{COMMIT}x",
    ],
)
def test_other_git_is_refused_with_its_line(tmp_path: Path, address: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        read(project(tmp_path, v3({"r": entry("r", resolved=address)})))
    assert caught.value.where == "package-lock.json:9" and caught.value.fix
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("secret", ["https://u:s3cret@h.example/a", "https://h.example/a?t=s3cret"])
def test_an_address_with_a_secret_needs_a_hash(tmp_path: Path, secret: str) -> None:
    (artifact,) = artifacts(project(tmp_path, v3({"a": entry("a", resolved=secret)})))
    assert artifact.url == secret and not artifact.index_urls and "s3cret" not in artifact.purl
    with pytest.raises(UnsupportedError) as caught:
        read(project(tmp_path, v3({"a": entry("a", resolved=secret, integrity=None)})))
    assert "s3cret" not in str(caught.value)


def test_warnings(tmp_path: Path) -> None:
    lock = v3(
        {
            "git": entry("git", resolved=f"github:o/r#{COMMIT}"),
            "out": {"version": "1.0.0", "resolved": "file:../../out.tgz"},
            "damaged": {"dev": True},
        }
    )
    made = project(tmp_path, lock, name="npm-shrinkwrap.json")
    said = [w.what for w in read(made).warnings]
    expected = (
        "npm 12 ignores",
        "outside",
        "drops it",
    )
    assert len(said) == len(expected)
    assert all(part in text for part, text in zip(expected, said, strict=True)), said


def deep(levels: int) -> bytes:
    return b'{"lockfileVersion":1,"dependencies":' + b'{"a":{"dependencies":' * levels


HOSTILE: dict[str, bytes | dict[str, Any]] = {
    "empty": b"",
    "not an object": b"[]",
    "truncated": b'{"lockfileVersion": 3, "packages": {',
    "conflict": b'{\n<<<<<<< HEAD\n"a": 1\n=======\n',
    "invalid UTF-8": b'{"lockfileVersion": 3, "packages": {"\xff": {}}}',
    "UTF-16": '{"lockfileVersion": 3}'.encode("utf-16"),
    "NUL": b'{"lockfileVersion": 3}\0',
    "NaN": b'{"lockfileVersion": NaN}',
    "huge int": b'{"lockfileVersion": ' + b"9" * 1_000_000 + b"}",
    "deep": deep(100_000),
    "deep and closed": deep(500_000) + b"{}" + b"}}" * 500_000 + b"}",
    "half a character": b'{"lockfileVersion": 3, "packages": {"node_modules/\\ud800": {}}}',
    "key twice": b'{"lockfileVersion": 3, "packages": {}, "packages": {}}',
    "newer version": {"lockfileVersion": 4, "packages": {}},
    "no version number": {"lockfileVersion": "3", "packages": {}},
    "packages a list": {"lockfileVersion": 3, "packages": []},
    "entry a text": v3({"a": "1.0.0"}),
    "resolved a number": v3({"a": entry("a", resolved=1)}),
    "resolved a list": v3({"a": entry("a", resolved=["x"])}),
    "integrity a list": v3({"a": entry("a", integrity=["x"])}),
    "dev a text": v3({"a": entry("a", dev="yes")}),
    "os an object": v3({"a": entry("a", os={"linux": True})}),
    "os of numbers": v3({"a": entry("a", os=[1])}),
    "integrity of nothing": v3({"a": entry("a", integrity="sha512-")}),
    "integrity too short": v3({"a": entry("a", integrity="sha512-AAAA")}),
    "integrity unknown": v3({"a": entry("a", integrity="whirlpool-AAAA")}),
    "name climbs": v3({"..": entry("a")}),
    "scope climbs": v3({"@../..": entry("a")}),
    "name field climbs": v3({"a": entry("a", name="../../../etc")}),
    "name absolute": v3({"a": entry("a", name="/etc/passwd")}),
    "name with NUL": v3({"a": entry("a", name="a\0b")}),
    "name with ESC": v3({"a": entry("a", name="\x1b[2J")}),
    "name too long": v3({"a" * 300: entry("a")}),
    "name empty": v3({"": entry("a")}),
    "version climbs": v3({"a": entry("a", "1.0.0/../../..", resolved=None)}),
    "version with query": v3({"a": entry("a", "1.0.0?x=y", resolved=None)}),
    "address with spaces": v3({"a": entry("a", resolved="not an address")}),
    "address with newline": v3({"a": entry("a", resolved="https://example.com/\n")}),
    "address bad": v3({"a": entry("a", resolved="https://[::1/a.tgz")}),
    "address bad port": v3({"a": entry("a", resolved="https://example.com:x/a.tgz")}),
    "address ftp": v3({"a": entry("a", resolved="ftp://example.com/a.tgz")}),
    "address ext": v3({"a": entry("a", resolved="ext::sh -c id")}),
    "version 1 name climbs": v1({"../x": entry("a")}),
    "version 1 dependencies a list": v1({"a": entry("a", dependencies=["b"])}),
    "version 1 alias climbs": v1({"a": entry("a", "npm:../x@1.0.0")}),
}


@pytest.mark.parametrize("trick", HOSTILE)
def test_hostile_lockfiles_are_refused_cleanly(tmp_path: Path, trick: str) -> None:
    with pytest.raises(LockfileError) as caught:
        read(project(tmp_path, HOSTILE[trick]))
    assert caught.value.where and caught.value.where.startswith("package-lock.json")


def test_a_lockfile_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "package-lock.json").open("wb") as file:
        file.truncate(MAX_LOCKFILE_SIZE + 1)
    with pytest.raises(LockfileError, match="larger"):
        FORMAT.read(project_of(tmp_path), Options())


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + json.dumps(v3({"a": entry("a")})).encode()
    assert len(artifacts(project(tmp_path, data))) == 1


def test_http_is_left_to_the_policy(tmp_path: Path) -> None:
    lock = v3({"a": entry("a", resolved="http://example.com/a.tgz")})
    (artifact,) = artifacts(project(tmp_path, lock))
    assert artifact.url == "http://example.com/a.tgz"
    assert "http://example.com" not in read(project(tmp_path, lock)).access.origins


def project_of(folder: Path) -> Project:
    host = Host({"PREFIX": str(folder)}, folder / "home", "linux")
    return Project(folder, PurePosixPath("package-lock.json"), host)


def test_a_real_lockfile() -> None:
    real = project_of(corpus("npm-warehouse"))
    everything = FORMAT.read(real, Options())
    linux = FORMAT.read(real, Options(targets=(LINUX,)))
    assert (len(everything.artifacts), len(linux.artifacts)) == (999, 931)
    assert not everything.warnings
    assert set(linux.artifacts) < set(everything.artifacts)
    assert len(FORMAT.read(real, Options(dev=False)).artifacts) == 168
    assert all(a.integrity and not a.integrity.weak for a in everything.artifacts)
    text = (real.folder / "package-lock.json").read_text().splitlines()
    for artifact in everything.artifacts:
        line = text[int(artifact.where.rpartition(":")[2]) - 1]
        assert line.endswith('": {') and artifact.name in line


def test_the_registry_s_other_name(tmp_path: Path) -> None:
    """What Yarn 1 wrote is npm's own registry: nothing has to be allowed."""
    other = "https://registry.yarnpkg.com/left/-/left-1.0.0.tgz#0123"
    found = artifacts(project(tmp_path, v3({"left": entry("left", resolved=other)})))
    (left,) = found
    assert left.url == other
    assert left.fetch_from == ("https://registry.npmjs.org/left/-/left-1.0.0.tgz#0123",)
