"""The canonical pack file of one git commit: read strictly, and proven whole.

`vendorpack.fetch.git` writes these files and describes them. Reading one hashes every object,
walks from the commit through all its trees, and accepts only exactly what it meets there. So
the commit's id, which a lockfile pins, vouches for each byte, as a file's sha256 would. The
pack's own form is fixed too: one commit has one pack. Some clients (Bundler) lock the id of an
annotated tag: then the tag is in the pack as well, and its id vouches for the commit it names.

A `Digest("git", <id's bytes>)` stands for that; rooms compute it with `pack_commit_id`.

SHA-1 ids are what git has. Made collisions are what the git client refuses when it fetches.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import IntegrityError, UnsupportedError

COMMIT: Final = 1
TREE: Final = 2
BLOB: Final = 3
TAG: Final = 4

_NAMES: Final = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
_HASHES: Final = {20: "sha1", 32: "sha256"}
_BLOCK: Final = 65535
_TAGGED: Final = re.compile(rb"object ((?:[0-9a-f]{2}){20,32})\ntype (commit|tag)\n")
_FORMAT: Final = 0o170000
_GITLINK: Final = 0o160000
_LINK: Final = 0o120000
_KIND_OF_MODE: Final = {0o040000: TREE, 0o100000: BLOB, _LINK: BLOB}


@dataclass(frozen=True, slots=True)
class PackedObject:
    """Where an object lies in its pack file: `offset` to `end`, and the crc32 of that."""

    kind: int
    offset: int
    end: int
    crc32: int


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """A line of a tree: a file, a link (both blobs), a folder or a submodule's commit."""

    name: bytes
    mode: int
    oid: bytes

    @property
    def is_submodule(self) -> bool:
        """Whether it names a commit of another repository."""
        return self.mode & _FORMAT == _GITLINK

    @property
    def is_link(self) -> bool:
        """Whether its blob is what a symbolic link points to."""
        return self.mode & _FORMAT == _LINK

    @property
    def kind(self) -> int | None:
        """The kind of object it names; None for a submodule or a mode git does not have."""
        return _KIND_OF_MODE.get(self.mode & _FORMAT)


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack file that was read in full and proven to be one commit's.

    tip: what was pinned: the commit, or an annotated tag that leads to it.
    objects: by id, in the file's order, which is that of the ids.
    trees: the bytes of every tree, by id.
    checksum: the hash that the file ends with.
    """

    tip: bytes
    commit: bytes
    root: bytes
    objects: Mapping[bytes, PackedObject]
    trees: Mapping[bytes, bytes]
    checksum: bytes

    def entries(self, tree: bytes) -> Iterator[TreeEntry]:
        """The lines of a tree, by its id."""
        return _tree_entries(self.trees[tree], len(self.commit))


def hash_name(id_size: int) -> str:
    """The hash whose ids have that many bytes."""
    return _HASHES[id_size]


def object_header(kind: int, size: int) -> bytes:
    """Type (3 bits) and size, seven bits a byte after the first four, lowest first."""
    result = bytearray()
    byte, size = kind << 4 | size & 15, size >> 4
    while size:
        result.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    result.append(byte)
    return bytes(result)


def pack_commit_id(path: Path, id_size: int = 20) -> bytes:
    """The id of the commit (or tag) that the pack file at `path` is. Raises `IntegrityError`."""
    with path.open("rb") as file:
        return read_pack(file, id_size).tip


def read_blob(file: BinaryIO, place: PackedObject) -> bytes:
    """The content of one object of a pack that was proven."""
    file.seek(place.offset)
    record = file.read(place.end - place.offset)
    start = next(number for number, byte in enumerate(record) if not byte & 0x80) + 1
    return zlib.decompress(record[start:])


def read_pack(file: BinaryIO, id_size: int = 20) -> Pack:
    """Read and prove a canonical pack.

    Raises `IntegrityError` for anything that is not one, and `UnsupportedError` for a tree
    that git itself would not check out.
    """
    reader = _Reader(file, hash_name(id_size))
    magic, version, count = struct.unpack(">4sII", reader.take(12))
    if (magic, version) != (b"PACK", 2):
        raise _damaged("it is not a pack")
    objects: dict[bytes, PackedObject] = {}
    contents: dict[bytes, bytes] = {}
    last = b""
    for _ in range(count):
        offset = reader.position
        reader.crc32 = 0
        kind, oid, content = _read_object(reader, id_size)
        if oid <= last:
            raise _damaged("its objects are not in order")
        last = oid
        objects[oid] = PackedObject(kind, offset, reader.position, reader.crc32)
        if kind != BLOB:
            contents[oid] = content
    checksum = reader.hash.digest()
    if file.read(id_size + 1) != checksum:
        raise _damaged("its checksum is wrong")
    commits = [oid for oid, entry in objects.items() if entry.kind == COMMIT]
    if len(commits) != 1:
        raise _damaged(f"it holds {len(commits)} commits")
    root = _root_tree(contents.pop(commits[0]), id_size)
    tags = {oid: contents.pop(oid) for oid, entry in objects.items() if entry.kind == TAG}
    pack = Pack(_tip(tags, commits[0]), commits[0], root, objects, contents, checksum)
    if _reachable(pack) + len(tags) != len(objects):
        raise _damaged("it holds objects that are not the commit's")
    return pack


def _reachable(pack: Pack) -> int:
    """How many objects the commit reaches, itself included; all are there and of their kind."""
    kinds = {pack.commit: COMMIT, pack.root: TREE}
    trees = [pack.root]
    while trees:
        tree = trees.pop()
        if tree not in pack.trees:
            raise _damaged(f"tree {tree.hex()} is missing")
        for entry in pack.entries(tree):
            _check_name(entry.name, tree)
            if entry.is_submodule:
                continue
            kind = entry.kind
            if kind is None:
                raise _damaged(f"tree {tree.hex()} has an entry of mode {entry.mode:o}")
            if entry.oid not in kinds:
                kinds[entry.oid] = kind
                if kind == TREE:
                    trees.append(entry.oid)
    for oid, kind in kinds.items():
        if oid not in pack.objects or pack.objects[oid].kind != kind:
            raise _damaged(f"{_NAMES[kind].decode()} {oid.hex()} is missing")
    return len(kinds)


def _check_name(name: bytes, tree: bytes) -> None:
    """Refuse what would leave the work tree or reach into its `.git`."""
    if name in {b"", b".", b".."} or b"/" in name or name.lower() == b".git":
        raise UnsupportedError(
            f"a git commit holds a file that is named {name.decode(errors='replace')!r}",
            where=f"tree {tree.hex()}",
            fix="No git client checks that out: the commit was made to do harm.",
        )


def _root_tree(commit: bytes, id_size: int) -> bytes:
    line = commit.partition(b"\n")[0]
    try:
        root = bytes.fromhex(line.removeprefix(b"tree ").decode("ascii"))
    except ValueError:
        root = b""
    if not line.startswith(b"tree ") or len(root) != id_size:
        raise _damaged("its commit names no tree")
    return root


def _tip(tags: Mapping[bytes, bytes], commit: bytes) -> bytes:
    """The tag that leads, by all the others in turn, to the commit; the commit if there is none."""
    named_by = {}
    for oid, content in tags.items():
        match = _TAGGED.match(content)
        if match is None:
            raise _damaged("a tag names no object")
        kind = b"tag" if bytes.fromhex(match[1].decode()) in tags else b"commit"
        if match[2] != kind:
            raise _damaged("a tag names something else than a commit")
        named_by[bytes.fromhex(match[1].decode())] = oid
    tip, followed = commit, 0
    while tip in named_by and followed < len(tags):
        tip, followed = named_by[tip], followed + 1
    if followed != len(tags):
        raise _damaged("it holds tags that do not lead to its commit")
    return tip


def _tree_entries(data: bytes, id_size: int) -> Iterator[TreeEntry]:
    position = 0
    while position < len(data):
        space = data.find(b" ", position)
        end = data.find(b"\0", space)
        oid = data[end + 1 : end + 1 + id_size]
        try:
            mode = int(data[position:space], 8)
        except ValueError:
            mode = -1
        if space < 0 or end < 0 or mode < 0 or len(oid) != id_size:
            raise _damaged("a tree cannot be read")
        yield TreeEntry(data[space + 1 : end], mode, oid)
        position = end + 1 + id_size


def _read_object(reader: _Reader, id_size: int) -> tuple[int, bytes, bytes]:
    """Kind, id and (unless it is a blob) content of the next object."""
    byte = reader.take(1)[0]
    kind, size, shift = byte >> 4 & 7, byte & 15, 4
    while byte & 0x80:
        byte = reader.take(1)[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if shift > 60 or byte == 0:
            raise _damaged("an object's size is badly written")
    if kind not in _NAMES or reader.take(2) != b"\x78\x01":
        raise _damaged("an object is packed in another way")
    identity = hashlib.new(
        hash_name(id_size), b"%s %d\0" % (_NAMES[kind], size), usedforsecurity=False
    )
    kept, checksum, left = [], 1, size
    while True:
        length = min(left, _BLOCK)
        left -= length
        if reader.take(5) != struct.pack("<BHH", left == 0, length, length ^ 0xFFFF):
            raise _damaged("an object is packed in another way")
        block = reader.take(length)
        identity.update(block)
        checksum = zlib.adler32(block, checksum)
        if kind != BLOB:
            kept.append(block)
        if left == 0:
            break
    if reader.take(4) != struct.pack(">I", checksum):
        raise _damaged("an object's checksum is wrong")
    return kind, identity.digest(), b"".join(kept)


class _Reader:
    """Reads exactly, and hashes what it reads."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self.hash = hashlib.new(name, usedforsecurity=False)
        self.crc32 = 0
        self.position = 0

    def take(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) != size:
            raise _damaged("it is cut short")
        self.hash.update(data)
        self.crc32 = zlib.crc32(data, self.crc32)
        self.position += size
        return data


def _damaged(why: str) -> IntegrityError:
    return IntegrityError(f"the pack file of a git commit is damaged: {why}")
