"""An SQLite database of one table, written byte for byte the same everywhere.

SQLite itself leaves chance in its files (old bytes in free space, its version, the order of
pages), so the file is written by hand: one `WITHOUT ROWID` table of a text key and a blob, which
is a B-tree of records sorted by key.

Format (https://sqlite.org/fileformat2.html), as far as it is used here::

    page 1        100 bytes header, then the schema: a table leaf (0x0D) with one row
    other pages   index leaves (0x0A), index interiors (0x02) or overflow

    page          type, 2 free block, 2 cells, 2 start of content, 1 fragments, [4 right child],
                  2 a cell: its offset. Cells fill the page from its end.
    leaf cell     varint record size, record [, 4 first overflow page]
    interior cell 4 left child, then as a leaf cell
    overflow      4 next page or 0, content
    record        varint header size, varint type of each value, values

An index B-tree keeps records in its interior pages too: each parts two children. Integers are
big-endian; types are 13+2n for text and 12+2n for a blob of n bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

_PAGE: Final = 4096
_LEAF: Final = 0x0A
_INTERIOR: Final = 0x02
_TABLE_LEAF: Final = 0x0D
_LEAF_HEADER: Final = 8
_INTERIOR_HEADER: Final = 12
_FILE_HEADER: Final = 100
_CHILD: Final = 4
_POINTER: Final = 2
_OVERFLOW_CONTENT: Final = _PAGE - 4
# What of a record may stay in its cell: all up to the most, else at least the least.
_MOST_LOCAL: Final = (_PAGE - 12) * 64 // 255 - 23
_LEAST_LOCAL: Final = (_PAGE - 12) * 32 // 255 - 23
_SQLITE_VERSION: Final = 3_040_001
"""The library that claims to have written the file; readers only note it."""


Read = Callable[[], bytes]
"""Gets a row's blob, the same each time."""


def write_table(table: str, sql: str, rows: Mapping[str, Read]) -> Iterator[bytes]:
    """The bytes of a database with one table, in pieces; no two blobs are held at once.

    Args:
        table: its name.
        sql: its CREATE statement: a text primary key, a blob, `WITHOUT ROWID`.
        rows: key to blob, in any order. Each blob is asked for twice: first for its size.
    """
    pages = _Pages()
    # SQLite compares text as its UTF-8 bytes.
    ordered = sorted(rows, key=str.encode)
    cells = [pages.cell(_record(key, rows[key]())) for key in ordered]
    overflown = pages.count
    root = _tree(pages, cells)
    schema = _record("table", table, table, root, sql)
    first = bytearray(
        _page(_TABLE_LEAF, [_varint(len(schema)) + _varint(1) + schema], offset=_FILE_HEADER)
    )
    first[:_FILE_HEADER] = _file_header(pages.count)
    yield bytes(first)
    number = 1
    for key in ordered:
        for page in _overflow(_record(key, rows[key]()), number):
            yield page
            number += 1
    assert number == overflown, "a blob has not the size it had"
    yield from pages.kept()


class _Pages:
    """Pages by number; the first is left to the schema, and overflow is only counted."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._overflow = 0

    @property
    def count(self) -> int:
        return 1 + self._overflow + len(self._kept)

    def add(self, page: bytes) -> int:
        self._kept.append(page)
        return self.count

    def kept(self) -> Sequence[bytes]:
        return self._kept

    def cell(self, record: bytes) -> bytes:
        """A leaf cell; what is too long for it goes to the overflow pages that come next."""
        size, local = len(record), _local(len(record))
        if local == size:
            return _varint(size) + record
        first = self.count + 1
        self._overflow += -(-(size - local) // _OVERFLOW_CONTENT)
        return _varint(size) + record[:local] + struct.pack(">I", first)


def _local(size: int) -> int:
    """How many bytes of a record that has `size` are in its cell."""
    if size <= _MOST_LOCAL:
        return size
    local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % _OVERFLOW_CONTENT
    return local if local <= _MOST_LOCAL else _LEAST_LOCAL


def _overflow(record: bytes, before: int) -> Iterator[bytes]:
    """The pages of what is not in a record's cell. before: the number of the page before them."""
    starts = range(_local(len(record)), len(record), _OVERFLOW_CONTENT)
    for number, start in enumerate(starts, start=1):
        following = before + number + 1 if number < len(starts) else 0
        content = record[start : start + _OVERFLOW_CONTENT]
        yield (struct.pack(">I", following) + content).ljust(_PAGE, b"\0")


