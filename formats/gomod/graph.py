"""The module graph, from the go.mod files that were fetched: what go.sum has to have lines for.

go reads a go.mod for every module version of its graph, and offline it reads none that go.sum does
not list. It adds missing lines by itself while it is online, so projects do not notice. The graph
is read as `modload.readModGraph` does: of the main modules' requirements every go.mod is read; of a
module whose go.mod says go 1.17 or newer, the requirements are taken as they stand, of an older one
they are followed to the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from vendorpack.errors import LockfileError
from vendorpack.formats.gomod.modfile import directives
from vendorpack.formats.gomod.modules import Module
from vendorpack.model import Project

_PRUNED: Final = (1, 17)
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class ModFile:
    """What a go.mod says, as far as the graph goes. Modules of `requires` are as written."""

    path: str = ""
    pruned: bool = False
    requires: tuple[tuple[Module, str], ...] = ()
    replaced: tuple[tuple[str, str, Module | None], ...] = ()
    """Path, version (empty for all), and what is in its place; None for a folder."""
    excluded: frozenset[Module] = frozenset()


@dataclass(frozen=True, slots=True)
class Main:
    """The main modules of a build: one, or a workspace's.

    mods: their go.mod files. replaced: what a go.work replaces besides.
    workspace: whether there is a go.work; go then always reads the whole graph.
    """

    mods: tuple[ModFile, ...] = ()
    replaced: tuple[tuple[str, str, Module | None], ...] = ()
    workspace: bool = False
    known: frozenset[str] = frozenset()
    """Their paths: no other version of them is read."""


def read_mod(data: bytes, path: str) -> ModFile:
    """Read a go.mod (or go.work: `replace` alone). Raises `LockfileError`."""
    name, pruned, excluded = "", False, set()
    requires, replaced = [], []
    for verb, words, where in directives(data, path):
        if verb == "module" and words:
            name = words[0]
        elif verb == "go" and words and (match := _VERSION.match(words[0])):
            pruned = (int(match[1]), int(match[2])) >= _PRUNED
        elif verb == "require" and len(words) == 2:
            requires.append((Module(*words), where))
        elif verb == "exclude" and len(words) == 2:
            excluded.add(Module(*words))
        elif verb == "replace" and "=>" in words:
            middle = words.index("=>")
            old, new = words[:middle], words[middle + 1 :]
            if old and new:
                other = Module(new[0], new[1]) if len(new) == 2 else None
                replaced.append((old[0], old[1] if len(old) > 1 else "", other))
    return ModFile(name, pruned, tuple(requires), tuple(replaced), frozenset(excluded))


def read_main(project: Project, members: list[str] | None) -> Main:
    """The main modules beside a lockfile. members: the folders of a go.work, if it is one."""
    folder = project.lockfile.parent
    names = ["go.mod"] if members is None else [f"{member}/go.mod" for member in members]
    found = ((str(folder / name), project.read(name)) for name in names)
    mods = tuple(read_mod(data, path) for path, data in found if data is not None)
    work = read_mod(project.lock_bytes(), project.where()) if members is not None else ModFile()
    return Main(mods, work.replaced, members is not None, frozenset(mod.path for mod in mods))


def missing(main: Main, mod_of: Callable[[Module], bytes | None]) -> Iterator[tuple[Module, str]]:
    """Module versions that go will read the go.mod of, and has none for, with who requires them.

    mod_of: the go.mod that go.sum lists for a module.
    """
    replaced = [one for mod in main.mods for one in mod.replaced] + list(main.replaced)
    excluded = frozenset().union(*(mod.excluded for mod in main.mods))
    due = [(module, where, mod.pruned) for mod in main.mods for module, where in mod.requires]
    seen: set[tuple[Module, bool]] = set()
    said: set[Module] = set()
    while due:
        module, where, pruned = due.pop(0)
        if module.path in main.known or module in excluded or (module, pruned) in seen:
            continue
        seen.add((module, pruned))
        standing = _in_place_of(module, replaced)
        if standing is None:
            continue
        data = mod_of(standing)
        if data is None:
            if standing not in said:
                said.add(standing)
                yield standing, where
            continue
        try:
            mod = read_mod(data, f"{standing.path}@{standing.version}/go.mod")
        except LockfileError:
            continue  # go's own to complain of
        if not (pruned and mod.pruned):
            due.extend(
                (needed, f"{standing.path}@{standing.version}", False) for needed, _ in mod.requires
            )


def _in_place_of(module: Module, replaced: list[tuple[str, str, Module | None]]) -> Module | None:
    """What a module is replaced by; itself, or None if a folder is in its place."""
    for path, version, other in sorted(replaced, key=lambda one: one[1] == ""):
        if path == module.path and version in ("", module.version):
            return other
    return module
