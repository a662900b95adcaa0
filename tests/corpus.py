"""Lockfiles of real public projects, read in place; they are not part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "corpus"
_ORIGINS = {
    "bundler-lobsters": "lobsters/lobsters at 57268d76",
    "cargo-ripgrep": "BurntSushi/ripgrep at 3fce3b5b",
    "npm-warehouse": "pypi/warehouse at 6b6215712",
    "pip-warehouse": "pypi/warehouse at 6b6215712 (requirements/*.txt)",
    "pnpm-vue-core": "vuejs/core at e2bede961",
    "poetry-poetry": "python-poetry/poetry at f46702336",
    "uv-benchmark": "astral-sh/uv at 26a9dd4b21 (scripts/benchmark)",
    "uv-fastapi": "fastapi/full-stack-fastapi-template at 68adb40d",
    "yarn1-excalidraw": "excalidraw/excalidraw at 4872083c04",
    "yarn4-redux": "reduxjs/redux at 3084fc33",
}
"""Where the lockfiles and manifests of each are from, on GitHub."""


def corpus(project: str) -> Path:
    """The folder of one project. Skips the test that asks if it is not there."""
    folder = Path(os.environ.get("VENDORPACK_CORPUS") or _BESIDE) / project
    if not folder.is_dir():
        pytest.skip(
            f"needs the lockfile and manifests of {_ORIGINS[project]}: put them into a folder "
            f"{project}, and name the one above it in VENDORPACK_CORPUS"
        )
    return folder
