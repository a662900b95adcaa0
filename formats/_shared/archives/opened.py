"""Archives that are opened once: what files they have, and the files' content in one blob.

Of an archive two forms are kept: its *content*, the files' bytes one behind the other, and its
*table*, which says where each file lies there, under which hash. Both are made in the one reading
that follows the download (`Format.prepare`). Laying out takes the table and names slices of the
content, so that nothing is inflated or held in memory again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final, NamedTuple, TypeAlias

from vendorpack.dataclass import dataclass
from vendorpack.model import Blob, Slice
from vendorpack.room import Keep, Workshop

Buffer: TypeAlias = bytes | memoryview

_FORM: Final = 1
"""Raised whenever the table is written in another way."""


class File(NamedTuple):
    """A file to keep: its path, its mode as stored, and its bytes in chunks."""

    path: str
    mode: int
    chunks: Iterable[Buffer]


class Row(NamedTuple):
    """A file of the table. offset: in the content. sha512: hex, empty unless it was asked for."""

    path: str
    mode: int
    offset: int
    size: int
    sha256: str
    sha512: str


@dataclass(frozen=True, slots=True)
class Opened:
    """An archive's forms. rows: in the order in which the files were kept."""

    rows: tuple[Row, ...]
    content: Blob

    def slice(self, row: Row) -> Slice:
        """Where a file's bytes are."""
        return Slice(self.content, row.offset, row.size, row.sha256)


@dataclass(frozen=True, slots=True)
class Opening:
    """How a kind of archive is opened.

    name: of the files that `read` gives, with a version that is raised if it gives others.
    read: the files of an archive; the text names it in errors. sha512: whether the table has it.
    """

    name: str
    read: Callable[[BinaryIO, str], Iterable[File]]
    sha512: bool = False

    def keep(self, archive: BinaryIO, keep: Keep, label: str) -> None:
        """Read an archive once, and give its forms to `keep`. Raises as `read` does."""
        rows: list[Row] = []

        def content() -> Iterator[Buffer]:
            offset = 0
            for path, mode, chunks in self.read(archive, label):
                sha256, sha512 = hashlib.sha256(), hashlib.sha512() if self.sha512 else None
                size = 0
                for chunk in chunks:
                    size += len(chunk)
                    sha256.update(chunk)
                    if sha512 is not None:
                        sha512.update(chunk)
                    yield chunk
                strong = "" if sha512 is None else sha512.hexdigest()
                rows.append(Row(path, mode, offset, size, sha256.hexdigest(), strong))
                offset += size

        keep(self._content, content())
        keep(self._table, (json.dumps(rows, separators=(",", ":")).encode(),))

    def open(self, blob: Blob, workshop: Workshop, label: str) -> Opened:
        """The forms of an archive; made now if the store has them not. Raises as `keep` does."""
        content, table = workshop.forms(
            (self._content, self._table), blob, lambda file, keep: self.keep(file, keep, label)
        )
        return Opened(tuple(Row(*row) for row in json.loads(workshop.read(table))), content)

    @property
    def _content(self) -> str:
        return f"{self.name}-content-{_FORM}"

    @property
    def _table(self) -> str:
        return f"{self.name}-table{'-sha512' if self.sha512 else ''}-{_FORM}"
