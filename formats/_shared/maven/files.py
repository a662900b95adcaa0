"""A file of a Maven repository: its path, which says all of it, and its artifact.

::

    <group, its dots as slashes>/<artifact>/<version>/<artifact>-<version>[-<classifier>].<type>
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from vendorpack.dataclass import dataclass
from vendorpack.digest import Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.model import Artifact

_PART: Final = re.compile(r"[A-Za-z0-9_.+@!~ -]+")
_FLOATING: Final = re.compile(r"(?i)(?:.*-SNAPSHOT|LATEST|RELEASE)")
# Types with a dot in them, which is not where the type begins.
_LONG_TYPES: Final = ("tar.gz", "tar.bz2", "tar.xz", "pom.asc", "jar.asc")


@dataclass(frozen=True, slots=True)
class Coordinates:
    """What a path says: `group:artifact:version`, and which of its files."""

    group: str
    artifact: str
    version: str
    classifier: str
    type: str
    path: str

    @property
    def name(self) -> str:
        """`group:artifact`."""
        return f"{self.group}:{self.artifact}"

    @property
    def file_name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def purl(self) -> str:
        """`pkg:maven/group/artifact@version?classifier=…&type=…`."""
        qualifiers = []
        if self.classifier:
            qualifiers.append(f"classifier={quote(self.classifier, safe='')}")
        if self.type != "jar":
            qualifiers.append(f"type={quote(self.type, safe='')}")
        place = f"{quote(self.group)}/{quote(self.artifact)}@{quote(self.version, safe='')}"
        return f"pkg:maven/{place}" + ("?" + "&".join(qualifiers) if qualifiers else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class MavenFile(Artifact):
    """A file of a Maven repository.

    path: where it lies there, and in the bundle. origins: names under which a client that
    asks where it came from shall find that; empty where none asks.
    """

    path: str
    origins: tuple[str, ...] = ()


def coordinates(path: str, where: str) -> Coordinates:
    """Read a path below a repository.

    A file whose name does not begin as its folder says (Gradle's modules may have such) is taken
    as it is called.

    Raises `LockfileError` for what is no such path, and `UnsupportedError` for one that means
    another file every day (a snapshot).
    """
    parts = path.split("/")
    if len(parts) < 4 or not all(map(_is_name, parts)):
        raise LockfileError(f"{path[:200]!r} is no path of a Maven repository", where=where)
    *group, artifact, version, name = parts
    if _FLOATING.fullmatch(version):
        raise UnsupportedError(
            f"{'.'.join(group)}:{artifact}:{version} means another file every day",
            where=where,
            fix="Depend on a release: what has no fixed content cannot be packed.",
        )
    start = f"{artifact}-{version}"
    rest = name.removeprefix(start)
    if not name.startswith(start) or rest[:1] not in (".", "-"):
        rest = f"-{name}"
    classifier, kind = _split(rest)
    return Coordinates(".".join(group), artifact, version, classifier, kind, path)


def _is_name(part: str) -> bool:
    return bool(_PART.fullmatch(part) and part.strip(".")) and part == part.strip()


def _split(rest: str) -> tuple[str, str]:
    """Classifier and type of `-linux-x86_64.tar.gz` or `.jar`."""
    for kind in _LONG_TYPES:
        if rest.endswith("." + kind):
            return rest[: -len(kind) - 1].removeprefix("-"), kind
    classifier, _, kind = rest.rpartition(".")
    return classifier.removeprefix("-"), kind


def file_of(
    path: str,
    integrity: Integrity,
    sources: tuple[str, ...],
    where: str,
    *,
    origins: tuple[str, ...] = (),
    why: tuple[str, ...] = (),
) -> MavenFile:
    """The artifact of a file that one of `sources` (bases, with a slash behind) has.

    The first is its canonical one.
    """
    found = coordinates(path, where)
    addresses = tuple(base + quote(path, safe="/@!$&()*+,;=:~") for base in sources)
    return MavenFile(
        name=found.name,
        version=found.version,
        purl=found.purl,
        url=addresses[0],
        fetch_from=addresses if len(addresses) > 1 else (),
        integrity=integrity,
        where=where,
        why=why,
        path=path,
        origins=origins,
    )
