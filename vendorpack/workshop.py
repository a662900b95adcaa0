"""The local store and all cores, as rooms may use them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, TypeVar

from vendorpack.dataclass import dataclass
from vendorpack.digest import Integrity
from vendorpack.machine import cores
from vendorpack.model import Blob, Slice
from vendorpack.parallel import in_order
from vendorpack.room import Make
from vendorpack.store.local import Store

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class LocalWorkshop:
    """The store and all cores, as a layout may use them (`room.Workshop`)."""

    store: Store

    def read(self, blob: Blob | Slice) -> bytes:
        """The bytes."""
        return self.store.read(blob)

    def open(self, blob: Blob) -> BinaryIO:
        """The file, to be closed."""
        return self.store.open(blob)

    def keep(self, chunks: Iterable[bytes]) -> Blob:
        """Store what a layout made."""
        return self.store.keep(chunks)

    def derived(self, recipe: str, blob: Blob, make: Callable[[bytes], bytes]) -> Blob:
        """What `make` makes of a blob, made once for all runs."""
        return self.store.derived(recipe, blob, make)

    def forms(self, recipes: Sequence[str], blob: Blob, make: Make) -> tuple[Blob, ...]:
        """Several such, made in one go."""
        return self.store.forms(recipes, blob, make)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """In order, by all cores."""
        return in_order(function, items, jobs=cores())


class Shelf(LocalWorkshop):
    """The same, where artifacts are looked for that may be there (`proof.Shelf`)."""

    def find(self, integrity: Integrity) -> Blob | None:
        """The artifact with these digests, hashed anew; None if it is not in the store."""
        return self.store.verified((integrity,))
