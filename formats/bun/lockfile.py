"""bun.lock, versions 0 to 3: text to pins. Pure.

JSON in which a comma may stand after the last element. `packages` maps the path that a package
is installed at (`name`, or `parent/name` below another's node_modules) to a tuple, whose first
element says what it is:

===========================  =====================================================
`name@1.2.3`                 `[id, address or "", info, integrity]`
`name@https://….tgz`         `[id, info]`, from Bun 1.3 on with the integrity
`name@github:owner/r#short`  `[id, info, folder name]`, sometimes with an integrity
`name@git+…#<40 hex>`        `[id, info, commit]`, sometimes with an integrity
`name@workspace:path`        `[id]`, in version 0 `[id, info]`
`name@file:…`, `link:`       `[id, info]`; `root:` too: they lie in the project
===========================  =====================================================

The address is empty for what comes from the configured registry. `info` has `os`, `cpu` and
`libc` (a word or a list of words; `none` for what Bun knows no machine of), the dependencies,
and `bundled` for what lies in its parent's tarball.

Seen with Bun 1.2.23, 1.3.14 and 1.4.5; version 3 was read in Bun's source only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.npm.registry import check_name, check_version
from vendorpack.formats._shared.text.json_text import decode_utf8, key_lines, load_json
from vendorpack.project import Project
from vendorpack.redact import redact_url

NEWEST: Final = 3
"""The newest version of the lockfile that is read."""

_BINARY: Final = "bun.lockb"
_STRING_OR_COMMA: Final = re.compile(r'"(?:[^"\\]|\\.)*"|,(?=\s*[\]}])')
_IN_PROJECT: Final = ("workspace:", "file:", "link:", "root:")
_GIT: Final = ("git+", "git:", "git@", "ssh:")
_DEPENDENCIES: Final = ("dependencies", "optionalDependencies", "peerDependencies")
_REWRITE: Final = "Let Bun write the lockfile anew (`bun install --lockfile-only`)."


@dataclass(frozen=True, slots=True)
class Pin:
    """One entry of `packages` that is fetched from somewhere.

    key: where it is installed. source: a version, or the address behind the name's `@`.
    address: where the registry keeps it; empty for the configured registry's usual place.
    os, cpu, libc: what it is for, in node's words; empty for everything.
    tag: what Bun calls a git checkout: a folder's name for github, else the commit.
    needs: names of what it depends on.
    """

    key: str
    name: str
    source: str
    address: str
    integrity: str
    tag: str
    os: tuple[str, ...]
    cpu: tuple[str, ...]
    libc: tuple[str, ...]
    needs: tuple[str, ...]
    where: str

    @property
    def is_release(self) -> bool:
        """Whether it is a version of a registry's."""
        return self.source[:1].isdigit()

    @property
    def is_git(self) -> bool:
        """Whether it is a commit that git is asked for."""
        return self.source.startswith(_GIT)


@dataclass(frozen=True, slots=True)
class BunLock:
    """A lockfile.

    pins: by key, in the lockfile's order. keys: of all packages, those in the project too.
    local: of what lies in the project by `file:` or `link:`, key to names of what it needs.
    production, development: what the projects of the workspace depend on: the project's own
        key ("" for the root's) and a name.
    """

    pins: Mapping[str, Pin]
    keys: frozenset[str]
    local: Mapping[str, tuple[str, ...]]
    production: tuple[tuple[str, str], ...]
    development: tuple[tuple[str, str], ...]


