"""What an install of Python packages lacks: by what it asks an index for, and by its own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from vendorpack.formats._shared.python.index import DEFAULT_FILES, DEFAULT_INDEX, normalize
from vendorpack.model import Lack

_PAGE: Final = re.compile(r"/(?:simple|pypi)/([A-Za-z0-9._-]+)(?:/|$)")
_FILE: Final = re.compile(r"/([A-Za-z0-9._]+)-[0-9][^/]*\.(?:whl|tar\.gz|zip)(?:\.metadata)?$")
_HOSTS: Final = {urlsplit(address).netloc for address in (DEFAULT_INDEX, DEFAULT_FILES)}
_UNCACHED: Final = re.compile(r"found in the cache(?: for)?:\s+`?(https?://[^\s`]+)")
_MISSING: Final = (
    # pip, and what calls it
    re.compile(r"No matching distribution found for ([^\n]+)"),
    # uv
    re.compile(r"Because ([a-zA-Z0-9._-]+) was not found in the cache"),
)
_BUILDS: Final = re.compile(
    r"install(?:ing)? (?:build|backend) dependencies .*not run successfully"
    r"|build-system\.requires|`setup\.py` build"
)


def explain_request(url: str, room: str) -> str | None:
    """See `Format.explain_request`; room: whose options are named."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    found = _PAGE.match(path) or (_FILE.search(path) if parts.netloc in _HOSTS else None)
    if found is None:
        return None
    name = normalize(found[1])
    return f"{name} is not in the bundle. {_locked()}; {_built(name, room)}"


def explain_output(text: str, room: str) -> Sequence[Lack]:
    """See `Format.explain_output`."""
    names = [match[1] for pattern in _MISSING for match in pattern.finditer(text)]
    names += [
        normalize(found[1])
        for url in _UNCACHED.findall(text)
        if (found := _FILE.search(unquote(urlsplit(url).path))) is not None
    ]
    builds = _BUILDS.search(text) is not None
    return [
        Lack(name, _built(name, room) if builds else _locked()) for name in dict.fromkeys(names)
    ]


def _locked() -> str:
    return "what the lockfile names is packed, unless `--exclude` leaves it out"


def _built(name: str, room: str) -> str:
    return (
        f"what sources are built with is packed, unless `--{room}-build-deps no` leaves it out; "
        f'what they do not name is packed with `--{room}-extra-build-requires "{name}"`'
    )
