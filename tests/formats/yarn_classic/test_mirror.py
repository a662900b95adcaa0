"""Artifacts to the offline mirror, and what the registry is asked for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.formats.yarn_classic.locks import (
    address,
    entry,
    lock,
    project,
    read,
    registry_entry,
    sha1,
    sri,
)
from tests.memory import MemoryIndex, MemoryWorkshop
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import IntegrityError, UnsupportedError
from vendorpack.formats._shared.npm.registry import DEFAULT_REGISTRY
from vendorpack.formats.yarn_classic import FORMAT
from vendorpack.model import Artifact, Lockfile, Options, Packed, Trust
from vendorpack.project import Host


def _packed(lockfile: Lockfile, workshop: MemoryWorkshop, data: bytes = b"") -> list[Packed]:
    return [Packed(a, workshop.add(data + str(a).encode())) for a in lockfile.artifacts]


def test_tarballs_lie_in_the_mirror_as_they_came(tmp_path: Path) -> None:
    lockfile = read(project(tmp_path, lock(registry_entry("b"), registry_entry("@s/a"))))
    workshop = MemoryWorkshop()
    entries = list(FORMAT.layout(_packed(lockfile, workshop), workshop))
    assert [(e.path, workshop.content(e)) for e in entries] == [
        ("yarn-classic/@s-a-1.0.0.tgz", b"@s/a 1.0.0"),
        ("yarn-classic/b-1.0.0.tgz", b"b 1.0.0"),
    ]


def test_two_lockfiles_may_want_one_file_but_not_two(tmp_path: Path) -> None:
    lockfile = read(project(tmp_path, lock(registry_entry("a"))))
    workshop = MemoryWorkshop()
    one = _packed(lockfile, workshop)
    assert len(list(FORMAT.layout(one + one, workshop))) == 1
    with pytest.raises(UnsupportedError, match="same file"):
        list(FORMAT.layout(one + _packed(lockfile, workshop, b"other"), workshop))


def _located(text: str, folder: Path, dist: dict[str, str]) -> tuple[Artifact, list[str]]:
    packument = {"versions": {"1.0.0": {"dist": {"tarball": "https://x.example", **dist}}}}
    index = MemoryIndex({DEFAULT_REGISTRY + "a": json.dumps(packument).encode()})
    lockfile = asyncio.run(FORMAT.locate(read(project(folder, text)), Options(), index))
    return lockfile.artifacts[0], index.asked


def test_a_sha1_alone_is_strengthened_by_the_registry(tmp_path: Path) -> None:
    data = b"a@1.0.0"
    weak = lock(entry("a@^1.0.0", address("a")))
    found, _ = _located(weak, tmp_path, {"integrity": sri(data), "shasum": sha1(data)})
    assert found.trust is Trust.REGISTRY
    assert found.integrity == Integrity.parse_sri(sri(data)) | Integrity.of(
        [Digest.from_hex("sha1", sha1(data))]
    )
    found, asked = _located(lock(registry_entry("a")), tmp_path, {"integrity": sri(b"evil")})
    assert (found.trust, asked) == (Trust.LOCKFILE, [])


def test_a_registry_that_contradicts_the_lockfile_is_refused(tmp_path: Path) -> None:
    weak = lock(entry("a@^1.0.0", address("a")))
    with pytest.raises(IntegrityError, match="not the one that is locked"):
        _located(weak, tmp_path, {"shasum": sha1(b"evil")})


def test_what_the_registry_does_not_know_is_left_to_the_policy(tmp_path: Path) -> None:
    found, _ = _located(lock(entry("b@1", address("b"))), tmp_path, {})
    assert (found.trust, found.integrity.weak) == (Trust.LOCKFILE, True)


def test_environment() -> None:
    variables = FORMAT.environment(()).variables
    assert [(v.name, v.value, v.is_path) for v in variables] == [
        ("SKIP_YARN_COREPACK_CHECK", "true", False),
        ("YARN_YARN_OFFLINE_MIRROR", "yarn-classic", True),
        ("YARN_YARN_OFFLINE_MIRROR_PRUNING", "false", False),
    ]


@pytest.mark.parametrize(
    ("system", "environ", "folder"),
    [
        ("linux", {}, "/home/me/.cache/yarn-offline-mirror"),
        ("linux", {"XDG_CACHE_HOME": "/caches"}, "/caches/yarn-offline-mirror"),
        ("macos", {}, "/home/me/Library/Caches/yarn-offline-mirror"),
        ("windows", {"LOCALAPPDATA": "/local"}, "/local/yarn-offline-mirror"),
        ("linux", {"YARN_YARN_OFFLINE_MIRROR": "/mirror"}, "/mirror"),
    ],
)
def test_native_roots(system: str, environ: dict[str, str], folder: str) -> None:
    host = Host(environ, Path("/home/me"), system)
    assert FORMAT.native_roots(host)["yarn-classic"] == Path(folder)