def _tree(pages: _Pages, cells: list[bytes]) -> int:
    """Write the B-tree of sorted leaf cells; its root's page number."""
    groups, partings = _spread(cells, _PAGE - _LEAF_HEADER, _POINTER)
    children = [pages.add(_page(_LEAF, group)) for group in groups]
    while len(children) > 1:
        # The last child of a page is its right child and has no cell: the parting that
        # follows it goes up.
        groups, above = _spread(partings, _PAGE - _INTERIOR_HEADER, _POINTER + _CHILD)
        parents = []
        at = 0
        for group in groups:
            own = children[at : at + len(group) + 1]
            left = zip(own[:-1], group, strict=True)
            inner = [struct.pack(">I", child) + cell for child, cell in left]
            parents.append(pages.add(_page(_INTERIOR, inner, right=own[-1])))
            at += len(own)
        children, partings = parents, above
    return children[0]


def _spread(cells: list[bytes], room: int, extra: int) -> tuple[list[list[bytes]], list[bytes]]:
    """Fill pages from the left; between two pages one cell goes to the level above.

    Only the very first page may be empty (of an empty table): a page with nothing in it is
    damage to SQLite, so the last one takes over its neighbour's last cell if it must.
    """
    groups: list[list[bytes]] = [[]]
    partings: list[bytes] = []
    used = 0
    for cell in cells:
        size = len(cell) + extra
        if used + size <= room:
            groups[-1].append(cell)
            used += size
        else:
            partings.append(cell)
            groups.append([])
            used = 0
    if partings and not groups[-1]:
        groups[-1].append(partings.pop())
        partings.append(groups[-2].pop())
    return groups, partings


def _page(kind: int, cells: Sequence[bytes], *, right: int | None = None, offset: int = 0) -> bytes:
    page = bytearray(_PAGE)
    end = _PAGE
    pointers = bytearray()
    for cell in cells:
        end -= len(cell)
        page[end : end + len(cell)] = cell
        pointers += struct.pack(">H", end)
    header = struct.pack(">BHHHB", kind, 0, len(cells), end, 0)
    if right is not None:
        header += struct.pack(">I", right)
    start = header + pointers
    assert offset + len(start) <= end, "cells were spread over pages by their sizes"
    page[offset : offset + len(start)] = start
    return bytes(page)


def _record(*values: str | bytes | int) -> bytes:
    types = bytearray()
    body = bytearray()
    for value in values:
        if isinstance(value, int):
            types += _varint(4)  # a 32-bit integer
            body += struct.pack(">i", value)
        elif isinstance(value, str):
            data = value.encode()
            types += _varint(13 + 2 * len(data))
            body += data
        else:
            types += _varint(12 + 2 * len(value))
            body += value
    size = len(types) + 1  # the header counts itself; it never reaches two bytes here
    assert size < 0x80, "a handful of values has a short header"
    return _varint(size) + bytes(types) + bytes(body)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the most significant first; enough for anything below 2**56."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


def _file_header(pages: int) -> bytes:
    return (
        b"SQLite format 3\0"
        # Page size, file format for writing and reading (1: no WAL), reserved bytes per page,
        # and three fixed numbers.
        + struct.pack(">HBBBBBB", _PAGE, 1, 1, 0, 64, 32, 32)
        # Change counter, pages, free list (none), its length, schema cookie, schema format 4,
        # cache size, largest root (no vacuum), UTF-8, user version, vacuum, application.
        + struct.pack(">12I", 1, pages, 0, 0, 1, 4, 0, 0, 1, 0, 0, 0)
        + bytes(20)
        # The change counter for which the library's version holds, and that version.
        + struct.pack(">II", 1, _SQLITE_VERSION)
    )
