"""pnpm's own configuration, as far as it says where packages come from.

Registries and credentials are npm's (`.npmrc`), and so are pnpm 10's mirrors of Node.js
(`node-mirror:release=…`). pnpm 10 and newer also read them in pnpm-workspace.yaml, which wins::

    registries:
      default: https://registry.example/
      '@scope': https://npm.example/
    nodeDownloadMirrors:
      release: https://node.example/release/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.npmrc import Npmrc
from vendorpack.formats._shared.npm.registry import DEFAULT_REGISTRY
from vendorpack.project import Project

if TYPE_CHECKING:
    from vendorpack.formats._shared.text.yaml_text import Yaml

WORKSPACE: Final = "pnpm-workspace.yaml"
_CHANNELS: Final = ("release", "rc", "nightly", "test", "v8-canary")


@dataclass(frozen=True, slots=True)
class Registries:
    """Where packages come from: the default registry, and scopes (`@scope`) that have their own.

    mirrors: release channel of Node.js (`release`) to where its builds are, with a slash behind.
    """

    default: str
    scopes: Mapping[str, str]
    mirrors: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """The registry to ask for a package."""
        return self.scopes.get(name.partition("/")[0], self.default)

    def canonical(self, name: str) -> str:
        """The registry that a package is known by, whatever mirror of it is asked."""
        return self.scopes.get(name.partition("/")[0], DEFAULT_REGISTRY)


def load_registries(project: Project, npmrc: Npmrc) -> Registries:
    """The registries in force. Raises `LockfileError` if the configuration makes no sense."""
    default, scopes = npmrc.registry, dict(npmrc.scopes)
    mirrors = {
        channel: _address(setting, address, str(project.lockfile.parent / ".npmrc"))
        for channel in _CHANNELS
        if (address := npmrc.get(setting := f"node-mirror:{channel}")) is not None
    }
    where = str(project.lockfile.parent / WORKSPACE)
    data = project.settings(WORKSPACE)
    workspace: Yaml = None
    if data is not None and (b"registries:" in data or b"nodeDownloadMirrors:" in data):
        # Imported here because it takes longer than all else that the key needs.
        from vendorpack.formats._shared.text.yaml_text import load_yaml  # noqa: PLC0415

        workspace = load_yaml(data, where).value
    for scope, address in _addresses(workspace, "registries", where).items():
        if scope == "default":
            default = address
        elif scope.startswith("@"):
            scopes[scope] = address
    mirrors |= _addresses(workspace, "nodeDownloadMirrors", where)
    return Registries(default, scopes, mirrors)


def _addresses(workspace: Yaml, setting: str, where: str) -> Mapping[str, str]:
    found = workspace.get(setting) if isinstance(workspace, dict) else None
    listed = found if isinstance(found, dict) else {}
    return {
        name: _address(f"{setting}: {name[:100]}", address, where)
        for name, address in listed.items()
    }


def _address(setting: str, address: Yaml, where: str) -> str:
    if isinstance(address, str) and address.startswith(("https://", "http://")):
        return address.rstrip("/") + "/"
    raise LockfileError(f"{setting!r} is not an http(s) address", where=where)
