"""What the registry is asked, and what becomes of its answers."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

from tests.formats.npm.locks import REGISTRY, entry, project, read, sri, v1, v3
from tests.memory import MemoryIndex
from vendorpack.errors import FetchError, IntegrityError
from vendorpack.formats.npm import FORMAT
from vendorpack.formats.npm.artifacts import NpmArtifact
from vendorpack.model import Options, Trust
from vendorpack.project import Project

DATA = b"a@1.0.0"
PRIVATE = "https://private.example/npm/"


def manifest(registry: str = REGISTRY, **more: object) -> dict[str, object]:
    """What a registry says of a 1.0.0, whose tarball is DATA."""
    return {
        "name": "a",
        "version": "1.0.0",
        "dist": {
            "tarball": f"{registry}download/a-1.0.0.tgz",
            "integrity": sri(DATA),
            "shasum": hashlib.sha1(DATA).hexdigest(),
        },
        **more,
    }


def packument(registry: str = REGISTRY, **more: object) -> bytes:
    return json.dumps({"name": "a", "versions": {"1.0.0": manifest(registry, **more)}}).encode()


def locate(project: Project, answers: dict[str, bytes]) -> tuple[list[NpmArtifact], list[str]]:
    index = MemoryIndex(answers)
    located = asyncio.run(FORMAT.locate(read(project), Options(), index))
    artifacts = [a for a in located.artifacts if isinstance(a, NpmArtifact)]
    return artifacts, index.asked


def test_nothing_is_asked_that_the_lockfile_says(tmp_path: Path) -> None:
    lock = v3({"a": entry("a"), "b": entry("b", resolved=None)})
    artifacts, asked = locate(project(tmp_path, lock), {})
    assert asked == [] and len(artifacts) == 2


def test_a_missing_hash_comes_from_the_registry(tmp_path: Path) -> None:
    lock = v3({"a": entry("a", integrity=None), "b": entry("b")})
    answers = {f"{REGISTRY}a/1.0.0": json.dumps(manifest()).encode()}
    (a, b), asked = locate(project(tmp_path, lock), answers)
    assert asked == [f"{REGISTRY}a/1.0.0"], "a version's own document, not all versions"
    assert sri(DATA) in str(a.integrity)
    assert (a.trust, b.trust) == (Trust.REGISTRY, Trust.LOCKFILE)
    assert a.url == f"{REGISTRY}a/-/a-1.0.0.tgz", "the lockfile's address stays"


def test_the_packument_serves_where_a_version_has_no_document(tmp_path: Path) -> None:
    lock = v3({"a": entry("a", integrity=None)})
    (a,), asked = locate(project(tmp_path, lock), {f"{REGISTRY}a": packument()})
    assert asked == [f"{REGISTRY}a/1.0.0", f"{REGISTRY}a"]
    assert a.integrity.algorithms == ("sha512", "sha1")


def test_sha1_is_joined_by_something_stronger(tmp_path: Path) -> None:
    lock = v3({"a": entry("a", integrity=sri(DATA, "sha1"))})
    (a,), _ = locate(project(tmp_path, lock), {f"{REGISTRY}a": packument()})
    assert a.integrity.algorithms == ("sha512", "sha1") and not a.integrity.weak
    assert a.content == ("sha1",), "npm still looks for what the lockfile names"
    assert a.trust is Trust.REGISTRY


def test_a_registry_that_contradicts_is_not_believed(tmp_path: Path) -> None:
    lock = v3({"a": entry("a", integrity=sri(b"another", "sha1"))})
    with pytest.raises(IntegrityError) as caught:
        locate(project(tmp_path, lock), {f"{REGISTRY}a": packument()})
    assert "package-lock.json:" in str(caught.value)


def test_a_private_registry_says_where_its_tarballs_are(tmp_path: Path) -> None:
    lock = v3({"a": entry("a", resolved=None, integrity=sri(DATA))})
    made = project(tmp_path, lock, npmrc=f"registry={PRIVATE}")
    (a,), asked = locate(made, {f"{PRIVATE}a": packument(PRIVATE)})
    assert asked == [f"{PRIVATE}a"]
    assert a.url == f"{PRIVATE}download/a-1.0.0.tgz"
    assert a.trust is Trust.LOCKFILE
    contradicting = v3({"a": entry("a", resolved=None, integrity=sri(b"another"))})
    with pytest.raises(IntegrityError):
        locate(
            project(tmp_path, contradicting, npmrc=f"registry={PRIVATE}"),
            {f"{PRIVATE}a": packument(PRIVATE)},
        )


def test_what_no_registry_has_stays_for_the_policy(tmp_path: Path) -> None:
    lock = v3(
        {
            "a": entry("a", integrity=None),
            "x": entry("x", integrity=None, resolved="https://example.com/x.tgz"),
        }
    )
    artifacts, asked = locate(project(tmp_path, lock), {})
    assert not any(a.integrity for a in artifacts)
    assert not any("example.com" in url for url in asked)


def test_version_1_needs_the_whole_manifest(tmp_path: Path) -> None:
    lock = v1({"a": entry("a", integrity=sri(DATA))})
    said = packument(bin={"a": "cli.js"}, dependencies={"b": "^1"}, _npmUser={"name": "x"})
    (a,), _ = locate(project(tmp_path, lock), {f"{REGISTRY}a": said})
    assert json.loads(a.manifest or "") == {"bin": {"a": "cli.js"}, "dependencies": {"b": "^1"}}
    assert a.trust is Trust.LOCKFILE
    # Where the registry does not have it npm goes by the lockfile: better no packument than
    # one without dependencies.
    (a,), _ = locate(project(tmp_path, lock), {})
    assert a.packuments == ()
    with pytest.raises(FetchError):
        locate(project(tmp_path, v1({"a": entry("a", resolved=None)})), {})


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>log in</html>",
        b"[]",
        b'{"versions": {"1.0.0": {}}}',
        b'{"versions": {"1.0.0": {"dist": {"tarball": 1}}}}',
        b'{"versions": {"1.0.0": {"dist": {"tarball": "x", "integrity": "sha512-A"}}}}',
        b'{"versions": {"1.0.0": {"dist": {"tarball": "x", "shasum": "zz"}}}}',
        b'{"versions": {"1.0.0": null}}',
        b"[" * 100_000,
    ],
)
def test_nonsense_from_a_registry_is_a_clear_error(tmp_path: Path, answer: bytes) -> None:
    lock = v3({"a": entry("a", integrity=None)})
    with pytest.raises(FetchError, match="makes no sense"):
        locate(project(tmp_path, lock), {f"{REGISTRY}a": answer})
