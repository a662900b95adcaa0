"""URLs as they may be shown: without anything that could be a secret.

Userinfo goes, and so does every query value: registries sign their download addresses with
tokens under names nobody can list, and no lockfile needs a query to name a package.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

PROXY_EXAMPLE: Final = "http://user:password@host:port"
"""How a proxy's address with a login is written, for advice."""
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\"'<>]*[^\s\"'<>.,;:!?)]")
"""In a text: without the punctuation that follows it."""
_QUERY_VALUE = re.compile(r"=[^&]*")
_BROKEN_LOGIN = re.compile(r"(://)[^/@]*:\d+/.*[^/]@")
"""A password with a slash in it that was not encoded; what is before it passes for a port."""


def redact_url(url: str) -> str:
    """The URL without userinfo, and with `***` for every query value."""
    if "://" not in url:
        url = url.rpartition("@")[2]  # what has no scheme has no place where a login must end
    try:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2]
        _ = parts.port  # a password with an unescaped slash leaves a port that is no number
        query = _QUERY_VALUE.sub("=***", parts.query)
        return urlunsplit((parts.scheme, netloc, parts.path, query, parts.fragment))
    except ValueError:
        return "<not a URL>"


def redact_text(text: str) -> str:
    """Any text with every URL in it redacted: for messages that others wrote."""
    return _URL.sub(lambda match: _shown(match[0]), text)


def _shown(url: str) -> str:
    if url == PROXY_EXAMPLE:
        return url
    return _BROKEN_LOGIN.sub(r"\1***@", redact_url(url))
