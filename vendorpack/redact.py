"""URLs as they may be shown: without anything that could be a secret.

Userinfo goes, and so does every query value: registries sign their download addresses with
tokens under names nobody can list, and no lockfile needs a query to name a package.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit, urlunsplit

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\"'<>]*[^\s\"'<>.,;:!?]")
"""In a text: without the punctuation that follows it."""
_QUERY_VALUE = re.compile(r"=[^&]*")


def redact_url(url: str) -> str:
    """The URL without userinfo, and with `***` for every query value."""
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
    return _URL.sub(lambda match: redact_url(match[0]), text)
