"""The key: the hash that names a bundle before it exists.

sha256 over canonical JSON of the bundle format, each room's layout version, and for every
lockfile its relative path, its format, the sha256 of its bytes (and of its companions'), with
CRLF folded to LF, and the options its room really uses. No network, no clock; 64 hex digits,
so that it serves as a file name, a cache key and an image tag.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from vendorpack.dataclass import dataclass
from vendorpack.discover import Found
from vendorpack.formats import load, room_of_lockfile
from vendorpack.model import Json, Options
from vendorpack.project import Project
from vendorpack.room import Format

BUNDLE_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Pinned:
    """A lockfile or a companion, as it is recorded."""

    path: str
    format: str
    sha256: str
    """Of the bytes with CRLF folded to LF: a checkout on Windows has the same key."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """What a key was made of."""

    key: str
    pinned: tuple[Pinned, ...]
    layouts: Mapping[str, int]
    options: Mapping[str, Json]
    """Lockfile path to the options that decide its content."""


def compute_key(found: Sequence[Found]) -> Keyed:
    """The key of these lockfiles, each under its options."""
    pinned: list[Pinned] = []
    layouts: dict[str, int] = {}
    used: dict[str, dict[str, Json]] = {}
    for item in found:
        room: Format = load(item.room.name)
        layouts[room.name] = room.layout_version
        project, options = item.project, item.options
        path = str(project.lockfile)
        pinned.append(Pinned(path, room.name, hash_lockfile(project.lock_bytes())))
        for name in room.companions(project.lockfile.name):
            data = project.read(name)
            if data is not None:
                beside = str(project.lockfile.parent / name)
                pinned.append(Pinned(beside, room.name, hash_lockfile(data)))
        used[path] = dict(room.fingerprint(project, options)) | _inner(room, project, options)
        if options.exclude:
            used[path] = {**used[path], "exclude": list(options.exclude)}
    ordered = tuple(sorted(pinned, key=lambda p: (p.path, p.format)))
    text = canonical_json(
        {
            "bundle": BUNDLE_FORMAT,
            "layouts": dict(layouts),
            "lockfiles": [[p.path, p.format, p.sha256] for p in ordered],
            "options": dict(used),
        }
    )
    return Keyed(hashlib.sha256(text).hexdigest(), ordered, layouts, dict(used))


def _inner(room: Format, project: Project, options: Options) -> dict[str, Json]:
    """What decides how lockfiles in this room's artifacts are packed: nobody has seen one yet."""
    inner: dict[str, Json] = {}
    for name in room.inner_lockfiles:
        reader = load(room_of_lockfile(name))
        unseen = Project(project.root, PurePosixPath(name), project.host, {name: b""})
        inner[reader.name] = {
            "layout": reader.layout_version,
            "options": dict(reader.fingerprint(unseen, options)),
        }
    return {"inner": inner} if inner else {}


def canonical_json(value: Json) -> bytes:
    """The one way a value is written: sorted keys, no spaces, UTF-8."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def hash_lockfile(data: bytes) -> str:
    """Hex sha256 of a lockfile's bytes with CRLF folded to LF."""
    return hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()
