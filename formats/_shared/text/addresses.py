"""Addresses, as lockfiles and configurations have them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from vendorpack.errors import LockfileError

_BEHIND_HOST: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*[/?#]")


def parts_of(address: str) -> SplitResult:
    """The parts of an address; empty ones for what has none (`https://[x`)."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def is_http(address: str) -> bool:
    """Whether it is an http(s) address that can be asked: with a host, and no impossible port."""
    try:
        parts = urlsplit(address)
        # Reading the port checks it.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def variable_in_path(
    text: str, variables: re.Pattern[str], expand: Callable[[str], str]
) -> str | None:
    """The first variable that puts something behind the host of an address; None if none does.

    It may be the whole address. As it stands there. variables: how the client writes them. expand:
    puts their values in; one that has no value does not count.
    """
    for match in variables.finditer(text):
        before, value = expand(text[: match.start()]), expand(match[0])
        if value == match[0]:
            continue
        is_address = _BEHIND_HOST.match(before + value)
        if is_address and (before + value)[max(is_address.end(), len(before)) :].strip("/"):
            return match[0]
    return None


def refused_variable(setting: str, variable: str, where: str) -> LockfileError:
    """The error for a variable that `variable_in_path` found.

    A path is a part of the address, which is shown, recorded and what clients find packages by
    in their caches; what the environment holds may be a secret.
    """
    return LockfileError(
        f"{setting} has {variable} in the path of its address: what the variable holds may be a "
        "secret, and the path would be in the bundle and in messages",
        where=where,
        fix="Write the path out if it is none (or set the registry in the client's own variable), "
        "and give a token as the client has it (in a setting of its own, or as user and password "
        "before the host).",
    )
