"""Archives that are opened once: their table, and slices of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

from tests.memory import MemoryWorkshop
from vendorpack.formats._shared.archives.opened import File, Opening
from vendorpack.model import Blob


def lines(archive: BinaryIO, label: str) -> Iterator[File]:
    """Each line is a file: its first letter is the name, the words are chunks."""
    for line in archive.read().decode().splitlines():
        name, *words = line.split()
        yield File(f"{label}/{name}", 0o640, (word.encode() for word in words))


def test_a_table_and_slices() -> None:
    workshop = MemoryWorkshop()
    opened = Opening("lines-1", lines).open(workshop.add(b"b two words\na\nc x\n"), workshop, "p")
    assert [(row.path, row.mode, row.size, row.sha512) for row in opened.rows] == [
        ("p/b", 0o640, 8, ""),
        ("p/a", 0o640, 0, ""),
        ("p/c", 0o640, 1, ""),
    ]
    contents = [workshop.read(opened.slice(row)) for row in opened.rows]
    assert contents == [b"twowords", b"", b"x"]


def test_sha512_where_it_is_asked_for() -> None:
    workshop = MemoryWorkshop()
    blob = workshop.add(b"a x y\n")
    plain = Opening("lines-1", lines).open(blob, workshop, "p")
    opened = Opening("lines-1", lines, sha512=True).open(blob, workshop, "p")
    assert [row.sha512 for row in opened.rows] == [hashlib.sha512(b"xy").hexdigest()]
    assert opened.content == plain.content


def test_what_was_kept_is_not_read_again() -> None:
    workshop = MemoryWorkshop()
    blob = workshop.add(b"a x\n")
    opening = Opening("lines-1", lines)
    first = opening.open(blob, workshop, "p")

    def never(archive: BinaryIO, label: str) -> Iterator[File]:
        raise AssertionError("opened again")

    assert Opening("lines-1", never).open(blob, workshop, "other") == first
    assert isinstance(first.content, Blob)
