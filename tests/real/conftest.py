"""What all tests with real clients share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.world import World


@pytest.fixture(scope="session")
def real_cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """vendorpack with one store for the whole session: registries are asked once."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    return Cli(tmp_path_factory.mktemp("real"), store=str(folder / "real-store"))


@pytest.fixture
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder for bundles."""
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Registries and git servers on the loopback."""
    with World(tmp_path) as made:
        yield made


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The folder of the repositories that a git server has."""
    return tmp_path / "served"
