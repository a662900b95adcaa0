"""Places that may have an artifact already, asked before the network is.

They are believed no more than the network: what they give is hashed and compared with every
digest that the lockfile pins before it has a name in the store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from vendorpack.digest import Integrity
from vendorpack.model import Blob
from vendorpack.store.local import Store


class Nearby(Protocol):
    """An older bundle, or a team's store. Methods are called from several threads at once.

    name: for messages.
    """

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def take(self, integrity: Integrity, path: Path) -> str | None:
        """Write what should be the artifact to `path`; None if it is not known here.

        Returns the name of what was written, for messages. Raises `BundleError`, `FetchError`
        if the place is out of order, once: from then on it knows of nothing; and `StoreError`.
        """
        ...

    def give(self, integrity: Integrity, blob: Blob, store: Store) -> None:
        """Offer an artifact that was verified. A place that cannot take it says so once."""
        ...
