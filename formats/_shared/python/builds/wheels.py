"""What the rooms have in common whose clients build sources.

Each has its own artifacts; what counts of them when something is built is a `Material`. From
there on one way leads to the wheels to pack, and to the build lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from vendorpack.dataclass import dataclass
from vendorpack.formats._shared.python import local_projects
from vendorpack.formats._shared.python.builds.choices import BuildChoices
from vendorpack.formats._shared.python.builds.lock import render_build_lock
from vendorpack.formats._shared.python.builds.requirements import (
    WHY,
    BuildPlan,
    BuildWheel,
    Source,
    describe_builds,
    find_build_wheels,
    packed_source,
)
from vendorpack.formats._shared.python.local_projects import LocalProject
from vendorpack.formats._shared.python.wheels import is_wheel
from vendorpack.model import Artifact, InnerLockfile, Lockfile, Packed, Target, Warning
from vendorpack.project import Project
from vendorpack.room import Index, Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildingLockfile(Lockfile):
    """A lockfile, and what its sources are built with.

    build: how the user steers that. plan: None if build requirements are left out.
    local: projects in folders that are built too.
    """

    build: BuildChoices
    plan: BuildPlan | None
    local: tuple[LocalProject, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """A packed file or commit.

    filename: empty for a commit. commit: its id in hex; empty for a file.
    built_for: if it is a source, the targets that build it; empty for all.
    """

    filename: str
    commit: str = ""
    subdirectory: str = ""
    built_for: tuple[Target, ...] = ()


MaterialOf: TypeAlias = Callable[[Artifact], Material]


async def build_wheels(
    lockfile: Lockfile,
    packed: Sequence[Packed],
    workshop: Workshop,
    index: Index,
    material_of: MaterialOf,
) -> Sequence[BuildWheel]:
    """What sources are built with; nothing if that was asked before: wheels need no building.

    Raises `UnsupportedError`, `FetchError`, `IntegrityError`.
    """
    assert isinstance(lockfile, BuildingLockfile)
    if lockfile.plan is None or any(WHY in one.artifact.why for one in packed):
        return ()
    sources = _sources(lockfile, packed, workshop, material_of)
    return await find_build_wheels(sources, lockfile.plan, index)


def further(
    lockfile: Lockfile,
    packed: Sequence[Packed],
    workshop: Workshop,
    material_of: MaterialOf,
    room: str,
) -> Iterator[InnerLockfile | Warning]:
    """The lockfiles of crates that sources are built with, and what cannot be known of builds.

    room: its name, which its options begin with.
    """
    assert isinstance(lockfile, BuildingLockfile)
    if lockfile.plan is None:
        return
    sources = _sources(lockfile, packed, workshop, material_of)
    if lockfile.plan.stricter_than and any(source.system.requires for source in sources):
        yield Warning(
            "what sources are built with comes from the first index that has it; "
            f"{lockfile.plan.stricter_than} would take the newest of all of them",
            lockfile.path,
        )
    for source in sources:
        system = source.system
        named = lockfile.plan.extra or lockfile.plan.extra_of.get(source.name)
        if system.unknown and not named:
            yield Warning(
                f"{source.label} is built on the target, and {system.unknown}: what else it asks "
                f"for is not packed; name that with --{room}-extra-build-requires"
                f"{_named(system.hints)}",
                source.where,
            )
        if system.downloads:
            yield Warning(
                f"{source.label} is built on the target, and its build downloads, mostly where the "
                f"system has no such library: {', '.join(system.downloads)}; install that there, "
                "or build a wheel of it yourself and lock that",
                source.where,
            )
        if source.pin and system.cargo_path:
            path = f"{source.name}-{source.version}/{system.cargo_path}"
            yield InnerLockfile(path, system.cargo_lock.encode())
        elif source.pin and system.is_rust:
            yield Warning(
                f"{source.label} is built with Rust on the target and has no Cargo.lock: its "
                "crates are not packed; build a wheel of it yourself and lock that",
                source.where,
            )


def _named(hints: Sequence[str]) -> str:
    return f' "{" ".join(hints)}", which its code names' if hints else ""


def side_files(
    project: Project,
    lockfile: Lockfile,
    packed: Sequence[Packed],
    workshop: Workshop,
    material_of: MaterialOf,
) -> Mapping[str, bytes]:
    """The build lock, if it was asked for: name relative to the lockfile's folder, to content.

    The same pack again gives the same bytes.
    """
    assert isinstance(lockfile, BuildingLockfile)
    path = lockfile.build.lock_file
    if lockfile.plan is None or path is None:
        return {}
    sources = _sources(lockfile, packed, workshop, material_of)
    files = [(material_of(one.artifact).filename, one.artifact, one.blob) for one in packed]
    found = describe_builds(sources, files, lockfile.build.targets, lockfile.plan)
    return {path: render_build_lock(found, project.read(path))}


def _sources(
    lockfile: BuildingLockfile,
    packed: Sequence[Packed],
    workshop: Workshop,
    material_of: MaterialOf,
) -> list[Source]:
    """The local projects, and what is packed of this lockfile and has to be built."""
    mine = {(a.url, a.integrity) for a in lockfile.artifacts}
    sources = local_projects.sources(lockfile.local, lockfile.build.targets)
    for one in packed:
        artifact = one.artifact
        material = material_of(artifact)
        if is_wheel(material.filename) or (artifact.url, artifact.integrity) not in mine:
            continue
        sources.append(
            packed_source(
                artifact,
                one.blob,
                workshop,
                filename=material.filename,
                pin=material.commit or one.blob.sha256,
                targets=material.built_for or lockfile.build.targets,
                subdirectory=material.subdirectory,
            )
        )
    return sources
