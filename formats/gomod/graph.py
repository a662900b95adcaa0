"""The module graph, from the go.mod files that were fetched: what go.sum has to have lines for.

go reads a go.mod for every module version of its graph, and offline it reads none that go.sum does
not list. It adds missing lines by itself while it is online, so projects do not notice.

The graph is read as `modload.readModGraph` of go 1.21 to 1.27 does. Of a module's requirements
every go.mod is read if the module is older than go 1.17 (unpruned), or required by one that is;
else those of the main modules alone. In a workspace the main modules' own requirements are read,
and then the selected version of each of these that another member or a requirement raised, with
what it requires, until none is raised any more. A folder in place of a module is a module like
others, whose go.mod is at hand; so is a main module's released version.
"""

from __future__ import annotations

import functools
import posixpath
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import Final, Literal, TypeAlias

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats.gomod.modfile import directives
from vendorpack.formats.gomod.modules import Module, Suffix, go_order, version_order
from vendorpack.project import Project

ModOf: TypeAlias = Callable[[Module], bytes | None]
"""The go.mod of a module, if there is one."""
Place: TypeAlias = Module | str
"""Where a module is: under its own or another's name, or a folder relative to the lockfile's."""
_Pruning: TypeAlias = Literal["pruned", "unpruned", "workspace"]
_Due: TypeAlias = tuple[Module, _Pruning]

_PRUNED: Final = (1, 17)
_STRICT_GO: Final = (1, 21)
"""Since when the `go` line of a module binds what requires it."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """What is in a module's place, at one version or (empty) at all."""

    path: str
    version: str
    place: Place


@dataclass(frozen=True, slots=True)
class ModFile:
    """What a go.mod says, as far as the graph goes. Modules of `requires` are as written."""

    path: str = ""
    go: str = ""
    """The version that its `go` line asks for; empty for none."""
    requires: tuple[tuple[Module, str], ...] = ()
    replaced: tuple[Replacement, ...] = ()
    excluded: frozenset[Module] = frozenset()

    @property
    def pruned(self) -> bool:
        """Whether its requirements are all that there is to know of it."""
        return go_order(self.go) >= _PRUNED


@dataclass(frozen=True, slots=True)
class Main:
    """The main modules of a build: one, or a workspace's.

    mods: their go.mod files. replaced: what a go.work replaces, before all that they do.
    members: the folders of a workspace; none if there is no go.work.
    folders: the go.mod of each folder that is in a module's place.
    """

    mods: tuple[ModFile, ...] = ()
    replaced: tuple[Replacement, ...] = ()
    members: tuple[str, ...] | None = None
    folders: Mapping[str, ModFile] = field(default_factory=dict)


def read_mod(data: bytes, path: str, folder: str = "") -> ModFile:
    """Read a go.mod (or go.work: `replace` alone). Raises `LockfileError`.

    folder: what it lies in, relative to the lockfile's: folders of `replaced` get that, too.
    """
    name, go, excluded = "", "", set()
    requires, replaced = [], []
    for verb, words, where in directives(data, path):
        if verb == "module" and words:
            name = words[0]
        elif verb == "go" and words:
            go = words[0]
        elif verb == "require" and len(words) == 2:
            requires.append((Module(*words), where))
        elif verb == "exclude" and len(words) == 2:
            excluded.add(Module(*words))
        elif verb == "replace" and "=>" in words:
            middle = words.index("=>")
            old, new = words[:middle], words[middle + 1 :]
            if old and new:
                place = Module(new[0], new[1]) if len(new) == 2 else _folder(folder, new[0])
                replaced.append(Replacement(old[0], old[1] if len(old) > 1 else "", place))
    return ModFile(name, go, tuple(requires), tuple(replaced), frozenset(excluded))


