"""yarn.lock of Yarn 1: text to pinned packages.

::

    # yarn lockfile v1

    "@scope/name@^1.0.0", "@scope/name@^1.2.0":
      version "1.2.3"
      resolved "https://registry.example/@scope/name/-/name-1.2.3.tgz#<sha1, 40 hex digits>"
      integrity sha512-…
      dependencies:
        other "^1.0.0"

Yarn before 1.10 wrote no `integrity`. An alias has its target in the range (`a@npm:b@^1`). What
lies in the project (`link:`, a folder by `file:`) has no `resolved`. Neither platforms nor
development dependencies are told apart: all of it is always needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, DigestError, Integrity
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.registry import check_name
from vendorpack.formats.yarn_classic.syntax import Section, Setting, parse
from vendorpack.project import Project

_VERSION: Final = re.compile(rb"^# yarn lockfile v([0-9]+)\b", re.MULTILINE)
_BERRY: Final = re.compile(rb"^__metadata:", re.MULTILINE)
_PATTERN: Final = re.compile(r"(@?[^@]+)@(.*)", re.DOTALL)
_ALIAS: Final = re.compile(r"npm:((?:@[^/@]+/)?[^@]+)(?:@.*)?", re.DOTALL)
_DEPENDENCIES: Final = frozenset(("dependencies", "optionalDependencies"))
_SHA1: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One package, as it stands in the lockfile.

    name: the package's own, whatever it is called in the project.
    resolved: the address, without `#…`.
    fragment: what stands after `#`; a commit, or a sha1 that `integrity` has too.
    patterns: the requests (`name@range`) that led here. asks: its own.
    """

    name: str
    version: str
    resolved: str
    fragment: str
    integrity: Integrity
    where: str
    patterns: tuple[str, ...]
    asks: tuple[str, ...]


def parse_yarn_lock(project: Project) -> tuple[Pin, ...]:
    """The packages that lie outside of the project. Raises `LockfileError`."""
    where = project.where()
    data = project.lock_bytes()
    version = _VERSION.search(data)
    if version is not None and version[1] != b"1":
        raise LockfileError(
            f"yarn lockfile v{version[1].decode()[:20]} is not known, only v1 is", where=where
        )
    if _BERRY.search(data):
        raise LockfileError(
            "this is a lockfile of Yarn 2 or newer, not of Yarn Classic (1.x)",
            where=where,
            fix="Read it as the format yarn-berry.",
        )
    seen: dict[str, int] = {}
    pins: list[Pin] = []
    for item in parse(data, str(project.lockfile)):
        if isinstance(item, Setting):
            raise LockfileError("a package has no section", where=project.where(item.line))
        for name in item.names:
            if seen.setdefault(name, item.line) != item.line:
                raise LockfileError(
                    f"{name[:100]!r} has two entries",
                    where=f"{project.where(seen[name])} and {project.where(item.line)}",
                    fix="Let Yarn write the lockfile anew.",
                )
        pins += _pin(item, project.where(item.line))
    return tuple(pins)


def _pin(section: Section, where: str) -> Iterator[Pin]:
    pattern = _PATTERN.fullmatch(section.names[0])
    version = section.settings.get("version")
    if pattern is None or version is None:
        raise LockfileError(
            f"the entry {section.names[0][:100]!r} has no range or no version", where=where
        )
    resolved, _, fragment = section.settings.get("resolved", "").partition("#")
    if not resolved:
        return
    if not (resolved.isascii() and resolved.isprintable()):
        raise LockfileError("resolved is not an address", where=where)
    alias = _ALIAS.fullmatch(pattern[2])
    yield Pin(
        name=check_name(alias[1] if alias else section.settings.get("name", pattern[1]), where),
        version=version,
        resolved=resolved,
        fragment=fragment,
        integrity=_integrity(section.settings.get("integrity", ""), fragment, where),
        where=where,
        patterns=section.names,
        asks=tuple(
            f"{name}@{wanted}"
            for below in section.sections
            if _DEPENDENCIES.issuperset(below.names)
            for name, wanted in below.settings.items()
        ),
    )


def _integrity(text: str, fragment: str, where: str) -> Integrity:
    """Yarn checks both the SRI string and the sha1 after `#`, and so do we."""
    try:
        integrity = Integrity.parse_sri(text) if text else Integrity()
    except DigestError as error:
        raise LockfileError(f"integrity: {error}", where=where) from None
    if _SHA1.fullmatch(fragment) and "sha1" not in integrity.algorithms:
        integrity |= Integrity.of([Digest.from_hex("sha1", fragment)])
    return integrity
