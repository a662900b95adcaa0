"""Chrome for Testing: for Puppeteer, and the driver for the npm package chromedriver.

Puppeteer looks below `PUPPETEER_CACHE_DIR` (`@puppeteer/browsers`, `Cache.js`, 1 to 3)::

    <chrome|chrome-headless-shell>/<platform>-<version>/     the archive, unpacked

chromedriver takes the program that `CHROMEDRIVER_FILEPATH` names. Run with puppeteer 24 and
chromedriver 130, with archives that were made for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vendorpack.formats._shared.npm.folders import user_caches
from vendorpack.formats.extras import laying
from vendorpack.formats.extras.recipe import ROOT, Recipe, Source, folder_variable
from vendorpack.model import Entry
from vendorpack.project import Host
from vendorpack.room import Workshop

PUBLIC: Final = ("https://storage.googleapis.com",)
FOLDER: Final = f"{ROOT}/puppeteer"
DRIVER_FOLDER: Final = f"{ROOT}/chromedriver"
DRIVER: Final = f"{DRIVER_FOLDER}/chromedriver"

_PLATFORMS: Final = {"linux64": "linux", "mac-x64": "mac", "mac-arm64": "mac_arm"}
_PLACE: Final = r"/(?P<version>\d[\d.]*)/(?P<platform>linux64|mac-x64|mac-arm64|win32|win64)"


def _lay(source: Source, workshop: Workshop) -> Iterator[Entry]:
    platform = _PLATFORMS.get(source["platform"], source["platform"])
    folder = f"{FOLDER}/{source['browser']}/{platform}-{source['version']}"
    return laying.unzipped(source, folder, workshop)


def _lay_driver(source: Source, workshop: Workshop) -> Iterator[Entry]:
    for entry in laying.unzipped(source, DRIVER_FOLDER, workshop, cut=1):
        if entry.path == DRIVER:
            yield entry


def _native(host: Host) -> Path:
    configured = host.environ.get("PUPPETEER_CACHE_DIR")
    return Path(configured) if configured else host.home / ".cache" / "puppeteer"


PUPPETEER: Final = Recipe(
    name="Chrome for Puppeteer",
    pattern=re.compile(rf"{_PLACE}/(?P<browser>chrome-headless-shell|chrome)-[\w-]+\.zip$"),
    public=PUBLIC,
    folder=FOLDER,
    variables=(folder_variable("PUPPETEER_CACHE_DIR", FOLDER),),
    native=_native,
    lay=_lay,
    opens=True,
    is_found=True,
)
CHROMEDRIVER: Final = Recipe(
    name="chromedriver",
    pattern=re.compile(rf"{_PLACE}/chromedriver-[\w-]+\.zip$"),
    public=PUBLIC,
    folder=DRIVER_FOLDER,
    variables=(folder_variable("CHROMEDRIVER_FILEPATH", DRIVER),),
    native=lambda host: user_caches(host) / "vendorpack" / "chromedriver",
    lay=_lay_driver,
    opens=True,
)
