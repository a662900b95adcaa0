"""The POMs that a client reads besides those it is told of: parents and imported BOMs.

A client reads an artifact's own POM, that POM's parents, and the POMs that its dependency
management imports, each with its own parents. Properties in their coordinates come from the chain
of parents. What a POM depends on otherwise is the lockfile's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.formats._shared.text.xml_text import Element, load_xml

_PROPERTY: Final = re.compile(r"\$\{([^}]+)\}")
_MAX_ROUNDS: Final = 10
_MAX_PARENTS: Final = 100
_MAX_TEXT: Final = 1000


@dataclass(frozen=True, slots=True)
class Pom:
    """A POM, as far as it names other POMs. Triples are group, artifact, version."""

    group: str
    artifact: str
    version: str
    parent: tuple[str, str, str] | None
    properties: dict[str, str]
    imports: tuple[tuple[str, str, str], ...]
    relocation: tuple[str, str, str] | None


def pom_path(group: str, artifact: str, version: str) -> str:
    """Where a POM lies in a repository."""
    return f"{group.replace('.', '/')}/{artifact}/{version}/{artifact}-{version}.pom"


def read_pom(data: bytes, where: str) -> Pom:
    """Read a POM. Raises `LockfileError`, for some `HostileXml`."""
    root = load_xml(data, where)
    parent = root.one("parent")
    moved = root.one("distributionManagement/relocation")
    imports = [
        _triple(dependency)
        for dependency in root.all("dependencyManagement/dependencies/dependency")
        if dependency.get("scope") == "import"
    ]
    properties = root.one("properties")
    return Pom(
        *_triple(root),
        parent=None if parent is None else _triple(parent),
        properties={p.name: p.text for p in properties.children} if properties else {},
        imports=tuple(imports),
        relocation=None if moved is None else _triple(moved),
    )


def needed(path: str, read: Callable[[str], Pom | None]) -> Iterator[str]:
    """Paths of the POMs that a client reads with the one at `path`, that one left out.

    read: a POM, None for one that is not there yet (its own needs are not known then) or that no
    client could read.
    """
    chain = _chain(path, read)
    if not chain:
        return
    for pom in chain:
        if pom.parent is not None and all(pom.parent):
            yield pom_path(*pom.parent)
    properties = _properties(chain)
    named = [coordinates for pom in chain for coordinates in pom.imports]
    if chain[0].relocation is not None:
        moved = zip(chain[0].relocation, _coordinates(chain), strict=True)
        group, artifact, version = (new or old for new, old in moved)
        named.append((group, artifact, version))
    for coordinates in named:
        group, artifact, version = (_filled(text, properties) for text in coordinates)
        if group and artifact and version and "${" not in group + artifact + version:
            yield pom_path(group, artifact, version)


def _chain(path: str, read: Callable[[str], Pom | None]) -> list[Pom]:
    """A POM and its parents, the nearest first, as far as they are there."""
    found: list[Pom] = []
    while len(found) < _MAX_PARENTS:
        pom = read(path)
        if pom is None:
            break
        found.append(pom)
        if pom.parent is None or not all(pom.parent):
            break
        path = pom_path(*pom.parent)
    return found


def _coordinates(chain: Sequence[Pom]) -> tuple[str, str, str]:
    own = chain[0]
    parent = own.parent or ("", "", "")
    return own.group or parent[0], own.artifact, own.version or parent[2]


def _properties(chain: Sequence[Pom]) -> dict[str, str]:
    properties: dict[str, str] = {}
    for pom in reversed(chain):
        properties |= pom.properties
    group, artifact, version = _coordinates(chain)
    for start in ("project.", "pom.", ""):
        properties |= {
            f"{start}groupId": group,
            f"{start}artifactId": artifact,
            f"{start}version": version,
        }
    if chain[0].parent is not None:
        properties["project.parent.groupId"] = chain[0].parent[0]
        properties["project.parent.version"] = chain[0].parent[2]
    return properties


def _filled(text: str, properties: dict[str, str]) -> str:
    for _ in range(_MAX_ROUNDS):
        filled = _PROPERTY.sub(lambda found: properties.get(found[1], found[0]), text)
        if filled == text or len(filled) > _MAX_TEXT:
            break
        text = filled
    return text


def _triple(element: Element) -> tuple[str, str, str]:
    return element.get("groupId"), element.get("artifactId"), element.get("version")
