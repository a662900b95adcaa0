"""What the page says: numbers and rows, from manifests alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from vendorpack.bundle.manifest import Manifest
from vendorpack.dataclass import dataclass
from vendorpack.report.treemap import Rectangle, squarified
from vendorpack.sbom.packages import Package, packages_of
from vendorpack.spdx import canonical

WIDTH: Final = 1200
HEIGHT: Final = 420
"""Of the picture, in its own units."""
NOT_SAID: Final = "none is declared"
_TILES: Final = 120
_TRUSTS: Final = {
    "lockfile": "the lockfile",
    "registry": "the registry (the lockfile has no hash that counts)",
    "first-use": "nobody: what the address sent when it was packed",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A package in the table. sizes in bytes; the texts as they are to be shown.

    askers: what asks for it, where the lockfiles say it; the project itself first.
    """

    name: str
    version: str
    formats: str
    size: int
    vouched: str
    host: str
    why: str
    license: str
    places: tuple[str, ...]
    hashes: tuple[str, ...]
    purl: str
    askers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """A word, how many packages it is said of, and their bytes."""

    word: str
    packages: int
    size: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A package's place in the picture. packages: more than one in the last tile only."""

    name: str
    size: int
    packages: int
    place: Rectangle
    format: str


@dataclass(frozen=True, slots=True)
class Content:
    """The page. `exceptions`: packages that were let in without a hash in the lockfile."""

    id: str
    key: str
    lockfiles: tuple[tuple[str, str, str], ...]
    files: int
    unpacked: int
    downloaded: int
    rows: tuple[Row, ...]
    tiles: tuple[Tile, ...]
    formats: tuple[Count, ...]
    hosts: tuple[Count, ...]
    vouchers: tuple[Count, ...]
    licenses: tuple[Count, ...]
    exceptions: tuple[Row, ...]


def content_of(manifest: Manifest, bundle_id: str) -> Content:
    """All of it."""
    head = manifest.head
    packages = packages_of(head.artifacts)
    rows = tuple(sorted(map(_row, packages, _askers(packages)), key=_order))
    return Content(
        id=bundle_id,
        key=head.key,
        lockfiles=tuple((lock.path, lock.format, lock.sha256) for lock in head.lockfiles),
        files=len(manifest.files),
        unpacked=manifest.size(),
        downloaded=sum(row.size for row in rows),
        rows=rows,
        tiles=_tiles(rows),
        formats=_counts((row.formats, row) for row in rows),
        hosts=_counts((row.host, row) for row in rows),
        vouchers=_counts((row.vouched, row) for row in rows),
        licenses=_counts((row.license or NOT_SAID, row) for row in rows),
        exceptions=tuple(row for row in rows if row.vouched != _TRUSTS["lockfile"]),
    )


def _askers(packages: Sequence[Package]) -> list[tuple[str, ...]]:
    found: list[list[str]] = [["the project"] if package.direct else [] for package in packages]
    for package in packages:
        for number in package.requires:
            found[number].append(f"{package.name} {package.version}")
    return [tuple(names) for names in found]


def _row(package: Package, askers: tuple[str, ...]) -> Row:
    sources = package.sources
    trusts = [trust for trust in reversed(_TRUSTS) if any(trust in s.trusts for s in sources)]
    others = sorted({trust for s in sources for trust in s.trusts} - _TRUSTS.keys())
    return Row(
        name=package.name,
        version=package.version,
        formats=", ".join(sorted({name for s in sources for name in s.formats})),
        size=sum(source.size for source in sources),
        vouched=_TRUSTS[trusts[0]] if trusts else ", ".join(others),
        host=", ".join(sorted({_host(source.url) for source in sources})),
        license="; ".join(canonical(text) or text for text in package.licenses),
        why=", ".join(sorted({word for source in sources for word in source.why})),
        places=tuple(sorted({place for source in sources for place in source.places})),
        hashes=tuple(
            f"{name}:{value}" for source in sources for name, value in sorted(source.hashes.items())
        ),
        purl=package.purl,
        askers=askers,
    )


def _host(url: str | None) -> str:
    return urlsplit(url.removeprefix("git+")).hostname or "?" if url else "this project's folder"


def _order(row: Row) -> tuple[str, str, str]:
    return row.name.lower(), row.version, row.purl


def _counts(words: Iterable[tuple[str, Row]]) -> tuple[Count, ...]:
    packages: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for word, row in words:
        packages[word] += 1
        sizes[word] += row.size
    return tuple(
        Count(word, packages[word], sizes[word])
        for word in sorted(packages, key=lambda word: (-packages[word], word))
    )


def _tiles(rows: Iterable[Row]) -> tuple[Tile, ...]:
    """The largest packages, and the rest as one."""
    by_size = sorted((row for row in rows if row.size), key=lambda row: (-row.size, _order(row)))
    large, rest = by_size[:_TILES], by_size[_TILES:]
    tiles = [(f"{row.name} {row.version}", row.size, 1, row.formats) for row in large]
    if rest:
        tiles.append(
            (f"{len(rest)} smaller packages", sum(row.size for row in rest), len(rest), "")
        )
        tiles.sort(key=lambda tile: -tile[1])
    places = squarified([size for _, size, _, _ in tiles], WIDTH, HEIGHT)
    return tuple(
        Tile(name, size, count, place, format_)
        for (name, size, count, format_), place in zip(tiles, places, strict=True)
    )
