"""The file table: what a manifest says of each file, in columns.

A row as an object takes 350 bytes and more; in columns it is its path, its hash and 30 bytes. A
bundle may have half a million.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from operator import eq
from typing import Final, NamedTuple, overload

from vendorpack.files.paths import Tree

MANIFEST_PATH: Final = "vendorpack.json"

_HASH: Final = 32
_NONE: Final = -1
_JSON_ROW: Final = re.compile(
    rb'\[("[^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+")'
    rb",(0|[1-9][0-9]{0,17}),(0|[1-9][0-9]{0,3})"
    rb',(?:"([0-9a-f]{64})"|null),(?:(0|[1-9][0-9]{0,8})|null)\]'
)
"""A row as `Files.json` writes it: path, size, mode, sha256 and artifact."""


class File(NamedTuple):
    """A row of the file table: a regular file, or a folder that is empty.

    path: relative to the prefix; a folder's ends with `/`.
    sha256: hex; None for a folder.
    artifact: index into the manifest's artifacts; None for what a room made up.
    """

    path: str
    size: int
    mode: int
    sha256: str | None
    artifact: int | None


class Files(Sequence[File]):
    """Rows, each made into a `File` when it is asked for.

    Raises `ValueError` for a row without a hash whose path does not end with `/`.
    """

    __slots__ = ("_artifacts", "_ends", "_hashes", "_modes", "_paths", "_sizes")

    def __init__(self, rows: Iterable[File] = ()) -> None:
        self._paths = bytearray()
        self._ends = array("Q")
        self._sizes = array("Q")
        self._modes = array("H")
        self._hashes = bytearray()
        self._artifacts = array("q")
        for row in rows:
            self.append(row)

    def append(self, row: File) -> None:
        """Put a row behind the others."""
        path, size, mode, sha256, artifact = row
        if (sha256 is None) != path.endswith("/"):
            raise ValueError(f"{path!r} is neither a file with a hash nor a folder")
        self._paths += path.encode()
        self._ends.append(len(self._paths))
        self._sizes.append(size)
        self._modes.append(mode)
        self._hashes += bytes(_HASH) if sha256 is None else bytes.fromhex(sha256)
        self._artifacts.append(_NONE if artifact is None else artifact)

    def path(self, index: int) -> str:
        """The path of a row, without making all of the row."""
        start = self._ends[index - 1] if index else 0
        return self._paths[start : self._ends[index]].decode()

    def __len__(self) -> int:
        return len(self._sizes)

    @overload
    def __getitem__(self, index: int) -> File: ...
    @overload
    def __getitem__(self, index: slice) -> list[File]: ...
    def __getitem__(self, index: int | slice) -> File | list[File]:
        if isinstance(index, slice):
            return list(map(self._row, range(*index.indices(len(self)))))
        return self._row(range(len(self))[index])

    def __iter__(self) -> Iterator[File]:
        return map(self._row, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(eq, self, other))

    def __hash__(self) -> int:
        return hash((len(self), bytes(self._hashes)))

    def _row(self, index: int) -> File:
        path = self.path(index)
        artifact = self._artifacts[index]
        at = index * _HASH
        return File(
            path,
            self._sizes[index],
            self._modes[index],
            None if path[-1] == "/" else self._hashes[at : at + _HASH].hex(),
            None if artifact == _NONE else artifact,
        )


def tree_of(files: Files) -> Tree:
    """The tree of the manifest and of `files`: each row goes there once its path was added."""

    def path_of(number: int) -> str:
        return files.path(number - 1).removesuffix("/") if number else MANIFEST_PATH

    tree = Tree(path_of)
    tree.add(MANIFEST_PATH)
    return tree


def read_row(data: bytes, at: int) -> tuple[File, int] | None:
    """A row that stands in canonical JSON at `at`, and where it ends; None if none does.

    Its path may be any text.
    """
    match = _JSON_ROW.match(data, at)
    if match is None:
        return None
    text, size, mode, sha256, artifact = match.groups()
    try:
        path = _text(text)
    except ValueError:
        return None
    return (
        File(
            path,
            int(size),
            int(mode),
            None if sha256 is None else sha256.decode(),
            None if artifact is None else int(artifact),
        ),
        match.end(),
    )


def _text(quoted: bytes) -> str:
    """A JSON string's text. Raises `ValueError` if it is not written in the canonical form."""
    if b"\\" not in quoted:
        return quoted[1:-1].decode()
    text = json.loads(quoted)
    if json.dumps(text, ensure_ascii=False).encode() != quoted:
        raise ValueError("not in the canonical form")
    assert isinstance(text, str)
    return text
