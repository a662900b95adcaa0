"""The index of a package in pnpm's store: which files it has, under which hashes.

v3 and v10 keep a JSON file for each package, v11 (pnpm 11 and 12) a row of an SQLite table, whose
value is MessagePack as the package msgpackr writes it with its record extension: objects of
one shape name their fields once::

    d4 72 <slot>  array of field names, values…     the first of a shape; slots from 0x40
    <slot>        values…                           each further one

So an integer above 63 may not be a one-byte fixint, which would be a slot. `files` is a plain
map, and `checkedAt` a 64-bit float.

`checkedAt` is when pnpm last compared the file with its hash, in ms. A file changed later than
that is hashed again; a bundle's files have the time 0 of a tar, so they are trusted as long
as nobody touches them.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Sequence
from typing import Final

from vendorpack.dataclass import dataclass

CHECKED_AT: Final = 946_684_800_000
"""The start of the year 2000: a constant, and later than the files' time."""

TABLE: Final = "package_index"
TABLE_SQL: Final = (
    "CREATE TABLE package_index (\n"
    "      key TEXT PRIMARY KEY,\n"
    "      data BLOB NOT NULL\n"
    "    ) WITHOUT ROWID"
)

_FIRST_SLOT: Final = 0x40
_PACKAGE_SLOT: Final = _FIRST_SLOT
_FILE_SLOT: Final = _FIRST_SLOT + 1


@dataclass(frozen=True, slots=True)
class File:
    """A file of a package: its path in it, sha512 of its content, and mode and size."""

    path: str
    digest: bytes
    mode: int
    size: int

    @property
    def executable(self) -> bool:
        """Whether anybody may execute it; pnpm keeps such files apart."""
        return self.mode & 0o111 != 0


@dataclass(frozen=True, slots=True)
class PackageIndex:
    """What pnpm knows of a package that it has unpacked.

    requires_build: whether it has install scripts, or files that imply some.
    requires_prepare: whether a git host's package would be built before it is packed; None for
        what comes from a registry. pnpm 11.25 and newer look for it in their rows.
    files: sorted by path.
    """

    name: str
    version: str
    requires_build: bool
    files: Sequence[File]
    requires_prepare: bool | None = None

    def to_json(self) -> bytes:
        """The index file of v3 and v10."""
        value = {
            "name": self.name,
            "version": self.version,
            "requiresBuild": self.requires_build,
            "files": {
                file.path: {
                    "checkedAt": CHECKED_AT,
                    "integrity": f"sha512-{base64.b64encode(file.digest).decode()}",
                    "mode": file.mode,
                    "size": file.size,
                }
                for file in self.files
            },
        }
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

    def to_msgpack(self) -> bytes:
        """The value of a row of v11."""
        flags = {"requiresBuild": self.requires_build}
        if self.requires_prepare is not None:
            flags["requiresPrepare"] = self.requires_prepare
        out = bytearray(_shape(_PACKAGE_SLOT, (*flags, "algo", "files")))
        out += bytes(0xC3 if flag else 0xC2 for flag in flags.values())
        out += _text("sha512") + _header(len(self.files), 0x80, 0xDE)
        shape = _shape(_FILE_SLOT, ("checkedAt", "digest", "mode", "size"))
        checked_at = b"\xcb" + struct.pack(">d", CHECKED_AT)
        for file in self.files:
            out += _text(file.path) + shape + checked_at
            out += _text(file.digest.hex()) + _integer(file.mode) + _integer(file.size)
            shape = bytes([_FILE_SLOT])
        return bytes(out)


def _shape(slot: int, fields: Sequence[str]) -> bytes:
    names = b"".join(map(_text, fields))
    return b"\xd4\x72" + bytes([slot]) + _header(len(fields), 0x90, 0xDC) + names


def _header(count: int, short: int, long: int) -> bytes:
    """The header of an array or a map: up to 15 in a byte, else 16 or 32 bits."""
    if count < 16:
        return bytes([short | count])
    if count < 1 << 16:
        return struct.pack(">BH", long, count)
    return struct.pack(">BI", long + 1, count)


def _text(text: str) -> bytes:
    data = text.encode()
    size = len(data)
    if size < 32:
        return bytes([0xA0 | size]) + data
    if size < 1 << 8:
        return struct.pack(">BB", 0xD9, size) + data
    if size < 1 << 16:
        return struct.pack(">BH", 0xDA, size) + data
    return struct.pack(">BI", 0xDB, size) + data


def _integer(number: int) -> bytes:
    if number < _FIRST_SLOT:
        return bytes([number])
    if number < 1 << 8:
        return struct.pack(">BB", 0xCC, number)
    if number < 1 << 16:
        return struct.pack(">BH", 0xCD, number)
    if number < 1 << 32:
        return struct.pack(">BI", 0xCE, number)
    return struct.pack(">BQ", 0xCF, number)
