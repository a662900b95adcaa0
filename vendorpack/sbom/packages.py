"""The packages of a bundle: its artifacts by package URL, each file once."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from vendorpack.dataclass import dataclass
from vendorpack.digest import SIZES
from vendorpack.model import Json

TOOL: Final = "vendorpack"
_URL_CHARACTERS: Final = "%:/?#[]@!$&'()*+,;=-._~"
_COMMIT: Final = "git+"
_SCOPES: Final = ("required", "optional", "excluded")
_Identity: TypeAlias = tuple[str, str, str]
"""Purl, name and version."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of a package.

    hashes: hashlib's name to hex, of the file's own bytes: its sha256, and what a lockfile pins
    it with. pins: the lockfile's other digests, as it has them: over something else than the
    bytes (`h1` of Go), or one of several that will do. url: percent-encoded where it has to be;
    None if nobody knows. places: `file:line` where it is pinned. why: what it is for, if not the
    program that runs (`dev`, `optional`, `build` …). scope: required, optional or excluded (from
    what runs). licenses: what it declares, as each format reads it.
    """

    sha256: str
    size: int
    url: str | None
    hashes: Mapping[str, str]
    pins: tuple[str, ...]
    trusts: tuple[str, ...]
    formats: tuple[str, ...]
    places: tuple[str, ...]
    why: tuple[str, ...]
    scope: str
    licenses: tuple[str, ...] = ()

    @property
    def commit(self) -> bool:
        """Whether the address is that of a git commit."""
        return self.url is not None and self.url.startswith(_COMMIT)


@dataclass(frozen=True, slots=True)
class Package:
    """A release of a package, and the files of it.

    purl: as its format wrote it. whole: whether that is a package; with a subpath (`#go.mod`)
    it is a file out of one, which is no reason to take the package for installed.
    requires: what it asks for, as indexes of the packages that this one is among, ascending.
    told: whether that is all, as the lockfiles have it.
    direct: whether the project itself asks for it; None if not all lockfiles say.
    """

    purl: str
    name: str
    version: str
    sources: tuple[Source, ...]
    requires: tuple[int, ...]
    told: bool
    direct: bool | None

    @property
    def whole(self) -> bool:
        """Whether it is a package, and not a file out of one."""
        return "#" not in self.purl

    @property
    def scope(self) -> str:
        """The strongest that one of its files has."""
        return _strongest(source.scope for source in self.sources)

    @property
    def licenses(self) -> tuple[str, ...]:
        """What its files declare."""
        return _sorted(text for source in self.sources for text in source.licenses)

    @property
    def group(self) -> str:
        """The purl's namespace, if the name begins with it (`@scope`, `org.example`); or empty."""
        namespace = unquote(self.purl.partition("@")[0].partition("/")[2].rpartition("/")[0])
        return (
            namespace
            if namespace and self.name.startswith((namespace + "/", namespace + ":"))
            else ""
        )

    def ref(self, source: Source | None = None) -> str:
        """A short name for the package, or a file of it: the same in every bundle."""
        text = self.purl if source is None else f"{self.purl} {source.sha256}"
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def packages_of(artifacts: Iterable[Mapping[str, Json]]) -> tuple[Package, ...]:
    """The packages of a manifest's artifacts, by purl; one file pinned several times is one."""
    every = [*artifacts]
    found: dict[_Identity, list[Mapping[str, Json]]] = {}
    for record in every:
        found.setdefault(_identity(record), []).append(record)
    places = {identity: place for place, identity in enumerate(sorted(found))}
    numbers = [places[_identity(record)] for record in every]
    return tuple(_package(identity, found[identity], numbers) for identity in places)


def _identity(record: Mapping[str, Json]) -> _Identity:
    return _text(record, "purl"), _text(record, "name"), _text(record, "version")


def _package(
    identity: _Identity, records: Sequence[Mapping[str, Json]], numbers: Sequence[int]
) -> Package:
    """numbers: of each artifact's package."""
    files: dict[str, list[Mapping[str, Json]]] = {}
    for record in records:
        files.setdefault(_text(record, "sha256"), []).append(record)
    asked = [record.get("requires") for record in records]
    direct = [record.get("direct") for record in records]
    return Package(
        *identity,
        tuple(_source(sha256, files[sha256]) for sha256 in sorted(files)),
        requires=_requires(asked, numbers),
        told=all(isinstance(one, list) for one in asked),
        direct=any(one is True for one in direct)
        or (False if all(one is False for one in direct) else None),
    )


def _requires(asked: Iterable[Json], numbers: Sequence[int]) -> tuple[int, ...]:
    indexes = (i for one in asked if isinstance(one, list) for i in one if type(i) is int)
    return tuple(sorted({numbers[index] for index in indexes if 0 <= index < len(numbers)}))


def _source(sha256: str, records: list[Mapping[str, Json]]) -> Source:
    urls = sorted({_text(record, "url") for record in records} - {""})
    digests = sorted({digest for record in records for digest in _texts(record, "digests")})
    hashes, pins = _hashes(sha256, digests)
    size = records[0].get("size")
    reasons = [_texts(record, "why") for record in records]
    return Source(
        sha256=sha256,
        size=size if isinstance(size, int) else 0,
        url=_address(urls[0]) if urls else None,
        hashes=hashes,
        pins=pins,
        trusts=_sorted(_text(record, "trust") for record in records),
        formats=_sorted(_text(record, "format") for record in records),
        places=_sorted(_text(record, "where") for record in records),
        why=_sorted(word for why in reasons for word in why),
        scope=_strongest(map(_scope, reasons)),
        licenses=_sorted(_text(record, "license") for record in records),
    )


def _scope(why: Collection[str]) -> str:
    """What a reason amounts to in CycloneDX's words; any other is a part of the program."""
    if "dev" in why or "build" in why:
        return "excluded"
    return "optional" if "optional" in why else "required"


def _strongest(scopes: Iterable[str]) -> str:
    return min(scopes, key=_SCOPES.index)


def _hashes(sha256: str, digests: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """What of the digests is a hash of the file, and the rest."""
    values: dict[str, dict[str, str]] = {}
    for text in digests:
        algorithm, _, value = text.partition("-")
        values.setdefault(algorithm, {})[text] = value
    hashes = {"sha256": sha256}
    pins: list[str] = []
    for algorithm, texts in values.items():
        decoded = {text: _hex(value) for text, value in texts.items()}
        if algorithm == "sha256" and sha256 in decoded.values():
            continue  # the others are those of the release's other files
        value = next(iter(decoded.values()))
        whole = algorithm in SIZES and len(value) == 2 * SIZES[algorithm]
        if whole and algorithm != "sha256" and len(decoded) == 1:
            hashes[algorithm] = value
        else:
            pins += texts
    return hashes, tuple(sorted(pins))


def _hex(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""


def _address(url: str) -> str | None:
    """A valid URI reference, or None."""
    return quote(url, safe=_URL_CHARACTERS) if "://" in url else None


def _text(record: Mapping[str, Json], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _texts(record: Mapping[str, Json], key: str) -> tuple[str, ...]:
    value = record.get(key)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _sorted(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(texts) - {""}))
