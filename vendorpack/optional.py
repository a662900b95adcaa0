"""Packages that an extra of ours brings, and without which everything else works."""

from __future__ import annotations

import importlib
from typing import Any

from vendorpack.errors import UsageError


def load_extra(module: str, what: str, extra: str) -> Any:
    """Import a package by its name. what: what takes it. Raises `UsageError` if it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise UsageError(
            f"{what}, which is not installed",
            fix=f"python -m pip install 'vendorpack[{extra}]'",
        ) from None
