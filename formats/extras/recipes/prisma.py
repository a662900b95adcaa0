"""Prisma's engines, up to Prisma 6, of one platform; unpacked, under the variables that name them.

::

    PRISMA_QUERY_ENGINE_LIBRARY     libquery_engine.node
    PRISMA_SCHEMA_ENGINE_BINARY     schema-engine

So `@prisma/fetch-engine` looks (6, `env.js`, `download.js`), which checks nothing there. Run with
Prisma 6.19 and files that were made for it.
"""

from __future__ import annotations

import re
from typing import Final

from vendorpack.formats._shared.npm.folders import user_caches
from vendorpack.formats.extras import laying
from vendorpack.formats.extras.recipe import ROOT, Recipe, folder_variable

FOLDER: Final = f"{ROOT}/prisma"
QUERY_ENGINE: Final = f"{FOLDER}/libquery_engine.node"
SCHEMA_ENGINE_PATH: Final = f"{FOLDER}/schema-engine"


def _recipe(name: str, file: str, variable: str, path: str) -> Recipe:
    return Recipe(
        name=name,
        pattern=re.compile(rf"/all_commits/(?P<version>[0-9a-f]{{40}})/[\w.-]+/{file}\.gz$"),
        public=("https://binaries.prisma.sh",),
        folder=FOLDER,
        variables=(folder_variable(variable, path),),
        native=lambda host: user_caches(host) / "vendorpack" / "prisma",
        lay=lambda source, workshop: laying.gunzipped(source, path, workshop),
        opens=True,
    )


LIBRARY: Final = _recipe(
    "query engine of Prisma",
    r"(?:lib)?query_engine[\w.-]*",
    "PRISMA_QUERY_ENGINE_LIBRARY",
    QUERY_ENGINE,
)
SCHEMA_ENGINE: Final = _recipe(
    "schema engine of Prisma",
    r"schema-engine",
    "PRISMA_SCHEMA_ENGINE_BINARY",
    SCHEMA_ENGINE_PATH,
)
