"""Licences as artifacts declare them: asked of each artifact once, kept in the store, one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import BinaryIO, Final

from vendorpack.errors import VendorpackError
from vendorpack.model import LicenseReader, Packed
from vendorpack.room import Format
from vendorpack.store.local import Store

MAX_LENGTH: Final = 500
"""Characters of what an artifact declares."""


def declared(text: str) -> str:
    """One line of printable text, cut where it is too long."""
    line = " ".join("".join(c for c in text if c.isprintable() or c.isspace()).split())
    return line if len(line) <= MAX_LENGTH else f"{line[: MAX_LENGTH - 1]}…"


def ask(reader: LicenseReader, file: BinaryIO) -> str:
    """What an artifact declares."""
    try:
        return declared(reader.read(file))
    except VendorpackError:
        return ""


def licensed(room: Format, packed: Sequence[Packed], store: Store) -> tuple[Packed, ...]:
    """The artifacts of a room with their licences, asked now where the store does not know.

    Raises `BlobLost`.
    """

    def of(one: Packed) -> str:
        reader = room.license(one.artifact)
        if reader is None:
            return ""
        return declared(store.said(reader.recipe, one.blob, partial(ask, reader)))

    asked = [replace(one, license=of(one)) for one in packed]
    texts = room.licenses(asked)
    return tuple(
        replace(one, license=declared(text)) for one, text in zip(asked, texts, strict=True)
    )
