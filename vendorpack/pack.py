"""What was gathered, as a bundle has it: the manifest's records of it, and its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from vendorpack import environment
from vendorpack.boundary import Boundary, check_packed, compiled
from vendorpack.digest import WEAK
from vendorpack.errors import UnsupportedError
from vendorpack.formats import boundary_of
from vendorpack.gather import Gathered
from vendorpack.graph import graph_parts
from vendorpack.model import Artifact, Blob, Entry, Environment, Json, Packed, Slice, Trust
from vendorpack.policy import Policy, named
from vendorpack.redact import redact_url
from vendorpack.room import Format
from vendorpack.store.local import Store
from vendorpack.workshop import LocalWorkshop


def artifact_record(packed: Packed, format_name: str) -> dict[str, Json]:
    """An artifact as the manifest has it. Digests are the pinned ones; sha256 is always there.

    `license` is there if the artifact declares one.
    """
    artifact, blob = packed.artifact, packed.blob
    trust = artifact.trust if artifact.integrity else Trust.FIRST_USE
    return {
        "digests": [str(d) for d in artifact.integrity.digests],
        "format": format_name,
        **({"license": packed.license} if packed.license else {}),
        "name": artifact.name,
        "purl": artifact.purl,
        "sha256": blob.sha256,
        "size": blob.size,
        "trust": trust.value,
        "url": redact_url(artifact.url) if artifact.url else None,
        "version": artifact.version,
        "where": artifact.where,
        "why": list(artifact.why),
    }


def artifact_records(gathered: Gathered) -> Iterator[dict[str, Json]]:
    """All of them in the manifest's order, with what is known of who asks for whom."""
    start = 0
    for name in sorted(gathered.packed):
        packed = gathered.packed[name]
        parts = graph_parts(packed, gathered.graphs.get(name), start)
        for one, part in zip(packed, parts, strict=True):
            yield artifact_record(one, name) | part
        start += len(packed)


def plan_record(artifact: Artifact, format_name: str) -> dict[str, Json]:
    """An artifact as `pack --dry-run` shows it, before anything was fetched.

    Where the lockfile has no hash nobody knows yet who will vouch: an index has not been asked.
    """
    record = artifact_record(Packed(artifact, Blob("", artifact.size or 0)), format_name)
    del record["sha256"]
    trust = artifact.trust.value if artifact.integrity else None
    return {**record, "size": artifact.size, "trust": trust}


def still_allowed(records: Iterable[Mapping[str, Json]], policy: Policy) -> bool:
    """Whether the policy of today would let these artifacts' hashes through."""
    for record in records:
        digests = record.get("digests")
        algorithms = (
            [str(d).partition("-")[0] for d in digests] if isinstance(digests, list) else []
        )
        names = {"name": str(record.get("name")), "version": str(record.get("version"))}
        if record.get("trust") == Trust.FIRST_USE:
            if not named(policy.allow_missing_hash, **names):
                return False
        elif all(a in WEAK for a in algorithms) and not named(policy.allow_weak_hash, **names):
            return False
    return True


def side_files(gathered: Gathered, store: Store) -> dict[Path, bytes]:
    """What the rooms were asked to record beside the lockfiles: path to content."""
    return {
        item.project.folder / name: content
        for item in gathered.located
        for name, content in item.room.side_files(
            item.project, item.lockfile, gathered.packed[item.room.name], LocalWorkshop(store)
        ).items()
    }


# -- the layout ------------------------------------------------------------------------------


def environment_of(gathered: Gathered) -> Environment:
    """What the target needs. Raises `UnsupportedError` for what opening would refuse."""
    found = []
    for name in sorted(gathered.packed):
        needed = gathered.rooms[name].environment(gathered.packed[name])
        check_packed(name, _boundary(name), needed)
        found.append(needed)
    return environment.join(found)


def entries_of(
    gathered: Gathered, store: Store
) -> Iterator[tuple[Format, Iterator[tuple[Entry, int | None]]]]:
    """Each room's entries with the index of their artifact in the manifest, lazily."""
    numbers = {id(p.artifact): number for number, p in enumerate(gathered.artifacts)}

    def number_of(artifact: Artifact | None) -> int | None:
        return None if artifact is None else numbers[id(artifact)]

    for name in sorted(gathered.packed):
        room = gathered.rooms[name]
        entries = _within(room, room.layout(gathered.packed[name], LocalWorkshop(store)))
        yield room, ((entry, number_of(entry.artifact)) for entry in entries)


def _within(room: Format, entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, each seen to be in a cache: what is packed here can be opened there."""
    boundary = _boundary(room.name)
    within = compiled(boundary)
    texts = {path for path, _ in boundary.texts}
    for entry in entries:
        content = entry.content
        sha256 = content.sha256 if isinstance(content, Blob | Slice) else None
        # These, and git's own configuration, are looked at by their hash.
        if isinstance(content, bytes) and (entry.path in texts or entry.path.endswith("/config")):
            sha256 = hashlib.sha256(content).hexdigest()
        if not within(entry.path, sha256):
            raise UnsupportedError(
                f"{entry.path!r} is no part of {room.title}'s cache, and bundles hold nothing else",
                where=entry.artifact.where if entry.artifact is not None else None,
            )
        yield entry


def _boundary(name: str) -> Boundary:
    boundary = boundary_of(name)
    assert boundary is not None, "it was loaded by the same table"
    return boundary
