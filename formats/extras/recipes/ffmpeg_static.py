"""The program of the npm package ffmpeg-static, which `FFMPEG_BIN` names (`index.js`, 5).

One platform's. Run with ffmpeg-static 5, with a program that was made for it.
"""

from __future__ import annotations

import re
from typing import Final

from vendorpack.formats._shared.npm.folders import user_caches
from vendorpack.formats.extras import laying
from vendorpack.formats.extras.recipe import ROOT, Recipe, folder_variable

FOLDER: Final = f"{ROOT}/ffmpeg"
PROGRAM: Final = f"{FOLDER}/ffmpeg"

RECIPE: Final = Recipe(
    name="ffmpeg-static",
    pattern=re.compile(r"/b(?P<version>\d[\d.]*)/ffmpeg-(?:linux|darwin|win32)-\w+\.gz$"),
    public=("https://github.com",),
    folder=FOLDER,
    variables=(folder_variable("FFMPEG_BIN", PROGRAM),),
    native=lambda host: user_caches(host) / "vendorpack" / "ffmpeg",
    lay=lambda source, workshop: laying.gunzipped(source, PROGRAM, workshop),
    opens=True,
)
