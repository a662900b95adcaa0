"""Lockfiles of real public projects, read in place; they are not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "corpus"


def corpus(project: str) -> Path:
    """The folder of one project. Skips the test that asks if it is not there."""
    folder = Path(os.environ.get("VENDORPACK_CORPUS") or _DEFAULT) / project
    if not folder.is_dir():
        pytest.skip(f"no real lockfiles at {folder}: set VENDORPACK_CORPUS to their folder")
    return folder
