"""Who asks for whom, where a lockfile pins releases and names requests, but does not join them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.python.index import purl
from vendorpack.formats._shared.python.markers import may_hold
from vendorpack.model import Graph, Target


class Request(NamedTuple):
    """What a package asks for.

    name: normalised. constraint: of its version, in any tool's words.
    """

    name: str
    marker: str = ""
    constraint: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """A release that is locked. name: normalised. purls: how it is known, where it is packed.

    requests: None if they cannot be read.
    """

    name: str
    version: str
    purls: tuple[str, ...]
    requests: tuple[Request, ...] | None


def purls_of(name: str, version: str) -> tuple[str, ...]:
    """A release's, with the version as it is locked and as files have it."""
    try:
        return tuple(dict.fromkeys((purl(name, version), purl(name, str(Version(version))))))
    except InvalidVersion:
        return (purl(name, version),)


def graph_of(
    releases: Sequence[Release], targets: Sequence[Target], project: Iterable[str] | None
) -> Graph:
    """The graph of a lockfile.

    A request leads to the release of its name that is locked; if there are several, to those that
    it may mean. Where markers speak of extras, somebody may have asked for these.

    targets: none for all. project: the names that it asks for itself, if the lockfile says them.
    """
    by_name: dict[str, list[int]] = {}
    for number, release in enumerate(releases):
        by_name.setdefault(release.name, []).append(number)

    def meant(request: Request) -> Iterator[int]:
        same = by_name.get(request.name, ())
        if not same or not _is_for(request.marker, targets):
            return
        for number in same:
            if len(same) == 1 or _may_be(request.constraint, releases[number].version):
                yield number

    edges = {
        number: [other for request in release.requests for other in meant(request)]
        for number, release in enumerate(releases)
        if release.requests is not None
    }
    purls = {number: release.purls for number, release in enumerate(releases)}
    root = len(releases)
    if project is not None:
        edges[root] = [number for name in project for number in by_name.get(name, ())]
    return Graph.of(edges, purls, None if project is None else (root,))


def _is_for(marker: str, targets: Sequence[Target]) -> bool:
    try:
        return not targets or any(may_hold(marker, target, "") for target in targets)
    except LockfileError:  # the client judges it where it installs, and so need not we
        return True


def _may_be(constraint: str, version: str) -> bool:
    """Whether a version fits; what is not understood (`^1`) may be anything."""
    try:
        return any(
            SpecifierSet(part.strip().removeprefix("*")).contains(version, prereleases=True)
            for part in constraint.split("||")
        )
    except (InvalidSpecifier, InvalidVersion, ValueError):
        return True
