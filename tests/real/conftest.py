"""What all tests with real clients share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli import Cli


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in its own
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """With pytest-xdist, a module's tests run in one process: what they share is dear."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


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
