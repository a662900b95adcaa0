"""The recipes: one module for each thing that an install fetches by itself, and their table.

Which were run with the real client, and which were only read, each module says itself.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from vendorpack.formats.extras.recipe import Recipe
from vendorpack.formats.extras.recipes import (
    chrome,
    cypress,
    electron,
    ffmpeg_static,
    gradle_wrapper,
    maven_wrapper,
    node_gyp,
    playwright,
    prebuild_install,
    prisma,
    sharp,
    uv_python,
)

RECIPES: Final[tuple[Recipe, ...]] = (
    node_gyp.HEADERS,
    node_gyp.LIBRARY,
    prebuild_install.RECIPE,
    sharp.RECIPE,
    electron.RECIPE,
    playwright.RECIPE,
    chrome.PUPPETEER,
    chrome.CHROMEDRIVER,
    cypress.RECIPE,
    prisma.LIBRARY,
    prisma.SCHEMA_ENGINE,
    ffmpeg_static.RECIPE,
    uv_python.RECIPE,
    gradle_wrapper.RECIPE,
    maven_wrapper.RECIPE,
)
"""In the order in which they are asked: the first whose pattern is in the path is the one."""


def path_of(url: str) -> str:
    """The path of an address, percent-decoded."""
    return unquote(urlsplit(url).path)


def find(url: str) -> tuple[Recipe, re.Match[str]] | None:
    """The recipe for what lies at an address, and its match; None for a plain file."""
    path = path_of(url)
    for recipe in RECIPES:
        match = recipe.pattern.search(path)
        if match is not None:
            return recipe, match
    return None
