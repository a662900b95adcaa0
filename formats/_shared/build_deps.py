"""The wheels that sources are built with: found without running code, for each target.

A client builds each source in an environment of its own, filled from the wheelhouse. So each
source's requirements are resolved by themselves, newest versions first, and the wheelhouse gets
the union: whatever a client then chooses, it chooses as it would have from the index.

Two steps, as clients install: what `[build-system]` names, then what the backend asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from packaging.utils import parse_wheel_filename

from vendorpack.digest import Digest, Integrity
from vendorpack.errors import LockfileError, UnsupportedError, VendorpackError
from vendorpack.formats._shared.build_lock import BuildLock, LockedSource, LockedWheel
from vendorpack.formats._shared.build_system import read_build_system
from vendorpack.formats._shared.pypi_index import IndexFile, purl
from vendorpack.formats._shared.resolver import Catalogue, parse_requirements, resolve
from vendorpack.model import Artifact, Blob, Index, Target, Trust, Workshop

Made = TypeVar("Made", bound=Artifact)

WHY: Final = "build"
"""Says of an artifact that sources are built with it."""
_WHY_FOR: Final = "build of "


@dataclass(frozen=True, slots=True)
class Source:
    """Something that has to be built.

    pin: hex of the sdist's sha256, or of the commit.
    filename: tells the kind of archive; empty for a git commit.
    targets: those that build it.
    """

    artifact: Artifact
    blob: Blob
    filename: str
    pin: str
    targets: tuple[Target, ...]
    subdirectory: str = ""


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """How build requirements are found.

    indexes: where from; the first that has a project answers for it.
    extra: requirements that backends ask for and nothing written down tells.
    lock: what an earlier pack recorded.
    lock_path: how errors name that file.
    """

    indexes: tuple[str, ...]
    extra: tuple[str, ...] = ()
    lock: BuildLock = field(default_factory=BuildLock)
    lock_path: str = ""


@dataclass(frozen=True, slots=True)
class BuildWheel:
    """A wheel to pack, and the sources it is for.

    trust: LOCKFILE if a side lock pins it, else REGISTRY.
    """

    name: str
    version: str
    filename: str
    url: str
    integrity: Integrity
    size: int | None
    trust: Trust
    why: tuple[str, ...]
    where: str

    def artifact(self, make: Callable[..., Made], **more: object) -> Made:
        """The wheel as a room's own artifact, which has a `filename`. more: other fields of it."""
        return make(
            name=self.name,
            version=self.version,
            purl=purl(self.name, self.version),
            url=self.url,
            integrity=self.integrity,
            size=self.size,
            trust=self.trust,
            why=self.why,
            where=self.where,
            filename=self.filename,
            **more,
        )


async def find_build_wheels(
    sources: Sequence[Source], plan: BuildPlan, workshop: Workshop, index: Index
) -> tuple[BuildWheel, ...]:
    """The wheels that the sources need, each once, by file name.

    Raises `UnsupportedError` where nothing fits, `FetchError`, `IntegrityError`.
    """
    catalogue = Catalogue(index, plan.indexes)
    answers: dict[tuple[tuple[str, ...], Target], tuple[IndexFile, ...]] = {}
    found: dict[tuple[str, str], BuildWheel] = {}
    for source in sources:
        steps = _steps(source, plan, workshop)
        locked = None
        if {str(target) for target in source.targets} <= {*plan.lock.targets}:
            locked = plan.lock.wheels_for(_locked_source(source, steps))
        if locked is not None:
            wheels = [_from_lock(wheel, source, plan.lock_path) for wheel in locked]
        else:
            wheels = []
            for target in source.targets:
                for step in steps:
                    if (step, target) not in answers:
                        answers[step, target] = await _answer(step, target, source, catalogue)
                    wheels += [_from_index(file, source) for file in answers[step, target]]
        for wheel in wheels:
            key = (wheel.filename, wheel.url)
            known = found.get(key, wheel)
            found[key] = replace(known, why=tuple(sorted({*known.why, *wheel.why})))
    return tuple(found[key] for key in sorted(found))


def describe_builds(
    sources: Sequence[Source],
    wheels: Iterable[tuple[str, Artifact, Blob]],
    targets: Sequence[Target],
    plan: BuildPlan,
    workshop: Workshop,
) -> BuildLock:
    """What a side lock records of a finished pack.

    wheels: (file name, artifact, blob) of everything packed; build wheels are told by `why`.
    """
    locked = {_locked_source(source, _steps(source, plan, workshop)) for source in sources}
    built: dict[str, LockedWheel] = {}
    if {str(target) for target in targets} <= {*plan.lock.targets}:
        # A wheel that the project itself locks too may have lost the word that it builds.
        built = {w.filename: w for s in locked for w in plan.lock.wheels_for(s) or ()}
    for filename, artifact, blob in wheels:
        built_for = tuple(w.removeprefix(_WHY_FOR) for w in artifact.why if w.startswith(_WHY_FOR))
        if built_for:
            url = artifact.url or ""
            built[filename] = LockedWheel(filename, url, blob.sha256, blob.size, built_for)
    return BuildLock(tuple(sorted(map(str, targets))), tuple(sorted(locked)), _values(built))


def _values(built: Mapping[str, LockedWheel]) -> tuple[LockedWheel, ...]:
    return tuple(built[filename] for filename in sorted(built))


def _steps(source: Source, plan: BuildPlan, workshop: Workshop) -> tuple[tuple[str, ...], ...]:
    system = read_build_system(
        source.blob,
        workshop,
        filename=source.filename,
        id_size=len(source.pin) // 2,
        subdirectory=source.subdirectory,
        label=str(source.artifact),
    )
    steps = (system.requires, (*system.dynamic, *plan.extra))
    return tuple(step for step in steps if step)


def _locked_source(source: Source, steps: Sequence[Sequence[str]]) -> LockedSource:
    requires = tuple(requirement for step in steps for requirement in step)
    return LockedSource(source.artifact.name, source.artifact.version, source.pin, requires)


async def _answer(
    step: Sequence[str], target: Target, source: Source, catalogue: Catalogue
) -> tuple[IndexFile, ...]:
    try:
        requirements = parse_requirements(step, f"{source.artifact}: build requirements")
        candidates = await resolve(requirements, target, catalogue)
    except LockfileError as error:
        raise UnsupportedError(error.what, where=error.where, fix=error.fix) from None
    except VendorpackError as error:
        where = f"{source.artifact.where}: {source.artifact}"
        error.where = f"{where}\n{error.where}" if error.where else where
        raise
    return tuple(file for candidate in candidates for file in candidate.files)


def _from_index(file: IndexFile, source: Source) -> BuildWheel:
    return _wheel(source, file.filename, file.url, file.hashes, file.size, Trust.REGISTRY)


def _from_lock(wheel: LockedWheel, source: Source, lock_path: str) -> BuildWheel:
    integrity = Integrity.of([Digest.from_hex("sha256", wheel.sha256)])
    made = _wheel(source, wheel.filename, wheel.url, integrity, wheel.size, Trust.LOCKFILE)
    return replace(made, where=lock_path)


def _wheel(
    source: Source, filename: str, url: str, integrity: Integrity, size: int | None, trust: Trust
) -> BuildWheel:
    name, version, _, _ = parse_wheel_filename(filename)
    label = f"{source.artifact.name} {source.artifact.version}".rstrip()
    return BuildWheel(
        name=name,
        version=str(version),
        filename=filename,
        url=url,
        integrity=integrity,
        size=size,
        trust=trust,
        why=(WHY, _WHY_FOR + label),
        where=source.artifact.where,
    )
