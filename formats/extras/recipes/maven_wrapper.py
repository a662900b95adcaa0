"""Maven's distributions, as its wrapper keeps them below MAVEN_USER_HOME.

::

    wrapper/dists/apache-maven-<version>/<hash of the address>/     the archive, its folder cut

The hash is Java's of a string, as 32 bits in hex (`mvnw`, `hash_string`; wrapper 3.3, only-script);
what is there is not checked again. Run with the wrapper 3.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vendorpack.formats._shared.maven.repositories import CENTRAL
from vendorpack.formats.extras import laying
from vendorpack.formats.extras.recipe import ROOT, Recipe, Source, folder_variable
from vendorpack.model import Entry
from vendorpack.project import Host
from vendorpack.room import Workshop

HOME: Final = f"{ROOT}/maven"
FOLDER: Final = f"{HOME}/wrapper"


def _lay(source: Source, workshop: Workshop) -> Iterator[Entry]:
    folder = f"{FOLDER}/dists/{source['name']}/{_hash(source.url)}"
    if source["kind"] == "zip":
        return laying.unzipped(source, folder, workshop, cut=1)
    return laying.untarred(source, folder, workshop)


def _hash(text: str) -> str:
    value = 0
    for character in text:
        value = (value * 31 + ord(character)) & 0xFFFFFFFF
    return f"{value:x}"


def _native(host: Host) -> Path:
    configured = host.environ.get("MAVEN_USER_HOME")
    return (Path(configured) if configured else host.home / ".m2") / "wrapper"


RECIPE: Final = Recipe(
    name="Maven",
    pattern=re.compile(
        r"/(?P<name>apache-maven-(?P<version>\d[\w.-]*?))-bin\.(?P<kind>zip|tar\.gz)$"
    ),
    public=(CENTRAL.removesuffix("/maven2/"),),
    folder=FOLDER,
    variables=(folder_variable("MAVEN_USER_HOME", HOME),),
    native=_native,
    lay=_lay,
    opens=True,
    is_found=True,
)
