"""What the manifest says of which artifact asks for which: indexes into its own artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from vendorpack.model import Graph, Json, Packed


def merged_graph(graphs: Iterable[Graph | None]) -> Graph | None:
    """What several lockfiles say together.

    The project's own requests are known only if all of them say theirs.
    """
    every = list(graphs)
    known = [graph for graph in every if graph is not None]
    if not known:
        return None
    requires: dict[str, frozenset[str]] = {}
    direct: set[str] = set()
    for graph in known:
        direct.update(graph.direct or ())
        for purl, others in graph.requires.items():
            requires[purl] = requires[purl] | others if purl in requires else others
    told = len(known) == len(every) and all(graph.direct is not None for graph in known)
    return Graph(requires, frozenset(direct) if told else None)


def graph_parts(packed: Sequence[Packed], graph: Graph | None, start: int) -> list[dict[str, Json]]:
    """What a record has of the graph, for each of a format's artifacts.

    `requires`: indexes of those it asks for, ascending, of a release with several files the first;
    not there if the lockfile does not say. `direct`: whether the project itself asks for it; not
    there on the same condition. start: index of the first.
    """
    if graph is None:
        return [{} for _ in packed]
    numbers: dict[str, int] = {}
    for number, one in enumerate(packed, start):
        numbers.setdefault(one.artifact.purl, number)
    found = []
    for one in packed:
        purl = one.artifact.purl
        record: dict[str, Json] = {}
        if graph.direct is not None:
            record["direct"] = purl in graph.direct
        if purl in graph.requires:
            others = graph.requires[purl] & numbers.keys()
            record["requires"] = [*sorted(numbers[other] for other in others)]
        found.append(record)
    return found
