"""What a poetry.lock leaves to the index: where files are, and what sources are built with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vendorpack.dataclass import dataclass
from vendorpack.formats._shared.git.repository import commit_of
from vendorpack.formats._shared.git.submodule_sources import new_submodules
from vendorpack.formats._shared.python.builds.requirements import BuildWheel
from vendorpack.formats._shared.python.builds.wheels import BuildingLockfile, Material, build_wheels
from vendorpack.formats._shared.python.distributions import choose_files
from vendorpack.formats._shared.python.index import pages
from vendorpack.formats.poetry.choose import PoetryCommit, PoetryFile, PoetryRelease, submodule
from vendorpack.formats.poetry.settings import Repository
from vendorpack.model import Artifact, Lockfile, Packed, Warning
from vendorpack.room import Index, Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class PoetryLockfile(BuildingLockfile):
    """A poetry.lock. repositories: indexes that the project looks up build requirements on."""

    repositories: tuple[Repository, ...]


async def locate(lockfile: Lockfile, index: Index) -> Lockfile:
    """The lockfile with a file, or several, for every release.

    Raises `FetchError`, `IntegrityError`, `UnsupportedError`.
    """
    releases = [a for a in lockfile.artifacts if isinstance(a, PoetryRelease)]
    found = await pages(index, ((base, r.name) for r in releases for base in r.indexes))
    located: list[Artifact] = []
    warnings: list[Warning] = []
    for artifact in lockfile.artifacts:
        if not isinstance(artifact, PoetryRelease):
            located.append(artifact)
            continue
        files, said = choose_files(artifact, found)
        warnings += said
        if not artifact.targets and any(not file.is_source for file in files):
            # Of all platforms those are meant that there is a wheel for.
            files = tuple(file for file in files if not file.is_source)
        located += (
            PoetryFile(
                name=file.name,
                version=artifact.version,
                purl=file.purl,
                url=file.url,
                integrity=file.integrity,
                size=file.size,
                where=file.where,
                why=file.why,
                filename=file.filename,
                repositories=(artifact.repository,),
                built_for=file.built_for,
            )
            for file in files
        )
    # A package may be locked twice, for targets that need different files of it.
    return replace(
        lockfile,
        artifacts=tuple(dict.fromkeys(located)),
        warnings=tuple(dict.fromkeys((*lockfile.warnings, *warnings))),
    )


async def build_artifacts(
    lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
) -> Sequence[Artifact]:
    """What the packed sources are built with; nothing if that was asked before."""
    assert isinstance(lockfile, PoetryLockfile)
    wheels = await build_wheels(lockfile, packed, workshop, index, material_of)
    origins = await _origins(wheels, lockfile.repositories, index)
    return tuple(_file(wheel, origins[wheel.url]) for wheel in wheels)


def submodules(packed: Sequence[Packed], workshop: Workshop) -> Iterator[PoetryCommit]:
    """The submodules of the packed commits that are not packed yet."""
    return new_submodules(packed, _commit, submodule, workshop)


def _commit(artifact: Artifact) -> tuple[PoetryCommit, str] | None:
    return (artifact, artifact.remote) if isinstance(artifact, PoetryCommit) else None


def material_of(artifact: Artifact) -> Material:
    """What counts of an artifact when something is built."""
    if isinstance(artifact, PoetryCommit):
        commit = commit_of(artifact).hex()
        return Material("", commit, artifact.subdirectory, artifact.built_for)
    assert isinstance(artifact, PoetryFile)
    return Material(artifact.filename, built_for=artifact.built_for)


async def _origins(
    wheels: Sequence[BuildWheel], repositories: Sequence[Repository], index: Index
) -> dict[str, tuple[Repository, ...]]:
    """For each wheel, by its address, the index that has it, then all others."""
    if len(repositories) == 1:
        return {wheel.url: tuple(repositories) for wheel in wheels}
    found = await pages(index, ((r.base, wheel.name) for r in repositories for wheel in wheels))

    def lacks(repository: Repository, wheel: BuildWheel) -> int:
        files = found[repository.base, wheel.name]
        if files is None:
            return 2
        return 0 if any(file.url == wheel.url for file in files) else 1

    return {
        wheel.url: tuple(sorted(repositories, key=lambda r: lacks(r, wheel))) for wheel in wheels
    }


def _file(wheel: BuildWheel, repositories: tuple[Repository, ...]) -> PoetryFile:
    return wheel.artifact(PoetryFile, repositories=repositories, builds=True)
