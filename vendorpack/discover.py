"""Which lockfiles are meant: the ones named, or the ones a folder holds.

A lockfile is known by its file name, and where two rooms share a name (`yarn.lock`) by a
marker in its text. Of two lockfiles for one project, by clients of one family, one is taken if
the other pins nothing (a requirements file without hashes), or if the project's own files name
the client; else they are refused, with the command for each: what the project really installs
with cannot be guessed.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import DiscoveryError, Faults, UsageError, kept_in
from vendorpack.formats import Room, named_client, rooms, unlocked
from vendorpack.model import Options
from vendorpack.project import Host, Project

_SKIPPED: Final = {"node_modules", "vendor", "__pycache__", "target", "venv", "site-packages"}
"""Folders that `--recursive` does not look into; hidden ones neither."""
_SNIFF: Final = 64 * 1024
_SHOWN: Final = 5
_MAX_MANIFEST: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """A lockfile, the room that reads it, and what was asked for of it.

    passed_over: names of others beside it that the room could have read as well.
    set_aside: others beside it that were not meant, each as "NAME (why)".
    """

    room: Room
    project: Project
    passed_over: tuple[str, ...] = ()
    set_aside: tuple[str, ...] = ()
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The lockfiles that one room finds in a folder, the one to read first.

    loose: those that pin nothing, and only count where there is no other.
    """

    room: Room
    names: tuple[str, ...]
    loose: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    """The lockfile that a folder holds for one family."""

    path: Path
    room: Room
    passed_over: tuple[str, ...]
    set_aside: tuple[str, ...]


def discover(
    paths: Sequence[Path],
    *,
    recursive: bool,
    host: Host,
    format_name: str | None = None,
    command: str = "vendorpack key",
    trusted: bool = True,
    faults: Faults | None = None,
) -> tuple[Found, ...]:
    """All lockfiles that `paths` (files or folders) mean, sorted by their relative path.

    Paths in the result are relative to the deepest folder that holds them all, so that the
    key does not depend on where the command was run. `format_name` says what a file is whose
    name says nothing, and of a folder takes only that format's. A file that is named decides
    between several in its folder. `trusted`: whether projects' own settings count.
    `command`: what was typed before the paths, for advice. `faults` takes what is wrong with single
    folders, if the others are wanted all the same.
    Raises `DiscoveryError`; `UsageError` for a format that there is not.
    """
    known = _rooms_of(format_name)
    for path in paths:
        if not path.exists():
            raise DiscoveryError("there is no such file or folder", where=str(path))
    choices = {
        _absolute(path): _Choice(path, _room_of(path, format_name), (), ())
        for path in paths
        if not path.is_dir()
    }
    if recursive:
        command = shlex.join([*command.split(), "--recursive", *map(str, paths)])
    chosen_by_hand = frozenset(choices)
    for path in paths:
        if not path.is_dir():
            continue
        for folder in _folders(path) if recursive else (path,):
            with kept_in(faults):
                for choice in _in_folder(folder, known, chosen_by_hand, command):
                    choices.setdefault(_absolute(choice.path), choice)
        if any(file.is_relative_to(path.resolve()) for file in choices):
            continue
        choices.update((_absolute(choice.path), choice) for choice in _stand_ins(path, known))
        if not recursive and not any(file.is_relative_to(path.resolve()) for file in choices):
            raise _nothing(path, known, format_name)
    if not choices:
        raise _nothing(paths[0] if paths else Path(), known, format_name, recursive=recursive)
    root = Path(os.path.commonpath([file.parent for file in choices]))
    found = [
        Found(
            choice.room,
            Project(root, PurePosixPath(file.relative_to(root).as_posix()), host, trusted=trusted),
            tuple(n for n in choice.passed_over if file.with_name(n) not in choices),
            choice.set_aside,
        )
        for file, choice in choices.items()
    ]
    return tuple(sorted(found, key=lambda f: str(f.project.lockfile)))


def _rooms_of(format_name: str | None) -> tuple[Room, ...]:
    """The one of this name, or all."""
    known = tuple(room for room in rooms() if format_name in (None, room.name))
    if not known:
        raise UsageError(
            f"no format is named {format_name!r}",
            fix="Known formats: " + ", ".join(room.name for room in rooms()) + ".",
        )
    return known


