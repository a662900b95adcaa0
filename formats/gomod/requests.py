"""What a build with go lacks: by what it asks for, and by its own words (1.21 to 1.27)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from vendorpack.formats.gomod.modules import DEFAULT_PROXY
from vendorpack.model import Lack

_PROXY: Final = urlsplit(DEFAULT_PROXY).netloc
_ASKED: Final = re.compile(r"/(.+)/@(?:v/|latest)")
_CAPITAL: Final = re.compile(r"!([a-z])")
_TIDY: Final = (
    "`go mod tidy` adds it to go.mod and go.sum where there is a network: then pack again"
)
_MODULE: Final = (
    "what go.sum names is packed, unless `--exclude` leaves it out; a program that is run or "
    "installed by its version (`…@latest`) has to be a requirement of go.mod"
)
_WORDS: Final = (
    (re.compile(r"no required module provides package ([^\s;]+)"), _TIDY),
    (re.compile(r"missing go\.sum entry for (?:go\.mod file|module providing package ([^\s;]+))"),
     _TIDY),
    (re.compile(r"(\S+?):? module lookup disabled by GOPROXY=off"), _MODULE),
    (re.compile(r"requires (go >= \S+) \(running [^)]*GOTOOLCHAIN=local\)"),
     "`--gomod-toolchain yes` packs the go that go.mod names"),
)  # fmt: skip
_PLACE: Final = re.compile(r"[^:@]+\.go:\d+(?::\d+)?:?")


def explain_request(url: str) -> str | None:
    """See `Format.explain_request`."""
    parts = urlsplit(url)
    found = _ASKED.match(unquote(parts.path)) if parts.netloc == _PROXY else None
    if found is None:
        return None
    name = _CAPITAL.sub(lambda match: match[1].upper(), found[1])
    return f"{name} is not in the bundle: {_MODULE}"


def explain_output(text: str) -> Sequence[Lack]:
    """See `Format.explain_output`."""
    found: dict[str, Lack] = {}
    for pattern, remedy in _WORDS:
        for match in pattern.finditer(text):
            name = (match[1] or "a line of go.sum").rstrip(":")
            if _PLACE.fullmatch(name):
                name = f"the module that {name} imports"
            found.setdefault(name, Lack(name, remedy))
    return [*found.values()]
