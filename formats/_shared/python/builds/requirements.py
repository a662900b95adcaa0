"""The wheels that sources are built with: found without running code, for each target.

A client builds each source in an environment of its own, filled from the wheelhouse. So each
source's requirements are resolved by themselves, newest versions first, and the wheelhouse gets
the union: whatever a client then chooses, it chooses as it would have from the index.

Two steps, as clients install: what `[build-system]` names, then what the backend asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from packaging.utils import parse_wheel_filename

from vendorpack.digest import Digest, Integrity
from vendorpack.errors import LockfileError, UnsupportedError, VendorpackError
from vendorpack.formats._shared.python.builds.lock import BuildLock, LockedSource, LockedWheel
from vendorpack.formats._shared.python.builds.resolver import (
    Candidate,
    Catalogue,
    parse_requirements,
    resolve,
)
from vendorpack.formats._shared.python.builds.system import BuildSystem, read_build_system
from vendorpack.formats._shared.python.index import IndexFile, normalize, purl
from vendorpack.formats._shared.python.markers import holds
from vendorpack.model import Artifact, Blob, Index, Target, Trust, Workshop

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Made = TypeVar("Made", bound=Artifact)

WHY: Final = "build"
"""Says of an artifact that sources are built with it."""
_WHY_FOR: Final = "build of "


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Something that has to be built.

    name, version, pin: how a build lock knows it. The pin is the hex of the sdist's sha256, or of
        the commit. A project in a folder has that for a name, and neither of the others.
    system: what it asks for.
    where: its place in the lockfile; of a project in a folder, its manifest.
    targets: those that build it.
    """

    name: str
    version: str
    pin: str
    system: BuildSystem
    where: str
    targets: tuple[Target, ...]

    @property
    def label(self) -> str:
        """What a build lock calls it."""
        return f"{self.name} {self.version}".rstrip()

    @property
    def place(self) -> str:
        """How errors name it."""
        return f"{self.where}: {self.label}" if self.pin else self.where


def packed_source(
    artifact: Artifact,
    blob: Blob,
    workshop: Workshop,
    *,
    filename: str,
    pin: str,
    targets: tuple[Target, ...],
    subdirectory: str = "",
) -> Source:
    """A packed artifact that has to be built.

    filename: tells the kind of archive; empty for a git commit.
    Raises `UnsupportedError` for an archive or a `pyproject.toml` that no client could use.
    """
    system = read_build_system(
        blob,
        workshop,
        filename=filename,
        id_size=len(pin) // 2,
        subdirectory=subdirectory,
        label=str(artifact),
    )
    return Source(
        name=artifact.name,
        version=artifact.version,
        pin=pin,
        system=system,
        where=artifact.where,
        targets=targets,
    )


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """How build requirements are found.

    indexes: where from; the first that has a project answers for it.
    extra: requirements that backends ask for and nothing written down tells.
    constraints: requirements that whatever is found of these names has to keep to.
    lock: what an earlier pack recorded.
    lock_path: how errors name that file.
    way_out: what to do if nothing is built there, for errors.
    own_indexes: name to the index that projects in folders take it from.
    newest_of_all: whether all indexes answer for a project, and the newest version wins.
    extra_of: (normalised) name of a source to what it alone is built with besides.
    """

    indexes: tuple[str, ...]
    extra: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    lock: BuildLock = field(default_factory=BuildLock)
    lock_path: str = ""
    way_out: str | None = None
    own_indexes: Mapping[str, str] = field(default_factory=dict)
    newest_of_all: bool = False
    extra_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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
    sources: Sequence[Source], plan: BuildPlan, index: Index
) -> tuple[BuildWheel, ...]:
    """The wheels that the sources need, each once, by file name.

    Raises `UnsupportedError` where nothing fits, `FetchError`, `IntegrityError`.
    """
    foreign = Catalogue(index, plan.indexes, newest_of_all=plan.newest_of_all)
    own = foreign
    if plan.own_indexes:
        own = Catalogue(index, plan.indexes, plan.own_indexes, newest_of_all=plan.newest_of_all)
    answers: dict[tuple[Catalogue, tuple[str, ...], Target], tuple[IndexFile, ...]] = {}
    found: dict[tuple[str, str], BuildWheel] = {}
    for source in sources:
        locked = None
        if {str(target) for target in source.targets} <= {*plan.lock.targets}:
            locked = plan.lock.wheels_for(_locked_source(source, plan))
        if locked is not None:
            wheels = [_from_lock(wheel, source, plan.lock_path) for wheel in locked]
        else:
            wheels = []
            catalogue = foreign if source.pin else own
            for target in source.targets:
                for step in _steps(source, plan):
                    key = (catalogue, step, target)
                    if key not in answers:
                        answers[key] = await _answer(step, target, source, plan, catalogue)
                    wheels += [_from_index(file, source) for file in answers[key]]
        for wheel in wheels:
            place = (wheel.filename, wheel.url)
            known = found.get(place, wheel)
            found[place] = replace(known, why=tuple(sorted({*known.why, *wheel.why})))
    return tuple(found[key] for key in sorted(found))


def describe_builds(
    sources: Sequence[Source],
    wheels: Iterable[tuple[str, Artifact, Blob]],
    targets: Sequence[Target],
    plan: BuildPlan,
) -> BuildLock:
    """What a side lock records of a finished pack.

    wheels: (file name, artifact, blob) of everything packed; build wheels are told by `why`.
    """
    locked = {_locked_source(source, plan) for source in sources}
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


def _steps(source: Source, plan: BuildPlan) -> tuple[tuple[str, ...], ...]:
    more = (*plan.extra, *plan.extra_of.get(source.name, ()))
    steps = (source.system.requires, (*source.system.dynamic, *more))
    return tuple(step for step in steps if step)


def _locked_source(source: Source, plan: BuildPlan) -> LockedSource:
    requires = [requirement for step in _steps(source, plan) for requirement in step]
    asked = (*requires, *plan.constraints)
    return LockedSource(source.name, source.version, source.pin, asked)


async def _answer(
    step: Sequence[str], target: Target, source: Source, plan: BuildPlan, catalogue: Catalogue
) -> tuple[IndexFile, ...]:
    try:
        wanted = [*parse_requirements(step, source.place)]
        constraints = parse_requirements(plan.constraints, source.place)
        limits = [limit for limit in constraints if holds(limit.marker, target)]
        while True:
            candidates = await resolve(wanted, target, catalogue)
            broken = list(_broken(candidates, limits))
            if not broken:
                return tuple(file for candidate in candidates for file in candidate.files)
            wanted += broken
    except LockfileError as error:
        fix = _advice(error, plan)
        raise UnsupportedError(error.what, where=error.where, fix=fix) from None
    except VendorpackError as error:
        error.where = f"{source.place}\n{error.where}" if error.where else source.place
        error.fix = _advice(error, plan)
        raise


def _advice(error: VendorpackError, plan: BuildPlan) -> str | None:
    return " ".join(filter(None, (error.fix, plan.way_out))) or None


def _broken(
    candidates: Sequence[Candidate], limits: Sequence[Requirement]
) -> Iterator[Requirement]:
    """The constraints that the candidates break."""
    versions = {candidate.name: candidate.version for candidate in candidates}
    for limit in limits:
        version = versions.get(normalize(limit.name))
        if version is not None and not limit.specifier.contains(version, prereleases=True):
            yield limit


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
    return BuildWheel(
        name=name,
        version=str(version),
        filename=filename,
        url=url,
        integrity=integrity,
        size=size,
        trust=trust,
        why=(WHY, _WHY_FOR + source.label),
        where=source.where,
    )
