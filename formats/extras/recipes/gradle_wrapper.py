"""Gradle's distributions, as its wrapper keeps them below GRADLE_USER_HOME.

::

    wrapper/dists/<file name without .zip>/<md5 of the address, base 36>/<file name>

The zip alone is enough: the wrapper unpacks it there, checked by `distributionSha256Sum`
(`PathAssembler`, `Install`; Gradle 4 to 9). So the folder must be writable. Run with the wrapper
of Gradle 4.4.1 and a distribution that was made for it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Final

from vendorpack.formats.extras import laying
from vendorpack.formats.extras.recipe import Recipe, Source, folder_variable
from vendorpack.model import Entry
from vendorpack.room import Workshop

HOME: Final = "gradle"
"""GRADLE_USER_HOME, as the bundles of Gradle's lockfiles have it."""
FOLDER: Final = f"{HOME}/wrapper"
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def _lay(source: Source, workshop: Workshop) -> Iterator[Entry]:
    name = source.file_name
    digest = hashlib.md5(source.url.encode(), usedforsecurity=False).digest()
    folder = f"{FOLDER}/dists/{name.removesuffix('.zip')}/{_base_36(int.from_bytes(digest))}"
    return laying.whole(source, f"{folder}/{name}")


def _base_36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


RECIPE: Final = Recipe(
    name="Gradle",
    pattern=re.compile(r"/gradle-(?P<version>\d[\w.-]*?)-(?:bin|all)\.zip$"),
    public=(
        "https://services.gradle.org",
        "https://downloads.gradle.org",
    ),
    folder=FOLDER,
    variables=(folder_variable("GRADLE_USER_HOME", HOME),),
    native=lambda host: host.home / (host.environ.get("GRADLE_USER_HOME") or ".gradle") / "wrapper",
    lay=_lay,
    is_found=True,
)