def read_main(project: Project, members: list[str] | None) -> Main:
    """The main modules beside a lockfile. members: the folders of a go.work, if it is one."""
    found = {member: _mod_in(project, member) for member in (["."] if members is None else members)}
    mods = tuple(mod for mod in found.values() if mod is not None)
    work = ModFile()
    if members is not None:
        work = read_mod(project.lock_bytes(), project.where())
    places = {one.place for mod in (*mods, work) for one in mod.replaced}
    folders = {place: _mod_in(project, place) for place in places if isinstance(place, str)}
    known = {place: mod for place, mod in folders.items() if mod is not None}
    return Main(mods, work.replaced, None if members is None else tuple(members), known)


def missing(
    graph: Graph, mods: Iterable[Module], zips: Iterable[Module]
) -> Iterator[tuple[Module, Suffix, str]]:
    """The files that go reads and that are not listed, and who requires their modules.

    Of a module since go 1.17, go.mod requires all that its packages come from, so that the zip of
    each of these is needed: at the version that is selected, which in a workspace may be another
    one than any of its go.sum files have.

    mods, zips: of which modules these are listed.
    """
    known = set(mods)
    for _, place, by in graph.readings:
        if isinstance(place, Module) and place not in known:
            known.add(place)
            yield place, "mod", by
    known = set(zips)
    for module, where in (one for mod in graph.main.mods if mod.pruned for one in mod.requires):
        used = graph.place(graph.selected(module.path))
        if isinstance(used, Module) and used not in known and used.version:
            known.add(used)
            yield used, "zip", where


def untidy(graph: Graph) -> Iterator[tuple[str, str]]:
    """What of a go.mod is not as `go mod tidy` would write it, in words, and where.

    go refuses to build what imports from there, with all lines that go.sum needs. A workspace may
    be so: there the newest version counts that any member has.
    """
    if graph.main.members is not None or not graph.main.mods:
        return
    (mod,) = graph.main.mods
    read = [module for module, _, _ in graph.readings]
    for module, where in mod.requires:
        newest = graph.selected(module.path)
        if _is_newer(newest, module):
            yield f"{module.path} {newest.version} is required by {graph.by(newest)}", where
    newest_go = max(read, key=lambda one: go_order(graph.go(one)), default=None)
    if newest_go is not None and go_order(graph.go(newest_go)) > max(go_order(mod.go), _STRICT_GO):
        asks = f"{newest_go.path} {newest_go.version} asks for go {graph.go(newest_go)}"
        yield asks, graph.by(newest_go)


def needed(main: Main, mod_of: ModOf) -> frozenset[tuple[Module, Suffix]]:
    """The files that any command may ask for: all that the graph leads to, and the newest's zips.

    What is not among them no build reads, whatever packages it has. Some commands read more of the
    graph than a build of go 1.17 and newer: what either may choose is in.
    """
    mods: set[Place | None] = set()
    zips: set[Place | None] = set()
    for whole in (False, True):
        graph = Graph(main, mod_of, whole=whole)
        zips.update(graph.place(module) for mod in main.mods for module, _ in mod.requires)
        for module, place, _ in graph.reading():
            mods.add(place)
            zips.add(graph.place(graph.selected(module.path)))
    wanted: list[tuple[Suffix, set[Place | None]]] = [("mod", mods | zips), ("zip", zips)]
    return frozenset((m, kind) for kind, places in wanted for m in places if isinstance(m, Module))


