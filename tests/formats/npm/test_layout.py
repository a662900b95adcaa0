"""The cache's tree, byte for byte, and how npm is told of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.formats.npm.locks import (
    LINUX,
    REGISTRY,
    artifacts,
    entry,
    project,
    sri,
    v1,
    v3,
)
from tests.memory import MemoryWorkshop
from vendorpack.digest import Digest
from vendorpack.formats.npm import FORMAT
from vendorpack.formats.npm.artifacts import NpmArtifact
from vendorpack.model import Options, Packed, Variable
from vendorpack.project import Host
from vendorpack.target import parse_target

NPM_ACCEPTS = {
    "application/json",
    "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*",
}


def bytes_of(artifact: NpmArtifact) -> bytes:
    """What the tests' tarballs are: see `locks.entry`."""
    return str(artifact).replace(" ", "@").encode()


def tree(found: Sequence[NpmArtifact]) -> dict[str, bytes]:
    shop = MemoryWorkshop()
    entries = list(FORMAT.layout([Packed(a, shop.add(bytes_of(a))) for a in found], shop))
    assert all(e.mode == 0o644 for e in entries)
    files = {e.path: shop.content(e) for e in entries}
    assert all(shop.content(e) == files[e.path] for e in entries), "the same where it is again"
    return files


def content_path(data: bytes, algorithm: str = "sha512") -> str:
    digest = hashlib.new(algorithm, data).hexdigest()
    return f"npm/_cacache/content-v2/{algorithm}/{digest[:2]}/{digest[2:4]}/{digest[4:]}"


def index_path(url: str) -> str:
    digest = hashlib.sha256(f"make-fetch-happen:request-cache:{url}".encode()).hexdigest()
    return f"npm/_cacache/index-v5/{digest[:2]}/{digest[2:4]}/{digest[4:]}"


def index_entries(data: bytes) -> list[Any]:
    """Parse as cacache does: lines that fail their checksum are not there."""
    found = []
    for line in data.split(b"\n"):
        checksum, _, text = line.partition(b"\t")
        if text and hashlib.sha1(text).hexdigest().encode() == checksum:
            found.append(json.loads(text))
    return found


def test_an_address_and_a_hash_need_content_only(tmp_path: Path) -> None:
    lock = v3({"a": entry("a"), "@s/b": entry("@s/b", "2.0.0")})
    assert tree(artifacts(project(tmp_path, lock))) == {
        content_path(b"a@1.0.0"): b"a@1.0.0",
        content_path(b"@s/b@2.0.0"): b"@s/b@2.0.0",
    }


def test_content_lies_where_the_lockfile_makes_npm_look(tmp_path: Path) -> None:
    data = b"a@1.0.0"
    several = f"{sri(b'other')} {sri(data)} {sri(data, 'sha1')}"
    for integrity, path in [
        (sri(data, "sha1"), content_path(data, "sha1")),
        (sri(data, "sha256"), content_path(data, "sha256")),
        (several, content_path(data)),
    ]:
        lock = v3({"a": entry("a", integrity=integrity)})
        assert list(tree(artifacts(project(tmp_path, lock)))) == [path]


def test_two_hashes_of_one_tarball_are_both_served(tmp_path: Path) -> None:
    data = b"a@1.0.0"
    lock = v3({"a": entry("a"), "b/node_modules/a": entry("a", integrity=sri(data, "sha1"))})
    assert tree(artifacts(project(tmp_path, lock))) == {
        content_path(data, "sha1"): data,
        content_path(data): data,
    }


def test_same_bytes_from_two_addresses_lie_there_once(tmp_path: Path) -> None:
    integrity = entry("a")["integrity"]
    lock = v3(
        {
            "a": entry("a"),
            "c/node_modules/a": entry("a", resolved="https://example.com/a.tgz"),
            "z": entry("z", name="a", resolved="https://example.com/z.tgz", integrity=integrity),
        }
    )
    assert len(artifacts(project(tmp_path, lock))) == 3
    assert list(tree(artifacts(project(tmp_path, lock)))) == [content_path(b"a@1.0.0")]


def test_without_a_hash_npm_finds_the_tarball_by_its_address(tmp_path: Path) -> None:
    lock = v3({"a": entry("a", integrity=None)})
    url = f"{REGISTRY}a/-/a-1.0.0.tgz"
    files = tree(artifacts(project(tmp_path, lock)))
    assert set(files) == {index_path(url), content_path(b"a@1.0.0", "sha256")}
    (found,) = index_entries(files[index_path(url)])
    assert found["key"] == f"make-fetch-happen:request-cache:{url}"
    assert found["integrity"] == sri(b"a@1.0.0", "sha256")
    assert found["size"] == len(b"a@1.0.0")
    assert found["metadata"]["url"] == url and found["metadata"]["reqHeaders"] == {}


