"""Which client a JavaScript project says it is installed with.

`packageManager` in package.json is corepack's (`pnpm@10.1.0+sha512.…`), and Yarn, pnpm and Bun
keep to it; `devEngines.packageManager` is npm's (an object with `name`, or a list of them, any of
which will do).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from vendorpack.dataclass import dataclass

MANIFEST: Final = "package.json"
FIELD: Final = "packageManager"


@dataclass(frozen=True, slots=True)
class Named:
    """A client that a project names.

    version: as it is written: a version (with a hash behind a `+`, perhaps), a range, a tag, or
        nothing.
    field: where in package.json.
    """

    name: str
    version: str
    field: str


def named(manifest: object) -> Named | None:
    """The client that package.json's content names; None if it names none, or several."""
    if not isinstance(manifest, dict):
        return None
    text = manifest.get(FIELD)
    if isinstance(text, str) and text.partition("@")[0]:
        name, _, version = text.partition("@")
        return Named(name, version, FIELD)
    engines = manifest.get("devEngines")
    wanted = engines.get(FIELD) if isinstance(engines, dict) else None
    listed = wanted if isinstance(wanted, list) else [wanted]
    found = {
        (name, version if isinstance(version, str) else "")
        for one in listed
        if isinstance(one, dict)
        for name, version in [(one.get("name"), one.get("version"))]
        if isinstance(name, str)
    }
    names = {name for name, _ in found}
    if len(names) != 1:
        return None
    return Named(names.pop(), found.pop()[1] if len(found) == 1 else "", f"devEngines.{FIELD}")


def named_client(read: Callable[[str], bytes | None]) -> tuple[str, str] | None:
    """The client's name and where it stands; None if the project names none, or several."""
    try:
        client = named(json.loads(read(MANIFEST) or b"null"))
    except (ValueError, RecursionError):
        return None  # whoever installs will be told by the client itself
    return (client.name, f"{client.field} in {MANIFEST}") if client is not None else None
