"""Groups and extras by name, as `--group` asks for them.

A name may be a shell's pattern. `-`, `_`, `.` and case are not told apart (PEP 685, 735): lockfiles
have one form of a name, pyproject.toml may have another, and clients take both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

from vendorpack.formats._shared.python.index import normalize
from vendorpack.model import Options, Warning

_SEPARATORS: Final = re.compile(r"[_.]+")


def is_asked_for(name: str, options: Options) -> bool:
    """Whether `--group` names a group or an extra."""
    return any(_matches(name, pattern) for pattern in options.groups)


def warn_of_unknown(known: Iterable[str], options: Options, where: str) -> Iterator[Warning]:
    """Of each `--group` that no name fits."""
    names = [*known]
    for pattern in options.groups:
        if not any(_matches(name, pattern) for name in names):
            yield Warning(f"no group or extra is called {pattern}", where)


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(normalize(name), _SEPARATORS.sub("-", pattern).lower())
