"""The wheels that sources are built with: found without running code, for each target.

A client builds each source in an environment of its own, filled from the wheelhouse. So each
source's requirements are resolved by themselves, newest versions first, and the wheelhouse gets
the union: whatever a client then chooses, it chooses as it would have from the index.

Two steps, as clients install: what `[build-system]` names, then what the backend asks for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from packaging.utils import parse_wheel_filename

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import LockfileError, UnsupportedError, VendorpackError
from vendorpack.formats._shared.python.builds.lock import (
    BuildLock,
    LockedSource,
    LockedWheel,
    label_of,
)
from vendorpack.formats._shared.python.builds.resolver import (
    Candidate,
    Catalogue,
    Narrow,
    Tiers,
    ask_all,
    parse_requirements,
    resolve,
)
from vendorpack.formats._shared.python.builds.system import BuildSystem, read_build_system
from vendorpack.formats._shared.python.index import IndexFile, normalize, purl
from vendorpack.formats._shared.python.markers import holds
from vendorpack.formats._shared.python.wheels import has_to_build, oldest
from vendorpack.model import Artifact, Blob, Target, Trust
from vendorpack.room import Index, Workshop

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
        return label_of(self.name, self.version)

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

    tiers: the indexes that answer, see `Tiers`.
    extra: requirements that backends ask for and nothing written down tells.
    constraints: requirements that whatever is found of these names has to keep to.
    lock: what an earlier pack recorded.
    lock_path: how errors name that file.
    way_out: what to do if nothing is built there, for errors.
    own_indexes: name to the index that projects in folders take it from.
    tiers_of: (normalised) name of a source to the indexes that answer for it alone.
    stricter_than: the client that would take the newest of what these indexes have; or nothing.
    extra_of: (normalised) name of a source to what it alone is built with besides.
    fallbacks: addresses of indexes that answer too where no earlier one has a fitting release.
    narrow: which of the indexes are asked for a name, see `Narrow`.
    """

    tiers: Tiers
    extra: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    lock: BuildLock = field(default_factory=BuildLock)
    lock_path: str = ""
    way_out: str | None = None
    own_indexes: Mapping[str, str] = field(default_factory=dict)
    tiers_of: Mapping[str, Tiers] = field(default_factory=dict)
    stricter_than: str = ""
    extra_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    narrow: Narrow = ask_all
    fallbacks: frozenset[str] = frozenset()


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
    tiers_of_all = sorted({plan.tiers, *plan.tiers_of.values()})
    foreign = {
        tiers: Catalogue(index, tiers, narrow=plan.narrow, fallbacks=plan.fallbacks)
        for tiers in tiers_of_all
    }
    own = Catalogue(index, plan.tiers, plan.own_indexes, plan.narrow, plan.fallbacks)
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
            tiers = plan.tiers_of.get(source.name, plan.tiers)
            catalogue = foreign[tiers] if source.pin or not plan.own_indexes else own
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
    return BuildLock(
        targets=tuple(sorted(map(str, targets))),
        sources=tuple(sorted(locked)),
        wheels=tuple(built[filename] for filename in sorted(built)),
    )


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
    """The files that the target may take; where its system may be too old for the newest, others
    too, unless there are none.
    """
    try:
        wanted = parse_requirements(step)
        constraints = parse_requirements(plan.constraints)
        limits = [limit for limit in constraints if holds(limit.marker, target)]
        candidates = await _fitting(wanted, limits, target, catalogue)
        if any(has_to_build((f.filename for f in c.files), target) for c in candidates):
            with contextlib.suppress(UnsupportedError):
                candidates += await _fitting(wanted, limits, oldest(target), catalogue)
    except VendorpackError as error:
        # What a source says of itself is no fault of the lockfile's.
        told = UnsupportedError(error.what) if isinstance(error, LockfileError) else error
        told.where = f"{source.place}\n{error.where}" if error.where else source.place
        told.fix = " ".join(filter(None, (error.fix, plan.way_out))) or None
        raise told from error.__cause__
    return tuple(dict.fromkeys(file for candidate in candidates for file in candidate.files))


async def _fitting(
    wanted: Sequence[Requirement],
    limits: Sequence[Requirement],
    target: Target,
    catalogue: Catalogue,
) -> tuple[Candidate, ...]:
    """The newest that keep to the limits too."""
    asked = [*wanted]
    while True:
        candidates = await resolve(asked, target, catalogue)
        broken = [*_broken(candidates, limits)]
        if not broken:
            return candidates
        asked += broken


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
