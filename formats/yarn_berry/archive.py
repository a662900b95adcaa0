"""The zip that Yarn 2 and newer makes of a package's .tgz, byte for byte.

A Berry lockfile pins the sha512 of this zip and nothing else, so the conversion is how a
downloaded tarball is verified. It is a pure function of the tarball, the package's name and the
compression level. Seen with Yarn 3.8.7 and 4.18.1 (libzip); every level compared.

Members, in the tar's order, directories made just before they are first needed::

    node_modules/                        directory
    node_modules/@scope/                 directory, if the name has a scope
    node_modules/@scope/name/            directory
    node_modules/@scope/name/<path>      the member's path without its first component

- Absolute names, names with `..` and what is neither file, directory nor symbolic link are
  dropped; paths are normalised; a later file of the same path replaces the earlier in its place.
- Local header: version needed 10 if stored, 20 if deflated or a directory; time and date
  1984-06-22 21:50:00; no extra field, no data descriptor; flag 0x800 if the name is not ASCII.
- Central header: made by 0x033F (Unix, 6.3); external attributes are the Unix mode << 16:
  directories 040755, files 0100755 if any execute bit was set, else 0100644, links 0120777.
- Level 0 stores. Levels 1 to 9 deflate everything, even what grows. `mixed` deflates at level 9
  and stores what would not shrink. Raw deflate with zlib's memLevel 9; general purpose bits 1-2
  say 2 (fast) for levels 1 and 2, 1 (maximum) for 8, 9 and mixed, as libzip sets them.

Stored zips are the same everywhere. Deflated ones are only the same with zlib itself: zlib-ng,
which some builds of Python come with, compresses to other bytes.
"""

from __future__ import annotations

import posixpath
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.tarball import DIRECTORY, FILE, SYMLINK, members

MIXED: Final = "mixed"
LEVELS: Final = (MIXED, *"0123456789")
"""Yarn's setting `compressionLevel`, as text."""

RULE_VERSION: Final = 1
"""Raised whenever the conversion gives other bytes."""

_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_MADE_BY: Final = 0x033F
_TIME: Final = 0xAE40
_DATE: Final = 0x08D6
_UTF8_NAME: Final = 0x800
_STORED: Final = 0
_DEFLATED: Final = 8
_RAW_DEFLATE: Final = -15
_MEM_LEVEL: Final = 9
# Beyond these a zip needs the zip64 records, which no package has come near to.
_MAX_ENTRIES: Final = 0xFFFF
_MAX_SIZE: Final = 0xFFFFFFFF

_DIRECTORY_MODE: Final = 0o040755
_FILE_MODE: Final = 0o100644
_EXECUTABLE_MODE: Final = 0o100755
_LINK_MODE: Final = 0o120777


def zip_from_tarball(tarball: bytes, name: str, level: str, *, label: str) -> bytes:
    """Convert a package's tarball as Yarn does.

    Args:
        tarball: the .tgz (or plain tar) as served.
        name: the package's name in the lockfile, an alias if it has one: it is in every path.
        level: one of `LEVELS`.
        label: names the package in errors.

    Raises:
        UnsupportedError: the archive is damaged, unpacks to too much, or has a path that lies
            below a file or a link.
    """
    return _zip(_tree(tarball, name, label), level, label)


@dataclass(frozen=True, slots=True)
class _Node:
    mode: int
    data: bytes | memoryview = b""


_DIRECTORY: Final = _Node(_DIRECTORY_MODE)


def _tree(tarball: bytes, name: str, label: str) -> dict[str, _Node]:
    """Path to node, in the order of the zip."""
    tree: dict[str, _Node] = {}
    for member in members(tarball, label=label):
        inner = _inner_path(member.name)
        if inner is None or member.type not in (FILE, DIRECTORY, SYMLINK):
            continue
        path = f"node_modules/{name}/{inner}"
        _make_parents(tree, path, label)
        old = tree.get(path)
        if member.type == DIRECTORY:
            node = _DIRECTORY
        elif member.type == SYMLINK:
            node = _Node(_LINK_MODE, member.link.encode())
        else:
            node = _Node(_EXECUTABLE_MODE if member.mode & 0o111 else _FILE_MODE, member.data)
        if old is not None and old.mode & 0o170000 != node.mode & 0o170000:
            raise _two_kinds(label, inner)
        tree[path] = node
    return tree


def _inner_path(name: str) -> str | None:
    """The path below the package's folder; None if Yarn drops the member."""
    if name.startswith("/") or ".." in name.split("/"):
        return None
    return posixpath.normpath(name).partition("/")[2] or None


def _make_parents(tree: dict[str, _Node], path: str, label: str) -> None:
    missing = []
    parent = posixpath.dirname(path)
    while parent and (node := tree.get(parent)) is not _DIRECTORY:
        if node is not None:
            raise _two_kinds(label, parent)
        missing.append(parent)
        parent = posixpath.dirname(parent)
    for folder in reversed(missing):
        tree[folder] = _DIRECTORY


def _zip(tree: dict[str, _Node], level: str, label: str) -> bytes:
    parts: list[bytes | memoryview] = []
    central: list[bytes] = []
    offset = 0
    for path, node in tree.items():
        is_directory = node is _DIRECTORY
        name = f"{path}/".encode() if is_directory else path.encode()
        method, option, body = (_STORED, 0, b"") if is_directory else _compress(node.data, level)
        flags = option if name.isascii() else option | _UTF8_NAME
        crc = zlib.crc32(node.data)
        common = (20 if is_directory or method else 10, flags, method, _TIME, _DATE, crc)
        sizes = (len(body), len(node.data), len(name))
        if max(offset, len(node.data), len(body)) > _MAX_SIZE:
            raise _too_large(label)
        parts += (_LOCAL.pack(b"PK\3\4", *common, *sizes, 0), name, body)
        central += (
            _CENTRAL.pack(
                b"PK\1\2", _MADE_BY, *common, *sizes, 0, 0, 0, 0, node.mode << 16, offset
            ),
            name,
        )
        offset += _LOCAL.size + len(name) + len(body)
    directory = b"".join(central)
    if len(tree) > _MAX_ENTRIES or offset > _MAX_SIZE:
        raise _too_large(label)
    end = _END.pack(b"PK\5\6", 0, 0, len(tree), len(tree), len(directory), offset, 0)
    return b"".join((*parts, directory, end))


def _compress(data: bytes | memoryview, level: str) -> tuple[int, int, bytes | memoryview]:
    """Method, general purpose flags and body of a file."""
    if level == "0":
        return _STORED, 0, data
    number = 9 if level == MIXED else int(level)
    deflate = zlib.compressobj(number, zlib.DEFLATED, _RAW_DEFLATE, _MEM_LEVEL)
    body = deflate.compress(data) + deflate.flush()
    if level == MIXED and len(body) >= len(data):
        return _STORED, 0, data
    option = 4 if number < 3 else 2 if number > 7 else 0
    return _DEFLATED, option, body


def _two_kinds(label: str, path: str) -> UnsupportedError:
    return UnsupportedError(
        f"the archive of {label} has two kinds of thing at {path!r}",
        where=label,
        fix="It was published like this; Yarn cannot convert it either.",
    )


def _too_large(label: str) -> UnsupportedError:
    return UnsupportedError(
        f"the archive of {label} is too large for a plain zip",
        where=label,
        fix="More than 65,535 files or 4 GiB need zip64, which is not supported for Yarn's cache.",
    )
