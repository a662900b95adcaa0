"""Addons that were built beforehand, as prebuild-install fetches them (better-sqlite3, canvas …).

It looks into npm's cache under every client, by the address it would ask (`util.js`,
`cachedPrebuild`, 5 to 7)::

    <npm_config_cache>/_prebuilds/<sha512 of the address, 6 digits>-<file name, its odd parts as ->

That address is the public one unless the target is configured otherwise: what came from a mirror
is laid out under both. Run with prebuild-install 7 under npm, pnpm, Yarn 1 and 4, and Bun, with an
archive that was built here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vendorpack.formats._shared.npm.npmrc import load_user_npmrc
from vendorpack.formats.extras import laying
from vendorpack.formats.extras.recipe import Recipe, Source, folder_variable
from vendorpack.model import Entry
from vendorpack.project import Host
from vendorpack.room import Workshop

CACHE: Final = "npm"
"""npm's cache, as the bundles of npm lockfiles have it."""
FOLDER: Final = f"{CACHE}/_prebuilds"
GITHUB: Final = "https://github.com"

_ON_GITHUB: Final = re.compile(r"/[^/]+/[^/]+/releases/download/.+$")
_ODD: Final = re.compile(r"[^a-zA-Z0-9.]+")


def npm_cache(host: Host) -> Path:
    """npm's own cache: the setting `cache`, else npm's default for the system."""
    configured = load_user_npmrc(host).path("cache")
    if configured is not None:
        return configured
    return host.local_app_data / "npm-cache" if host.os == "windows" else host.home / ".npm"


def _lay(source: Source, workshop: Workshop) -> Iterator[Entry]:
    public = _ON_GITHUB.search(source.path)
    asked = [source.url, *([GITHUB + public[0]] if public else [])]
    for url in dict.fromkeys(asked):
        digest = hashlib.sha512(url.encode()).hexdigest()[:6]
        yield from laying.whole(source, f"{FOLDER}/{digest}-{_ODD.sub('-', source.file_name)}")


NODE_PRE_GYP: Final = re.compile(
    r"(?:^|/)([^/]+?)-v\d[^/]*-(?:node|napi)-v\d+-[a-z0-9]+-[a-z0-9]+-(?:glibc|musl|unknown)\.tar\.gz$"
)
"""What node-pre-gyp asks for, by http alone (its `versioning.js`), and the module's name."""

RECIPE: Final = Recipe(
    name="prebuilt addon",
    pattern=re.compile(
        r"/[^/]+-v(?P<version>\d[^/]*?)-(?:node|napi|electron|node-webkit)-v\d+-[a-z0-9]+-[a-z0-9]+"
        r"\.tar\.gz$"
    ),
    public=(GITHUB,),
    folder=FOLDER,
    variables=(folder_variable("npm_config_cache", CACHE),),
    native=lambda host: npm_cache(host) / "_prebuilds",
    lay=_lay,
    is_found=True,
)
