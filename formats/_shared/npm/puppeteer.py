"""Browsers that Puppeteer downloads: their addresses, by the packages' own data.

Puppeteer 20 and newer: `revisions.js` of puppeteer-core has the versions, @puppeteer/browsers the
address (`browser-data/chrome.js`). Its install script downloads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from vendorpack.formats._shared.archives.package_files import Files, text_of
from vendorpack.formats._shared.npm.registry import node_platform
from vendorpack.model import Target, Wanted

PUPPETEER: Final = ("puppeteer", "puppeteer-core", "@puppeteer/browsers")
_REVISION: Final = re.compile(r"['\"]?(chrome(?:-headless-shell)?)['\"]?: '(\d[\d.]+)'")
_BASE: Final = re.compile(r"baseUrl = '(https://[^']+)'")
_FOLDERS: Final = {
    ("linux", "x64"): "linux64",
    ("darwin", "x64"): "mac-x64",
    ("darwin", "arm64"): "mac-arm64",
    ("win32", "x64"): "win64",
    ("win32", "ia32"): "win32",
}


def of_puppeteer(core: Files, browsers: Files, targets: Sequence[Target]) -> Iterator[Wanted]:
    """What its install script downloads: Chrome, and Chrome's headless shell."""
    revisions = _ending(core, "/puppeteer/revisions.js")
    base = _BASE.search(_ending(browsers, "/browser-data/chrome.js"))
    if base is None:
        return
    for browser, version in _REVISION.findall(revisions):
        for target in targets:
            folder = _FOLDERS.get(node_platform(target))
            if folder is not None:
                path = f"{version}/{folder}/{browser}-{folder}.zip"
                yield Wanted(path, f"{base[1]}/{path}")


def _ending(files: Files, end: str) -> str:
    """The first file with such an end: folders above it are not the same in all versions."""
    return text_of(files, min((path for path in files if path.endswith(end)), default=""))
