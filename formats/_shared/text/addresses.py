"""Addresses, as lockfiles and configurations have them."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_http(address: str) -> bool:
    """Whether it is an http(s) address that can be asked: with a host, and no impossible port."""
    try:
        parts = urlsplit(address)
        # Reading the port checks it.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
