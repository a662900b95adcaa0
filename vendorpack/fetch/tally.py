"""What fetching is told and tells, apart from how it is done: that takes an event loop."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.model import Artifact

MAX_ARTIFACT_SIZE: Final = 16 << 30
"""Bytes; the cap on a download whose size nothing declares."""


def is_commit(url: str) -> bool:
    """Whether an artifact's address names a git commit."""
    return url.startswith("git+")


def by_source(artifacts: Iterable[Artifact]) -> list[list[Artifact]]:
    """Artifacts that share an address together, in the order given."""
    groups: dict[tuple[str, ...], list[Artifact]] = {}
    for artifact in artifacts:
        groups.setdefault(artifact.sources, []).append(artifact)
    return [*groups.values()]


@dataclass(slots=True)
class Tally:
    """What a run did, for the last line it prints."""

    downloaded: int = 0
    reused: int = 0
    bytes_downloaded: int = 0
    nearby: dict[str, int] = field(default_factory=dict)
    """Artifacts taken from each place nearby, by its name."""
