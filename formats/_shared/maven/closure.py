"""The POMs that a lockfile does not list, with the hashes that their registry gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from vendorpack.digest import Digest, DigestError, Hashers, Integrity
from vendorpack.errors import FetchError, IntegrityError, LockfileError
from vendorpack.formats._shared.maven.files import MavenFile, coordinates, file_of
from vendorpack.formats._shared.maven.poms import Pom, needed, pom_path, read_pom
from vendorpack.formats._shared.text.xml_text import HostileXml
from vendorpack.model import Artifact, Packed, Trust
from vendorpack.redact import redact_url
from vendorpack.room import Index, Workshop

_ALGORITHMS: Final = ("sha512", "sha256", "sha1")
_MAX_SIDECAR: Final = 4096


async def missing_poms(
    packed: Sequence[Packed], workshop: Workshop, index: Index
) -> Sequence[Artifact]:
    """What clients read besides the packed files, as far as is known yet.

    Of every file its own POM; of every POM its parents and the BOMs that it imports. A POM that
    no registry has is left out: clients pass over it too. Raises `FetchError`, and
    `HostileXml` for a POM that nobody should read.
    """
    import asyncio  # noqa: PLC0415 - dear, and `key` needs none

    files = {one.artifact.path: one for one in packed if isinstance(one.artifact, MavenFile)}

    @cache  # many have the same parents
    def read(path: str) -> Pom | None:
        one = files.get(path)
        return None if one is None else _read(one, workshop)

    missing: dict[str, MavenFile] = {}
    for path, one in files.items():
        assert isinstance(one.artifact, MavenFile)
        found = coordinates(path, one.artifact.where)
        own = pom_path(found.group, found.artifact, found.version)
        for wanted in (own, *needed(own, read)):
            if wanted not in files:
                missing.setdefault(wanted, one.artifact)
    asked = [_vouched(path, needs, index) for path, needs in sorted(missing.items())]
    return [file for file in await asyncio.gather(*asked) if file is not None]


def _read(one: Packed, workshop: Workshop) -> Pom | None:
    """A packed POM; None if no client can read it: they pass over such, and say so."""
    try:
        return read_pom(workshop.read(one.blob), one.artifact.purl)
    except HostileXml as error:
        raise HostileXml(
            error.what,
            where=error.where,
            fix="No POM needs that: tell its publisher, or --exclude what brings it.",
        ) from None
    except LockfileError:
        return None


async def _vouched(path: str, needs: MavenFile, index: Index) -> MavenFile | None:
    """A POM from where `needs` is from, by the hash beside it; None if there is no such POM."""
    bases = tuple(url.removesuffix(needs.path) for url in needs.sources)
    for base in bases:
        for algorithm in _ALGORITHMS:
            try:
                answer = await index.get(f"{base}{path}.{algorithm}", max_size=_MAX_SIDECAR)
                text = answer.body.decode("ascii", "replace").split()
                digest = Digest.from_hex(algorithm, text[0] if text else "")
            except FetchError as error:
                if error.status in (403, 404):
                    continue
                raise
            except DigestError:
                continue
            integrity = Integrity.of([digest])
            if integrity.weak:
                integrity |= await _strengthened(f"{base}{path}", digest, index)
            file = file_of(path, integrity, (base,), needs.where)
            return replace(file, trust=Trust.REGISTRY)
    return None


async def _strengthened(url: str, digest: Digest, index: Index) -> Integrity:
    """A hash that counts of what the registry sends now, and says has this weak one.

    It is the registry's word in both cases: the hash lies beside the file.
    """
    body = (await index.get(url)).body
    hashers = Hashers((digest.algorithm, "sha256"))
    hashers.update(body)
    values = hashers.values()
    if values[digest.algorithm] != digest.value:
        raise IntegrityError(
            f"the registry sends another file than its {digest.algorithm} says",
            where=redact_url(url),
            fix="It is broken there, or on the way here; try again later.",
        )
    return Integrity.of([Digest("sha256", values["sha256"])])
