"""Who asks for whom, in deno.lock's shorthand.

A dependency on npm is `name` where only one release of it is locked, else `name@1.2.3_peer@4.5.6`;
an alias is `alias@npm:name@1.2.3`. On JSR it is a specifier, without its range where only one range
of the package is asked for. `specifiers` has all that anybody asks for: the project (which
`workspace` tells of, if it is configured and not just imported), and packages on JSR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from vendorpack.formats.deno.lockfile import DenoLock
from vendorpack.model import Graph

_ASKED: Final = ("dependencies", "optionalDependencies", "optionalPeers")
_ALIAS: Final = "@npm:"
_PROJECT: Final = ""


def graph_of(lock: DenoLock, purls: Mapping[str, str]) -> Graph:
    """The graph of a lockfile.

    purls: by `npm:name@version…` and `jsr:@scope/name@version`, of what is packed. Nothing is known
    of modules by their address; where there are some, nor what the project itself asks for.
    """
    specifiers = {
        text: f"{text.partition(':')[0]}:{_name(text.partition(':')[2])}@{version}"
        for text, version in lock.specifiers.items()
    }
    by_name = _by_name(f"npm:{key}" for key in lock.npm_entries)
    requests = _by_name(specifiers)
    edges: dict[str, list[str]] = {}
    for key, entry in lock.npm_entries.items():
        asked = [text.rpartition(_ALIAS)[2] for text in _texts(entry, _ASKED)]
        found = [_meant(f"npm:{text}", lock.npm_entries, by_name) for text in asked]
        edges[f"npm:{key}"] = [one for one in found if one is not None]
    by_packages: set[str] = set()
    for key, entry in lock.jsr_entries.items():
        texts = [_requested(text, specifiers, requests) for text in _texts(entry, _ASKED[:1])]
        asked = [text for text in texts if text is not None]
        by_packages.update(asked)
        edges[f"jsr:{key}"] = [specifiers[text] for text in asked]
    own = {*_of_workspace(lock.workspace)} | (specifiers.keys() - by_packages)
    edges[_PROJECT] = [specifiers[text] for text in own if text in specifiers]
    return Graph.of(edges, purls, None if lock.remote else (_PROJECT,))


def _name(text: str) -> str:
    """The name of `name@…` or `@scope/name@…`."""
    return text[:1] + text[1:].partition("@")[0]


def _by_name(texts: Iterator[str] | Mapping[str, str]) -> dict[str, list[str]]:
    """`kind:name` to all that begin so."""
    found: dict[str, list[str]] = {}
    for text in texts:
        kind, _, rest = text.partition(":")
        found.setdefault(f"{kind}:{_name(rest)}", []).append(text)
    return found


def _meant(
    text: str, entries: Mapping[str, Any], by_name: Mapping[str, Sequence[str]]
) -> str | None:
    """The entry; None for one that is not locked: an optional peer."""
    if text.removeprefix("npm:") in entries:
        return text
    same = by_name.get(text, ())
    return same[0] if len(same) == 1 else None


def _requested(
    text: str, specifiers: Mapping[str, str], requests: Mapping[str, Sequence[str]]
) -> str | None:
    if text in specifiers:
        return text
    same = requests.get(text, ())
    return same[0] if len(same) == 1 else None


def _of_workspace(member: Any) -> Iterator[str]:
    """The specifiers that the project's own files, and its members', have."""
    if isinstance(member, Mapping):
        yield from _texts(member, _ASKED[:1])
        yield from _texts(member.get("packageJson"), _ASKED[:1])
        members = member.get("members")
        for one in members.values() if isinstance(members, Mapping) else ():
            yield from _texts(one, _ASKED[:1])
            yield from _texts(one.get("packageJson") if isinstance(one, Mapping) else None, _ASKED)


def _texts(entry: Any, fields: Sequence[str]) -> Iterator[str]:
    for field in fields if isinstance(entry, Mapping) else ():
        listed = entry.get(field)
        yield from (t for t in listed if isinstance(t, str)) if isinstance(listed, list) else ()
