"""Typed access to what YAML has read: clear errors in place of surprises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.text.yaml_text import Yaml

REWRITE: Final = "Let pnpm write the lockfile anew (`pnpm install --lockfile-only`)."


def as_mapping(value: Yaml, where: str) -> dict[str, Yaml]:
    """A mapping; an empty one where there is nothing. Raises `LockfileError`."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LockfileError("here should be a mapping", where=where, fix=REWRITE)
    return value


def mapping_of(owner: Mapping[str, Yaml], key: str, where: str) -> dict[str, Yaml]:
    """The mapping at a key, as `as_mapping` reads it."""
    return as_mapping(owner.get(key), where)


def text_of(owner: Mapping[str, Yaml], key: str, where: str) -> str:
    """The text at a key; empty where there is none. Raises `LockfileError`."""
    value = owner.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise LockfileError(f"{key} should be a text", where=where, fix=REWRITE)
    return value


def texts_of(owner: Mapping[str, Yaml], key: str, where: str) -> tuple[str, ...]:
    """The texts at a key, in a list or alone. Raises `LockfileError`."""
    value = owner.get(key)
    values = value if isinstance(value, list) else [] if value is None else [value]
    texts = tuple(text for text in values if isinstance(text, str))
    if len(texts) != len(values):
        raise LockfileError(f"{key} should be a list of texts", where=where, fix=REWRITE)
    return texts


def flag_of(owner: Mapping[str, Yaml], key: str, where: str) -> bool:
    """Whether a key is true; false where it is missing. Raises `LockfileError`."""
    value = owner.get(key, False)
    if not isinstance(value, bool):
        raise LockfileError(f"{key} should be true or false", where=where, fix=REWRITE)
    return value