def test_without_an_address_npm_finds_it_through_the_packument(tmp_path: Path) -> None:
    lock = v3(
        {
            "@s/b": entry("@s/b", resolved=None),
            "x/node_modules/@s/b": entry("@s/b", "1.10.0", resolved=None),
        }
    )
    files = tree(artifacts(project(tmp_path, lock)))
    found = index_entries(files[index_path(f"{REGISTRY}@s%2fb")])
    assert {e["metadata"]["reqHeaders"]["accept"] for e in found} == NPM_ACCEPTS
    (integrity,) = {e["integrity"] for e in found}
    digest = Digest("sha512", hashlib.sha512(files_by_sri(files)[integrity]).digest())
    assert str(digest) == integrity
    packument = json.loads(files_by_sri(files)[integrity])
    assert packument["name"] == "@s/b"
    assert sorted(packument["versions"]) == ["1.0.0", "1.10.0"]
    for version, manifest in packument["versions"].items():
        tarball = manifest["dist"]["tarball"]
        assert tarball == f"{REGISTRY}@s/b/-/b-{version}.tgz"
        (pointer,) = index_entries(files[index_path(tarball)])
        assert pointer["integrity"] == manifest["dist"]["integrity"]
        assert files_by_sri(files)[pointer["integrity"]] == f"@s/b@{version}".encode()


def files_by_sri(files: dict[str, bytes]) -> dict[str, bytes]:
    return {sri(data): data for path, data in files.items() if "content-v2" in path}


def test_a_scope_of_its_own_is_found_with_and_without_the_users_config(tmp_path: Path) -> None:
    lock = v3({"@s/b": entry("@s/b", resolved=None)})
    npmrc = "registry=https://r.example/\n@s:registry=https://s.example/npm/"
    files = tree(artifacts(project(tmp_path, lock, npmrc=npmrc)))
    assert index_path("https://s.example/npm/@s%2fb") in files
    assert index_path("https://r.example/@s%2fb") in files


def test_layout_does_not_depend_on_the_lockfiles_order(tmp_path: Path) -> None:
    packages = {n: entry(n, resolved=None) for n in ("c", "a", "@s/b")}
    one = list(tree(artifacts(project(tmp_path, v3(packages)))).items())
    other = v3(dict(reversed(packages.items())))
    assert list(tree(artifacts(project(tmp_path, other))).items()) == one


def test_environment(tmp_path: Path) -> None:
    def variables(lock: dict[str, Any], npmrc: str = "") -> tuple[Variable, ...]:
        shop = MemoryWorkshop()
        found = artifacts(project(tmp_path, lock, npmrc=npmrc))
        return FORMAT.environment([Packed(a, shop.add(b"")) for a in found]).variables

    always = (
        Variable("npm_config_cache", "npm", is_path=True),
        Variable("npm_config_offline", "true"),
    )
    assert variables(v3({"a": entry("a")})) == always
    asked = v3({"a": entry("a", resolved=None)})
    registry = Variable("npm_config_registry", "https://r.example/npm/")
    npmrc = "registry=https://user:secret@r.example/npm"
    assert variables(asked, npmrc) == (*always, registry)


def test_native_root(tmp_path: Path) -> None:
    def root(os: str, **environ: str) -> Path:
        return FORMAT.native_roots(Host(environ, tmp_path, os))["npm"]

    assert root("linux") == tmp_path / ".npm"
    assert root("windows", LOCALAPPDATA="/l") == Path("/l/npm-cache")
    assert root("linux", npm_config_cache="/c") == Path("/c")
    (tmp_path / ".npmrc").write_text("cache=~/elsewhere\n")
    assert root("macos") == tmp_path / "elsewhere"


def test_merge_keeps_the_users_index_and_replaces_content(tmp_path: Path) -> None:
    files = tree(artifacts(project(tmp_path, v3({"a": entry("a", integrity=None)}))))
    path, ours = next((p, d) for p, d in files.items() if "index-v5" in p)
    theirs = b"\n" + b"0" * 40 + b"\t{}"
    merged = FORMAT.merge(path, theirs, ours)
    assert merged == theirs + ours
    assert FORMAT.merge(path, merged, ours) == merged
    assert FORMAT.merge(content_path(b"x"), b"damaged", b"x") == b"x"


def test_fingerprint_has_what_decides_and_nothing_else(tmp_path: Path) -> None:
    musl = parse_target("linux-x86_64-musl")

    def fingerprint(lock: dict[str, Any], npmrc: str = "", **options: Any) -> Any:
        return FORMAT.fingerprint(project(tmp_path, lock, npmrc=npmrc), Options(**options))

    lock = v3({"a": entry("a")})
    assert fingerprint(lock, targets=(LINUX,)) != fingerprint(lock, targets=(musl,))
    assert fingerprint(lock, targets=(LINUX, musl)) == fingerprint(lock, targets=(musl, LINUX))
    with_python = parse_target("linux-x86_64-gnu-py3.12")
    assert fingerprint(lock, targets=(LINUX,)) == fingerprint(lock, targets=(with_python,))
    assert fingerprint(lock) != fingerprint(lock, dev=False)
    mirror = "registry=https://r.example/"
    assert fingerprint(lock) == fingerprint(lock, npmrc=mirror), "a mirror has the same bytes"
    asked = v3({"a": entry("a", resolved=None)})
    assert fingerprint(asked) != fingerprint(asked, npmrc=mirror)
    old = v1({"a": entry("a")})
    assert fingerprint(old, targets=(LINUX,)) == fingerprint(old, targets=(musl,))
    json.dumps(fingerprint(asked, npmrc=mirror))


@pytest.mark.parametrize("lock", [v3({}), v1({})])
def test_no_dependencies_at_all(tmp_path: Path, lock: dict[str, Any]) -> None:
    assert tree(artifacts(project(tmp_path, lock))) == {}
