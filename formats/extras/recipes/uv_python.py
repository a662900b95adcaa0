"""Pythons that uv installs (`.python-version`), from python-build-standalone.

`UV_PYTHON_INSTALL_MIRROR` takes the place of the address up to the tag, and may be a folder
(`file://`)::

    <tag>/cpython-3.12.7+20241016-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz

uv checks the archive by the hash in its own list. Run with uv 0.13 and an archive that was made for
it, whose hash is in a list of its own (`UV_PYTHON_DOWNLOADS_JSON_URL`).
"""

from __future__ import annotations

import re
from typing import Final

from vendorpack.formats._shared.npm.folders import user_caches
from vendorpack.formats.extras import laying
from vendorpack.formats.extras.recipe import ROOT, Recipe, folder_variable

FOLDER: Final = f"{ROOT}/uv-python"

RECIPE: Final = Recipe(
    name="Python of uv",
    pattern=re.compile(r"/(?P<tag>\d{8})/cpython-(?P<version>\d[\w.]*)\+\d{8}-[\w.+-]+\.tar\.\w+$"),
    public=("https://github.com", "https://releases.astral.sh"),
    folder=FOLDER,
    variables=(folder_variable("UV_PYTHON_INSTALL_MIRROR", FOLDER, "file://"),),
    native=lambda host: user_caches(host) / "vendorpack" / "uv-python",
    lay=lambda source, _: laying.whole(source, f"{FOLDER}/{source['tag']}/{source.file_name}"),
)
