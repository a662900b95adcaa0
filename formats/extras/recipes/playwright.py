"""Browsers of Playwright, of the packages for Node and for Python alike.

Below `PLAYWRIGHT_BROWSERS_PATH` each has a folder, with a mark that says that it is whole
(`registry/index.ts`, 1.40 to 1.65)::

    <browser, its - as _>-<revision>/      the archive, unpacked
    <browser, its - as _>-<revision>/INSTALLATION_COMPLETE

Where the address names no revision (`builds/cft/<version of Chrome>/…`, since 1.57), the lock
does: `filename: chromium-1255/chrome-linux64.zip`. The older addresses are run with playwright 1.57
of npm, `builds/cft` with 1.65 of PyPI, with archives that were made for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.folders import user_caches
from vendorpack.formats.extras import laying
from vendorpack.formats.extras.recipe import ROOT, Recipe, Source, folder_variable
from vendorpack.model import Entry
from vendorpack.project import Host
from vendorpack.room import Workshop

FOLDER: Final = f"{ROOT}/playwright"
_PLACE: Final = re.compile(r"(?:.*/)?([a-z][a-z0-9_.-]*-\d+)/[^/]+")
_HEADLESS: Final = "chromium-headless-shell"


def _lay(source: Source, workshop: Workshop) -> Iterator[Entry]:
    folder = f"{FOLDER}/{_browser(source)}"
    yield from laying.unzipped(source, folder, workshop)
    yield Entry(f"{folder}/INSTALLATION_COMPLETE", b"", artifact=source.artifact)


def _browser(source: Source) -> str:
    place = _PLACE.fullmatch(source.place)
    if place is not None:
        name, _, revision = place[1].rpartition("-")
    elif source["revision"]:
        headless = source.file_name.startswith(_HEADLESS)
        name, revision = _HEADLESS if headless else source["browser"], source["revision"]
    else:
        raise LockfileError(
            f"nothing says which of Playwright's browsers {source.file_name} is",
            where=source.artifact.where,
            fix="Say it by the folder of its filename, with the name and revision that "
            "playwright-core's browsers.json has: filename: chromium-1255/" + source.file_name,
        )
    return f"{name.replace('-', '_')}-{revision}"


def _native(host: Host) -> Path:
    configured = host.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    return Path(configured) if configured else user_caches(host) / "ms-playwright"


RECIPE: Final = Recipe(
    name="browser of Playwright",
    pattern=re.compile(
        r"/builds/(?:cft/(?P<version>\d[\d.]*)/[\w-]+|(?P<browser>[a-z-]+)/(?P<revision>\d+))"
        r"/[\w.-]+\.zip$"
    ),
    public=("https://cdn.playwright.dev", "https://playwright.download.prss.microsoft.com"),
    folder=FOLDER,
    variables=(folder_variable("PLAYWRIGHT_BROWSERS_PATH", FOLDER),),
    native=_native,
    lay=_lay,
    opens=True,
    is_found=True,
)
