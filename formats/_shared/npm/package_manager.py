"""Which client a JavaScript project says it is installed with.

`packageManager` in package.json is corepack's (`pnpm@10.1.0+sha512.…`), and Yarn, pnpm and Bun
keep to it; `devEngines.packageManager` is npm's (an object with `name`, or a list of them, any of
which will do).
"""

from __future__ import annotations

import json
from collections.abc import Callable

MANIFEST = "package.json"


def named_client(read: Callable[[str], bytes | None]) -> tuple[str, str] | None:
    """The client's name and where it stands; None if the project names none, or several."""
    try:
        manifest = json.loads(read(MANIFEST) or b"null")
    except (ValueError, RecursionError):
        return None  # whoever installs will be told by the client itself
    if not isinstance(manifest, dict):
        return None
    field = manifest.get("packageManager")
    if isinstance(field, str) and field.partition("@")[0]:
        return field.partition("@")[0], f"packageManager in {MANIFEST}"
    engines = manifest.get("devEngines")
    wanted = engines.get("packageManager") if isinstance(engines, dict) else None
    listed = wanted if isinstance(wanted, list) else [wanted]
    names = {str(one.get("name")) for one in listed if isinstance(one, dict)}
    if len(names) != 1:
        return None
    return names.pop(), f"devEngines.packageManager in {MANIFEST}"
