"""Addons that are compiled already: their addresses, by the package's own data.

prebuild-install 5 to 7 (`util.js`, `urlTemplate`) and node-pre-gyp 1 and 2 (`versioning.js`) fill
the templates of package.json's `binary`, or their own, with the package's name and version, the
platform and an ABI: N-API's from `binary.napi_versions`, Node's from the list that node-abi, which
prebuild-install brings along, has for the version that is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from vendorpack.formats._shared.archives.package_files import Files
from vendorpack.formats._shared.npm.registry import node_platform
from vendorpack.model import Target, Wanted

ABI_PACKAGE: Final = "node-abi"
_ABI_LIST: Final = "abi_registry.json"
_PREBUILD: Final = "{name}-v{version}-{runtime}-v{abi}-{platform}{libc}-{arch}.tar.gz"
_PRE_GYP: Final = "{module_name}-v{version}-{node_abi}-{platform}-{arch}.tar.gz"
_FIELD: Final = re.compile(r"\{(\w+)\}")
_NAPI: Final = re.compile(r"prebuild-install\b.*(?:-r|--runtime)[ =]napi\b")


def prebuilt(
    manifest: Mapping[str, Any],
    script: str,
    releases: str | None,
    targets: Sequence[Target],
    nodes: Sequence[str],
    abis: Files,
) -> Iterator[Wanted]:
    """The archives that a script would take, for these targets and versions of Node.

    releases: where the package's repository has its releases. abis: the files of node-abi.
    """
    is_pre_gyp = "node-pre-gyp" in script
    binary = manifest.get("binary")
    binary = binary if isinstance(binary, dict) else {}
    versions = [int(v) for v in binary.get("napi_versions", ()) if str(v).isdecimal()]
    own = _PRE_GYP if is_pre_gyp else _PREBUILD
    parts = [str(binary.get(key, "")) for key in ("host", "remote_path")]
    parts.append(str(binary.get("package_name") or own))
    if not binary.get("host"):
        if is_pre_gyp or releases is None:
            return
        parts = [releases, "v{version}", _PREBUILD]
    template = "/".join(part.strip("/") for part in parts if part.strip("/"))
    uses_napi = "{napi_build_version}" in template or bool(_NAPI.search(script))
    version = str(manifest.get("version", ""))
    fixed = {
        "name": str(manifest.get("name", "")).rpartition("/")[2],
        "module_name": str(binary.get("module_name", "")),
        "version": version,
        "configuration": "Release",
        "toolset": "",
        "tag_prefix": "v",
    }
    asked = [str(max(versions))] if uses_napi and versions else _abis(nodes, abis)
    for target in targets:
        platform, arch = node_platform(target)
        musl = target.libc == "musl"
        libc = ("musl" if musl else "glibc") if is_pre_gyp else ("musl" if musl else "")
        for abi in asked:
            values = {
                **fixed,
                "platform": platform,
                "arch": arch,
                "libc": libc if platform == "linux" or not is_pre_gyp else "unknown",
                "abi": abi,
                "runtime": "napi" if uses_napi else "node",
                "node_abi": f"node-v{abi}",
                "napi_build_version": abi,
            }
            url = _filled(template, values)
            if url is not None:
                yield Wanted(url.rpartition("/")[2], url)


def _filled(template: str, values: Mapping[str, str]) -> str | None:
    """None if a field is not known here."""
    if not {match[1] for match in _FIELD.finditer(template)} <= values.keys():
        return None
    url = _FIELD.sub(lambda match: values[match[1]], template)
    return url if url.startswith("https://") else None


def _abis(nodes: Sequence[str], files: Files) -> list[str]:
    """Node's ABIs of these versions, as far as the list knows them."""
    try:
        listed = json.loads(files[_ABI_LIST]()) if _ABI_LIST in files else []
    except ValueError:
        return []
    known = {
        str(one.get("target")).partition(".")[0]: str(one.get("abi"))
        for one in listed
        if isinstance(one, dict) and one.get("runtime") == "node"
    }
    found = [known.get(node.partition(".")[0]) for node in nodes]
    return [abi for abi in found if abi is not None]
