"""Lockfiles that were read, by the rooms that know them, and what all of them together say."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import fields, replace
from operator import attrgetter

from vendorpack.dataclass import dataclass
from vendorpack.discover import Found
from vendorpack.exclude import check_known, without
from vendorpack.formats import load
from vendorpack.model import Access, Artifact, Lockfile, Options
from vendorpack.policy import Policy, origin_of
from vendorpack.project import Project
from vendorpack.room import Format


@dataclass(frozen=True, slots=True)
class Locked:
    """A lockfile that was read, and the room that read it."""

    room: Format
    project: Project
    lockfile: Lockfile
    options: Options
    excluded: tuple[Artifact, ...] = ()
    """What the user wants left out of it."""


def read_all(found: Sequence[Found]) -> tuple[Locked, ...]:
    """Read every lockfile. Raises `LockfileError`, `UnsupportedError`, `UsageError`."""
    locked = []
    for item in found:
        room = load(item.room.name)
        options = item.options
        lockfile, out = without(room.read(item.project, options), options.exclude)
        locked.append(Locked(room, item.project, lockfile, options, out))
    patterns = dict.fromkeys(pattern for item in found for pattern in item.options.exclude)
    check_known([*patterns], (a for item in locked for a in item.excluded))
    return tuple(locked)


def access_of(locked: Iterable[Locked]) -> Access:
    """Where all the lockfiles' configurations together let us go."""
    joined = Access()
    for item in locked:
        access = item.lockfile.access
        joined = Access(
            origins=joined.origins | access.origins,
            credentials=joined.credentials + access.credentials,
            ca_files=joined.ca_files + access.ca_files,
            proxies={**joined.proxies, **access.proxies},
            without_netrc=joined.without_netrc | {*map(origin_of, access.without_netrc)},
        )
    return joined


def check_locked(policy: Policy, locked: Sequence[Locked]) -> None:
    """Refuse what the lockfiles alone decide: hosts, and hashes that no index will be asked for.

    policy: with what the lockfiles' configurations trust. Raises `PolicyError`.
    """
    policy.check_hosts(a for item in locked for a in item.lockfile.artifacts)
    for room in {item.room.name: item.room for item in locked}.values():
        artifacts = merged(
            a for item in locked if item.room is room for a in item.lockfile.artifacts
        )
        policy.check_hashes(a for a in artifacts if not room.asks_for_hash(a))


def identity(artifact: Artifact) -> Hashable:
    """What makes two lockfiles' entries one artifact: all but where and why it was named."""
    kind = type(artifact)
    return kind, _telling(kind)(artifact)  # type: ignore[arg-type]  # a class can be hashed


@functools.cache
def _telling(kind: type[Artifact]) -> Callable[[Artifact], Hashable]:
    names = (field.name for field in fields(kind))
    return attrgetter(*(name for name in names if name not in ("where", "why")))


def merged(artifacts: Iterable[Artifact]) -> list[Artifact]:
    """Each artifact once, as it stands first, with every reason it was chosen for."""
    once: dict[Hashable, Artifact] = {}
    for artifact in artifacts:
        key = identity(artifact)
        known = once.get(key)
        if known is None:
            once[key] = artifact
        elif known.why != artifact.why:
            once[key] = replace(known, why=tuple(sorted({*known.why, *artifact.why})))
    return list(once.values())
