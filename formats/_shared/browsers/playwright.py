"""Browsers that Playwright downloads: their addresses, by the data of its package for Node.js.

1.40 and newer: `browsers.json` of playwright-core has names and revisions, its `registry/index.js`
(1.60 to 1.65: within `coreBundle.js`) a path for each system, or the end of one of Chrome's own
(`cftUrl`). `playwright install` downloads them, no script does. 1.58 alone has Chrome where only
the host tells it from Puppeteer's: that is no address here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

from vendorpack.formats._shared.archives.package_files import Files, text_of
from vendorpack.model import Artifact, Need, Target, Wanted

CORE: Final = "playwright-core"
DATA: Final = re.compile(r"browsers\.json|(?P<code>lib/(?:server/registry/index|coreBundle)\.js)")
"""Those of its files that say what it downloads."""

_MIRROR: Final = re.compile(r'_CDN_MIRRORS = \[\s*"(https://[^"]+)"')
_CHROME: Final = re.compile(
    r"function cftUrl\(.{1,300}?path: `([^`]*)`.{1,300}?mirrors: \[\s*\"(https://[^\"]+)\"",
    re.DOTALL,
)
_VERSIONED: Final = "builds/cft/"
"""In addresses that name a version of Chrome, and not Playwright's number of it."""
_SYSTEMS: Final = {"linux": ("ubuntu", "debian"), "macos": ("mac",), "windows": ("win",)}


def needs(artifact: Artifact, core: Files, targets: Sequence[Target]) -> Iterator[Need]:
    """What `playwright install` downloads, by the files of playwright-core; no install does.

    A need for each browser, of several files where each distribution has one of its own: then none
    of them has an address. artifact: what these files are in.
    """
    for name, files in _browsers(core, targets):
        how = f"playwright install {name}"
        yield Need(str(artifact), how, artifact.where, tuple(files), at_install=False)


def _browsers(core: Files, targets: Sequence[Target]) -> Iterator[tuple[str, Sequence[Wanted]]]:
    try:
        listed = json.loads(core["browsers.json"]())["browsers"]
        wanted = [one for one in listed if one.get("installByDefault") is True]
    except (KeyError, ValueError, TypeError, AttributeError):
        return
    known = map(DATA.fullmatch, core)
    code = "".join(text_of(core, path["code"]) for path in known if path and path["code"])
    for one in wanted:
        name, revision = str(one.get("name")), str(one.get("revision"))
        for target in targets:
            paths = _addresses(code, name, target)
            files = []
            for address in paths:
                is_versioned = _VERSIONED in address
                number = str(one.get("browserVersion")) if is_versioned else revision
                url = address.replace("%s", number)
                file = url.rpartition("/")[2]
                place = f"{name}-{revision}/{file}" if is_versioned else ""
                pattern = _VERSIONED + url.partition(_VERSIONED)[2] if is_versioned else file
                is_whole = url.startswith("https://") and len(paths) == 1
                files.append(Wanted(pattern, url if is_whole else None, place=place))
            if files:
                yield name, files


def _addresses(code: str, browser: str, target: Target) -> list[str]:
    """The different addresses of a browser, for the distributions that Playwright knows.

    %s is for its number. Without a host if nothing says that.
    """
    start = code.find(f'"{browser}": {{', max(code.find("DOWNLOAD_PATHS = {"), 0))
    table = code[start : code.find("}", start)] if start >= 0 else ""
    mirror, chrome = _MIRROR.search(code), _CHROME.search(code)
    base = f"{mirror[1]}/" if mirror else ""
    found: dict[str, None] = {}
    for host, path, end in re.findall(
        r'"([^"\n]+)": (?:"(builds/[^"\n]+)"|cftUrl\("([^"\n]+)")', table
    ):
        is_arm = host.endswith("-arm64")
        if host.startswith(_SYSTEMS.get(target.os, ())) and is_arm == (target.cpu == "aarch64"):
            if path:
                found[base + path] = None
            elif chrome:
                whole = chrome[1].replace("${browserVersion}", "%s").replace("${suffix}", end)
                found[f"{chrome[2]}/{whole}" if _VERSIONED in whole else whole] = None
    return [*found]
