"""What a team's store is made of: named objects that are created once and read by anyone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from vendorpack.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Listed:
    """An object in a listing. modified: seconds since 1970, when it was created."""

    name: str
    size: int
    modified: float


class Objects(Protocol):
    """A folder, or a bucket. Names are relative, with `/`.

    Methods are called from several threads at once, and raise `FetchError` if the place is out
    of order or refuses.
    """

    @property
    def url(self) -> str:
        """Where it is, as it may be shown."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes of an object; None if there is none."""
        ...

    def read(self, name: str, size: int, offset: int = 0) -> bytes | None:
        """At most `size` bytes of an object; None if there is none."""
        ...

    def names(self, folder: str, limit: int) -> list[str]:
        """The names of objects right below a folder (`a/b/`), sorted; at most `limit`."""
        ...

    def save(self, name: str, path: Path, limit: int) -> bool:
        """Write an object to `path`; False if there is none. No more than `limit` bytes and one.

        Raises `StoreError` if `path` cannot be written.
        """
        ...

    def listed(self, folder: str) -> Iterator[Listed]:
        """All objects below a folder (`a/`), in any order."""
        ...

    def remove(self, name: str) -> None:
        """Take an object away; it is no fault if it is gone."""
        ...

    def create(self, name: str, content: BinaryIO) -> bool:
        """Write an object unless it is there; False if it is. It appears whole or not at all."""
        ...
