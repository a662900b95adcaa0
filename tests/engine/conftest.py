"""What the engine's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world.npm import NpmRegistry, npm_registry


@pytest.fixture
def npm() -> Iterator[NpmRegistry]:
    """A registry that serves what a test publishes there."""
    made = npm_registry()
    with made.server:
        yield made
