"""Configuration dependencies: packages that pnpm 10 and newer install before all else.

pnpm 12 takes them from the store as any other. pnpm 11 never does: it is content only with a
package that is unpacked already, below the store's `links` (`installConfigDeps`, 11.28). pnpm 10
downloads them at every install, whatever its store has (`fetchPackage` with `force`).

The folder of a package below `links` is named by the package `object-hash` 3 over its id,
its integrity and those of its optional dependencies, whatever the platform
(`calcGlobalVirtualStorePathWithSubdeps`)::

    @/<name>/<version>/<sha256>     with a scope: <@scope/name>/<version>/<sha256>
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final, TypeAlias

from vendorpack.formats._shared.text.yaml_text import load_yaml
from vendorpack.formats.pnpm.config import WORKSPACE
from vendorpack.formats.pnpm.lockfile import Graph, Package
from vendorpack.model import Warning
from vendorpack.project import Project

_SETTING: Final = "configDependencies"

_Hashed: TypeAlias = "str | Mapping[str, _Hashed] | None"


def link_folders(graph: Graph) -> dict[Package, str]:
    """Where below `links` pnpm 11 looks for a document's configuration dependencies."""
    folders: dict[Package, str] = {}
    for key in graph.config:
        node = graph.nodes[key]
        if node.package is None:
            continue
        optional = [
            package for edge in node.edges if (package := graph.nodes[edge].package) is not None
        ]
        folders |= {package: _folder(package) for package in optional}
        folders[node.package] = _folder(node.package, *optional)
    return folders


def warnings(project: Project, stores: tuple[str, ...]) -> tuple[Warning, ...]:
    """What pnpm 10 cannot be served with, if it may be the one that installs."""
    data = project.read(WORKSPACE)
    if "v10" not in stores or data is None or _SETTING.encode() not in data:
        return ()
    where = str(project.lockfile.parent / WORKSPACE)
    document = load_yaml(data, where)
    workspace = document.value
    names = workspace.get(_SETTING) if isinstance(workspace, dict) else None
    if not isinstance(names, dict) or not names:
        return ()
    line = document.lines.get((_SETTING,))
    return (
        Warning(
            f"pnpm 10 downloads {_SETTING} ({', '.join(sorted(names))}) at every install and "
            "fails offline: no bundle can serve them to it; pnpm 11 and 12 can be served",
            where if line is None else f"{where}:{line}",
        ),
    )


def _folder(package: Package, *optional: Package) -> str:
    children = {one.name: _base64({"id": _full_id(one), "deps": {}}) for one in optional}
    deps = _base64({"id": _full_id(package), "deps": children})
    name = hashlib.sha256(_serialized({"engine": None, "deps": deps}, ordered=False)).hexdigest()
    scope = "" if package.name.startswith("@") else "@/"
    return f"{scope}{package.name}/{package.version}/{name}"


def _full_id(package: Package) -> str:
    return f"{package.id}:{package.integrity}"


def _base64(value: _Hashed) -> str:
    digest = hashlib.sha256(_serialized(value, ordered=True)).digest()
    return base64.b64encode(digest).decode()


def _serialized(value: _Hashed, *, ordered: bool) -> bytes:
    """What `object-hash` hashes; `ordered`: keys sorted (`unorderedObjects`)."""
    if value is None:
        return b"Null"
    if isinstance(value, str):
        return f"string:{len(value)}:{value}".encode()
    keys = sorted(value) if ordered else list(value)
    fields = (
        _serialized(key, ordered=ordered) + b":" + _serialized(value[key], ordered=ordered) + b","
        for key in keys
    )
    return f"object:{len(keys)}:".encode() + b"".join(fields)
