"""Artifacts to Yarn's cache, and what the registry is asked for."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.formats.yarn_berry.locks import artifacts, entry, lock, package, project, read
from tests.memory import MemoryIndex, MemoryWorkshop
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import IntegrityError, UnsupportedError
from vendorpack.formats._shared.npm.registry import DEFAULT_REGISTRY as REGISTRY
from vendorpack.formats.yarn_berry import FORMAT
from vendorpack.formats.yarn_berry.archive import CacheKey, zip_from_tarball
from vendorpack.model import Lockfile, Options, Packed, Trust
from vendorpack.project import Host

STORED = CacheKey(10, "0")


def _sum(name: str, key: CacheKey = STORED) -> str:
    parts = zip_from_tarball(package(name), name, key, label=name)
    return hashlib.sha512(b"".join(parts)).hexdigest()


def _packed(lockfile: Lockfile, workshop: MemoryWorkshop) -> list[Packed]:
    return [Packed(a, workshop.add(package(a.name))) for a in lockfile.artifacts]


def test_zips_lie_in_the_cache(tmp_path: Path) -> None:
    text = lock(
        entry("b@npm:1.0.0", conditions="os=linux"),
        entry("@s/a@npm:2.0.0", version="2.0.0", checksum=f"10c0/{_sum('@s/a')}"),
    )
    lockfile = read(project(tmp_path, text))
    workshop = MemoryWorkshop()
    entries = list(FORMAT.layout(_packed(lockfile, workshop), workshop))
    slugs = [artifact.slug for artifact in artifacts(project(tmp_path, text))]
    assert [e.path for e in entries] == [f"yarn-berry/cache/{slug}-10c0.zip" for slug in slugs]
    assert hashlib.sha512(workshop.content(entries[0])).hexdigest() == _sum("@s/a")
    assert hashlib.sha512(workshop.content(entries[1])).hexdigest() == _sum("b")


def test_the_checksum_is_derived_from_the_tarball(tmp_path: Path) -> None:
    (artifact,) = read(project(tmp_path, lock(entry("a@npm:1.0.0")))).artifacts
    file = tmp_path / "a.tgz"
    file.write_bytes(package("a"))
    assert FORMAT.derive(artifact, "berry-zip-10c0", file).hex() == _sum("a")
    assert FORMAT.derive(artifact, "berry-zip-8", file).hex() == _sum("a", CacheKey(8, "mixed"))
    assert (
        FORMAT.derive(artifact, "berry-zip-10c0-as-@s+b", file).hex()
        == hashlib.sha512(
            b"".join(zip_from_tarball(package("a"), "@s/b", STORED, label="b"))
        ).hexdigest()
    )
    with pytest.raises(NotImplementedError):
        FORMAT.derive(artifact, "h1", file)


def test_a_zip_that_is_not_the_pinned_one_never_gets_out(tmp_path: Path) -> None:
    text = lock(entry("a@npm:1.0.0", checksum=f"10c0/{'00' * 64}"))
    workshop = MemoryWorkshop()
    with pytest.raises(IntegrityError) as caught:
        list(FORMAT.layout(_packed(read(project(tmp_path, text)), workshop), workshop))
    assert caught.value.where == "yarn.lock:7"


def test_two_lockfiles_share_the_pinned_zip(tmp_path: Path) -> None:
    pinned = lock(entry("a@npm:1.0.0", checksum=_sum("a", CacheKey(8, "mixed"))), key="8")
    unpinned = lock(entry("a@npm:1.0.0"), key="8")
    workshop = MemoryWorkshop()
    both = [
        one
        for number, text in enumerate((unpinned, pinned))
        for one in _packed(read(project(tmp_path / str(number), text)), workshop)
    ]
    for order in (both, both[::-1]):
        (only,) = FORMAT.layout(order, workshop)
        digest = hashlib.sha512(workshop.content(only)).hexdigest()
        assert digest == _sum("a", CacheKey(8, "mixed"))
    other = Integrity.of([Digest.from_hex("berry-zip-8", "00" * 64)])
    contradiction = replace(both[1], artifact=replace(both[1].artifact, integrity=other))
    with pytest.raises(UnsupportedError, match="contradict"):
        list(FORMAT.layout([both[1], contradiction], workshop))


def test_the_registry_is_asked_only_for_what_has_no_checksum(tmp_path: Path) -> None:
    text = lock(
        entry("a@npm:1.0.0", checksum=f"10c0/{'00' * 64}"),
        entry("@s/b@npm:1.0.0", conditions="os=linux"),
        entry("c@npm:1.0.0", conditions="os=linux"),
    )
    integrity = Integrity.of([Digest("sha512", bytes(64))])
    packument = {
        "versions": {"1.0.0": {"dist": {"tarball": "https://x", "integrity": str(integrity)}}}
    }
    index = MemoryIndex({f"{REGISTRY}@s%2fb": json.dumps(packument).encode()})
    lockfile = read(project(tmp_path, text))
    b, a, c = asyncio.run(FORMAT.locate(lockfile, Options(), index)).artifacts
    assert index.asked
    assert not any(url.removeprefix(REGISTRY).startswith("a") for url in index.asked)
    assert (a.trust, a.integrity.algorithms) == (Trust.LOCKFILE, ("berry-zip-10c0",))
    assert (b.trust, b.integrity.digests[0].value) == (Trust.REGISTRY, bytes(64))
    assert not c.integrity  # left to the policy


@pytest.mark.parametrize(("key", "hardened"), [("10c0", True), ("8", False)])
def test_only_settings_that_the_yarn_of_the_lockfile_knows(
    tmp_path: Path, key: str, hardened: bool
) -> None:
    lockfile = read(project(tmp_path, lock(entry("a@npm:1.0.0"), key=key)))
    variables = FORMAT.environment(_packed(lockfile, MemoryWorkshop())).variables
    assert ("YARN_ENABLE_HARDENED_MODE" in {v.name for v in variables}) is hardened
    assert [(v.name, v.value) for v in variables if v.is_path] == [
        ("YARN_GLOBAL_FOLDER", "yarn-berry")
    ]


@pytest.mark.parametrize(
    ("system", "environ", "folder"),
    [
        ("linux", {}, "/home/me/.yarn/berry"),
        ("macos", {}, "/home/me/.yarn/berry"),
        ("windows", {"LOCALAPPDATA": "/local"}, "/local/Yarn/Berry"),
        ("linux", {"YARN_GLOBAL_FOLDER": "/opt/yarn"}, "/opt/yarn"),
    ],
)
def test_native_roots(system: str, environ: dict[str, str], folder: str) -> None:
    host = Host(environ, Path("/home/me"), system)
    assert FORMAT.native_roots(host)["yarn-berry"] == Path(folder)
