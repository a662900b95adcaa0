"""yarn.lock of Yarn 2 and newer: text to pinned packages.

YAML, one mapping per package; its key lists the ranges that led there::

    __metadata:
      version: 8                  4 (Yarn 2), 6 (Yarn 3), 8 to 10 (Yarn 4)
      cacheKey: 10c0              of the Yarn that wrote it; see `archive.CacheKey`

    "@scope/name@npm:^1.0.0, alias@npm:@scope/name@1":
      version: 1.2.3
      resolution: "@scope/name@npm:1.2.3"
      dependencies:
        other: "npm:^1.0.0"       Yarn 2 and 3 leave `npm:` out
      conditions: os=linux & cpu=x64
      checksum: 10c0/<128 hex digits>
      linkType: hard

`checksum` is sha512 of the package's zip, not of the tarball; Yarn 2 and 3 leave the cache key
before it out if it is the file's own. A package with `conditions` has none, unless a patch is
based on it. Development dependencies are not told apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.text.yaml_text import Yaml, load_yaml
from vendorpack.formats.yarn_berry.archive import NEWEST_CACHE_VERSION, STORED, CacheKey
from vendorpack.formats.yarn_berry.locator import Locator
from vendorpack.project import Project

_METADATA: Final = "__metadata"
_OLDEST: Final = 4
_NEWEST: Final = 10
_CHECKSUM: Final = re.compile(r"(?:(?P<key>[^/]+)/)?(?P<digits>[0-9a-f]{128})")
_CLASSIC: Final = re.compile(rb"^# yarn lockfile v1\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Checksum:
    """Of a package's zip: for which cache key, and its sha512 in hex."""

    key: CacheKey
    digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One package, as it stands in the lockfile.

    descriptors: the requests (`name@range`) that led here. asks: names and ranges of its own.
    """

    locator: Locator
    version: str
    conditions: str
    checksum: Checksum | None
    where: str
    descriptors: tuple[str, ...]
    asks: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class YarnLock:
    """A whole lockfile. `key`: cache key of the Yarn that wrote it."""

    key: CacheKey
    pins: tuple[Pin, ...]


def parse_yarn_lock(project: Project) -> YarnLock:
    """Read the project's lockfile. Raises `LockfileError`."""
    where = project.where()
    data = project.lock_bytes()
    if _CLASSIC.search(data):
        raise LockfileError(
            "this is a lockfile of Yarn Classic (1.x), not of Yarn 2 or newer",
            where=where,
            fix="Read it as the format yarn-classic.",
        )
    document = load_yaml(data, where)
    if not isinstance(document.value, dict) or _METADATA not in document.value:
        raise LockfileError(
            "this is not a lockfile of Yarn 2 or newer: it has no __metadata", where=where
        )
    entries = dict(document.value)
    metadata_where = project.where(document.lines.get((_METADATA,)))
    key = _metadata(_mapping(entries.pop(_METADATA), metadata_where), metadata_where)
    pins: dict[Locator, Pin] = {}
    for name, raw in entries.items():
        entry_where = project.where(document.lines.get((name,)))
        pin = _pin(name, _mapping(raw, entry_where), key, entry_where)
        if pin.locator in pins:
            raise LockfileError(
                f"{pin.locator} has two entries",
                where=f"{pins[pin.locator].where} and {entry_where}",
                fix="Let Yarn write the lockfile anew.",
            )
        pins[pin.locator] = pin
    return YarnLock(key, tuple(pins.values()))


_CACHE_VERSIONS: Final = {4: 7, 5: 8, 6: 8}
"""Of Yarn 2 and 3, by the version of the lockfile; Yarn 4 has the newest."""


def _metadata(metadata: Mapping[str, Yaml], where: str) -> CacheKey:
    version = metadata.get("version")
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]{1,4}", version):
        raise LockfileError("the lockfile's version is not a number", where=where)
    if int(version) < _OLDEST:
        raise LockfileError(
            f"lockfile version {version} is older than the oldest known, {_OLDEST}",
            where=where,
            fix="Lock with a released Yarn.",
        )
    if int(version) > _NEWEST:
        raise _too_new(f"lockfile version {version}", _NEWEST, where)
    text = metadata.get("cacheKey")
    if text is None:  # nothing in it has a checksum: workspaces alone
        return CacheKey(_CACHE_VERSIONS.get(int(version), NEWEST_CACHE_VERSION), STORED)
    return _cache_key(text if isinstance(text, str) else "", where)


def _cache_key(text: str, where: str) -> CacheKey:
    key = CacheKey.parse(text)
    if key is None:
        raise LockfileError(
            f"{text[:100]!r} is not a cache key of Yarn's",
            where=where,
            fix="Remove the setting cacheKeyOverride, if there is one, and run `yarn install`.",
        )
    if key.version > NEWEST_CACHE_VERSION:
        raise _too_new(f"cache key {key}", NEWEST_CACHE_VERSION, where)
    return key


def _pin(name: str, entry: Mapping[str, Yaml], key: CacheKey, where: str) -> Pin:
    resolution = _text(entry, "resolution", where)
    locator = Locator.parse(resolution)
    if locator is None or not resolution.isprintable():
        raise LockfileError(f"the resolution {resolution[:200]!r} names no package", where=where)
    return Pin(
        locator=locator,
        version=_text(entry, "version", where),
        conditions=_text(entry, "conditions", where),
        checksum=_checksum(_text(entry, "checksum", where), key, where),
        where=where,
        descriptors=tuple(part.strip() for part in name.split(",")),
        asks=tuple(
            (package, wanted)
            for package, wanted in _mapping(entry.get("dependencies", {}), where).items()
            if isinstance(wanted, str)
        ),
    )


def _checksum(text: str, key: CacheKey, where: str) -> Checksum | None:
    if not text:
        return None
    match = _CHECKSUM.fullmatch(text)
    if match is None:
        raise LockfileError(f"the checksum {text[:200]!r} is not sha512 in hex", where=where)
    own = key if match["key"] is None else _cache_key(match["key"], where)
    return Checksum(own, match["digits"])


def _mapping(value: Yaml, where: str) -> Mapping[str, Yaml]:
    if isinstance(value, dict):
        return value
    raise LockfileError("an entry is not a mapping", where=where)


def _text(entry: Mapping[str, Yaml], key: str, where: str) -> str:
    value = entry.get(key)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise LockfileError(f"{key} is not a text", where=where)


def _too_new(what: str, newest: int, where: str) -> LockfileError:
    return LockfileError(
        f"{what} is newer than the newest known, {newest}",
        where=where,
        fix="Update vendorpack, or lock with Yarn 4.18 or older.",
    )
