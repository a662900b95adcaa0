"""Every room keeps the contract of `Format`, over a small sample of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.formats.samples import MANAGERS, SAMPLES, with_package_manager
from vendorpack import contract
from vendorpack.contract import Case, Check
from vendorpack.digest import Integrity
from vendorpack.formats import BUILTIN, Room
from vendorpack.formats.npm import Npm
from vendorpack.model import (
    Access,
    Artifact,
    Credential,
    Entry,
    Environment,
    Json,
    LicenseReader,
    Lockfile,
    Options,
    Packed,
    Variable,
)
from vendorpack.project import Host, Project
from vendorpack.room import Index, Workshop


@pytest.mark.parametrize("check", contract.CHECKS, ids=contract.title)
@pytest.mark.parametrize("row", BUILTIN, ids=lambda row: row.name)
def test_contract(row: Room, check: Check, tmp_path: Path) -> None:
    assert row.name in SAMPLES, "a new room has a sample in tests/formats/samples.py"
    check(Case(row, SAMPLES[row.name], tmp_path))


@pytest.mark.parametrize("check", contract.CHECKS, ids=contract.title)
@pytest.mark.parametrize("name", MANAGERS)
def test_contract_with_a_package_manager(name: str, check: Check, tmp_path: Path) -> None:
    row = next(row for row in BUILTIN if row.name == name)
    check(Case(row, with_package_manager(SAMPLES[name], MANAGERS[name]), tmp_path))


# -- rooms that break it, each in one way --------------------------------------------------------

COUNT = itertools.count()


class Unnamed(Npm):
    title = ""


class Beside(Npm):
    def companions(self, lockfile: str) -> tuple[str, ...]:
        return ("../package.json",)


class Undeclared(Npm):
    def read(self, project: Project, options: Options) -> Lockfile:
        options.extra.get("npm-secret-option")
        return super().read(project, options)


class Writing(Npm):
    def read(self, project: Project, options: Options) -> Lockfile:
        (project.folder / "cache").write_bytes(b"")
        return super().read(project, options)


class Twice(Npm):
    def read(self, project: Project, options: Options) -> Lockfile:
        found = super().read(project, options)
        return found.with_artifacts((*found.artifacts, *found.artifacts))


class Nameless(Npm):
    def read(self, project: Project, options: Options) -> Lockfile:
        found = super().read(project, options)
        return found.with_artifacts(replace(a, purl="") for a in found.artifacts)


class Crashing(Npm):
    def read(self, project: Project, options: Options) -> Lockfile:
        project.lock_bytes().decode()
        return super().read(project, options)


class Placed(Npm):
    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        return {"folder": str(project.root)}


class OneKey(Npm):
    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        return {}


class Unpinned(Npm):
    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        return lockfile.with_artifacts(
            replace(a, integrity=Integrity(a.integrity.digests[:1]), purl="x:")
            for a in lockfile.artifacts
        )


class Forgetful(Npm):
    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        return replace(lockfile, access=Access(frozenset({"HTTPS://registry.npmjs.org:443"})))


class Elsewhere(Npm):
    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        yield Entry("npm/.npmrc", b"")


class Counting(Npm):
    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        yield Entry("npm/_cacache/index-v5/a", str(next(COUNT)).encode())


class Rootless(Npm):
    def native_roots(self, host: Host) -> Mapping[str, Path]:
        return {"npm/_cacache/index-v5": Path("/c")}


class Growing(Npm):
    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        return existing + ours


class Foreign(Npm):
    def environment(self, packed: Sequence[Packed]) -> Environment:
        return Environment((Variable("PATH", "npm", is_path=True),))


class Telling(Npm):
    def read(self, project: Project, options: Options) -> Lockfile:
        found = super().read(project, options)
        login = Credential("https://registry.npmjs.org/", "Bearer canary")
        return replace(found, access=replace(found.access, credentials=(login,)))

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        yield Entry("npm/_cacache/index-v5/a", b"token: canary")


def guessed(file: BinaryIO) -> str:
    return file.read()[:1000].hex() + str(next(COUNT))


class Guessing(Npm):
    def license(self, artifact: Artifact) -> LicenseReader:
        return LicenseReader("guess-1", guessed)


class Misnamed(Npm):
    def license(self, artifact: Artifact) -> LicenseReader:
        return LicenseReader("../guess", str)


BROKEN: Sequence[tuple[type[Npm], Check]] = (
    (Unnamed, contract.the_row_and_the_room_agree),
    (Beside, contract.companions_are_names_of_other_files),
    (Undeclared, contract.options_are_declared),
    (Writing, contract.reading_is_pure),
    (Twice, contract.artifacts_are_complete),
    (Nameless, contract.artifacts_are_complete),
    (Placed, contract.the_fingerprint_is_json),
    (OneKey, contract.another_choice_has_another_key),
    (Unpinned, contract.located_artifacts_can_be_fetched),
    (Forgetful, contract.located_artifacts_can_be_fetched),
    (Guessing, contract.licenses_are_functions_of_the_bytes),
    (Misnamed, contract.licenses_are_functions_of_the_bytes),
    (Elsewhere, contract.entries_are_within_the_boundary),
    (Counting, contract.the_same_artifacts_give_the_same_tree),
    (Rootless, contract.native_folders_are_known_for_every_path),
    (Growing, contract.merging_again_changes_nothing),
    (Foreign, contract.the_environment_is_within_the_boundary),
    (Telling, contract.no_secret_is_laid_out),
)


@pytest.mark.parametrize(("kind", "check"), BROKEN, ids=lambda one: one.__name__)
def test_a_broken_promise_is_noticed(kind: type[Npm], check: Check, tmp_path: Path) -> None:
    case = Case(BUILTIN[0], SAMPLES["npm"], tmp_path)
    case.room = kind()
    with pytest.raises(AssertionError):
        check(case)


def test_an_error_of_another_kind_is_noticed(tmp_path: Path) -> None:
    case = Case(BUILTIN[0], SAMPLES["npm"], tmp_path)
    case.room = Crashing()
    with pytest.raises(UnicodeDecodeError):
        contract.damaged_lockfiles_are_errors(case)


def test_every_check_can_fail() -> None:
    can_fail = {check for _, check in BROKEN} | {contract.damaged_lockfiles_are_errors}
    assert can_fail == set(contract.CHECKS)
