"""A commit that is made here, of files that are no repository's: an index that git is to read.

Its id is a function of the files alone: nobody is its author, and it is made at no time.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Iterator, Mapping

from vendorpack.formats._shared.git.pack import (
    BLOB,
    COMMIT,
    TREE,
    object_header,
    read_pack,
)
from vendorpack.formats._shared.git.repository import CONFIG, pack_index
from vendorpack.model import Entry
from vendorpack.room import Workshop

_NAMES = {BLOB: b"blob", TREE: b"tree", COMMIT: b"commit"}
_HEADER = b"author - <> 0 +0000\ncommitter - <> 0 +0000\n\n"
_BLOCK = 65535


def made_repository(
    folder: str, files: Mapping[str, bytes], ref: str, workshop: Workshop
) -> Iterator[Entry]:
    """The entries of a bare repository whose `ref` is a commit of these files."""
    content = commit_pack(files)
    pack = read_pack(io.BytesIO(content))
    path = f"{folder}/objects/pack/pack-{pack.checksum.hex()}"
    yield Entry(f"{folder}/HEAD", b"ref: refs/heads/master\n")
    yield Entry(f"{folder}/config", CONFIG)
    yield Entry(f"{path}.idx", pack_index(pack.objects, pack.checksum))
    yield Entry(f"{path}.pack", workshop.keep([content]))
    yield Entry(f"{folder}/{ref}", f"{pack.commit.hex()}\n".encode())


def made_commit(files: Mapping[str, bytes]) -> str:
    """The id of the commit that `made_repository` makes of these files."""
    return read_pack(io.BytesIO(commit_pack(files))).commit.hex()


def commit_pack(files: Mapping[str, bytes]) -> bytes:
    """The canonical pack (see `pack`) of a commit of these files, by path."""
    objects: dict[bytes, bytes] = {}

    def add(kind: int, content: bytes) -> bytes:
        head = b"%s %d\0" % (_NAMES[kind], len(content))
        oid = hashlib.sha1(head + content, usedforsecurity=False).digest()
        objects[oid] = object_header(kind, len(content)) + _stored(content)
        return oid

    def tree(below: Mapping[str, bytes]) -> bytes:
        folders: dict[str, dict[str, bytes]] = {}
        lines: dict[str, bytes] = {}
        for path, content in below.items():
            name, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(name, {})[rest] = content
            else:
                lines[name] = b"100644 %s\0%s" % (name.encode(), add(BLOB, content))
        for name, inner in folders.items():
            # Git sorts a folder as if its name ended with a slash.
            lines[name + "/"] = b"40000 %s\0%s" % (name.encode(), tree(inner))
        return add(TREE, b"".join(lines[name] for name in sorted(lines)))

    add(COMMIT, b"tree %s\n%s" % (tree(files).hex().encode(), _HEADER))
    data = struct.pack(">4sII", b"PACK", 2, len(objects))
    data += b"".join(objects[oid] for oid in sorted(objects))
    return data + hashlib.sha1(data, usedforsecurity=False).digest()


def _stored(content: bytes) -> bytes:
    """zlib's form of it, not compressed: the bundle's own compression does better."""
    blocks = [content[at : at + _BLOCK] for at in range(0, len(content), _BLOCK)] or [b""]
    last = len(blocks) - 1
    parts = (
        struct.pack("<BHH", number == last, len(block), len(block) ^ 0xFFFF) + block
        for number, block in enumerate(blocks)
    )
    return b"\x78\x01" + b"".join(parts) + struct.pack(">I", zlib.adler32(content))
