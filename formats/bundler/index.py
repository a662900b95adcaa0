"""The compact index of a gem server: where hashes come from that the lockfile lacks.

`<server>/info/<gem>` has a line for every release of a gem::

    ---
    1.8.1 |checksum:4a7f…,ruby:>= 2.5
    1.8.1-java dep:>= 1&< 3,other:>= 0|checksum:54f2…

In a lockfile with several sources in one section, any may have a gem; all that do must have
the same, or else which one is meant cannot be told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from vendorpack.digest import Digest, DigestError, Integrity
from vendorpack.errors import FetchError, IntegrityError
from vendorpack.formats.bundler.artifacts import (
    DEFAULT_SOURCE,
    Gem,
    Source,
    fetch_from,
    gem_url,
)
from vendorpack.formats.bundler.lockfile import sha256_of
from vendorpack.model import Artifact, Lockfile, Trust
from vendorpack.redact import redact_url
from vendorpack.room import Index

_NOT_FOUND: Final = 404
_NOT_FOR_ALL: Final = (401, 402, 403)

Releases = Mapping[str, str]
"""Version, with platform, to what else its line says."""


async def locate(lockfile: Lockfile, index: Index) -> Lockfile:
    """Fill in the hash of every gem that has none. Raises `FetchError`, `IntegrityError`.

    A gem of a server without this index stays without: that is for the policy to judge.
    """
    import asyncio  # noqa: PLC0415 - dear, and `key` needs none

    gems = [gem for gem in lockfile.artifacts if isinstance(gem, Gem) and not gem.integrity]
    asking = {(s.server, gem.name): gem for gem in gems for s in gem.candidates}
    questions = sorted(asking)
    answers = await asyncio.gather(*(_releases(q[0], asking[q], index) for q in questions))
    known = dict(zip(questions, answers, strict=True))
    servers = {DEFAULT_SOURCE, *(server for (server, _), page in known.items() if page is not None)}
    found = {id(gem): _located(gem, known, servers) for gem in gems}
    artifacts: list[Artifact] = [found.get(id(a), a) for a in lockfile.artifacts]
    return lockfile.with_artifacts(artifacts)


async def _releases(server: str, gem: Gem, index: Index) -> Releases | None:
    """What a server's index says of a gem; None if it has no such page."""
    try:
        answer = await index.get(f"{server}info/{gem.name}")
    except FetchError as error:
        if error.status == _NOT_FOUND:
            return None
        error.where = f"{gem.where}: {gem}\n{error.where}"
        if error.status in _NOT_FOR_ALL:
            advice = f"If its group is not installed, leave it out: --exclude {gem.name}"
            error.fix = f"{error.fix}\n{advice}" if error.fix else advice
        raise
    lines = answer.body.decode(errors="replace").splitlines()
    return {version: rest for version, _, rest in (line.partition(" ") for line in lines)}


def _located(
    gem: Gem, known: Mapping[tuple[str, str], Releases | None], servers: Collection[str]
) -> Gem:
    """The gem with its hash, if its servers are among those with an index."""
    listed: dict[Source, Digest | None] = {}
    has_page = False
    for source in gem.candidates:
        releases = known[source.server, gem.name]
        has_page |= releases is not None
        if releases is not None and gem.id.full_version in releases:
            listed[source] = _checksum(gem, source, releases[gem.id.full_version])
    if not listed:
        if has_page or all(source.server in servers for source in gem.candidates):
            shown = ", ".join(redact_url(source.server) for source in gem.candidates)
            way_out = "The release was taken back: lock another version"
            if not has_page:
                way_out = f"No gem is called {gem.name} there: name its source and lock again"
            raise FetchError(
                f"the index of {shown} does not have {gem}",
                where=gem.where,
                fix=f"{way_out}, or leave it out: --exclude {gem.name}.",
            )
        return gem
    if len(set(listed.values())) > 1:
        raise IntegrityError(
            f"two sources of the lockfile have {gem}, and not the same",
            where=gem.where + "".join(f"\n{redact_url(source.server)}" for source in listed),
            fix="Give the gem a source of its own in the Gemfile and lock again: which of the "
            "two is meant cannot be told.",
        )
    sources = tuple(listed)
    digest = listed[sources[0]]
    return replace(
        gem,
        url=gem_url(sources[0].address, gem.id),
        fetch_from=fetch_from(sources, gem.id),
        integrity=Integrity.of([digest] if digest else []),
        trust=Trust.REGISTRY,
    )


def _checksum(gem: Gem, source: Source, line: str) -> Digest | None:
    """The checksum in the rest of a gem's line; None if there is none."""
    for item in line.rpartition("|")[2].split(","):
        key, _, value = item.partition(":")
        if key == "checksum":
            try:
                return sha256_of(value)
            except DigestError as error:
                raise FetchError(
                    f"the index has a checksum for {gem} that cannot be read: {error}",
                    where=redact_url(f"{source.server}info/{gem.name}"),
                ) from None
    return None
