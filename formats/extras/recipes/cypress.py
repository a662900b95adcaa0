"""Cypress, unpacked below `CYPRESS_CACHE_FOLDER`, where `cypress install` finds it.

::

    <version>/Cypress/**

It writes a note beside the program when it has verified it, so the folder must be writable. Run
with cypress 14.5 (`cypress install`, `cypress version`), with an archive that was made for it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from vendorpack.formats._shared.npm.folders import user_caches
from vendorpack.formats.extras import laying
from vendorpack.formats.extras.recipe import ROOT, Recipe, folder_variable
from vendorpack.project import Host

FOLDER: Final = f"{ROOT}/cypress"


def _native(host: Host) -> Path:
    configured = host.environ.get("CYPRESS_CACHE_FOLDER")
    if configured:
        return Path(configured)
    caches = user_caches(host) / "Cypress"
    return caches / "Cache" if host.os == "windows" else caches


RECIPE: Final = Recipe(
    name="Cypress",
    pattern=re.compile(r"/desktop/(?P<version>\d+\.\d+\.\d+)/[\w-]+/cypress\.zip$"),
    public=("https://cdn.cypress.io",),
    folder=FOLDER,
    variables=(folder_variable("CYPRESS_CACHE_FOLDER", FOLDER),),
    native=_native,
    lay=lambda source, workshop: laying.unzipped(source, f"{FOLDER}/{source['version']}", workshop),
    opens=True,
)
