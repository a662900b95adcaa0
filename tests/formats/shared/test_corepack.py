"""The package manager that package.json pins: which one, with which hash, laid out how."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.formats.samples import manager_package
from tests.memory import MemoryIndex, MemoryWorkshop
from tests.world.npm import tarball
from vendorpack.digest import Digest
from vendorpack.errors import FetchError, IntegrityError, LockfileError, UsageError, VendorpackError
from vendorpack.formats._shared.npm import corepack
from vendorpack.formats._shared.npm.corepack import Manager
from vendorpack.formats._shared.npm.pinned_manager import manager_fingerprint
from vendorpack.formats._shared.npm.registry import DEFAULT_REGISTRY
from vendorpack.model import Options, Packed, Trust
from vendorpack.project import Host, Project
from vendorpack.target import parse_target

PACKAGE, MANIFEST = manager_package("pnpm", "10.1.0")
SHA512 = hashlib.sha512(PACKAGE).hexdigest()
SCRIPT = hashlib.sha256(b"yarn.js").hexdigest()


def project(package_json: object, folder: Path = Path("/nowhere")) -> Project:
    text = package_json if isinstance(package_json, bytes) else json.dumps(package_json).encode()
    held = {"package.json": text}
    return Project(folder, PurePosixPath("app/lock"), Host({}, folder, "linux"), held)


def pinned(package_json: object, client: str = "pnpm", **extra: str) -> Sequence[Manager]:
    options = Options(extra={f"room-{name.replace('_', '-')}": v for name, v in extra.items()})
    where = project(package_json)
    found = corepack.managers(where, options, "room", client, lambda name: DEFAULT_REGISTRY)
    assert bool(found) == bool(manager_fingerprint(where, options, "room", client))
    return found


@pytest.mark.parametrize(
    ("client", "field", "name", "version", "folder"),
    [
        ("pnpm", "pnpm@10.1.0", "pnpm", "10.1.0", "v1/pnpm/10.1.0"),
        ("pnpm", f"pnpm@10.1.0+sha512.{SHA512}", "pnpm", "10.1.0", "v1/pnpm/10.1.0"),
        ("pnpm", "pnpm@v10.1.0", "pnpm", "10.1.0", "v1/pnpm/10.1.0"),
        ("npm", "npm@11.0.0-pre.1", "npm", "11.0.0-pre.1", "v1/npm/11.0.0-pre.1"),
        ("yarn", "yarn@1.22.22", "yarn", "1.22.22", "v1/yarn/1.22.22"),
        ("yarn", "yarn@4.18.1", "@yarnpkg/cli-dist", "4.18.1", "v1/yarn/4.18.1"),
    ],
)
def test_pinned(client: str, field: str, name: str, version: str, folder: str) -> None:
    (found,) = pinned({"packageManager": field}, client)
    assert (found.name, found.version, found.folder) == (name, version, folder)
    assert found.where == "app/package.json:1"


def test_the_engine_of_the_project_is_one_too() -> None:
    engine = {"name": "pnpm", "version": "10.1.0"}
    (found,) = pinned({"devEngines": {"packageManager": engine}})
    assert found.version == "10.1.0"


@pytest.mark.parametrize(
    "package_json",
    [
        {},
        [],
        b"{",
        b"\xff",
        b"[" * 100_000,
        {"packageManager": "yarn@4.0.0"},
        {"packageManager": "pnpm"},
        {"packageManager": "pnpm@10"},
        {"packageManager": "pnpm@^10.1.0"},
        {"packageManager": "pnpm@latest"},
        {"packageManager": "pnpm@10.1.0/../../x"},
        {"packageManager": "pnpm@https://example.com/pnpm.tgz#sha512.ab"},
        {"packageManager": ["pnpm@10.1.0"]},
        {"devEngines": {"packageManager": {"name": "pnpm", "version": ">=10.1.0"}}},
        {"devEngines": {"packageManager": {"name": "pnpm"}}},
        {"devEngines": {"packageManager": {"name": 1, "version": "10.1.0"}}},
    ],
)
def test_not_pinned(package_json: object) -> None:
    assert not pinned(package_json)


def test_it_can_be_left_out() -> None:
    broken = {"packageManager": "pnpm@10.1.0+sha512.no"}
    assert not pinned(broken, package_manager="no")
    with pytest.raises(UsageError, match="room-package-manager is 'maybe'"):
        pinned(broken, package_manager="maybe")


@pytest.mark.parametrize("build", ["sha512.ab", "sha999.ab", "sha512.xy", "build.5", "sha224.ab"])
def test_a_hash_that_is_none(build: str) -> None:
    with pytest.raises(LockfileError, match="no hash that is known") as error:
        pinned({"packageManager": f"pnpm@10.1.0+{build}"})
    assert error.value.where == "app/package.json:1"


@given(st.text())
def test_any_text(text: str) -> None:
    for field in (text, f"pnpm@{text}", f"pnpm@10.1.0+{text}"):
        try:
            pinned({"packageManager": field})
        except VendorpackError as error:
            assert error.where


# -- the registry --------------------------------------------------------------------------


def index(*packages: tuple[str, str], **changes: object) -> MemoryIndex:
    answers = {}
    for name, version in packages:
        manifest = {**manager_package(name, version)[1], **changes}
        url = f"{DEFAULT_REGISTRY}{name.replace('/', '%2f')}/{version}"
        answers[url] = json.dumps(manifest).encode()
    return MemoryIndex(answers)


def located(field: str, registry: MemoryIndex, *targets: str) -> Sequence[Manager]:
    options = Options(targets=tuple(map(parse_target, targets)))
    client = field.partition("@")[0]
    found = asyncio.run(
        corepack.located(pinned({"packageManager": field}, client), options, registry, "room")
    )
    return [one for one in found if isinstance(one, Manager)]


def test_a_hash_that_counts_is_enough() -> None:
    field = f"pnpm@10.1.0+sha512.{SHA512}"
    (found,) = located(field, index())
    assert (str(found.integrity), found.trust) == (MANIFEST["dist"]["integrity"], Trust.LOCKFILE)  # type: ignore[index]


@pytest.mark.parametrize("build", ["", "+sha512", f"+sha1.{hashlib.sha1(PACKAGE).hexdigest()}"])
def test_else_the_registry_gives_one(build: str) -> None:
    (found,) = located(f"pnpm@10.1.0{build}", index(("pnpm", "10.1.0")))
    assert found.integrity.algorithms[0] == "sha512" and found.trust is Trust.REGISTRY
    assert ("sha1" in found.integrity.algorithms) == ("sha1" in build)


def test_a_weak_hash_of_one_file_does_not_count() -> None:
    (found,) = located(f"yarn@4.18.1+sha1.{'0' * 40}", index(("@yarnpkg/cli-dist", "4.18.1")))
    assert found.integrity.algorithms == ("sha512", "corepack-sha1")
    assert found.trust is Trust.REGISTRY


def test_a_registry_that_contradicts() -> None:
    dist = {"tarball": "https://example.com/x.tgz", "shasum": "1" * 40}
    with pytest.raises(IntegrityError):
        located(f"pnpm@10.1.0+sha1.{'0' * 40}", index(("pnpm", "10.1.0"), dist=dist))


def test_a_registry_that_does_not_have_it() -> None:
    with pytest.raises(FetchError, match=r"does not have pnpm 10\.1\.0") as error:
        located("pnpm@10.1.0", index())
    assert error.value.fix is not None and "--room-package-manager no" in error.value.fix


@pytest.mark.parametrize(
    ("targets", "programs"),
    [
        (["linux-x86_64-gnu"], ["@pnpm/exe.linux-x64"]),
        (["linux-x86_64-musl"], ["@pnpm/exe.linux-x64-musl"]),
        (["windows-x86_64"], ["@pnpm/exe.win32-x64"]),
        (["linux-s390x-gnu"], []),
        ([], ["@pnpm/exe.linux-x64", "@pnpm/exe.linux-x64-musl", "@pnpm/exe.win32-x64"]),
    ],
)
def test_the_program_for_the_target(targets: list[str], programs: list[str]) -> None:
    registry = index(*((name, "12.21.0") for name in ("pnpm", *programs)))
    manager, *found = located("pnpm@12.21.0", registry, *targets)
    assert [one.name for one in found] == programs
    assert {one.folder for one in found} == {f"{manager.folder}/node_modules/{p}" for p in programs}


# -- the tree ------------------------------------------------------------------------------


def tree(field: str, data: bytes) -> dict[str, bytes]:
    workshop = MemoryWorkshop()
    (artifact,) = pinned({"packageManager": field}, field.partition("@")[0])
    packed = [Packed(artifact, workshop.add(data))]
    assert {v.name for v in corepack.variables(packed)} >= {"COREPACK_HOME"}
    entries = list(corepack.layout(packed, workshop))
    assert all(entry.artifact is artifact for entry in entries)
    return {entry.path: workshop.content(entry) for entry in entries}


def test_a_package_and_what_corepack_notes() -> None:
    found = tree("pnpm@10.1.0", PACKAGE)
    note = json.loads(found.pop("corepack/v1/pnpm/10.1.0/.corepack"))
    assert note == {
        "locator": {"name": "pnpm", "reference": "10.1.0"},
        "bin": {"pnpm": "./bin/pnpm.mjs", "pnpx": "./bin/pnpx.mjs"},
        "hash": f"sha512.{SHA512}",
    }
    assert found["corepack/v1/pnpm/10.1.0/bin/pnpm.cjs"] == b"pnpm.cjs"
    assert len(found) == 9


def test_of_a_newer_yarn_one_file() -> None:
    found = tree(f"yarn@4.18.1+sha256.{SCRIPT}", manager_package("@yarnpkg/cli-dist", "4.18.1")[0])
    note = json.loads(found.pop("corepack/v1/yarn/4.18.1/.corepack"))
    sha512 = hashlib.sha512(b"yarn.js").hexdigest()
    assert note["locator"] == {"name": "yarn", "reference": "4.18.1"}
    assert (note["bin"], note["hash"]) == (["yarn", "yarnpkg"], f"sha512.{sha512}")
    assert found == {"corepack/v1/yarn/4.18.1/yarn.js": b"yarn.js"}


def test_two_projects_may_pin_it_in_two_ways() -> None:
    workshop = MemoryWorkshop()
    blob = workshop.add(PACKAGE)
    fields = ("pnpm@10.1.0", f"pnpm@10.1.0+sha512.{SHA512}")
    both = [Packed(pinned({"packageManager": f})[0], blob) for f in fields]
    one, other = ([*corepack.layout([p], workshop)] for p in both)
    assert [(e.path, e.content) for e in one] == [(e.path, e.content) for e in other]
    assert [*corepack.layout(both, workshop)] == one


@pytest.mark.parametrize("algorithm", ["sha224", "sha256", "sha512"])
def test_the_hash_of_a_newer_yarn_is_of_that_file(algorithm: str, tmp_path: Path) -> None:
    value = hashlib.new(algorithm, b"yarn.js").hexdigest()
    (artifact,) = pinned({"packageManager": f"yarn@4.18.1+{algorithm}.{value}"}, "yarn")
    (digest,) = artifact.integrity.digests
    assert digest == Digest.from_hex(f"corepack-{algorithm}", value)
    package, script = tmp_path / "package", tmp_path / "script"
    package.write_bytes(manager_package("@yarnpkg/cli-dist", "4.18.1")[0])
    script.write_bytes(b"yarn.js")
    assert corepack.derive(artifact, digest.algorithm, package) == digest.value
    assert corepack.derive_stored(digest.algorithm, script) == digest.value


def test_a_hash_that_the_engine_has_no_name_for(tmp_path: Path) -> None:
    value = hashlib.sha224(PACKAGE)
    (artifact,) = pinned({"packageManager": f"pnpm@10.1.0+sha224.{value.hexdigest()}"})
    (tmp_path / "package").write_bytes(PACKAGE)
    assert corepack.derive(artifact, "corepack-sha224", tmp_path / "package") == value.digest()


def test_a_yarn_without_its_script() -> None:
    with pytest.raises(VendorpackError, match=r"has no bin/yarn\.js"):
        tree("yarn@4.18.1", tarball("@yarnpkg/cli-dist", "4.18.1"))


@pytest.mark.parametrize(
    ("system", "environ", "folder"),
    [
        ("linux", {}, "/home/me/.cache/node/corepack"),
        ("macos", {}, "/home/me/.cache/node/corepack"),
        ("windows", {}, "/home/me/AppData/Local/node/corepack"),
        ("windows", {"LOCALAPPDATA": "/local"}, "/local/node/corepack"),
        ("linux", {"XDG_CACHE_HOME": "/caches"}, "/caches/node/corepack"),
        ("linux", {"COREPACK_HOME": "/own", "XDG_CACHE_HOME": "/caches"}, "/own"),
    ],
)
def test_corepacks_own_folder(system: str, environ: dict[str, str], folder: str) -> None:
    host = Host(environ, Path("/home/me"), system)
    assert corepack.native_root(host) == {"corepack": Path(folder)}
