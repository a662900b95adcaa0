"""The engine's side of a room's work, in memory: for tests of one room alone."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar

from vendorpack.errors import FetchError
from vendorpack.model import Blob, Entry, Slice
from vendorpack.room import Answer, Make

T = TypeVar("T")
R = TypeVar("R")


class MemoryWorkshop:
    """A `Workshop` that keeps all bytes in a dictionary."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._derived: dict[tuple[str, str], Blob] = {}

    def add(self, data: bytes) -> Blob:
        blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
        self._blobs[blob.sha256] = data
        return blob

    def read(self, blob: Blob | Slice) -> bytes:
        if isinstance(blob, Slice):
            data = self.read(blob.blob)[blob.offset : blob.offset + blob.size]
            assert hashlib.sha256(data).hexdigest() == blob.sha256
            return data
        return self._blobs[blob.sha256]

    def open(self, blob: Blob) -> BinaryIO:
        return io.BytesIO(self.read(blob))

    def keep(self, chunks: Iterable[bytes]) -> Blob:
        return self.add(b"".join(chunks))

    def derived(self, recipe: str, blob: Blob, make: Callable[[bytes], bytes]) -> Blob:
        return self.forms((recipe,), blob, lambda file, keep: keep(recipe, (make(file.read()),)))[0]

    def forms(self, recipes: Sequence[str], blob: Blob, make: Make) -> tuple[Blob, ...]:
        def keep(recipe: str, chunks: Iterable[bytes | memoryview]) -> None:
            self._derived[recipe, blob.sha256] = self.add(b"".join(chunks))

        if not all((recipe, blob.sha256) in self._derived for recipe in recipes):
            make(self.open(blob), keep)
        return tuple(self._derived[recipe, blob.sha256] for recipe in recipes)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        return map(function, items)

    def content(self, entry: Entry) -> bytes:
        """The bytes of a file's entry."""
        assert entry.content is not None
        return entry.content if isinstance(entry.content, bytes) else self.read(entry.content)

    def write(self, entries: Iterable[Entry], folder: Path) -> None:
        """What unpacking a bundle of these entries does."""
        for entry in entries:
            path = folder / entry.path
            if entry.content is None:
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.content(entry))


class Documents:
    """The part of an `Index` that answers from no git repository."""

    async def head(self, repository: str, paths: Sequence[str]) -> Mapping[str, bytes]:
        raise FetchError("not found", where=repository)


class MemoryIndex:
    """An `Index` of fixed answers; whatever else is asked for is 404."""

    def __init__(self, answers: Mapping[str, bytes]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    async def get(self, url: str, *, accept: str = "*/*", max_size: int = 64 << 20) -> Answer:
        self.asked.append(url)
        if url not in self._answers:
            raise FetchError("not found", where=url, status=404)
        return Answer(self._answers[url], "application/octet-stream", url)

    async def head(self, repository: str, paths: Sequence[str]) -> Mapping[str, bytes]:
        return {
            path: self._answers[f"{repository}/{path}"]
            for path in paths
            if f"{repository}/{path}" in self._answers
        }
