"""What `bundle install` lacks: by what it asks for, and by its own words (2.3 to 4.0)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from vendorpack.formats.bundler.artifacts import DEFAULT_SOURCE
from vendorpack.model import Lack

_HOST: Final = urlsplit(DEFAULT_SOURCE).netloc
_ASKED: Final = re.compile(r"/(?:gems|quick/Marshal\.4\.8)/(.+?)\.gem(?:spec\.rz)?$|/info/([^/]+)$")
_MISSING: Final = re.compile(
    r"Could not find (?:gem '([^'\n]+)'|((?:[\w.-]+-\d[\w.-]*(?:, )?)+)) in "
)
_LOCKED: Final = (
    "what Gemfile.lock names is packed for the targets, unless `--exclude` leaves it out: lock it "
    "where there is a network (`bundle lock`), and pack again"
)
_FROZEN: Final = re.compile(r"dependencies in your gemfile changed|frozen mode is set")


def explain_request(url: str) -> str | None:
    """See `Format.explain_request`."""
    parts = urlsplit(url)
    is_ours = parts.netloc == _HOST or parts.netloc.endswith(f".{_HOST}")
    found = _ASKED.search(parts.path) if is_ours else None
    return None if found is None else f"{found[1] or found[2]} is not in the bundle: {_LOCKED}"


def explain_output(text: str) -> Sequence[Lack]:
    """See `Format.explain_output`."""
    names: dict[str, None] = {}
    for match in _MISSING.finditer(text):
        names |= dict.fromkeys([match[1]] if match[1] else match[2].split(", "))
    found = [Lack(name, _LOCKED) for name in names]
    if not found and _FROZEN.search(text):
        found.append(
            Lack(
                "a Gemfile.lock that fits the Gemfile",
                "`bundle lock` makes it where there is a network: then pack again",
            )
        )
    return found
