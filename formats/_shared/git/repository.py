"""A minimal bare git repository made of canonical packs: what clients clone from offline.

::

    <folder>/HEAD                                 ref: refs/heads/master
    <folder>/config                               bare
    <folder>/objects/pack/pack-<checksum>.pack    one commit's own pack, or all merged
    <folder>/objects/pack/pack-<checksum>.idx     version 2
    <folder>/refs/…                               as asked for; an empty folder otherwise
    <folder>/shallow                              the commits: their parents are not here

Accepted by git 2.39 (`git fsck` is content), by libgit2 as cargo 1.65 to 1.95 uses it, and by
Bundler 2.3 to 4.0. No ref is needed where the client asks for a commit by id.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

from vendorpack.digest import Digest, Integrity
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.git.pack import (
    Pack,
    PackedObject,
    hash_name,
    pack_commit_id,
    read_pack,
)
from vendorpack.model import Artifact, Blob, Entry, Packed
from vendorpack.room import Workshop

DIGEST: Final = "git"
"""Name of the derived digest whose value is a commit's id."""

CONFIG: Final = b"[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
"""The settings of a bare repository with SHA-1 ids."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_READ_SIZE: Final = 1 << 20
_LARGEST_OFFSET: Final = (1 << 31) - 1


def commit_integrity(commit: str, where: str) -> Integrity:
    """What pins a git artifact: its commit. Raises `UnsupportedError` for an abbreviated one."""
    if not _COMMIT.fullmatch(commit):
        raise UnsupportedError(
            "a git source is not pinned to a full commit id",
            where=where,
            fix="Lock it to a commit: 40 hex digits.",
        )
    return Integrity.of([Digest(DIGEST, bytes.fromhex(commit))])


def commit_address(url: str, commit: str, ref: str | None = None) -> str:
    """The `url` of a git artifact. `ref` is where the commit was found when it was locked."""
    return f"git+{url}{'?' + quote(ref) if ref else ''}#{commit}"


def commit_of(artifact: Artifact) -> bytes:
    """The id of the commit that pins a git artifact."""
    return next(d.value for d in artifact.integrity.digests if d.algorithm == DIGEST)


def derive_commit(artifact: Artifact, path: Path) -> bytes:
    """What `Format.derive` answers for a git artifact. Raises `IntegrityError`."""
    return pack_commit_id(path, len(commit_of(artifact)))


def bare_repository(
    folder: str,
    packed: Sequence[Packed],
    workshop: Workshop,
    refs: Mapping[str, str] | None = None,
) -> Iterator[Entry]:
    """The entries of a bare repository that has these commits, by path.

    packed: commits of one repository, each once, of one kind of id.
    refs: full name ("refs/heads/master") to the id that is locked. A branch leads to a commit:
        where a tag is locked, its branch leads to the tag's commit, and a tag of the branch's
        name to the tag.
    """
    id_size = len(commit_of(packed[0].artifact))
    packs = []
    for item in packed:
        with workshop.open(item.blob) as file:
            packs.append(read_pack(file, id_size))
    checksum, index, content = _one_pack(packed, packs, workshop, id_size)
    source = packed[0].artifact if len(packed) == 1 else None
    pack = f"{folder}/objects/pack/pack-{checksum.hex()}"
    yield Entry(f"{folder}/HEAD", b"ref: refs/heads/master\n")
    yield Entry(f"{folder}/config", _config(id_size))
    yield Entry(f"{pack}.idx", index, artifact=source)
    yield Entry(f"{pack}.pack", content, artifact=source)
    if refs:
        for ref, oid in sorted(_peeled(refs, packs).items()):
            yield Entry(f"{folder}/{ref}", f"{oid}\n".encode())
    else:
        yield Entry(f"{folder}/refs", None)
    commits = sorted({pack.commit for pack in packs})
    yield Entry(f"{folder}/shallow", "".join(f"{oid.hex()}\n" for oid in commits).encode())


def _peeled(refs: Mapping[str, str], packs: Sequence[Pack]) -> dict[str, str]:
    tagged = {pack.tip.hex(): pack.commit.hex() for pack in packs if pack.tip != pack.commit}
    branches = {ref: tagged.get(oid, oid) for ref, oid in refs.items()}
    tags = {
        ref.replace("refs/heads/", "refs/tags/", 1): oid
        for ref, oid in refs.items()
        if oid in tagged
    }
    return branches | tags


def _config(id_size: int) -> bytes:
    if id_size == 20:
        return CONFIG
    return (
        b"[core]\n\trepositoryformatversion = 1\n\tbare = true\n"
        b"[extensions]\n\tobjectFormat = sha256\n"
    )


def _one_pack(
    packed: Sequence[Packed], packs: Sequence[Pack], workshop: Workshop, id_size: int
) -> tuple[bytes, bytes, Blob]:
    """Checksum, index and blob of a pack with every commit of `packed`."""
    if len(packed) == 1:
        return packs[0].checksum, pack_index(packs[0].objects, packs[0].checksum), packed[0].blob
    origin = {oid: number for number, pack in enumerate(packs) for oid in pack.objects}
    objects: dict[bytes, PackedObject] = {}
    position = 12
    for oid, number in sorted(origin.items()):
        record = packs[number].objects[oid]
        end = position + record.end - record.offset
        objects[oid] = replace(record, offset=position, end=end)
        position = end
    checksum = hashlib.new(hash_name(id_size), usedforsecurity=False)

    def chunks() -> Iterator[bytes]:
        for chunk in _merged(packs, origin, [item.blob for item in packed], workshop):
            checksum.update(chunk)
            yield chunk
        yield checksum.digest()

    blob = workshop.keep(chunks())
    return checksum.digest(), pack_index(objects, checksum.digest()), blob


def _merged(
    packs: Sequence[Pack], origin: Mapping[bytes, int], blobs: Sequence[Blob], workshop: Workshop
) -> Iterator[bytes]:
    """Several packs made one, without its checksum: records are copied as they are."""
    yield struct.pack(">4sII", b"PACK", 2, len(origin))
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(workshop.open(blob)) for blob in blobs]
        for oid, number in sorted(origin.items()):
            record = packs[number].objects[oid]
            yield from _slice(files[number], record.offset, record.end - record.offset)


def _slice(file: BinaryIO, offset: int, length: int) -> Iterator[bytes]:
    file.seek(offset)
    while length:
        chunk = file.read(min(length, _READ_SIZE))
        length -= len(chunk)
        yield chunk


def pack_index(objects: Mapping[bytes, PackedObject], checksum: bytes) -> bytes:
    """A pack index, version 2, for objects in the order of their ids."""
    if any(item.offset > _LARGEST_OFFSET for item in objects.values()):
        raise UnsupportedError("the commits of one git repository hold more than 2 GiB")
    counts = [0] * 256
    for oid in objects:
        counts[oid[0]] += 1
    body = b"".join(
        (
            b"\xfftOc",
            struct.pack(">I", 2),
            struct.pack(">256I", *itertools.accumulate(counts)),
            *objects,
            *(struct.pack(">I", item.crc32) for item in objects.values()),
            *(struct.pack(">I", item.offset) for item in objects.values()),
            checksum,
        )
    )
    return body + hashlib.new(hash_name(len(checksum)), body, usedforsecurity=False).digest()
