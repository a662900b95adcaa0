"""Pipfile.lock through the room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.memory import MemoryWorkshop
from tests.world.distributions import LINUX, WINDOWS, options, project, sha256, wheel
from tests.world.pypi_memory import MemoryPypi
from vendorpack.errors import LockfileError, UnsupportedError, VendorpackError
from vendorpack.formats._shared.python.distributions import Distribution, GitProject, Release
from vendorpack.formats._shared.python.index import DEFAULT_INDEX
from vendorpack.formats.pipenv import FORMAT
from vendorpack.model import Lockfile, Options

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FOO = {"foo-1.0-py3-none-any.whl": wheel("foo", "1.0", {})}
HASH = "sha256:" + sha256(FOO["foo-1.0-py3-none-any.whl"])
PRIVATE = "https://me:${PW}@index.example/simple"


def lock(**packages: Any) -> dict[str, Any]:
    return {
        "_meta": {
            "hash": {"sha256": "00"},
            "pipfile-spec": 6,
            "requires": {"python_version": "3.12"},
            "sources": [
                {"name": "pypi", "url": DEFAULT_INDEX.rstrip("/"), "verify_ssl": True},
                {"name": "private", "url": PRIVATE, "verify_ssl": True},
            ],
        },
        "default": packages,
        "develop": {"test": {"hashes": [HASH], "index": "pypi", "version": "==2"}},
        "docs": {"sphinx": {"hashes": [HASH], "version": "==3"}},
    }


def read(folder: Path, document: Any, asked: Options) -> Lockfile:
    text = json.dumps(document, indent=4)
    return FORMAT.read(
        project(folder, "Pipfile.lock", {"Pipfile.lock": text}, {"PW": "s3cret"}), asked
    )


def test_categories_markers_and_indexes(tmp_path: Path) -> None:
    document = lock(
        foo={"hashes": [HASH], "index": "private", "version": "==1.0", "extras": ["x"]},
        pywin={"markers": "sys_platform == 'win32'", "version": "*"},
    )
    lockfile = read(tmp_path, document, options(LINUX, groups=["docs"]))
    found = [a for a in lockfile.artifacts if isinstance(a, Release)]
    private = "https://index.example/simple/"
    assert [(a.name, a.version, a.why, a.indexes) for a in found] == [
        ("foo", "1.0", (), (private,)),
        ("test", "2", ("develop",), (DEFAULT_INDEX,)),
        ("sphinx", "3", ("docs",), (DEFAULT_INDEX, private)),
    ]
    assert found[0].where == "Pipfile.lock:24"
    assert [c.prefix for c in lockfile.access.credentials] == ["https://index.example/", private]
    assert "https://index.example" not in lockfile.access.origins
    assert "s3cret" not in repr(lockfile)
    assert [a.name for a in read(tmp_path, document, options(LINUX, dev=False)).artifacts] == [
        "foo"
    ]
    with pytest.raises(LockfileError, match="pywin is not pinned"):
        read(tmp_path, document, options(WINDOWS))


def test_packages_without_wheels(tmp_path: Path) -> None:
    document = lock(
        foo={"hashes": [HASH], "version": "==1.0", "no_binary": True},
        bar={"hashes": [HASH], "version": "==1.0"},
    )
    found = read(tmp_path, document, options(LINUX, dev=False)).artifacts
    assert [(a.name, a.binary.allows_wheels(a.name)) for a in found if isinstance(a, Release)] == [
        ("foo", False),
        ("bar", True),
    ]


def test_other_sources_than_an_index(tmp_path: Path) -> None:
    document = lock(
        direct={"file": "https://x.example/direct-1.0.zip", "hashes": [HASH]},
        versioned={"git": "https://git.example/v.git", "ref": COMMIT, "subdirectory": "py"},
        here={"path": ".", "editable": True},
    )
    lockfile = read(tmp_path, document, options(LINUX, dev=False))
    direct, versioned = lockfile.artifacts
    assert isinstance(direct, Distribution)
    assert (direct.places, direct.version, len(direct.integrity.digests)) == (("cache",), "1.0", 1)
    assert isinstance(versioned, GitProject)
    assert (versioned.commit, versioned.subdirectory) == (COMMIT, "py")
    assert "here is local" in lockfile.warnings[0].what


def test_a_bundle(tmp_path: Path) -> None:
    world = MemoryPypi(FOO)
    url = "https://x.example/direct-1.0-py3-none-any.whl"
    world.urls[url] = FOO["foo-1.0-py3-none-any.whl"]
    document = lock(
        foo={"hashes": [HASH], "version": "==1.0"}, direct={"file": url, "hashes": [HASH]}
    )
    text = json.dumps(document)
    workshop = MemoryWorkshop()
    _, packed = world.packed(
        FORMAT,
        project(tmp_path, "Pipfile.lock", {"Pipfile.lock": text}),
        options(LINUX, dev=False),
        workshop,
    )
    paths = [entry.path for entry in FORMAT.layout(packed, workshop)]
    assert paths[2:] == ["pip/wheelhouse/foo-1.0-py3-none-any.whl"]
    assert paths[1] == paths[0] + ".body"
    variables = {v.name: v.value for v in FORMAT.environment(packed).variables}
    assert variables["PIPENV_CACHE_DIR"] == variables["PIP_CACHE_DIR"] == "pip/cache"


@pytest.mark.parametrize(
    ("document", "error", "line"),
    [
        ([], LockfileError, None),
        ({"default": {}}, LockfileError, None),
        ({"_meta": {"pipfile-spec": 7}}, LockfileError, None),
        ({"_meta": {"pipfile-spec": 6, "sources": {}}}, LockfileError, None),
        ({"_meta": {"pipfile-spec": 6, "sources": [{"name": "x"}]}}, LockfileError, None),
        ({"_meta": {"pipfile-spec": 6}, "default": []}, LockfileError, None),
        (lock(foo=[]), LockfileError, 24),
        (lock(foo={"version": 3}), LockfileError, 24),
        (lock(foo={"version": "1.0"}), LockfileError, 24),
        (lock(foo={"version": "==1.*"}), LockfileError, 24),
        (lock(foo={"version": "==1", "hashes": "x"}), LockfileError, 24),
        (lock(foo={"version": "==1", "hashes": ["sha256:x"]}), LockfileError, 24),
        (lock(foo={"version": "==1", "markers": "("}), LockfileError, 24),
        (lock(foo={"git": "https://git.example/x", "ref": "main"}), UnsupportedError, 24),
        (lock(**{"../foo": {"version": "==1"}}), LockfileError, 24),
    ],
)
def test_locks_that_cannot_be_used(
    tmp_path: Path, document: Any, error: type[VendorpackError], line: int | None
) -> None:
    with pytest.raises(error) as caught:
        read(tmp_path, document, options(LINUX))
    assert caught.value.where == ("Pipfile.lock" if line is None else f"Pipfile.lock:{line}")


def test_a_mirror_of_the_default_index(tmp_path: Path) -> None:
    text = json.dumps(lock(foo={"hashes": [HASH], "version": "==1.0", "index": "pypi"}))
    environ = {"PIPENV_PYPI_MIRROR": "https://mirror.example/simple"}
    lockfile = FORMAT.read(
        project(tmp_path, "Pipfile.lock", {"Pipfile.lock": text}, environ), options(LINUX)
    )
    first = lockfile.artifacts[0]
    assert isinstance(first, Release)
    assert first.indexes == ("https://mirror.example/simple/",)
    assert "https://mirror.example" in lockfile.access.origins
