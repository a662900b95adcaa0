"""A package index in files, of what is packed: where `pdm install` is sent in place of PyPI.

::

    pip/simple/<normalised name>/index.html     links to ../../wheelhouse/<file name>

PDM asks the index about each package that pdm.lock has no address for, and about what sources are
built with; `PDM_PYPI_URL` may be a `file:` address (unearth, `collector.py`). Its own cache could
not be filled: since 2.23 that is one SQLite database of hishel's, before a folder of another form,
and both forget by the clock of the target.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import quote

from vendorpack.formats._shared.python.distributions import WHEELHOUSE, Distribution
from vendorpack.formats._shared.python.index import normalize
from vendorpack.formats._shared.python.wheelhouse import FOLDER
from vendorpack.model import Entry, Packed, Variable

_SIMPLE: Final = f"{FOLDER}/simple"
_HEAD: Final = b"<!DOCTYPE html><html><body>\n"
_TAIL: Final = b"</body></html>\n"

VARIABLES: Final = (
    Variable("PDM_CHECK_UPDATE", "0"),
    Variable("PDM_PYPI_URL", _SIMPLE, is_path=True, scheme="file://"),
)


def pages(packed: Sequence[Packed]) -> Iterator[Entry]:
    """The page of each project that lies in the wheelhouse."""
    links: dict[str, set[bytes]] = {}
    for one in packed:
        artifact = one.artifact
        if isinstance(artifact, Distribution) and WHEELHOUSE in artifact.places:
            file = f"{quote(artifact.filename)}#sha256={one.blob.sha256}"
            shown = html.escape(artifact.filename)
            link = f'<a href="../../wheelhouse/{file}">{shown}</a><br>\n'
            links.setdefault(normalize(artifact.name), set()).add(link.encode())
    for name in sorted(links):
        yield Entry(f"{_SIMPLE}/{name}/index.html", _page(links[name]))


def merged(existing: bytes, ours: bytes) -> bytes:
    """A page with the links of both."""
    links = {*existing.splitlines(keepends=True), *ours.splitlines(keepends=True)}
    return _page(links - {_HEAD, _TAIL})


def _page(links: set[bytes]) -> bytes:
    return b"".join((_HEAD, *sorted(links), _TAIL))
