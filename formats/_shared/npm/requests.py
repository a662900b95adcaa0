"""What an install asks of an npm registry when something is not in its cache."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from vendorpack.formats._shared.npm.registry import ALIAS_REGISTRY, DEFAULT_REGISTRY
from vendorpack.model import Lack

_HARMLESS: Final = re.compile(
    r"/-/npm/v1/(?:security/|advisories)|/-/v1/|/-/package/[^/]+/dist-tags$"
    r"|/(?:npm|pnpm|yarn|bun|corepack)(?:/latest)?$"
)
"""Audits, and looks for a newer client (npm 12's `update-notifier` asks for `/npm`)."""
_TARBALL: Final = re.compile(r"/((?:@[^/]+/)?[^/@]+)/-/(?:[^/]+/)?([^/]+)\.tgz$")
_UNCACHED: Final = re.compile(
    r"request to (https?://\S+) failed: cache mode is 'only-if-cached'"
    r"|cannot download it in offline mode\. The missing package may be downloaded from (\S+?)\.?\s"
)
"""npm's words (10 to 12), and pnpm's (7 to 12)."""
_PACKAGE: Final = re.compile(r"/((?:@[^/]+/)?[^/@]+)(?:/[^/]+)?$")


def explain_request(url: str) -> str | None:
    """See `Format.explain_request`. A registry's own hosts are known, a mirror's by the path.

    A name that was asked for, and then nobody connected, is a look for news that was given up.
    """
    parts = urlsplit(url)
    path = unquote(parts.path)
    if _HARMLESS.search(path):
        return ""
    defaults = {urlsplit(registry).netloc for registry in (DEFAULT_REGISTRY, ALIAS_REGISTRY)}
    if url in defaults:
        return ""
    found = _TARBALL.search(path)
    if found is None and parts.netloc in defaults:
        found = _PACKAGE.fullmatch(path)
    if found is None:
        return None
    return (
        f"{found[1]} is not in the bundle as it is asked for: the lockfile lacks it, or is not the "
        "one that was packed"
    )


def explain_output(text: str) -> Sequence[Lack]:
    """See `Format.explain_output`."""
    urls = [one or other for one, other in _UNCACHED.findall(text)]
    return [Lack(url, said) for url in dict.fromkeys(urls) if (said := explain_request(url))]
