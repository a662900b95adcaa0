"""Node's headers, from which node-gyp compiles addons (bcrypt, better-sqlite3, canvas …).

`npm_config_devdir` is read by node-gyp under every client. Below it::

    <version>/include/node/**      of node-v<version>-headers.tar.gz
    <version>/installVersion       node-gyp refuses only an older one than its own (node-gyp 8 to
                                   12, `lib/configure.js`: `installVersion`), so 99 serves all
    <version>/<cpu>/node.lib       on Windows

Electron's headers are files of the same name, of Electron's own versions. Run with node-gyp 10 to
13 on Linux, with Node's headers, in Electron's place too; node.lib was read only.
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

FOLDER: Final = f"{ROOT}/node-gyp"
PUBLIC: Final = ("https://nodejs.org", "https://www.electronjs.org")

_INSTALL_VERSION: Final = b"99\n"
_VERSION: Final = r"(?P<version>\d+\.\d+\.\d+(?:-[A-Za-z0-9.]+)?)"


def _lay(source: Source, workshop: Workshop) -> Iterator[Entry]:
    folder = f"{FOLDER}/{source['version']}"
    yield from laying.untarred(source, folder, workshop, only="include/node/")
    yield Entry(f"{folder}/installVersion", _INSTALL_VERSION, artifact=source.artifact)


def _lay_library(source: Source, workshop: Workshop) -> Iterator[Entry]:
    cpu = {"x86": "ia32"}.get(source["cpu"], source["cpu"])
    return laying.whole(source, f"{FOLDER}/{source['version']}/{cpu}/node.lib")


def _native(host: Host) -> Path:
    configured = host.environ.get("npm_config_devdir")
    if configured:
        return Path(configured)
    caches = user_caches(host) / "node-gyp"
    return caches / "Cache" if host.os == "windows" else caches


HEADERS: Final = Recipe(
    name="Node headers",
    pattern=re.compile(rf"/(?:node|iojs)-v{_VERSION}-headers\.tar\.gz$"),
    public=PUBLIC,
    folder=FOLDER,
    variables=(folder_variable("npm_config_devdir", FOLDER),),
    native=_native,
    lay=_lay,
    opens=True,
    is_found=True,
)
LIBRARY: Final = Recipe(
    name="Node library",
    pattern=re.compile(rf"/v{_VERSION}/win-(?P<cpu>x64|x86|arm64)/node\.lib$"),
    public=PUBLIC,
    folder=FOLDER,
    variables=HEADERS.variables,
    native=_native,
    lay=_lay_library,
)
