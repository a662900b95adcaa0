"""Which versions of pnpm's store a bundle needs: one for each pnpm that may install from it."""

from __future__ import annotations

import re
from typing import Final

from vendorpack.errors import LockfileError, UsageError
from vendorpack.formats._shared.npm.package_manager import named
from vendorpack.formats._shared.text.json_text import decode_utf8, load_json
from vendorpack.model import Options
from vendorpack.project import Project

STORES: Final = ("v3", "v10", "v11")
"""All store versions, oldest first."""

OPTION: Final = "pnpm-store"

_BY_LOCKFILE: Final = {5: ("v3",), 6: ("v3",), 9: STORES}
"""First number of the lockfile's version to the stores of the pnpms that write it."""

_VERSION: Final = re.compile(r"[\^~=v]?(\d+)(\.|$)")


def asked_for(project: Project, options: Options) -> tuple[str, ...]:
    """The stores that the option or the project's package.json names; empty if neither does.

    Raises `UsageError` for an option that names no store.
    """
    text = options.extra.get(OPTION)
    if text is not None:
        names = {name.strip() for name in text.split(",")}
        if names == {"all"}:
            return STORES
        unknown = sorted(names.difference(STORES))
        if unknown:
            raise UsageError(
                f"pnpm has no store {unknown[0]!r}",
                fix="Write v3 (pnpm 7 to 9), v10 (pnpm 10), v11 (pnpm 11 and 12), several "
                "with commas between, or all.",
            )
        return tuple(store for store in STORES if store in names)
    major = _major(project)
    if major is None:
        return ()
    return ("v3",) if major < 10 else ("v10",) if major == 10 else ("v11",)


def stores_for(lock_version: int, asked: tuple[str, ...]) -> tuple[str, ...]:
    """The stores to write for a lockfile of this version."""
    return asked or _BY_LOCKFILE[lock_version]


def _major(project: Project) -> int | None:
    """The first number of the pnpm that package.json asks for: `"packageManager": "pnpm@…"`."""
    data = project.read("package.json")
    if data is None:
        return None
    where = str(project.lockfile.parent / "package.json")
    manifest = load_json(decode_utf8(data, where), where)
    if not isinstance(manifest, dict):
        raise LockfileError("package.json is not an object", where=where)
    client = named(manifest)
    if client is None or client.name != "pnpm" or " " in client.version:
        return None
    match = _VERSION.match(client.version)
    return int(match[1]) if match and len(match[1]) < 5 else None
