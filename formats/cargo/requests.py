"""What a build with cargo lacks: by what it asks for, and by its own words (1.65 to 1.95)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from vendorpack.formats.cargo.sources import CRATES_IO_DOWNLOADS, CRATES_IO_INDEX
from vendorpack.model import Lack

_HOSTS: Final = {urlsplit(address).netloc for address in (CRATES_IO_INDEX, CRATES_IO_DOWNLOADS)}
_CRATE: Final = re.compile(r"/crates/([A-Za-z0-9_-]+)/|/(?:[123]|[^/]{2})/[^/]{1,2}/([^/]+)$")
_MISSING: Final = (
    re.compile(r"no matching package named `([^`]+)` found"),
    re.compile(r"failed to download `([^`]+)`"),
    re.compile(r"failed to select a version for the requirement `([^`\s]+)"),
    re.compile(r"can't checkout from '([^']+)': you are in the offline mode"),
)
_STALE: Final = re.compile(
    r"(?:lock file|Cargo\.lock) .*(?:needs to be updated|--(?:locked|frozen))"
)
_LOCKED: Final = (
    "what Cargo.lock names is packed, unless `--exclude`, or `--cargo-crates targets` for another "
    "target, leaves it out: lock it where there is a network, and pack again"
)


def explain_request(url: str) -> str | None:
    """See `Format.explain_request`."""
    parts = urlsplit(url)
    found = _CRATE.search(parts.path) if parts.netloc in _HOSTS else None
    return None if found is None else f"{found[1] or found[2]} is not in the bundle: {_LOCKED}"


def explain_output(text: str) -> Sequence[Lack]:
    """See `Format.explain_output`."""
    names = [match[1] for pattern in _MISSING for match in pattern.finditer(text)]
    found = [Lack(name, _LOCKED) for name in dict.fromkeys(names)]
    if not found and _STALE.search(text):
        found.append(
            Lack(
                "a Cargo.lock that fits Cargo.toml",
                "`cargo generate-lockfile` makes it where there is a network: then pack again",
            )
        )
    return found
