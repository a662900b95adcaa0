"""What a poetry.lock leaves to the index: where files are, and what sources are built with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vendorpack.formats._shared.build_deps import (
    BuildPlan,
    BuildWheel,
    Source,
    find_build_wheels,
)
from vendorpack.formats._shared.distributions import choose_files
from vendorpack.formats._shared.git_repo import commit_of
from vendorpack.formats._shared.pypi_index import pages, purl
from vendorpack.formats.poetry.choose import PoetryCommit, PoetryFile, PoetryRelease
from vendorpack.formats.poetry.layout import is_source
from vendorpack.formats.poetry.settings import Repository
from vendorpack.model import Artifact, Index, Lockfile, Packed, Warning, Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class PoetryLockfile(Lockfile):
    """A poetry.lock and the indexes its project looks up build requirements on."""

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


async def build_wheels(
    lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
) -> Sequence[Artifact]:
    """What the packed sources are built with; nothing if that was asked before."""
    assert isinstance(lockfile, PoetryLockfile)
    if any(isinstance(one.artifact, PoetryFile) and one.artifact.builds for one in packed):
        return ()
    pinned = {(a.url, a.integrity) for a in lockfile.artifacts}
    sources = [
        _source(one)
        for one in packed
        if is_source(one.artifact) and (one.artifact.url, one.artifact.integrity) in pinned
    ]
    if not sources:
        return ()
    bases = tuple(repository.base for repository in lockfile.repositories)
    wheels = await find_build_wheels(sources, BuildPlan(indexes=bases), workshop, index)
    origins = await _origins(wheels, lockfile.repositories, index)
    return tuple(_file(wheel, origins[wheel.name]) for wheel in wheels)


def _source(one: Packed) -> Source:
    artifact = one.artifact
    if isinstance(artifact, PoetryCommit):
        pin = commit_of(artifact).hex()
        return Source(artifact, one.blob, "", pin, artifact.built_for, artifact.subdirectory)
    assert isinstance(artifact, PoetryFile)
    return Source(artifact, one.blob, artifact.filename, one.blob.sha256, artifact.built_for)


async def _origins(
    wheels: Sequence[BuildWheel], repositories: Sequence[Repository], index: Index
) -> dict[str, tuple[Repository, ...]]:
    """For each project the index that has it, then all others."""
    if len(repositories) == 1:
        return {wheel.name: tuple(repositories) for wheel in wheels}
    found = await pages(index, ((r.base, wheel.name) for r in repositories for wheel in wheels))
    return {
        wheel.name: tuple(
            sorted(repositories, key=lambda r: found[r.base, wheel.name] is None)  # noqa: B023
        )
        for wheel in wheels
    }


def _file(wheel: BuildWheel, repositories: tuple[Repository, ...]) -> PoetryFile:
    return PoetryFile(
        name=wheel.name,
        version=wheel.version,
        purl=purl(wheel.name, wheel.version),
        url=wheel.url,
        integrity=wheel.integrity,
        size=wheel.size,
        trust=wheel.trust,
        where=wheel.where,
        why=wheel.why,
        filename=wheel.filename,
        repositories=repositories,
        builds=True,
    )
