"""A small resolver: requirements to one set of wheels for one target, newest versions first.

Only for what builds a source, where no lock says which versions: a handful of projects with few
dependencies. Backtracking, depth first, over the index's pages and the wheels' own metadata
(PEP 658, else the wheel itself). Wheels only: what needs building to build is refused.

Indexes come in tiers, as the client's configuration has them. A project comes from the first tier
that has it at all: names alone say nothing about whose file it is, so a later index may never
answer for the first one's names. The indexes of one tier are as one. An index that the client has
as a fallback answers too where no earlier one has a release of a version that is asked for.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from email.parser import HeaderParser
from types import MappingProxyType
from typing import Final, TypeAlias

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from vendorpack.dataclass import dataclass
from vendorpack.digest import Hashers, Integrity
from vendorpack.errors import FetchError, IntegrityError, LockfileError, UnsupportedError
from vendorpack.formats._shared.archives import zip_archive
from vendorpack.formats._shared.python.index import IndexFile, normalize, project_files
from vendorpack.formats._shared.python.markers import environments, holds
from vendorpack.formats._shared.python.wheels import best_wheels, release_of
from vendorpack.model import Target
from vendorpack.redact import redact_url
from vendorpack.room import Index

Tiers: TypeAlias = tuple[tuple[str, ...], ...]
"""Base addresses of indexes: all of a tier answer together, the tiers one after the other."""

Narrow: TypeAlias = Callable[[str, Tiers], Tiers]
"""Of the indexes, those that are asked for a (normalised) name."""

MAX_STEPS: Final = 2000
"""Candidates tried before a problem counts as unsolvable."""
MAX_WHEEL: Final = 512 << 20
"""Bytes; the cap on a wheel that is fetched for its metadata."""
_MAX_METADATA: Final = 16 << 20
_ANY: Final = SpecifierSet()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version of a project, with the wheels of it that a target may take."""

    name: str
    version: Version
    files: tuple[IndexFile, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def one_by_one(bases: Iterable[str]) -> Tiers:
    """Each index a tier of its own: the first that has a project answers for it."""
    return tuple((base,) for base in bases)


def ask_all(name: str, tiers: Tiers) -> Tiers:
    """Each index is asked for every name."""
    return tiers


class Catalogue:
    """What the indexes know, each question asked once.

    tiers: base addresses of indexes. own: name to the one index that it comes from.
    narrow: see `Narrow`. fallbacks: those of the indexes that are a fallback.
    """

    def __init__(
        self,
        index: Index,
        tiers: Tiers,
        own: Mapping[str, str] = MappingProxyType({}),
        narrow: Narrow = ask_all,
        fallbacks: frozenset[str] = frozenset(),
    ) -> None:
        self._index = index
        self._tiers = tiers
        self._own = own
        self._narrow = narrow
        self._fallbacks = fallbacks
        self._files: dict[tuple[str, tuple[str, ...]], tuple[IndexFile, ...]] = {}
        self._candidates: dict[tuple[str, tuple[str, ...], Target], tuple[Candidate, ...]] = {}
        self._requirements: dict[str, tuple[Requirement, ...]] = {}

    async def candidates(
        self, name: str, target: Target, specifiers: SpecifierSet = _ANY
    ) -> tuple[Candidate, ...]:
        """Every version that has a wheel for the target, the newest first, of the index that
        answers for these specifiers.

        Raises `FetchError` if no index has the project.
        """
        tier = await self._tier(name, specifiers)
        key = (name, tier, target)
        if key not in self._candidates:
            self._candidates[key] = _candidates(name, self._files[name, tier], target)
        return self._candidates[key]

    async def requirements(self, candidate: Candidate) -> tuple[Requirement, ...]:
        """What a version depends on, extras' and all platforms' included."""
        file = candidate.files[0]
        if file.url not in self._requirements:
            self._requirements[file.url] = _requires_dist(await self._metadata(file), file)
        return self._requirements[file.url]

    async def _tier(self, name: str, specifiers: SpecifierSet) -> tuple[str, ...]:
        """The indexes that answer; their files are in `_files` then."""
        if name in self._own:
            tiers: Tiers = ((self._own[name],),)
        else:
            tiers = self._narrow(name, self._tiers)
        found: tuple[str, ...] | None = None
        for tier in tiers:
            if found is None:
                found = tier if await self._has(name, tier) else None
            elif _has_release(name, self._files[name, found], specifiers):
                break
            elif {*tier} <= self._fallbacks and await self._has(name, tier):
                found = tier
        if found is None:
            raise FetchError(
                f"no index has a project named {name}, which a build needs",
                where=", ".join(redact_url(base) for tier in tiers for base in tier),
                fix="Configure the index that it comes from, as for pip.",
                status=404,
            )
        return found

    async def _has(self, name: str, tier: tuple[str, ...]) -> bool:
        if (name, tier) not in self._files:
            asked = [await project_files(self._index, base, name) for base in tier]
            answers = [files for files in asked if files is not None]
            if not answers:
                return False
            self._files[name, tier] = tuple(file for files in answers for file in files)
        return True

    async def _metadata(self, file: IndexFile) -> bytes:
        if file.metadata is not None:
            answer = await self._index.get(file.url + ".metadata", max_size=_MAX_METADATA)
            _verify(answer.body, file.metadata, f"{file.filename}.metadata")
            return answer.body
        answer = await self._index.get(file.url, max_size=MAX_WHEEL)
        _verify(answer.body, file.hashes, file.filename)
        wheel = io.BytesIO(answer.body)
        for member in zip_archive.members(wheel, label=file.filename):
            folder, _, name = member.name.partition("/")
            if (
                folder.endswith(".dist-info")
                and name == "METADATA"
                and member.size <= _MAX_METADATA
            ):
                return b"".join(zip_archive.chunks(wheel, member, label=file.filename))
        raise UnsupportedError(
            f"{file.filename} is not a wheel: it has no metadata", where=redact_url(file.url)
        )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """All that is asked of one project so far."""

    specifiers: SpecifierSet
    extras: frozenset[str]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _State:
    wanted: Mapping[str, _Wanted] = field(default_factory=dict)
    pinned: Mapping[str, Candidate] = field(default_factory=dict)


class _Conflict(Exception):
    """This way leads nowhere; the message says why."""


async def resolve(
    requirements: Iterable[Requirement], target: Target, catalogue: Catalogue
) -> tuple[Candidate, ...]:
    """The newest versions that fit together, by name.

    Raises `UnsupportedError` if there are none, `FetchError`, `IntegrityError`.
    """
    search = _Search(target, catalogue)
    try:
        asked = [(r, "the build") for r in requirements if holds(r.marker, target)]
        state = await search.add(_State(), asked)
        state = await search.solve(state)
    except _Conflict as conflict:
        raise UnsupportedError(
            f"nothing fulfils what a build needs on {target}: {conflict}",
            fix="Say what it should use with the option extra-build-requires, or build it "
            "yourself and lock the wheel.",
        ) from None
    return tuple(state.pinned[name] for name in sorted(state.pinned))


class _Search:
    def __init__(self, target: Target, catalogue: Catalogue) -> None:
        self._target = target
        self._catalogue = catalogue
        self._steps = 0

    async def solve(self, state: _State) -> _State:
        """Pin what is not pinned yet. Raises `_Conflict`."""
        name = next((name for name in state.wanted if name not in state.pinned), None)
        if name is None:
            return state
        problem = _Conflict(f"{_asked(name, state)} has no wheel")
        for candidate in await self._fitting(name, state.wanted[name]):
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise UnsupportedError(
                    f"too many combinations for what a build needs on {self._target}",
                    where=str(problem),
                    fix="Narrow it down with the option extra-build-requires.",
                )
            try:
                return await self.solve(await self._pin(state, candidate))
            except _Conflict as conflict:
                problem = conflict
        raise problem

    async def add(self, state: _State, requirements: Sequence[tuple[Requirement, str]]) -> _State:
        """Take requirements whose markers hold, each with who has it. Raises `_Conflict`."""
        wanted = dict(state.wanted)
        waiting = list(requirements)
        while waiting:
            requirement, reason = waiting.pop(0)
            if requirement.url is not None:
                raise UnsupportedError(
                    f"{reason} needs {requirement.name} from {redact_url(requirement.url)}, "
                    "which nothing pins",
                    fix="Name a release of it with the option extra-build-requires.",
                )
            name = normalize(requirement.name)
            before = wanted.get(name, _Wanted(SpecifierSet(), frozenset(), ()))
            extras = frozenset(map(normalize, requirement.extras))
            now = _Wanted(
                before.specifiers & requirement.specifier,
                before.extras | extras,
                (*before.reasons, f"{requirement} ({reason})"),
            )
            wanted[name] = now
            pinned = state.pinned.get(name)
            if pinned is not None:
                if not now.specifiers.contains(pinned.version, prereleases=True):
                    raise _Conflict(_asked(name, _State(wanted)))
                waiting += await self._dependencies(pinned, extras - before.extras, new=False)
        return _State(wanted, state.pinned)

    async def _pin(self, state: _State, candidate: Candidate) -> _State:
        pinned = {**state.pinned, candidate.name: candidate}
        extras = state.wanted[candidate.name].extras
        needed = await self._dependencies(candidate, extras, new=True)
        return await self.add(_State(state.wanted, pinned), needed)

    async def _dependencies(
        self, candidate: Candidate, extras: frozenset[str], *, new: bool
    ) -> list[tuple[Requirement, str]]:
        """What a version needs: by itself if it is new, and for these extras."""
        if not new and not extras:
            return []
        found = []
        for requirement in await self._catalogue.requirements(candidate):
            if holds(requirement.marker, self._target, extras):
                found.append((requirement, str(candidate)))
        return found

    async def _fitting(self, name: str, wanted: _Wanted) -> list[Candidate]:
        candidates = await self._catalogue.candidates(name, self._target, wanted.specifiers)
        exact = any(s.operator in ("==", "===") for s in wanted.specifiers)
        usable = {
            c.version: c
            for c in candidates
            if exact or any(file.yanked is None for file in c.files)
        }
        return [usable[version] for version in wanted.specifiers.filter(usable)]


def _candidates(name: str, files: Sequence[IndexFile], target: Target) -> tuple[Candidate, ...]:
    releases: dict[Version, dict[str, IndexFile]] = {}
    for file in files:
        version = release_of(file.filename, name)
        if version is not None:
            releases.setdefault(version, {}).setdefault(file.filename, file)
    found = []
    for version in sorted(releases, reverse=True):
        listed = releases[version]
        best = best_wheels(listed, target)
        if best and all(_python_fits(listed[f].requires_python, target) for f in best):
            found.append(Candidate(name, version, tuple(listed[f] for f in best)))
    return tuple(found)


def _has_release(name: str, files: Sequence[IndexFile], specifiers: SpecifierSet) -> bool:
    """Whether any file is of such a version, whoever may install it."""
    versions = (release_of(file.filename, name) for file in files)
    return any(v is not None and specifiers.contains(v, prereleases=True) for v in versions)


def _python_fits(requires: str | None, target: Target) -> bool:
    if not requires:
        return True
    try:
        specifiers = SpecifierSet(requires)
        return any(
            specifiers.contains(environment["python_full_version"], prereleases=True)
            for environment in environments(target)
        )
    except ValueError:  # also of numbers beyond measure
        return True  # as pip does


def _requires_dist(metadata: bytes, file: IndexFile) -> tuple[Requirement, ...]:
    headers = HeaderParser().parsestr(metadata.decode("utf-8", "replace"))
    try:
        return tuple(_requirement(text) for text in headers.get_all("Requires-Dist") or ())
    except (ValueError, RecursionError) as error:
        raise UnsupportedError(
            f"{file.filename} has a dependency that makes no sense",
            where=f"{redact_url(file.url)}: {str(error).partition(chr(10))[0]}",
        ) from None


def _verify(data: bytes, hashes: Integrity, label: str) -> None:
    hashers = Hashers(hashes.algorithms)
    hashers.update(data)
    if not hashes.accepts(hashers.values()):
        raise IntegrityError(
            f"{label} is not what the index says: its hash differs",
            fix="The index or something on the way to it is broken; try again later.",
        )


def _asked(name: str, state: _State) -> str:
    return f"{name}: " + " and ".join(state.wanted[name].reasons)


def parse_requirements(texts: Iterable[str]) -> tuple[Requirement, ...]:
    """Read requirements. Raises `LockfileError`."""
    found = []
    for text in texts:
        try:
            found.append(_requirement(text))
        except (ValueError, RecursionError) as error:
            reason = str(error).partition("\n")[0]
            raise LockfileError(f"{text[:100]!r} is no requirement: {reason}") from None
    return tuple(found)


def _requirement(text: str) -> Requirement:
    """Raises `ValueError`, also for one whose numbers are beyond measure, which nothing can ask."""
    requirement = Requirement(text)
    for specifier in requirement.specifier:
        specifier.contains("0", prereleases=True)
    return requirement
