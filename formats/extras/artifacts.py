"""Pinned files to artifacts: their names, and where they may be fetched from."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from vendorpack.dataclass import dataclass
from vendorpack.digest import Integrity
from vendorpack.formats.extras import recipes
from vendorpack.model import Artifact
from vendorpack.redact import redact_url

_SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra(Artifact):
    """A file by its address. place: its name, with folders before it if the lockfile has some."""

    place: str


def extra(
    url: str, integrity: Integrity, place: str, where: str, *, purl: str | None = None
) -> Extra:
    """The artifact of what lies at an address.

    Its version is the one that a recipe sees in the address, else what tells it from another file
    of its name: the first digits of its hash.
    """
    name = place.rpartition("/")[2]
    known = recipes.find(url)
    version = known[0].version(known[1]) if known else ""
    digests = integrity.strongest
    return Extra(
        name=name,
        version=version or (digests[0].hex[:_SHOWN_DIGITS] if digests else "0"),
        purl=purl or _generic(name, url, integrity),
        url=url,
        integrity=integrity,
        where=where,
        place=place,
    )


def origins(urls: Iterable[str]) -> frozenset[str]:
    """The public places of the recipes that these addresses are of."""
    found = [known[0] for url in urls if (known := recipes.find(url)) is not None]
    return frozenset(origin for recipe in found for origin in recipe.public)


def _generic(name: str, url: str, integrity: Integrity) -> str:
    digests = integrity.strongest
    checksum = f"checksum={digests[0].algorithm}:{digests[0].hex}&" if digests else ""
    return (
        f"pkg:generic/{quote(name, safe='')}?{checksum}"
        f"download_url={quote(redact_url(url), safe=':/')}"
    )