def _folders(top: Path) -> list[Path]:
    folders = []
    for parent, names, _ in os.walk(top):
        names[:] = sorted(n for n in names if n not in _SKIPPED and not n.startswith("."))
        folders.append(Path(parent))
    return folders


def folder_of(one: Found) -> Path:
    """The project's folder: some lockfiles' names begin with one of a folder in it."""
    path = one.project.path
    names = (n for n in one.room.lockfiles if path.match(n))
    return path.parents[max((name.count("/") for name in names), default=0)]


# -- a folder --------------------------------------------------------------------------------


def _in_folder(
    folder: Path, known: Iterable[Room], chosen_by_hand: frozenset[Path], command: str
) -> Iterator[_Choice]:
    """At most one lockfile a family. Raises `DiscoveryError` if several could be meant."""
    names = _files_in(folder)
    families: dict[str, list[_Candidates]] = {}
    for room in known:
        candidates = _candidates(folder, names, room)
        if candidates.names or candidates.loose:
            families.setdefault(room.family, []).append(candidates)
    for family, found in families.items():
        aside: list[str] = []
        pinning = [one for one in found if one.names]
        if pinning:
            aside = [f"{name} (nothing in it has a hash)" for one in found for name in one.loose]
        else:
            pinning = [replace(one, names=one.loose) for one in found]
        taken = pinning[0]
        if len(pinning) > 1:
            taken, why = _decide(folder, family, pinning, chosen_by_hand, command)
            aside += [f"{n} ({why})" for one in pinning if one is not taken for n in one.names]
        if taken.room.together:
            yield from (
                _Choice(folder / name, taken.room, (), tuple(aside)) for name in taken.names
            )
            continue
        first, *others = taken.names
        passed_over = () if taken.room.precedence else tuple(others)
        yield _Choice(folder / first, taken.room, passed_over, tuple(aside))


def _stand_ins(folder: Path, known: Iterable[Room]) -> Iterator[_Choice]:
    """The manifests that count for themselves, as there is no lockfile."""
    names = _files_in(folder)
    for room in known:
        if room.stand_in and room.stand_in in names:
            yield _Choice(folder / room.stand_in, room, (), ())


def _files_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError as error:
        raise DiscoveryError(
            f"cannot list the folder: {error.strerror}", where=str(folder)
        ) from None


def _candidates(folder: Path, names: Sequence[str], room: Room) -> _Candidates:
    found = dict.fromkeys(
        name
        for pattern in room.lockfiles
        for name in (_below(folder, pattern) if "/" in pattern else names)
        if fnmatchcase(name, pattern) and _has_marker(folder / name, room)
    )
    loose = tuple(
        name
        for name in found
        if room.loose and fnmatchcase(name, room.loose) and not _pins(folder / name, room.pin)
    )
    return _Candidates(room, tuple(name for name in found if name not in loose), loose)


def _below(folder: Path, pattern: str) -> list[str]:
    """Names, relative to `folder`, of the files that a pattern with a `/` in it means."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.glob(pattern) if p.is_file())


def _decide(
    folder: Path,
    family: str,
    found: Sequence[_Candidates],
    chosen_by_hand: frozenset[Path],
    command: str,
) -> tuple[_Candidates, str]:
    """Which of several rooms' lockfiles is meant, and why the others are not."""
    by_hand = [
        one
        for one in found
        if any(_absolute(folder / name) in chosen_by_hand for name in (*one.names, *one.loose))
    ]
    if len(by_hand) == 1:
        return by_hand[0], f"{by_hand[0].names[0]} was named"
    client = named_client(family, lambda name: _read(folder / name))
    if client is not None:
        name, where = client
        meant = [one for one in found if (one.room.client or one.room.name) == name]
        if len(meant) == 1:
            return meant[0], f"{where} is {name}"
    names = [name for one in found for name in one.names[:1]]
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    number = {2: "two", 3: "three", 4: "four"}.get(len(names), str(len(names)))
    raise DiscoveryError(
        f"{number} lockfiles for one project: {listed}",
        where=str(folder.resolve()),
        fix="Name the one that the project installs with:\n"
        + "\n".join(f"  {command} {shlex.quote(str(folder / name))}" for name in names),
    )


# -- a file ----------------------------------------------------------------------------------