def parse_bun_lock(project: Project) -> BunLock:
    """Read a lockfile. Raises `LockfileError`, `UnsupportedError`."""
    shown = str(project.lockfile)
    if project.lockfile.name == _BINARY:
        raise UnsupportedError(
            "bun.lockb is Bun's old binary lockfile",
            where=shown,
            fix="Bun 1.4 converts it, if it fits package.json; "
            "Bun 1.2 and 1.3 may need the registry for that: "
            "bun install --save-text-lockfile --frozen-lockfile --lockfile-only",
        )
    text = decode_utf8(project.lock_bytes(), shown)
    plain = _STRING_OR_COMMA.sub(lambda found: " " if found[0] == "," else found[0], text)
    lock = load_json(plain, shown)
    if not isinstance(lock, dict):
        raise LockfileError("the lockfile is no JSON object", where=shown, fix=_REWRITE)
    version = lock.get("lockfileVersion")
    if not isinstance(version, int) or not 0 <= version <= NEWEST:
        raise UnsupportedError(
            f"lockfileVersion {version!r} is not known",
            where=shown,
            fix=f"Versions 0 to {NEWEST} are read; a newer vendorpack may know it.",
        )
    lines = key_lines(text, "packages")

    def where(key: str) -> str:
        return project.where(lines.get(key))

    packages = _mapping(lock, "packages", shown)
    pins: dict[str, Pin] = {}
    local: dict[str, tuple[str, ...]] = {}
    homes = {"": ""}
    for key, entry in packages.items():
        name, source, elements = _identity(key, entry, where(key))
        if source.startswith("workspace:"):
            homes[source.removeprefix("workspace:")] = key
        elif not source.startswith(_IN_PROJECT):
            pin = _pin(key, name, source, elements, where(key))
            if pin is not None:
                pins[key] = pin
        else:
            info = elements[0] if elements else {}
            local[key] = tuple(_names(info, _DEPENDENCIES, where(key)))
    production: list[tuple[str, str]] = []
    development: list[tuple[str, str]] = []
    for path, member in _mapping(lock, "workspaces", shown).items():
        home = homes.get(path, "")
        production += [(home, name) for name in _names(member, _DEPENDENCIES, shown)]
        development += [(home, name) for name in _names(member, ("devDependencies",), shown)]
    return BunLock(pins, frozenset(packages), local, tuple(production), tuple(development))


def _identity(key: str, entry: Any, where: str) -> tuple[str, str, list[Any]]:
    if not isinstance(entry, list) or not entry or not isinstance(entry[0], str):
        raise LockfileError(f"{key[:100]!r} is no package", where=where, fix=_REWRITE)
    name, at, source = entry[0].partition("@") if entry[0][:1] != "@" else _scoped(entry[0])
    if not at or not source:
        raise LockfileError(f"{entry[0][:100]!r} names no version", where=where, fix=_REWRITE)
    return check_name(name, where), source, entry[1:]


def _scoped(identity: str) -> tuple[str, str, str]:
    name, at, source = identity[1:].partition("@")
    return "@" + name, at, source


def _pin(key: str, name: str, source: str, elements: list[Any], where: str) -> Pin | None:
    """None for what lies in its parent's tarball."""
    is_release = source[:1].isdigit()
    is_git = source.startswith(("github:", *_GIT))
    if is_release:
        check_version(source, where)
    elif not is_git and not source.startswith(("https:", "http:")):
        raise UnsupportedError(
            f"{name} comes from where it cannot be fetched: {redact_url(source)[:200]}",
            where=where,
            fix="Depend on a release, a tarball's https address or a git commit.",
        )
    rest: Iterator[Any] = iter(elements)
    address = _text(next(rest, ""), where) if is_release else ""
    info: Any = next(rest, {})
    if not isinstance(info, dict):
        raise LockfileError(f"{key[:100]!r} has no description", where=where, fix=_REWRITE)
    if info.get("bundled") is True:
        return None
    tag = _text(next(rest, ""), where) if is_git else ""
    return Pin(
        key=key,
        name=name,
        source=source,
        address=address,
        integrity=_text(next(rest, ""), where),
        tag=tag,
        os=_words(info, "os", where),
        cpu=_words(info, "cpu", where),
        libc=_words(info, "libc", where),
        needs=tuple(_names(info, _DEPENDENCIES, where)),
        where=where,
    )


def _names(info: Any, kinds: tuple[str, ...], where: str) -> Iterator[str]:
    for kind in kinds:
        yield from _mapping(info if isinstance(info, dict) else {}, kind, where)


def _mapping(owner: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = owner.get(key, {})
    if not isinstance(value, dict):
        raise LockfileError(f"{key} is no object", where=where, fix=_REWRITE)
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise LockfileError("a package's entry is not as Bun writes it", where=where, fix=_REWRITE)
    return value


def _words(info: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = info.get(key, ())
    words = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    if not all(isinstance(word, str) for word in words):
        raise LockfileError(f"{key} is no list of words", where=where, fix=_REWRITE)
    return words
