"""package.json and its like, read for what they may say: nothing of them has to be right here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def json_object(data: bytes | None) -> Mapping[str, Any]:
    """A JSON object; empty for anything else, of which the client itself will tell."""
    try:
        value = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def mapping_in(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The object under a key; empty if there is none."""
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}
