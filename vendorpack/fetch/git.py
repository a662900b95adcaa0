"""Git commits: one is fetched by its full id and written down as one canonical pack file.

The pack file is the artifact: its bytes depend on the commit's id alone, not on the server,
the git that fetched it or its zlib. It is an ordinary git pack, version 2, of the commit, its
trees and its blobs (no parents, no submodules' commits), and so small and plain that another
module can prove it, `vendorpack.formats._shared.git.pack`::

    "PACK" | u32 2 | u32 number of objects
    for each object, by rising id:
        type and size, git's variable-length form
        zlib: 78 01 | stored blocks of 65535 bytes, the last one shorter | adler32
    hash of all before, in the repository's hash (SHA-1, or SHA-256 for 64-digit ids)

What is pinned may be an annotated tag, as some clients lock it: then it is in the pack too, with
the commit it leads to.

Stored, not deflated: the bundle's own compression sees the text and does better.

How git itself is run: `vendorpack.fetch.git_client`.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import struct
import tempfile
import zlib
from pathlib import Path
from typing import BinaryIO, Final, Unpack

from vendorpack.errors import FetchError, IntegrityError, UnsupportedError
from vendorpack.fetch.git_client import Git, GitAddress, GitSettings, scratch

MAX_PACK_SIZE: Final = (1 << 31) - 1
"""Bytes. Beyond, a pack's index needs another form, and a source tree is none any more."""

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_TYPES: Final = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}
_BLOCK: Final = 65535


async def fetch_commit(address: GitAddress, out: Path, **settings: Unpack[GitSettings]) -> None:
    """Fetch the commit and write its canonical pack to `out`; work files lie beside it.

    Every object is hashed again while it is written, but that the pack holds the whole
    commit and nothing else is for the caller to prove, as for any other download.

    Raises `PolicyError` for a protocol or URL that is not allowed, `UnsupportedError` for a
    commit that is not given by its full id, `MovedError`, `FetchError`, `IntegrityError`.
    """
    async with scratch(address, out, **settings) as git:
        if not _COMMIT.fullmatch(address.commit):
            raise UnsupportedError(
                "a git source is not pinned to a full commit id",
                where=git.shown,
                fix="Lock it to a commit: 40 (or 64) hex digits.",
            )
        await git.init(len(address.commit))
        await git.fetch_commit(address.commit, address.ref)
        await _write_pack(git, address.commit, out)


async def _write_pack(git: Git, commit: str, out: Path) -> None:
    """Write the canonical pack of a commit, or tag, whose objects are all here."""
    *tags, pinned = await git.tags_and_commit(commit)
    listed = await git.run("rev-list", "--objects", "--no-object-names", "--no-walk", pinned)
    names = sorted({*listed.split(), *(tag.encode() for tag in tags)})
    hash_name = "sha1" if len(commit) == 40 else "sha256"
    with tempfile.TemporaryFile(dir=git.work) as wanted, out.open("wb") as file:
        wanted.write(b"\n".join(names) + b"\n")
        wanted.seek(0)
        pack = _PackFile(file, hash_name)
        pack.write(b"PACK" + struct.pack(">II", 2, len(names)))
        async with git.start("cat-file", "--batch", "--buffer", stdin=wanted) as process:
            stream = process.stdout
            assert stream is not None
            try:
                for name in names:
                    await _copy_object(stream, name, hash_name, pack, git.shown)
            except asyncio.IncompleteReadError:
                raise FetchError("git stopped handing out objects", where=git.shown) from None
        file.write(pack.hash.digest())


async def _copy_object(
    stream: asyncio.StreamReader, name: bytes, hash_name: str, pack: _PackFile, shown: str
) -> None:
    """Copy one object from `git cat-file --batch` into the pack."""
    header = (await stream.readline()).split()
    if len(header) != 3 or header[0] != name or header[1] not in _TYPES:
        raise FetchError(f"git did not hand out object {name.decode()}", where=shown)
    kind, size = header[1], int(header[2])
    if pack.size + size > MAX_PACK_SIZE:
        raise UnsupportedError("a git commit holds more than 2 GiB", where=shown)
    identity = hashlib.new(hash_name, b"%s %d\0" % (kind, size), usedforsecurity=False)
    checksum, left = 1, size
    pack.write(_object_header(_TYPES[kind], size) + b"\x78\x01")
    while True:
        block = await stream.readexactly(min(left, _BLOCK))
        left -= len(block)
        identity.update(block)
        checksum = zlib.adler32(block, checksum)
        pack.write(struct.pack("<BHH", left == 0, len(block), len(block) ^ 0xFFFF))
        pack.write(block)
        if left == 0:
            break
    pack.write(struct.pack(">I", checksum))
    await stream.readexactly(1)
    if identity.hexdigest() != name.decode():
        raise IntegrityError(f"git object {name.decode()} has other bytes than its id", where=shown)


def _object_header(kind: int, size: int) -> bytes:
    """Type (3 bits) and size, seven bits a byte after the first four, lowest first."""
    result = bytearray()
    byte, size = kind << 4 | size & 15, size >> 4
    while size:
        result.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    result.append(byte)
    return bytes(result)


class _PackFile:
    """A file that hashes what is written to it."""

    def __init__(self, file: BinaryIO, hash_name: str) -> None:
        self._file = file
        self.hash = hashlib.new(hash_name, usedforsecurity=False)
        self.size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.hash.update(data)
        self.size += len(data)
