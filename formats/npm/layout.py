"""npm's cache (npm 7 to 12, `cacache` 15 to 20), as far as `npm ci --offline` reads it::

    npm/_cacache/
    ├── content-v2/
    │   └── sha512/ab/cd/ef…            a tarball as served; hex digits of its digest
    └── index-v5/
        └── 01/23/45…                   hex digits of sha256 of the key
    npm/git/                            repositories that npm clones

A commit on a host that npm knows lies in the content as an archive made of it, and in the index by
the addresses of the host's own.

Content alone serves every entry that has an address and a hash: npm asks by digest first. It
asks only for the strongest algorithm that the lockfile names, so a package locked by sha1
must lie under `content-v2/sha1`.

An index file holds one entry or more, each a line feed, sha1 of the JSON in hex, a tab and
the JSON; the last entry that fits wins. The key is `make-fetch-happen:request-cache:<address>`.
An entry is found only if its `reqHeaders.accept` is what npm asks with, so a packument has one
for each of npm's two Accept headers. The packument itself may be minimal. `time` is read for
staleness only, which `--offline` does not ask about: it is a constant here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from vendorpack.digest import Digest
from vendorpack.formats._shared.npm.git_dependencies import archive_of, repositories
from vendorpack.formats._shared.npm.registry import CORGI, packument_url
from vendorpack.formats.npm.artifacts import NpmArtifact, NpmCommit
from vendorpack.model import Entry, Packed
from vendorpack.room import Workshop

CACHE: Final = "npm/_cacache"
GIT: Final = "npm/git"
_ACCEPTS: Final = ("application/json", CORGI)
_TIME: Final = 10**12
"""Milliseconds; any constant serves."""


def layout(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """The cache's files: each artifact's content and index, each package's packument once.

    The same content of several artifacts is there for each.
    """
    yield from repositories(GIT, packed, workshop)
    yield from _hosted(packed, workshop)
    packages = [one for one in packed if isinstance(one.artifact, NpmArtifact)]
    releases = _releases(packages)
    indexes: set[str] = set()
    for one in packages:
        artifact = _npm(one)
        entries = [
            Entry(_content_path(digest), one.blob, artifact=artifact)
            for digest in _digests(one, workshop)
        ]
        indexed = _index_digest(one, workshop)
        for url in artifact.index_urls:
            line = _index_line(url, str(indexed), one.blob.size, "application/octet-stream")
            entries.append(Entry(_index_path(url), line))
        for registry in artifact.packuments:
            of = releases.pop((registry, artifact.name), None)
            if of is not None:
                packument = _packument(of, workshop)
                entries += _packument_entries(packument_url(registry, artifact.name), packument)
        yield from _in_order(entries, indexes)


def _in_order(entries: Iterable[Entry], indexes: set[str]) -> Iterator[Entry]:
    """By path, without the index files that are in `indexes`; it gets the others."""
    for entry in sorted(entries, key=lambda e: e.path):
        if is_index(entry.path):
            if entry.path in indexes:
                continue
            indexes.add(entry.path)
        yield entry


def _hosted(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """Commits as the archives that npm takes from the hosts that it knows."""
    indexes: set[str] = set()
    for one in packed:
        if not isinstance(one.artifact, NpmCommit):
            continue
        archive = archive_of(one, workshop)
        digest = Digest.from_hex("sha256", archive.sha256)
        entries = [Entry(_content_path(digest), archive, artifact=one.artifact)]
        for url in one.artifact.index_urls:
            line = _index_line(url, str(digest), archive.size, "application/octet-stream")
            entries.append(Entry(_index_path(url), line))
        yield from _in_order(entries, indexes)


def merge_index(existing: bytes, ours: bytes) -> bytes:
    """An index file of the user's with our entries after theirs, none twice."""
    theirs = existing.split(b"\n")
    new = [line for line in ours.split(b"\n") if line and line not in theirs]
    return existing + b"".join(b"\n" + line for line in new)


