"""A package's files, of which each is read only if somebody wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

Files: TypeAlias = Mapping[str, Callable[[], bytes]]
"""Path to what reads the file."""


def text_of(files: Files, path: str) -> str:
    """A file's text; empty for one that is not there."""
    return files[path]().decode("utf-8", "replace") if path in files else ""
