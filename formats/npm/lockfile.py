"""package-lock.json and npm-shrinkwrap.json, versions 1, 2 and 3: text to pinned packages.

Versions 2 and 3 list every folder below `packages`::

    "packages": {
      "": {…the project…},
      "packages/app": {…a workspace…},
      "node_modules/app": {"resolved": "packages/app", "link": true},
      "node_modules/a/node_modules/@scope/b": {
        "name": "real-name",              only if it is an alias
        "version": "1.2.3",
        "resolved": "https://registry…/b-1.2.3.tgz",    may be missing
        "integrity": "sha512-…",                        may be missing
        "dev": true, "optional": true, "devOptional": true, "peer": true, "inBundle": true,
        "os": ["linux"], "cpu": ["x64"], "libc": ["glibc"], "hasInstallScript": true
      }
    }

Version 1 (npm 5 and 6) has a tree of `dependencies` and knows nothing of platforms; there
`version` may itself be an address (`git+ssh://…`, `https://…`, `file:…`) or `npm:name@1.2.3`.

npm takes `packages` wherever there is one, so version 2's `dependencies` are never read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import DigestError, Integrity
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.registry import check_name, check_version
from vendorpack.formats._shared.text.json_text import decode_utf8, key_lines, load_json
from vendorpack.project import Project

_NEWEST: Final = 3
_MODULES: Final = "node_modules/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One package that a lockfile pins, as it stands there.

    name, version: the package's own, whatever it is called in the project; the version is
        empty if the lockfile has none, which only an address excuses.
    resolved: the address; None if the lockfile leaves it to the registry.
    place: its folder, from the project's.
    os, cpu, libc: the platforms it is limited to; empty for no limit.
    """

    name: str
    version: str
    resolved: str | None
    integrity: Integrity
    where: str
    place: str
    dev: bool
    dev_optional: bool
    optional: bool
    peer: bool
    install_script: bool
    os: tuple[str, ...] = ()
    cpu: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PackageLock:
    """A whole lockfile.

    knows_platforms: whether packages carry the platforms they are limited to (not before
        version 2).
    places: all entries, as they are written, by their folders from the project's.
    """

    knows_platforms: bool
    pins: tuple[Pin, ...]
    places: Mapping[str, Mapping[str, Any]]


def parse_package_lock(project: Project) -> PackageLock:
    """Read the project's lockfile. Raises `LockfileError`."""
    where = project.where()
    text = decode_utf8(project.lock_bytes(), where)
    data = load_json(text, where)
    if not isinstance(data, dict):
        raise LockfileError("the lockfile is not a JSON object", where=where)
    version = data.get("lockfileVersion", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise LockfileError("lockfileVersion is not a version number", where=where)
    if version > _NEWEST:
        raise LockfileError(
            f"lockfileVersion {version} is newer than the newest known, {_NEWEST}",
            where=where,
            fix="Update vendorpack, or lock with `npm install --lockfile-version 3`.",
        )
    section = "packages" if "packages" in data else "dependencies"
    entries = data.get(section, {})
    if not isinstance(entries, dict):
        raise LockfileError(f"{section} is not an object", where=where)
    lines = key_lines(text, section)
    if section == "packages":
        return PackageLock(True, tuple(_packages(entries, lines, project)), entries)
    places: dict[str, Mapping[str, Any]] = {}
    pins = tuple(_dependencies(entries, lines, project, places))
    return PackageLock(False, pins, places)


def _packages(
    entries: Mapping[str, Any], lines: Mapping[str, int], project: Project
) -> Iterator[Pin]:
    for key, raw in entries.items():
        where = project.where(lines.get(key))
        entry = _object(raw, where)
        _, modules, folder = key.rpartition(_MODULES)
        if not modules or _flag(entry, "link", where):
            continue  # the project itself, a workspace, or a link to one
        resolved = _text(entry, "resolved", where)
        if resolved is None and _flag(entry, "inBundle", where):
            continue  # comes inside of its parent's tarball
        yield _pin(
            entry,
            name=_text(entry, "name", where) or folder,
            version=_text(entry, "version", where) or "",
            resolved=resolved,
            where=where,
            place=key,
        )


def _dependencies(
    entries: Mapping[str, Any],
    lines: Mapping[str, int],
    project: Project,
    places: dict[str, Mapping[str, Any]],
) -> Iterator[Pin]:
    """places: is filled."""
    # Deeper entries are shown at the line of the top-level one that they lie in.
    stack = [("", key, raw, project.where(lines.get(key))) for key, raw in entries.items()][::-1]
    while stack:
        above, name, raw, where = stack.pop()
        entry = _object(raw, where)
        place = above + _MODULES + name
        places[place] = entry
        below = _object(entry.get("dependencies") or {}, where)
        stack += [(f"{place}/", key, value, where) for key, value in below.items()][::-1]
        if _flag(entry, "bundled", where):
            continue
        version = _text(entry, "version", where) or ""
        resolved = _text(entry, "resolved", where)
        if version.startswith("npm:"):
            name, _, version = version.removeprefix("npm:").rpartition("@")
        elif ":" in version or "/" in version:
            resolved = version if resolved is None or "#" in version else resolved
            version = ""
        yield _pin(entry, name=name, version=version, resolved=resolved, where=where, place=place)


def _pin(
    entry: Mapping[str, Any],
    *,
    name: str,
    version: str,
    resolved: str | None,
    where: str,
    place: str,
) -> Pin:
    if resolved is not None and not (resolved.isascii() and resolved.isprintable()):
        raise LockfileError(f"resolved of {name[:100]!r} is not an address", where=where)
    integrity = _text(entry, "integrity", where)
    try:
        parsed = Integrity.parse_sri(integrity) if integrity else Integrity()
    except DigestError as error:
        raise LockfileError(f"integrity of {name[:100]!r}: {error}", where=where) from None
    return Pin(
        name=check_name(name, where),
        version=check_version(version, where) if version else "",
        resolved=resolved,
        integrity=parsed,
        where=where,
        place=place,
        dev=_flag(entry, "dev", where),
        dev_optional=_flag(entry, "devOptional", where),
        optional=_flag(entry, "optional", where),
        peer=_flag(entry, "peer", where),
        install_script=_flag(entry, "hasInstallScript", where),
        os=_limits(entry, "os", where),
        cpu=_limits(entry, "cpu", where),
        libc=_limits(entry, "libc", where),
    )


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise LockfileError("an entry is not an object", where=where)


def _text(entry: Mapping[str, Any], key: str, where: str) -> str | None:
    value = entry.get(key)
    if not value and not isinstance(value, (list, dict)):
        return None  # npm 5 wrote `"resolved": false` for what was bundled
    if isinstance(value, str):
        return value
    raise LockfileError(f"{key} is not a text", where=where)


def _flag(entry: Mapping[str, Any], key: str, where: str) -> bool:
    value = entry.get(key)
    if value is None or isinstance(value, bool):
        return value is True
    raise LockfileError(f"{key} is neither true nor false", where=where)


def _limits(entry: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = entry.get(key)
    if value is None or (not value and not isinstance(value, dict)):
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise LockfileError(f"{key} is not a list of names", where=where)
