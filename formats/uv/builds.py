"""What uv needs to build sources: of packages without a wheel, of commits, of the project itself.

Build requirements are in no uv.lock. They are found as the sources say (PEP 517, 518), newest
versions first, within the lockfile's `build-constraints`, and packed as wheels that uv finds by
`UV_FIND_LINKS`. `uv sync` builds the project's own packages too; what they need is read from
the `pyproject.toml` of each, where it is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vendorpack.formats._shared import build_deps, local_projects
from vendorpack.formats._shared.build_choices import BuildChoices
from vendorpack.formats._shared.build_deps import BuildPlan, Source, packed_source
from vendorpack.formats._shared.build_lock import render_build_lock
from vendorpack.formats._shared.git_repo import commit_of
from vendorpack.formats._shared.local_projects import LocalProject
from vendorpack.formats.uv.choose import UvArtifact
from vendorpack.model import Artifact, Index, Lockfile, Packed, Project, Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequirement(Artifact):
    """A wheel that sources are built with. filename: its name in the flat folder."""

    filename: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UvLockfile(Lockfile):
    """A uv.lock and what its sources are built with.

    build: how the user steers that. plan: None if build requirements are left out.
    local: the project's own packages.
    """

    build: BuildChoices
    plan: BuildPlan | None
    local: tuple[LocalProject, ...] = ()


async def build_requirements(
    lockfile: UvLockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
) -> Sequence[Artifact]:
    """The wheels to pack; none if that was asked before: wheels need no building.

    Raises `UnsupportedError`, `FetchError`, `IntegrityError`.
    """
    if lockfile.plan is None or any(isinstance(one.artifact, BuildRequirement) for one in packed):
        return ()
    wheels = await build_deps.find_build_wheels(
        _sources(lockfile, packed, workshop), lockfile.plan, index
    )
    return [wheel.artifact(BuildRequirement) for wheel in wheels]


def side_files(
    project: Project, lockfile: UvLockfile, packed: Sequence[Packed], workshop: Workshop
) -> Mapping[str, bytes]:
    """The build lock, if it was asked for: file name to content."""
    plan, path = lockfile.plan, lockfile.build.lock_file
    if plan is None or path is None:
        return {}
    wheels = [
        (one.artifact.filename, one.artifact, one.blob)
        for one in packed
        if isinstance(one.artifact, BuildRequirement)
    ]
    sources = _sources(lockfile, packed, workshop)
    found = build_deps.describe_builds(sources, wheels, lockfile.build.targets, plan)
    return {path: render_build_lock(found, project.read(path))}


def _sources(lockfile: UvLockfile, packed: Sequence[Packed], workshop: Workshop) -> list[Source]:
    """The local projects, and what is packed of this lockfile and has to be built."""
    mine = {(a.url, a.integrity) for a in lockfile.artifacts}
    sources = local_projects.sources(lockfile.local, lockfile.build.targets)
    for one in packed:
        artifact = one.artifact
        if not isinstance(artifact, UvArtifact) or artifact.is_wheel:
            continue
        if (artifact.url, artifact.integrity) not in mine:
            continue
        sources.append(
            packed_source(
                artifact,
                one.blob,
                workshop,
                filename=artifact.filename,
                pin=one.blob.sha256 if artifact.is_sdist else commit_of(artifact).hex(),
                targets=artifact.built_for or lockfile.build.targets,
                subdirectory=artifact.subdirectory,
            )
        )
    return sources
