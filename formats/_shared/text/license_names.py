"""Names that licences go by, and the SPDX ids that they can only mean.

A name that several licences have stays the words that it is: "BSD", "Apache License", "GPLv3",
which says nothing of later versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_NAMES: Final = {
    "0BSD": ("0bsd",),
    "AGPL-3.0-only": ("agpl 3.0 only",),
    "AGPL-3.0-or-later": ("agpl 3.0 or later", "agplv3+"),
    "Apache-1.1": ("apache 1.1",),
    "Apache-2.0": ("apache 2", "apache 2.0", "apache2", "apachev2", "asl 2.0"),
    "Artistic-2.0": ("artistic 2.0",),
    "BSD-2-Clause": ("2 clause bsd", "bsd 2 clause", "simplified bsd"),
    "BSD-3-Clause": (
        "3 clause bsd",
        "bsd 3 clause",
        "bsd 3 clause new or revised",
        "modified bsd",
        "new bsd",
        "revised bsd",
    ),
    "BSL-1.0": ("boost 1.0", "bsl 1.0"),
    "CC0-1.0": ("cc0", "cc0 1.0", "cc0 1.0 universal"),
    "CDDL-1.0": ("cddl 1.0", "common development and distribution 1.0"),
    "CDDL-1.1": ("cddl 1.1", "common development and distribution 1.1"),
    "EPL-1.0": ("epl 1.0", "eclipse 1.0"),
    "EPL-2.0": ("epl 2.0", "eclipse 2.0"),
    "GPL-2.0-only": ("gpl 2.0 only",),
    "GPL-2.0-or-later": ("gpl 2.0 or later", "gplv2+", "gnu general 2 or later"),
    "GPL-3.0-only": ("gpl 3.0 only",),
    "GPL-3.0-or-later": ("gpl 3.0 or later", "gplv3+", "gnu general 3 or later"),
    "ISC": ("isc",),
    "LGPL-2.1-only": ("lgpl 2.1 only",),
    "LGPL-2.1-or-later": ("lgpl 2.1 or later", "lgplv2.1+", "gnu lesser general 2.1 or later"),
    "LGPL-3.0-only": ("lgpl 3.0 only",),
    "LGPL-3.0-or-later": ("lgpl 3.0 or later", "lgplv3+", "gnu lesser general 3 or later"),
    "MIT": ("mit",),
    "MIT-0": ("mit 0", "mit no attribution"),
    "MPL-1.1": ("mpl 1.1", "mozilla 1.1"),
    "MPL-2.0": ("mpl 2.0", "mozilla 2.0", "mozilla 2.0 mpl 2.0"),
    "PSF-2.0": ("psf 2.0",),
    "Unlicense": ("unlicense",),
    "WTFPL": ("wtfpl",),
    "ZPL-2.1": ("zpl 2.1", "zope 2.1"),
    "Zlib": ("zlib",),
}
_BETWEEN: Final = re.compile(r"[\s,()\"'_-]+")
_NUMBERED: Final = re.compile(r"v(\d[\d.]*)")
_FILLING: Final = frozenset({"", "the", "license", "licence", "software", "public", "version", "v"})


def license_id(name: str) -> str:
    """The SPDX id that a name can only mean; empty if there is no telling."""
    words = [_NUMBERED.sub(r"\1", word) for word in _BETWEEN.split(name[:200].lower())]
    words = [word for word in words if word not in _FILLING]
    half = len(words) // 2
    if words[:half] == words[half:]:
        words = words[half:]  # "MIT License (MIT)"
    return _IDS.get(" ".join(words), "")


def any_of(texts: Iterable[str]) -> str:
    """Licences of which one may be chosen, as an expression as far as they are ids."""
    named = dict.fromkeys(license_id(text) or text for text in texts if text)
    if len(named) < 2:
        return "".join(named)
    return " OR ".join(f"({t})" if re.search(r"\s(?:AND|OR)\s", t, re.I) else t for t in named)


def listed(texts: Iterable[str]) -> str:
    """Licences that are listed, and nothing said of how they go together."""
    return ", ".join(dict.fromkeys(license_id(text) or text for text in texts if text))


_IDS: Final = {name: spdx for spdx, names in _NAMES.items() for name in names}
