"""The package manager that a project pins for corepack: what of it is in the key.

`corepack` has all else. This is apart from it because `vendorpack key` needs no more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from vendorpack.errors import UsageError
from vendorpack.formats._shared.npm.package_manager import MANIFEST, Named, named
from vendorpack.model import Json, Options
from vendorpack.project import Project

OPTION: Final = "package-manager"
HELP: Final = (
    "Whether the package manager that package.json pins goes in, for corepack: yes (the default) "
    "or no."
)
EXACT: Final = re.compile(
    r"[v=]?(?P<version>\d{1,9}\.\d{1,9}\.\d{1,9}(?:-[0-9A-Za-z.-]{1,200})?)(?:\+(?P<build>.*))?",
    re.ASCII,
)
"""One version, and what is behind its `+`."""


def manager_fingerprint(
    project: Project, options: Options, room: str, client: str
) -> Mapping[str, Json]:
    """What decides about the package manager; nothing where none goes in."""
    found = pinned_manager(project, options, room, client)
    return {OPTION: f"{client}@{found[0].version}"} if found is not None else {}


def pinned_manager(
    project: Project, options: Options, room: str, client: str
) -> tuple[Named, str, str] | None:
    """What package.json says, the version in it, and what is behind its `+`."""
    asked = options.extra.get(f"{room}-{OPTION}", "yes")
    if asked not in ("yes", "no"):
        raise UsageError(f"{room}-{OPTION} is {asked!r}", fix="Give 'yes' or 'no'.")
    data = project.read(MANIFEST) if asked == "yes" else None
    try:
        pin = named(json.loads(data)) if data is not None else None
    except (ValueError, RecursionError):
        return None  # whoever installs will be told by the client itself
    match = EXACT.fullmatch(pin.version.strip()) if pin is not None else None
    if pin is None or match is None or pin.name != client:
        return None
    return pin, match["version"], match["build"] or ""
