"""What a run that fetches works with: its policy, its places, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from vendorpack.dataclass import dataclass
from vendorpack.fetch.tally import MAX_ARTIFACT_SIZE, Tally
from vendorpack.model import Access
from vendorpack.parallel import Workers
from vendorpack.policy import Policy
from vendorpack.progress import Progress
from vendorpack.store.local import Store

if TYPE_CHECKING:
    from vendorpack.fetch.http import Client
    from vendorpack.store.nearby import Nearby


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of `pack` or `download` works with."""

    policy: Policy
    store: Store
    connect: Callable[[Access, Policy], Client]
    """Makes the HTTP client; called at the first request, as its import is dear."""
    environ: Mapping[str, str]
    progress: Progress
    say: Callable[[str], None]
    warn: Callable[[str, str], None]
    tally: Tally = field(default_factory=Tally)
    jobs: int = 32
    """Artifacts fetched at once."""
    nearby: tuple[Nearby, ...] = ()
    git_config: bool = False
    """Whether git may read the user's own configuration."""
    max_size: int = MAX_ARTIFACT_SIZE
    """Bytes that are downloaded of an artifact whose size nothing declares."""
    cores: int = 1
    """How many processes verify artifacts and take them into the store, at most."""
    workers: Workers | None = None
    detail: Callable[[str], None] = lambda text: None
    """Takes a line on each single artifact."""
