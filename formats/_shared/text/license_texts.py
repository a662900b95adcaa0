"""Licences known by their own text: the commonest, by the sentences that only they have.

The sentences are compared without case, white space and punctuation. A file in which two licences
are found, or none, says nothing here: it is for a person to read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

FILE_NAME: Final = re.compile(
    r"(?:un)?licen[cs]e(?:-[a-z0-9-]+|\.(?:mit|apache|bsd|isc))?(?:\.(?:txt|md|rst))?"
    r"|copying(?:\.(?:lesser|txt|md))?",
    re.IGNORECASE,
)
"""What files with a licence's text are called."""

MAX_TEXT: Final = 256 << 10
_TITLE: Final = 400
"""Characters in which a licence that quotes others has to say what it is itself."""
_KIN: Final = "?"
"""What is worded as a known licence is, but for a part."""
_OTHER: Final = re.compile(r"[^a-z0-9]+")

_BSD: Final = "redistribution and use in source and binary forms with or without modification are"
_ISC: Final = re.compile(
    r"permission to use copy modify and (?:or )?distribute this software for any purpose with or "
    r"without fee is hereby granted( provided that the above copyright notice and this permission "
    r"notice appear in all copies)?"
)
_TITLES: Final = {
    "AGPL-3.0-only": "gnu affero general public license version 3 19 november 2007",
    "GPL-2.0-only": "gnu general public license version 2 june 1991",
    "GPL-3.0-only": "gnu general public license version 3 29 june 2007",
    "LGPL-2.1-only": "gnu lesser general public license version 2 1 february 1999",
    "LGPL-3.0-only": "gnu lesser general public license version 3 29 june 2007",
}
_SENTENCES: Final = {
    "Apache-2.0": (
        "apache license version 2 0 january 2004",
        "licensed under the apache license version 2 0 the license",
    ),
    "BSL-1.0": ("boost software license version 1 0 august 17th 2003",),
    "CC0-1.0": ("cc0 1 0 universal",),
    "EPL-2.0": ("eclipse public license v 2 0 the accompanying program",),
    "MPL-2.0": ("mozilla public license version 2 0 1 definitions",),
    "Unlicense": ("this is free and unencumbered software released into the public domain",),
    "Zlib": ("altered source versions must be plainly marked as such and must not be",),
}


def recognised(text: str) -> str:
    """The SPDX id of a licence's text; empty if it is not known for sure.

    The text of a GNU licence alone does not offer later versions.
    """
    words = _OTHER.sub(" ", text[:MAX_TEXT].lower())
    titles = [spdx for spdx, title in _TITLES.items() if title in words[:_TITLE]]
    if titles:
        return titles[0] if len(titles) == 1 else ""
    found = {spdx for spdx, some in _SENTENCES.items() if any(one in words for one in some)}
    found |= {_mit(words), _bsd(words), _isc(words)} - {""}
    return found.pop() if len(found) == 1 and _KIN not in found else ""


def agreed(texts: Iterable[str]) -> str:
    """The licence of several files of one package, if all of them are known to be the same."""
    found = set(map(recognised, texts))
    return found.pop() if len(found) == 1 else ""


def _mit(words: str) -> str:
    if "permission is hereby granted free of charge to any person obtaining a copy of" not in words:
        return ""
    others = ("used for good not evil", "except as contained in this notice")
    notice = "permission notice shall be included in all copies or substantial portions"
    if any(other in words for other in others) or "sublicense" not in words:
        return _KIN  # JSON's, X11's
    return "MIT" if notice in words else "MIT-0"


def _bsd(words: str) -> str:
    if _BSD not in words:
        return ""
    known = ("redistributions of source code must", "redistributions in binary form must")
    clear = "no express or implied licenses to any party s patent rights"
    if clear in words or not all(one in words for one in known):
        return _KIN
    if "advertising materials mentioning" in words:
        return "BSD-4-Clause"
    return "BSD-3-Clause" if "endorse or promote products" in words else "BSD-2-Clause"


def _isc(words: str) -> str:
    match = _ISC.search(words)
    if match is None:
        return ""
    return "ISC" if match[1] else "0BSD"
