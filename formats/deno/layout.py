"""Deno's folder: npm packages unpacked, and every other module by its address.

::

    deno/                                             DENO_DIR
      npm/<registry>/<name>/<version>/…               a package's files
      npm/<registry>/<name>/registry.json             what the registry says of it: Deno 2.0 to 2.2
      remote/<scheme>/<host>[_PORT<n>]/<sha256>       a module: the hash is of its path and query

`<registry>` is its host, port and path (`registry.npmjs.org`). A module is followed by a line that
Deno reads its headers from::

    // denoCacheMetadata={"headers":{"content-type":"application/typescript"},"url":"https://…"}

A redirect is a module without bytes that has a `location`. Of a package on JSR there are its
description (`<version>_meta.json`), the files in it, and `meta.json`, which says what versions
there are: written here with those that are locked.

The content type decides how Deno reads a module whose path does not end as one; no lockfile has
it, so it is always told from the path, and is JavaScript's where that says nothing.

Deno verifies what lies below `remote` by its lockfile, and nothing of what lies below `npm`. What
else it keeps (tables of its own, compiled code) it makes again.

Seen with Deno 2.2.15, 2.4.4 and 2.9.6, JSR by a registry on the loopback.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlsplit

from vendorpack.formats._shared.npm.package import PACKAGE, entry_mode
from vendorpack.formats.deno.artifacts import JSR, JsrDescription, Module, NpmPackage
from vendorpack.model import Artifact, Entry, Packed
from vendorpack.room import Workshop

ROOT: Final = "deno"

_TYPES: Final = (
    ((".ts", ".mts", ".cts"), "application/typescript"),
    ((".tsx",), "text/tsx"),
    ((".jsx",), "text/jsx"),
    ((".json",), "application/json"),
    ((".wasm",), "application/wasm"),
)
_JAVASCRIPT: Final = "application/javascript"
_DOCUMENTED: Final = (
    "bin",
    "cpu",
    "dependencies",
    "optionalDependencies",
    "os",
    "peerDependencies",
    "peerDependenciesMeta",
    "scripts",
)
"""What Deno before 2.3 reads of a version in the registry's document."""


def layout(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """The folder's entries: packages, then modules by their place."""
    packages = [one for one in packed if isinstance(one.artifact, NpmPackage)]
    for (folder, name), group in groupby(packages, _package_of):
        yield from _package_entries(f"{ROOT}/npm/{folder}/{name}", list(group), workshop)
    modules: dict[str, Entry] = {}
    for one in packed:
        module = one.artifact
        if isinstance(module, Module):
            url = module.url or ""
            body = workshop.read(one.blob)
            entry = _module(url, body, {"content-type": _content_type(url)}, module)
            modules[entry.path] = entry
            for alias in module.aliases:
                entry = _module(alias, b"", {"location": url}, module)
                modules.setdefault(entry.path, entry)
    for url, document in _jsr_documents(one.artifact for one in packed):
        entry = _module(url, document, {"content-type": "application/json"})
        modules[entry.path] = entry
    for path in sorted(modules):
        yield modules[path]


# -- npm -----------------------------------------------------------------------------------


def _package_of(one: Packed) -> tuple[str, str]:
    assert isinstance(one.artifact, NpmPackage)
    return one.artifact.folder, one.artifact.name


def _package_entries(
    folder: str, versions: Sequence[Packed], workshop: Workshop
) -> Iterator[Entry]:
    document: dict[str, Any] = {}
    for one in versions:
        artifact = one.artifact
        assert isinstance(artifact, NpmPackage)
        opened = PACKAGE.open(one.blob, workshop, str(artifact))
        files = {row.path: opened.slice(row) for row in opened.rows}
        for row in opened.rows:
            path = f"{folder}/{artifact.version}/{row.path}"
            yield Entry(path, files[row.path], entry_mode(row.mode), artifact)
        if artifact.has_document:
            manifest = files.get("package.json")
            document[artifact.version] = _documented(
                artifact, b"{}" if manifest is None else workshop.read(manifest)
            )
    if document:
        name = versions[0].artifact.name
        text = json.dumps({"dist-tags": {}, "name": name, "versions": document}, sort_keys=True)
        yield Entry(f"{folder}/registry.json", text.encode())


def _documented(artifact: NpmPackage, data: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        manifest = {}
    if not isinstance(manifest, dict):
        manifest = {}
    strongest = artifact.integrity.digests[:1]
    return {
        **{key: manifest[key] for key in _DOCUMENTED if manifest.get(key)},
        "dist": {"integrity": "".join(map(str, strongest)), "tarball": artifact.url},
        "version": artifact.version,
    }


# -- modules -------------------------------------------------------------------------------


def _jsr_documents(artifacts: Iterable[Artifact]) -> Iterator[tuple[str, bytes]]:
    """Address and content of each package's `meta.json`."""
    versions: dict[str, list[str]] = {}
    for artifact in artifacts:
        if isinstance(artifact, JsrDescription):
            versions.setdefault(artifact.name, []).append(artifact.version)
    for name, locked in sorted(versions.items()):
        scope, _, base = name.removeprefix("@").partition("/")
        document = {
            "latest": max(locked),
            "name": base,
            "scope": scope,
            "versions": {version: {} for version in sorted(locked)},
        }
        yield f"{JSR}{name}/meta.json", json.dumps(document, sort_keys=True).encode()


def _module(
    url: str, body: bytes, headers: Mapping[str, str], artifact: Artifact | None = None
) -> Entry:
    metadata = json.dumps({"headers": headers, "url": url}, sort_keys=True, separators=(",", ":"))
    content = body + b"\n// denoCacheMetadata=" + metadata.encode()
    return Entry(f"{ROOT}/remote/{_place(url)}", content, artifact=artifact)


def _place(url: str) -> str:
    parts = urlsplit(url)
    asked = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    port = f"_PORT{parts.port}" if parts.port is not None else ""
    return f"{parts.scheme}/{parts.hostname}{port}/{hashlib.sha256(asked.encode()).hexdigest()}"


def _content_type(url: str) -> str:
    path = urlsplit(url).path
    return next((kind for ends, kind in _TYPES if path.endswith(ends)), _JAVASCRIPT)
