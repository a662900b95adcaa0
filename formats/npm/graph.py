"""Who asks for whom: by npm's own search, from a package's folder up to the project's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from vendorpack.formats.npm.lockfile import PackageLock
from vendorpack.model import Graph

_ASKED: Final = ("dependencies", "optionalDependencies", "peerDependencies")
_ASKED_BY_PROJECT: Final = (*_ASKED, "devDependencies")
_MODULES: Final = "node_modules/"
_LONGEST: Final = 4096
"""Characters of a place: npm could not make a longer one."""


def graph_of(lock: PackageLock, purls: Mapping[str, str], local: Collection[str]) -> Graph:
    """The graph of a lockfile. A lockfile of version 1 does not say what the project asks for.

    purls: by place, of what is packed. local: places of what lies in the project itself.
    """
    places = lock.places
    if not lock.knows_platforms:
        edges = {
            place: [*_found(places, place, entry, ("requires",))] for place, entry in places.items()
        }
        return Graph.of(edges, purls, None)
    project = {place for place in places if _MODULES not in place}.union(local)
    edges = {
        place: [*_found(places, place, entry, _ASKED_BY_PROJECT if place in project else _ASKED)]
        for place, entry in places.items()
    }
    return Graph.of(edges, purls, project)


def _found(
    places: Mapping[str, Mapping[str, Any]],
    place: str,
    entry: Mapping[str, Any],
    fields: tuple[str, ...],
) -> Iterator[str]:
    for name in fields:
        asked = entry.get(name)
        for package in asked if isinstance(asked, Mapping) else ():
            found = _resolve(places, place, package)
            if found is not None:
                yield found


def _resolve(places: Mapping[str, Mapping[str, Any]], place: str, name: str) -> str | None:
    """The place that `name` means at a place; None if nothing is there: an optional one, a peer."""
    while len(place) < _LONGEST:
        found = f"{place}/{_MODULES}{name}" if place else _MODULES + name
        if found in places:
            return found
        if not place:
            return None
        place = place.rpartition("/")[0]
    return None
