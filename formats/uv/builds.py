"""What uv needs to build sources: of packages without a wheel, of commits, of the project itself.

Build requirements are in no uv.lock. They are found as the sources say (PEP 517, 518), newest
versions first, within the lockfile's `build-constraints`, and packed as wheels that uv finds by
`UV_FIND_LINKS`. `uv sync` builds the project's own packages too; what they need is read from
the `pyproject.toml` of each, where it is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from vendorpack.errors import LockfileError, UnsupportedError, VendorpackError
from vendorpack.formats._shared import build_deps
from vendorpack.formats._shared.build_choices import BuildChoices
from vendorpack.formats._shared.build_deps import BuildPlan, Source
from vendorpack.formats._shared.build_lock import render_build_lock
from vendorpack.formats._shared.build_system import BuildSystem, build_system_of
from vendorpack.formats._shared.git_repo import commit_of
from vendorpack.formats._shared.pypi_index import IndexFile, purl
from vendorpack.formats._shared.resolver import Candidate, Catalogue, parse_requirements, resolve
from vendorpack.formats.uv.choose import UvArtifact
from vendorpack.model import (
    Artifact,
    Index,
    Json,
    Lockfile,
    Packed,
    Project,
    Target,
    Trust,
    Workshop,
)

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_LOCAL: Final = re.compile(
    rb'^source = \{ (?:editable|directory) = "((?:[^"\\\n])+)" \}', re.MULTILINE
)
_MANIFESTS: Final = ("pyproject.toml", "setup.cfg")
_EDITABLE: Final = {"hatchling": "editables~=0.3"}
"""What backends ask for, in a second step, to install a project where it lies."""
_LEAVE_OUT: Final = "If uv need not build the project there, pass --uv-build-deps no."


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequirement(Artifact):
    """A wheel that sources are built with. filename: its name in the flat folder."""

    filename: str


@dataclass(frozen=True, slots=True)
class LocalProject:
    """A package of the project's own. folder: relative to the lockfile's, `.` for that itself."""

    folder: str
    system: BuildSystem


@dataclass(frozen=True, slots=True, kw_only=True)
class UvLockfile(Lockfile):
    """A uv.lock and what its sources are built with.

    build: how the user steers that. plan: None if build requirements are left out.
    constraints: requirements that all builds keep to.
    """

    build: BuildChoices
    plan: BuildPlan | None
    local: tuple[LocalProject, ...] = ()
    constraints: tuple[str, ...] = field(default=())


def local_projects(project: Project) -> tuple[LocalProject, ...]:
    """The project's own packages that are built, as far as their manifests are here.

    The lockfile is searched rather than parsed, so that a key is quick to compute.
    """
    found = []
    for raw in sorted(set(_LOCAL.findall(project.lock_bytes()))):
        folder = PurePosixPath(raw.decode("utf-8", "replace"))
        if folder.is_absolute() or ".." in folder.parts:
            continue
        read = {name: project.read(str(folder / name)) for name in _MANIFESTS}
        files = {name: data for name, data in read.items() if data is not None}
        if _MANIFESTS[0] in files:
            label = str(project.lockfile.parent / folder)
            system = build_system_of(files, label)
            asked = (_EDITABLE[name] for name in _EDITABLE if _names(system.requires, name))
            found.append(
                LocalProject(str(folder), replace(system, dynamic=(*system.dynamic, *asked)))
            )
    return tuple(found)


def _names(requirements: Sequence[str], name: str) -> bool:
    return any(re.match(rf"{name}\b", requirement) for requirement in requirements)


def fingerprint(projects: Sequence[LocalProject]) -> Json:
    """What decides the build requirements of local projects."""
    return {p.folder: [[*p.system.requires], [*p.system.dynamic]] for p in projects}


async def build_requirements(
    lockfile: UvLockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
) -> Sequence[Artifact]:
    """The wheels to pack; none if that was asked before: wheels need no building.

    Raises `UnsupportedError`, `FetchError`, `IntegrityError`.
    """
    if lockfile.plan is None or any(isinstance(one.artifact, BuildRequirement) for one in packed):
        return ()
    wheels = await build_deps.find_build_wheels(
        _sources(lockfile, packed), lockfile.plan, workshop, index
    )
    found: dict[str, Artifact] = {
        wheel.filename: wheel.artifact(BuildRequirement) for wheel in wheels
    }
    catalogue = Catalogue(index, lockfile.plan.indexes)
    for local in lockfile.local:
        for target in lockfile.build.targets:
            for step in (local.system.requires, (*local.system.dynamic, *lockfile.plan.extra)):
                for candidate in await _resolved(step, target, local, lockfile, catalogue):
                    for file in candidate.files:
                        found.setdefault(file.filename, _from_index(file, candidate, local))
    return [found[filename] for filename in sorted(found)]


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
    sources = _sources(lockfile, packed)
    found = build_deps.describe_builds(sources, wheels, lockfile.build.targets, plan, workshop)
    return {path: render_build_lock(found, project.read(path))}


def _sources(lockfile: UvLockfile, packed: Sequence[Packed]) -> list[Source]:
    """The packed artifacts of this lockfile that have to be built."""
    mine = {(a.url, a.integrity) for a in lockfile.artifacts}
    sources = []
    for one in packed:
        artifact = one.artifact
        if not isinstance(artifact, UvArtifact) or artifact.is_wheel:
            continue
        if (artifact.url, artifact.integrity) not in mine:
            continue
        pin = one.blob.sha256 if artifact.is_sdist else commit_of(artifact).hex()
        targets = artifact.built_for or lockfile.build.targets
        sources.append(
            Source(artifact, one.blob, artifact.filename, pin, targets, artifact.subdirectory)
        )
    return sources


async def _resolved(
    step: Sequence[str],
    target: Target,
    local: LocalProject,
    lockfile: UvLockfile,
    catalogue: Catalogue,
) -> Sequence[Candidate]:
    label = f"{PurePosixPath(lockfile.path).parent / local.folder}: build requirements"
    try:
        wanted = [*parse_requirements(step, label)]
        limits = {r.name: r for r in parse_requirements(lockfile.constraints, label)}
        while True:
            candidates = await resolve(wanted, target, catalogue) if wanted else ()
            broken = list(_broken(candidates, limits))
            if not broken:
                return candidates
            wanted += broken
    except VendorpackError as error:
        error.where = f"{label}\n{error.where}" if error.where else label
        error.fix = error.fix or _LEAVE_OUT
        if isinstance(error, LockfileError):
            raise UnsupportedError(error.what, where=error.where, fix=error.fix) from None
        raise


def _broken(
    candidates: Sequence[Candidate], limits: Mapping[str, Requirement]
) -> Iterator[Requirement]:
    """The constraints that the candidates break."""
    for candidate in candidates:
        limit = limits.get(candidate.name)
        if limit is not None and not limit.specifier.contains(candidate.version, prereleases=True):
            yield limit


def _from_index(file: IndexFile, candidate: Candidate, local: LocalProject) -> BuildRequirement:
    version = str(candidate.version)
    return BuildRequirement(
        name=candidate.name,
        version=version,
        purl=purl(candidate.name, version),
        url=file.url,
        integrity=file.hashes,
        size=file.size,
        trust=Trust.REGISTRY,
        why=(build_deps.WHY,),
        where=str(PurePosixPath(local.folder) / _MANIFESTS[0]),
        filename=file.filename,
    )
