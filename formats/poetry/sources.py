"""What a poetry.lock leaves to the index: where files are, and what sources are built with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from vendorpack.formats._shared import local_projects
from vendorpack.formats._shared.build_choices import BuildChoices
from vendorpack.formats._shared.build_deps import (
    BuildPlan,
    BuildWheel,
    Source,
    describe_builds,
    find_build_wheels,
    packed_source,
)
from vendorpack.formats._shared.build_lock import render_build_lock
from vendorpack.formats._shared.distributions import choose_files
from vendorpack.formats._shared.git_repo import commit_of
from vendorpack.formats._shared.local_projects import LocalProject
from vendorpack.formats._shared.pypi_index import pages
from vendorpack.formats._shared.submodule_sources import new_submodules
from vendorpack.formats.poetry.choose import PoetryCommit, PoetryFile, PoetryRelease, submodule
from vendorpack.formats.poetry.layout import is_source
from vendorpack.formats.poetry.settings import Repository
from vendorpack.model import Artifact, Index, Lockfile, Packed, Project, Target, Warning, Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class PoetryLockfile(Lockfile):
    """A poetry.lock and what its sources are built with.

    repositories: indexes that the project looks up build requirements on.
    build: how the user steers that. plan: None if build requirements are left out.
    local: projects in folders that are built too.
    """

    repositories: tuple[Repository, ...]
    build: BuildChoices
    plan: BuildPlan | None
    local: tuple[LocalProject, ...] = ()


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


async def build_wheels(
    lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
) -> Sequence[Artifact]:
    """What the packed sources are built with; nothing if that was asked before."""
    assert isinstance(lockfile, PoetryLockfile)
    built = any(isinstance(one.artifact, PoetryFile) and one.artifact.builds for one in packed)
    if lockfile.plan is None or built:
        return ()
    sources = _sources(lockfile, packed, workshop)
    wheels = await find_build_wheels(sources, lockfile.plan, index)
    origins = await _origins(wheels, lockfile.repositories, index)
    return tuple(_file(wheel, origins[wheel.name]) for wheel in wheels)


def submodules(packed: Sequence[Packed], workshop: Workshop) -> Iterator[PoetryCommit]:
    """The submodules of the packed commits that are not packed yet."""
    return new_submodules(packed, _commit, submodule, workshop)


def _commit(artifact: Artifact) -> tuple[PoetryCommit, str] | None:
    return (artifact, artifact.remote) if isinstance(artifact, PoetryCommit) else None


def side_files(
    project: Project, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop
) -> Mapping[str, bytes]:
    """The build lock, if it was asked for: file name to content."""
    assert isinstance(lockfile, PoetryLockfile)
    plan, path = lockfile.plan, lockfile.build.lock_file
    if plan is None or path is None:
        return {}
    wheels = [
        (one.artifact.filename, one.artifact, one.blob)
        for one in packed
        if isinstance(one.artifact, PoetryFile) and one.artifact.builds
    ]
    sources = _sources(lockfile, packed, workshop)
    found = describe_builds(sources, wheels, lockfile.build.targets, plan)
    return {path: render_build_lock(found, project.read(path))}


def _sources(
    lockfile: PoetryLockfile, packed: Sequence[Packed], workshop: Workshop
) -> list[Source]:
    """The local projects, and what is packed of this lockfile and has to be built."""
    mine = {(a.url, a.integrity) for a in lockfile.artifacts}
    return [
        *local_projects.sources(lockfile.local, lockfile.build.targets),
        *(
            _source(one, lockfile.build.targets, workshop)
            for one in packed
            if is_source(one.artifact) and (one.artifact.url, one.artifact.integrity) in mine
        ),
    ]


def _source(one: Packed, targets: tuple[Target, ...], workshop: Workshop) -> Source:
    artifact = one.artifact
    if isinstance(artifact, PoetryCommit):
        filename, pin = "", commit_of(artifact).hex()
        subdirectory = artifact.subdirectory
    else:
        assert isinstance(artifact, PoetryFile)
        filename, pin, subdirectory = artifact.filename, one.blob.sha256, ""
    return packed_source(
        artifact,
        one.blob,
        workshop,
        filename=filename,
        pin=pin,
        targets=artifact.built_for or targets,
        subdirectory=subdirectory,
    )


async def _origins(
    wheels: Sequence[BuildWheel], repositories: Sequence[Repository], index: Index
) -> dict[str, tuple[Repository, ...]]:
    """For each project the index that has it, then all others."""
    if len(repositories) == 1:
        return {wheel.name: tuple(repositories) for wheel in wheels}
    found = await pages(index, ((r.base, wheel.name) for r in repositories for wheel in wheels))
    return {
        wheel.name: tuple(sorted(repositories, key=lambda r: found[r.base, wheel.name] is None))
        for wheel in wheels
    }


def _file(wheel: BuildWheel, repositories: tuple[Repository, ...]) -> PoetryFile:
    return wheel.artifact(PoetryFile, repositories=repositories, builds=True)
