"""A registry's index: one line of JSON a version, and cargo's cache of such lines.

Cargo needs the line of each locked version beside the `.crate`: above all its dependencies and
features. All of that is in the crate's own, normalised Cargo.toml, so by default the line is
made from there: nothing is asked of the index, and the bundle depends on the lockfile alone.

A cache file, `.cache/<prefix>/<lower-case name>`, holds the lines of one crate. Version 3 with
index schema 2, as written by cargo 1.54 to 1.95; other bytes make cargo delete the file::

    03 | u32 LE 2 | index version, UTF-8 | 00 | ( version | 00 | JSON line | 00 ) …

The index version is an ETag for a sparse index, where `Unknown` is as good offline. For an index
that is a git repository it is the id of the newest commit: others make cargo read that instead.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.text.toml_text import (
    Table,
    load_toml,
    optional_text,
    subtable,
    text,
    text_list,
)
from vendorpack.formats.cargo.sources import CRATES_IO_GIT_INDEX

_CACHE_HEADER: Final = b"\x03\x02\x00\x00\x00"
_UNKNOWN: Final = "Unknown"
_KINDS: Final = {
    "dependencies": "normal",
    "dev-dependencies": "dev",
    "dev_dependencies": "dev",
    "build-dependencies": "build",
    "build_dependencies": "build",
}
_MAX_MANIFEST: Final = 8 << 20
_MAX_CRATE: Final = 512 << 20
_MAX_RATIO: Final = 20


def line_of_crate(crate: bytes, *, crates_io: bool) -> bytes:
    """The index line of a `.crate` file. Raises `UnsupportedError` if it holds no manifest.

    crates_io: whether it is the default registry's. Anywhere else a dependency without a
        registry of its own is the default registry's.
    """
    name, data = _manifest(crate)
    manifest = load_toml(data, name)
    package = subtable(manifest, "package", name) or subtable(manifest, "project", name)
    home = None if crates_io else CRATES_IO_GIT_INDEX
    features: dict[str, Sequence[str]] = {}
    features2: dict[str, Sequence[str]] = {}
    for feature in subtable(manifest, "features", name):
        enabled = text_list(subtable(manifest, "features", name), feature, name)
        # Cargo before 1.60 must not see the newer syntax in `features`.
        newer = any(item.startswith("dep:") or "?/" in item for item in enabled)
        (features2 if newer else features)[feature] = enabled
    line: dict[str, Any] = {
        "name": text(package, "name", name),
        "vers": text(package, "version", name),
        "deps": list(_dependencies(manifest, name, home)),
        "cksum": hashlib.sha256(crate).hexdigest(),
        "features": features,
        "yanked": False,
    }
    if features2:
        line |= {"features2": features2, "v": 2}
    for key, written in (("links", "links"), ("rust-version", "rust_version")):
        value = optional_text(package, key, name)
        if value is not None:
            line[written] = value
    return _json(line)


def line_of_index(index: bytes, name: str, version: str, where: str) -> tuple[bytes, str]:
    """The line of one version in a registry's index file, and its checksum in hex.

    What may change after the release is left out. Raises `LockfileError` if it is not there.
    """
    for raw in index.splitlines():
        try:
            line = json.loads(raw)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and line.get("vers") == version and line.get("name") == name:
            line.pop("pubtime", None)
            line["yanked"] = False
            return _json(line), str(line.get("cksum", ""))
    raise LockfileError(f"the registry's index has no {name} {version}", where=where)


def cache_file(lines: Iterable[tuple[str, bytes]], index_version: str = _UNKNOWN) -> bytes:
    """A cache file of (version, line) pairs."""
    records = (version.encode() + b"\0" + line + b"\0" for version, line in lines)
    return _CACHE_HEADER + index_version.encode() + b"\0" + b"".join(records)


def merged_cache_file(existing: bytes, ours: bytes) -> bytes:
    """The existing cache file with the versions that only ours has; ours if it is unusable."""
    fields = existing.removeprefix(_CACHE_HEADER).split(b"\0")
    # Two fields a version, one before and an empty one after.
    if not existing.startswith(_CACHE_HEADER) or len(fields) % 2 or fields[-1]:
        return ours
    known = set(fields[1:-1:2])
    records = ours.removeprefix(_CACHE_HEADER).split(b"\0")[1:-1]
    new = zip(records[::2], records[1::2], strict=True)
    return existing + b"".join(
        version + b"\0" + line + b"\0" for version, line in new if version not in known
    )


def _dependencies(manifest: Table, where: str, home: str | None) -> Iterator[dict[str, Any]]:
    yield from _of_target(manifest, None, where, home)
    for target, table in subtable(manifest, "target", where).items():
        if isinstance(table, Mapping):
            yield from _of_target(table, target, where, home)


def _of_target(
    table: Table, target: str | None, where: str, home: str | None
) -> Iterator[dict[str, Any]]:
    for key, kind in _KINDS.items():
        for name, value in subtable(table, key, where).items():
            entry = {"version": value} if isinstance(value, str) else value
            if not isinstance(entry, Mapping):
                raise LockfileError(f"dependency {name!r} is not a table", where=where)
            dependency = {
                "name": name,
                "req": optional_text(entry, "version", where) or "*",
                "features": text_list(entry, "features", where),
                "optional": entry.get("optional") is True,
                "default_features": entry.get(
                    "default-features", entry.get("default_features", True)
                )
                is True,
                "target": target,
                "kind": kind,
                "registry": optional_text(entry, "registry-index", where) or home,
            }
            package = optional_text(entry, "package", where)
            if package is not None:
                dependency["package"] = package
            yield dependency


def _manifest(crate: bytes) -> tuple[str, bytes]:
    """Path and bytes of the Cargo.toml in a crate's only folder."""
    try:
        with tarfile.open(fileobj=_Inflated(crate), mode="r|") as archive:
            for member in archive:
                folder, slash, name = member.name.partition("/")
                if member.isfile() and slash and name == "Cargo.toml":
                    file = archive.extractfile(member)
                    if file is None or member.size > _MAX_MANIFEST:
                        break
                    return f"{folder}/Cargo.toml", file.read()
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OSError) as error:
        raise UnsupportedError(f"a crate cannot be opened: {error}") from None
    raise UnsupportedError("a crate has no Cargo.toml")


class _Inflated(gzip.GzipFile):
    """A crate's tar stream, cut off where cargo would give up too."""

    def __init__(self, crate: bytes) -> None:
        super().__init__(fileobj=io.BytesIO(crate), mode="rb")
        self._limit = max(_MAX_CRATE, _MAX_RATIO * len(crate))

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if self.tell() > self._limit:
            raise ValueError("it unpacks to more than it may")
        return data


def _json(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode()
