"""pnpm's own configuration, as far as it says where packages come from.

Registries and credentials are npm's (`.npmrc`). pnpm 10 and newer also read them in
pnpm-workspace.yaml, which wins::

    registries:
      default: https://registry.example/
      '@scope': https://npm.example/
"""

from __future__ import annotations

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.npmrc import Npmrc
from vendorpack.formats._shared.text.yaml_text import load_yaml
from vendorpack.formats.pnpm.artifacts import Registries
from vendorpack.model import Project

_WORKSPACE = "pnpm-workspace.yaml"


def load_registries(project: Project, npmrc: Npmrc) -> Registries:
    """The registries in force. Raises `LockfileError` if the configuration makes no sense."""
    default, scopes = npmrc.registry, dict(npmrc.scopes)
    data = project.read(_WORKSPACE)
    if data is not None and b"registries:" in data:
        where = str(project.lockfile.parent / _WORKSPACE)
        workspace = load_yaml(data, where).value
        registries = workspace.get("registries") if isinstance(workspace, dict) else None
        for scope, address in registries.items() if isinstance(registries, dict) else ():
            if not isinstance(address, str) or not address.startswith(("https://", "http://")):
                raise LockfileError(
                    f"the registry of {scope[:100]!r} is not an http(s) address", where=where
                )
            if scope == "default":
                default = address.rstrip("/") + "/"
            elif scope.startswith("@"):
                scopes[scope] = address.rstrip("/") + "/"
    return Registries(default, scopes)
