"""Electron, and the chromedriver, ffmpeg and mksnapshot that are released with it.

`@electron/get` looks below `electron_config_cache` by the address without its last part
(`Cache.js`, `getCacheDirectory`, 1 to 3)::

    <sha256 of https://…/v36.0.0>/electron-v36.0.0-linux-x64.zip

and electron's install script checks the archive by the checksums in its own package. What came
from a mirror is laid out under the public address too. Run with electron 36 and an archive that was
made for it, whose checksum took the place of the right one in the installed package.
"""

from __future__ import annotations

import hashlib
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

FOLDER: Final = f"{ROOT}/electron"
GITHUB: Final = "https://github.com"
_RELEASE: Final = GITHUB + "/electron/electron/releases/download/v{version}"


def _lay(source: Source, workshop: Workshop) -> Iterator[Entry]:
    places = (source.url.rpartition("/")[0], _RELEASE.format(version=source["version"]))
    for place in dict.fromkeys(places):
        digest = hashlib.sha256(place.encode()).hexdigest()
        yield from laying.whole(source, f"{FOLDER}/{digest}/{source.file_name}")


def _native(host: Host) -> Path:
    configured = host.environ.get("electron_config_cache")
    if configured:
        return Path(configured)
    caches = user_caches(host) / "electron"
    return caches / "Cache" if host.os == "windows" else caches


RECIPE: Final = Recipe(
    name="Electron",
    pattern=re.compile(
        r"/(?:electron|chromedriver|ffmpeg|mksnapshot)-v(?P<version>\d+\.\d+\.\d+(?:-[a-z0-9.]+)?)"
        r"-(?:linux|darwin|mas|win32)-[a-z0-9]+\.zip$"
    ),
    public=(GITHUB,),
    folder=FOLDER,
    variables=(folder_variable("electron_config_cache", FOLDER),),
    native=_native,
    lay=_lay,
    is_found=True,
)