def is_index(path: str) -> bool:
    """Whether a path of the bundle is an index file."""
    return path.startswith(f"{CACHE}/index-v5/")


def _npm(one: Packed) -> NpmArtifact:
    assert isinstance(one.artifact, NpmArtifact)
    return one.artifact


def _releases(packed: Sequence[Packed]) -> dict[tuple[str, str], list[Packed]]:
    """Registry and package to the versions that its packument must name."""
    releases: dict[tuple[str, str], list[Packed]] = {}
    for one in packed:
        artifact = _npm(one)
        for registry in artifact.packuments:
            releases.setdefault((registry, artifact.name), []).append(one)
    return releases


def _digests(one: Packed, workshop: Workshop) -> Iterator[Digest]:
    """The digests under which the content must lie."""
    artifact = _npm(one)
    wanted = dict.fromkeys(artifact.content)
    if artifact.index_urls:
        wanted[_index_digest(one, workshop).algorithm] = None
    for algorithm in wanted:
        yield _digest(one, algorithm, workshop)


def _index_digest(one: Packed, workshop: Workshop) -> Digest:
    """What the index names the content by: the strongest digest, else what it turned out to be."""
    algorithms = one.artifact.integrity.algorithms
    return _digest(one, algorithms[0] if algorithms else "sha256", workshop)


def _digest(one: Packed, algorithm: str, workshop: Workshop) -> Digest:
    if algorithm == "sha256":
        return Digest.from_hex("sha256", one.blob.sha256)
    pinned = [d for d in one.artifact.integrity.digests if d.algorithm == algorithm]
    if len(pinned) == 1:
        return pinned[0]
    # Several are alternatives; only one of them is this file's.
    data = workshop.read(one.blob)
    return Digest(algorithm, hashlib.new(algorithm, data, usedforsecurity=False).digest())


def _packument(releases: Sequence[Packed], workshop: Workshop) -> bytes:
    versions = {
        one.artifact.version: {
            **json.loads(_npm(one).manifest or "{}"),
            "name": one.artifact.name,
            "version": one.artifact.version,
            "dist": {
                "tarball": (*_npm(one).index_urls, one.artifact.url)[0],
                "integrity": str(_index_digest(one, workshop)),
            },
        }
        for one in releases
    }
    newest = releases[-1].artifact
    return _json(
        {"name": newest.name, "dist-tags": {"latest": newest.version}, "versions": versions}
    )


def _packument_entries(url: str, packument: bytes) -> Iterator[Entry]:
    digest = Digest("sha512", hashlib.sha512(packument).digest())
    lines = b"".join(
        _index_line(url, str(digest), len(packument), "application/json", accept)
        for accept in _ACCEPTS
    )
    yield Entry(_content_path(digest), packument)
    yield Entry(_index_path(url), lines)


def _content_path(digest: Digest) -> str:
    return f"{CACHE}/content-v2/{digest.algorithm}/{_segments(digest.hex)}"


def _key(url: str) -> str:
    return f"make-fetch-happen:request-cache:{url}"


def _index_path(url: str) -> str:
    return f"{CACHE}/index-v5/{_segments(hashlib.sha256(_key(url).encode()).hexdigest())}"


def _segments(digits: str) -> str:
    return f"{digits[:2]}/{digits[2:4]}/{digits[4:]}"


def _index_line(
    url: str, integrity: str, size: int, content_type: str, accept: str | None = None
) -> bytes:
    entry = _json(
        {
            "key": _key(url),
            "integrity": integrity,
            "time": _TIME,
            "size": size,
            "metadata": {
                "time": _TIME,
                "url": url,
                "reqHeaders": {} if accept is None else {"accept": accept},
                "resHeaders": {"content-type": content_type},
                "options": {"compress": True},
            },
        }
    )
    return b"\n%s\t%s" % (hashlib.sha1(entry, usedforsecurity=False).hexdigest().encode(), entry)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