class Graph:
    """A reading of the graph. whole: as if all modules were older than go 1.17.

    mod_of: the go.mod of a module that is listed.
    """

    def __init__(self, main: Main, mod_of: ModOf, *, whole: bool = False) -> None:
        self.main = main
        self._mod_of = mod_of
        self._whole = whole
        self._excluded = frozenset[Module]().union(*(mod.excluded for mod in main.mods))
        self._own = {Module(mod.path, ""): mod for mod in main.mods}
        self._selected: dict[str, str] = {mod.path: "" for mod in main.mods}
        self._required: dict[Module, tuple[Module, ...]] = {}
        self._by: dict[Module, str] = {}
        self._mods: dict[Module, ModFile] = {}
        self._seen: set[tuple[Module, _Pruning]] = set()

    @functools.cached_property
    def readings(self) -> tuple[tuple[Module, Place, str], ...]:
        """All that `reading` comes to."""
        return tuple(self.reading())

    def reading(self) -> Iterator[tuple[Module, Place, str]]:
        """Each module version whose go.mod is read, where that is, and who requires it; once."""
        if self.main.members is not None:
            yield from self._follow((own, "workspace") for own in self._own)
            yield from self._raised()
            return
        for own, mod in self._own.items():
            self._require(own, mod)
            pruning: _Pruning = "pruned" if self._is_pruned(own) else "unpruned"
            yield from self._follow((module, pruning) for module in self._required[own])

    def selected(self, path: str) -> Module:
        """The version of a module that builds use: the newest, or the main one's own."""
        return Module(path, self._selected.get(path, ""))

    def by(self, module: Module) -> str:
        """Who requires a module first: another one, or a line of a main one."""
        return self._by[module]

    def go(self, module: Module) -> str:
        """The version of go that a module asks for, whose go.mod was read; may be empty."""
        return self._mods[module].go

    def place(self, module: Module) -> Place | None:
        """Where a module is; None for a main one."""
        if module in self._own:
            return None
        rules = [self.main.replaced, *(mod.replaced for mod in self.main.mods)]
        for replaced in rules:
            for version in (module.version, ""):
                for one in replaced:
                    if (one.path, one.version) == (module.path, version):
                        return one.place
        return module

    def _follow(self, due: Iterable[_Due]) -> Iterator[tuple[Module, Place, str]]:
        queue = deque(due)
        while queue:
            module, pruning = queue.popleft()
            if (module, pruning) in self._seen:
                continue
            self._seen.add((module, pruning))
            if module not in self._required:
                place = self.place(module)
                self._require(module, self._mod(module, place))
                if place is not None:
                    yield module, place, self._by[module]
            pruned = self._is_pruned(module)
            if pruning == "pruned" and pruned:
                continue
            after: _Pruning = "pruned" if pruned and pruning != "unpruned" else "unpruned"
            queue.extend((required, after) for required in self._required[module])

    def _raised(self) -> Iterator[tuple[Module, Place, str]]:
        """What a workspace reads besides: see the module's text."""
        paths = {own.path for own in self._own}
        seen: set[Module] = set()
        while True:
            due = {module for path in paths if (module := self.selected(path)) not in seen}
            for module in {self.selected(path) for path in paths} & seen:
                for required in self._required[module]:
                    newest = self.selected(required.path)
                    if newest not in seen and _is_newer(newest, required):
                        due.add(newest)
            if not due:
                return
            seen |= due
            paths |= {module.path for module in due}
            yield from self._follow((module, "workspace") for module in sorted(due))

    def _is_pruned(self, module: Module) -> bool:
        return self._mods[module].pruned and not self._whole

    def _mod(self, module: Module, place: Place | None) -> ModFile:
        if place is None:
            return self._own[module]
        if isinstance(place, str):
            return self.main.folders.get(place, ModFile())
        try:
            return read_mod(self._mod_of(place) or b"", f"{place.path}@{place.version}/go.mod")
        except LockfileError:
            return ModFile()  # go's own to complain of

    def _require(self, module: Module, mod: ModFile) -> None:
        kept = [(m, where) for m, where in mod.requires if m not in self._excluded]
        self._required[module] = tuple(one for one, _ in kept)
        self._mods[module] = mod
        for one, where in kept:
            self._by.setdefault(one, f"{module.path}@{module.version}" if module.version else where)
            known = self._selected.get(one.path)
            if known is None or _is_newer(one, Module(one.path, known)):
                self._selected[one.path] = one.version


def _is_newer(one: Module, other: Module) -> bool:
    """Whether a version is above another; there is none above a main module's own."""
    if not one.version or not other.version:
        return False
    return version_order(one.version) > version_order(other.version)


def _mod_in(project: Project, folder: str) -> ModFile | None:
    data = project.read(f"{folder}/go.mod")
    path = posixpath.normpath(f"{project.lockfile.parent}/{folder}/go.mod")
    return None if data is None else read_mod(data, path, folder)


def _folder(base: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(base, path.replace("\\", "/")))
