"""The engine's side of a room's work, in memory: for tests of one room alone."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TypeVar

from vendorpack.errors import FetchError
from vendorpack.model import Answer, Blob, Entry

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

    def read(self, blob: Blob) -> bytes:
        return self._blobs[blob.sha256]

    def open(self, blob: Blob) -> BinaryIO:
        return io.BytesIO(self.read(blob))

    def keep(self, chunks: Iterable[bytes]) -> Blob:
        return self.add(b"".join(chunks))

    def derived(self, recipe: str, blob: Blob, make: Callable[[bytes], bytes]) -> Blob:
        key = (recipe, blob.sha256)
        if key not in self._derived:
            self._derived[key] = self.add(make(self.read(blob)))
        return self._derived[key]

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
