"""libvips for sharp before 0.33, which has it in packages of its own since.

sharp looks into npm's cache (`install/libvips.js`, 0.32) and checks what is there by the integrity
in its package.json::

    <npm_config_cache>/_libvips/libvips-<version>-<platform>.tar.br

Run with sharp 0.32.6 and an archive that was made for it, whose integrity took the place of the
right one in the installed package.
"""

from __future__ import annotations

import re
from typing import Final

from vendorpack.formats.extras import laying
from vendorpack.formats.extras.recipe import Recipe, folder_variable
from vendorpack.formats.extras.recipes.prebuild_install import CACHE, GITHUB, npm_cache

FOLDER: Final = f"{CACHE}/_libvips"

RECIPE: Final = Recipe(
    name="libvips for sharp",
    pattern=re.compile(r"/libvips-(?P<version>\d[\d.]*)-[\w-]+\.tar\.(?:br|gz)$"),
    public=(GITHUB,),
    folder=FOLDER,
    variables=(folder_variable("npm_config_cache", CACHE),),
    native=lambda host: npm_cache(host) / "_libvips",
    lay=lambda source, _: laying.whole(source, f"{FOLDER}/{source.file_name}"),
    is_found=True,
)
