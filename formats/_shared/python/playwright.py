"""Browsers that `playwright install` of PyPI's package downloads.

Its wheel has the package for Node.js in it, below `playwright/driver/package` (1.40 to 1.65).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives import zip_archive
from vendorpack.formats._shared.archives.package_files import Files
from vendorpack.formats._shared.browsers import playwright
from vendorpack.model import Need, Options, Packed
from vendorpack.room import Workshop

_NAME: Final = "playwright"
_DRIVER: Final = "playwright/driver/package/"


def needs(packed: Sequence[Packed], options: Options, workshop: Workshop) -> list[Need]:
    """What its command downloads, for each wheel of it."""
    return [
        need
        for one in packed
        if one.artifact.name == _NAME
        for need in playwright.needs(one.artifact, _driver(one, workshop), options.targets)
    ]


def _driver(packed: Packed, workshop: Workshop) -> Files:
    """Files of the package within; none of what is no wheel that all readers see alike."""
    label = str(packed.artifact)
    files = {}
    try:
        with workshop.open(packed.blob) as wheel:
            for member in zip_archive.members(wheel, label=label):
                name = member.name.removeprefix(_DRIVER)
                if name != member.name and playwright.DATA.fullmatch(name):
                    data = b"".join(zip_archive.chunks(wheel, member, label=label))
                    files[name] = partial(bytes, data)
    except UnsupportedError:
        return {}
    return files