def _room_of(path: Path, format_name: str | None) -> Room:
    candidates = [
        room
        for room in rooms()
        if (
            room.name == format_name
            if format_name
            else _names(room, path.name) or path.name == room.stand_in
        )
    ]
    if not candidates:
        candidates = [r for r in rooms() if _has_manifest(r, path) or _has_content(r, path)]
    for room in candidates:
        if format_name or _has_marker(path, room):
            return room
    fix = "Say what it is with --format NAME: " + ", ".join(r.name for r in rooms()) + "."
    beside = sorted(_known_in(path.parent, rooms()))
    if beside:
        fix = f"Did you mean {' or '.join(beside)}, beside it? If not: {fix[0].lower()}{fix[1:]}"
    raise DiscoveryError(
        "this is not a lockfile that vendorpack knows by its name",
        where=str(path),
        fix="\n".join([*_advice([path.name]), fix]),
    )


def _has_manifest(room: Room, path: Path) -> bool:
    """Whether a file is named after its manifest, which lies beside it."""
    name = path.name.removesuffix(room.suffix)
    return bool(room.suffix) and name not in ("", path.name) and path.with_name(name).is_file()


def _has_content(room: Room, path: Path) -> bool:
    """Whether a line of the file is one that only the room's lockfiles have."""
    if not room.content:
        return False
    line = re.compile(room.content)
    return any(map(line.fullmatch, _head(path).decode("utf-8", "replace").splitlines()))


def _known_in(folder: Path, known: Iterable[Room]) -> Iterator[str]:
    for name in _files_in(folder):
        if any(_names(room, name) for room in known):
            yield name


def _absolute(path: Path) -> Path:
    """Absolute, with the folder resolved but not the file: what lies beside the name counts."""
    return path.parent.resolve() / path.name


def _names(room: Room, name: str) -> bool:
    return any(fnmatchcase(name, pattern.rpartition("/")[2]) for pattern in room.lockfiles)


def _has_marker(path: Path, room: Room) -> bool:
    if not room.marker or (room.marked and path.name not in room.marked):
        return True
    return any(line.startswith(room.marker.encode()) for line in _head(path).splitlines())


def _pins(path: Path, mark: str) -> bool:
    """Whether a line that is no comment has the mark in it."""
    return any(
        mark.encode() in line
        for line in _head(path).splitlines()
        if not line.lstrip().startswith(b"#")
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_SNIFF)
    except OSError as error:
        raise DiscoveryError(f"cannot read the file: {error.strerror}", where=str(path)) from None


def _read(path: Path) -> bytes | None:
    """A project's own file, if there is one that can be read; nothing depends on it alone."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_MANIFEST)
    except OSError:
        return None


# -- nothing there ---------------------------------------------------------------------------


def _nothing(
    folder: Path, known: Sequence[Room], format_name: str | None, *, recursive: bool = False
) -> DiscoveryError:
    """What was seen in place of a lockfile, and what to do about that."""
    of_format = "" if format_name is None else f" of {format_name}"
    folders = _folders(folder) if recursive else [folder]
    lines = [] if format_name else _advice([n for one in folders for n in _files_in(one)])
    patterns = sorted({pattern for room in known for pattern in room.lockfiles})
    looked_for = f"Looked for {', '.join(patterns)}"
    below = [
        f"{child.name}/{name}" for child in _folders_in(folder) for name in _known_in(child, known)
    ]
    if recursive:
        lines.append(f"{looked_for}, in all folders below.")
    elif below:
        more = ", …" if len(below) > _SHOWN else ""
        lines.append(f"Below it there is {', '.join(below[:_SHOWN])}{more}: use --recursive.")
    else:
        lines.append(f"{looked_for}. Name one, or search with --recursive.")
    return DiscoveryError(
        f"no lockfile{of_format} found", where=str(folder.resolve()), fix="\n".join(lines)
    )


def _folders_in(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(
            Path(entry.path)
            for entry in entries
            if entry.is_dir() and entry.name not in _SKIPPED and not entry.name.startswith(".")
        )


def _advice(names: Sequence[str]) -> list[str]:
    """What to say of each kind of file that is no lockfile, or none that is supported."""
    found: dict[str, str] = {}
    for one in unlocked():
        for name in names:
            if fnmatchcase(name, one.pattern):
                found.setdefault(one.advice, name)
    # Nothing follows a command that has a line of its own: it is to be copied.
    ends = {advice: "" if "\n" in advice else "." for advice in found}
    return [f"{name} {advice}{ends[advice]}" for advice, name in found.items()]
