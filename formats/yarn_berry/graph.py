"""Who asks for whom: a package's requests, by the descriptors that entries are listed under."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from vendorpack.formats.yarn_berry.locator import Locator
from vendorpack.formats.yarn_berry.lockfile import Pin, YarnLock
from vendorpack.model import Graph

LOCAL: Final = ("workspace:", "link:", "portal:", "file:", "exec:")
"""How references begin of what lies in the project, or is made there."""


def graph_of(lock: YarnLock, purls: Mapping[Locator, str]) -> Graph:
    """The graph of a lockfile; peers are not in it, as they are not in the lockfile.

    A request that `resolutions` of the project lead elsewhere is told by its name, if only one
    package has it; else nothing is said of who makes it.
    """
    by_descriptor = {text: pin.locator for pin in lock.pins for text in pin.descriptors}
    by_name: dict[str, list[Locator]] = {}
    for pin in lock.pins:
        by_name.setdefault(pin.locator.name, []).append(pin.locator)

    def asked(pin: Pin) -> Iterator[Locator | None]:
        for name, wanted in pin.asks:
            found = by_descriptor.get(f"{name}@{wanted}") or by_descriptor.get(
                f"{name}@npm:{wanted}"
            )
            same = by_name.get(name, ())
            yield found or (same[0] if len(same) == 1 else None)

    edges: dict[Locator, list[Locator]] = {}
    for pin in lock.pins:
        found = [*asked(pin)]
        known = [locator for locator in found if locator is not None]
        if len(known) == len(found):
            edges[pin.locator] = known
    project = [pin.locator for pin in lock.pins if pin.locator.reference.startswith(LOCAL)]
    told = all(locator in edges for locator in project)
    return Graph.of(edges, purls, project if told else None)
