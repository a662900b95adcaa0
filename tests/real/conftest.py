"""What all tests with real clients share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Cli


@pytest.fixture(scope="session")
def real_cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """vendorpack with one store for the whole session: registries are asked once."""
    return Cli(tmp_path_factory.mktemp("real"))


@pytest.fixture
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder for bundles."""
    return tmp_path_factory.mktemp("bundles")
