"""The zip that Yarn 2 and newer makes of a package's .tgz, byte for byte.

A Berry lockfile pins the sha512 of this zip and nothing else, so the conversion is how a
downloaded tarball is verified. It is a pure function of the tarball, the package's name and the
cache key. Seen with Yarn 3.8.7 and 4.18.1 (libzip).

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
  and stores what would not shrink, if its deflated form is less than 8 KiB: libzip judges by the
  one read of that size that it asks for, and deflates what needs more, even what grows (up to
  8186 bytes of noise are stored, from 8187 on deflated).
- Raw deflate, memLevel 9, fed 8 KiB at a time (which zlib-ng's output depends on); general
  purpose bits say 4 (fast) at levels 1 and 2, 2 (maximum) at 8, 9 and mixed, as libzip sets them.
- Yarn 2 and 3 (cache versions to 8) deflate with zlib, Yarn 4 (9 and 10) with zlib-ng, whose
  output differs from zlib's, and between its own releases: 2.2 gives Yarn's bytes at mixed, 1
  and 5 to 9; 2 to 4 differ now and then. 2.3 differs now and then at mixed, too.

Stored zips need neither and are the same everywhere.
"""

from __future__ import annotations

import importlib
import posixpath
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives.tarball import DIRECTORY, FILE, SYMLINK, members
from vendorpack.formats._shared.archives.zip_records import (
    CENTRAL,
    CENTRAL_MAGIC,
    END,
    END_MAGIC,
    LOCAL,
    LOCAL_MAGIC,
)

MIXED: Final = "mixed"
STORED: Final = "0"
RULE_VERSION: Final = 2
"""Raised whenever the conversion gives other bytes."""

_MADE_BY: Final = 0x033F
_TIME: Final = 0xAE40
_DATE: Final = 0x08D6
_UTF8_NAME: Final = 0x800
_STORED: Final = 0
_DEFLATED: Final = 8
_RAW_DEFLATE: Final = -15
_MEM_LEVEL: Final = 9
_FEED: Final = 8192
_JUDGED: Final = 8192
_LAST_OF_YARN_3: Final = 8
NEWEST_CACHE_VERSION: Final = 10
"""Of Yarn 4.18; a newer one would mean that Yarn makes other zips."""
_CACHE_KEY: Final = re.compile(r"([0-9]{1,3})(?:c([0-9]))?")
# Beyond these a zip needs the zip64 records, which no package has come near to.
_MAX_ENTRIES: Final = 0xFFFF
_MAX_SIZE: Final = 0xFFFFFFFF

_DIRECTORY_MODE: Final = 0o040755
_FILE_MODE: Final = 0o100644
_EXECUTABLE_MODE: Final = 0o100755
_LINK_MODE: Final = 0o120777


@dataclass(frozen=True, slots=True, order=True)
class CacheKey:
    """What decides a zip's bytes beside the tarball and the name: `8`, `10`, `10c0`.

    version: of Yarn's cache: 7 (Yarn 2), 8 (Yarn 3), 10 (Yarn 4).
    level: the setting `compressionLevel`: `mixed`, or a digit. Written `c<digit>`, or not at
        all for `mixed`.
    """

    version: int
    level: str

    @classmethod
    def parse(cls, text: str) -> CacheKey | None:
        """Read `10c0`; None if it is none."""
        match = _CACHE_KEY.fullmatch(text)
        return cls(int(match[1]), match[2] or MIXED) if match else None

    @property
    def of_yarn_4(self) -> bool:
        """Whether Yarn 4 wrote it, not Yarn 2 or 3."""
        return self.version > _LAST_OF_YARN_3

    def stored(self) -> CacheKey:
        """The key of the same version without compression."""
        return CacheKey(self.version, STORED)

    def __str__(self) -> str:
        return str(self.version) if self.level == MIXED else f"{self.version}c{self.level}"


def zip_from_tarball(
    tarball: bytes, name: str, key: CacheKey, *, label: str
) -> Iterator[bytes | memoryview]:
    """Convert a package's tarball as Yarn does; the zip comes in parts.

    Args:
        tarball: the .tgz (or plain tar) as served.
        name: the package's name in the lockfile: it is in every path.
        key: the cache key that the zip is made for.
        label: names the package in errors.

    Raises:
        UnsupportedError: the archive is damaged, unpacks to too much, or has a path that lies
            below a file or a link; or zlib-ng is needed and not there.
    """
    return _zip(_tree(tarball, name, label), _compressor(key, label), label)


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


_Compressor = Callable[[bytes | memoryview], tuple[int, int, bytes | memoryview]]
"""File content to method, general purpose flags and body."""


def _zip(tree: dict[str, _Node], compress: _Compressor, label: str) -> Iterator[bytes | memoryview]:
    central: list[bytes] = []
    offset = 0
    for path, node in tree.items():
        is_directory = node is _DIRECTORY
        name = f"{path}/".encode() if is_directory else path.encode()
        method, option, body = (_STORED, 0, b"") if is_directory else compress(node.data)
        if max(offset, len(node.data), len(body)) > _MAX_SIZE:
            raise _too_large(label)
        common = (
            20 if is_directory or method else 10,
            option if name.isascii() else option | _UTF8_NAME,
            method,
            _TIME,
            _DATE,
            zlib.crc32(node.data),
            len(body),
            len(node.data),
            len(name),
        )
        central += (
            CENTRAL.pack(CENTRAL_MAGIC, _MADE_BY, *common, 0, 0, 0, 0, node.mode << 16, offset),
            name,
        )
        yield LOCAL.pack(LOCAL_MAGIC, *common, 0) + name
        yield body
        offset += LOCAL.size + len(name) + len(body)
    directory = b"".join(central)
    if len(tree) > _MAX_ENTRIES or offset > _MAX_SIZE:
        raise _too_large(label)
    yield directory
    yield END.pack(END_MAGIC, 0, 0, len(tree), len(tree), len(directory), offset, 0)


def _compressor(key: CacheKey, label: str) -> _Compressor:
    if key.level == STORED:
        return lambda data: (_STORED, 0, data)
    level = 9 if key.level == MIXED else int(key.level)
    option = 4 if level < 3 else 2 if level > 7 else 0
    compressobj = _zlib_ng(label) if key.of_yarn_4 else zlib.compressobj

    def compress(data: bytes | memoryview) -> tuple[int, int, bytes | memoryview]:
        deflate = compressobj(level, zlib.DEFLATED, _RAW_DEFLATE, _MEM_LEVEL)
        parts = [deflate.compress(data[at : at + _FEED]) for at in range(0, len(data), _FEED)]
        body = b"".join((*parts, deflate.flush()))
        if key.level == MIXED and len(data) <= len(body) < _JUDGED:
            return _STORED, 0, data
        return _DEFLATED, option, body

    return compress


def _zlib_ng(label: str) -> Callable[..., Any]:
    """zlib-ng's `compressobj`. Imported late: only projects with Yarn 4 and `mixed` need it."""
    try:
        zlib_ng = importlib.import_module("zlib_ng.zlib_ng")
    except ImportError:
        raise UnsupportedError(
            "the lockfile pins zips as Yarn 4 compresses them, which takes zlib-ng",
            where=label,
            fix="Install the Python package zlib-ng, version 1.0, beside vendorpack.",
        ) from None
    compressobj: Callable[..., Any] = zlib_ng.compressobj
    return compressobj


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
