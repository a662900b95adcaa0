"""Which lockfiles are meant: the ones named, or the ones a folder holds.

A lockfile is known by its file name, and where two rooms share a name (`yarn.lock`) by a
marker in its text. Two lockfiles for one project, by clients of one family, are refused: what
the project really installs with cannot be guessed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

from vendorpack.errors import DiscoveryError
from vendorpack.formats import Room, rooms
from vendorpack.model import Host, Project

_SKIPPED: Final = {"node_modules", "vendor", "__pycache__", "target", "venv", "site-packages"}
"""Folders that `--recursive` does not look into; hidden ones neither."""
_SNIFF: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """A lockfile and the room that reads it.

    passed_over: names of others beside it that the room could have read as well.
    """

    room: Room
    project: Project
    passed_over: tuple[str, ...] = ()


def discover(
    paths: Sequence[Path], *, recursive: bool, host: Host, format_name: str | None = None
) -> tuple[Found, ...]:
    """All lockfiles that `paths` (files or folders) mean, sorted by their relative path.

    Paths in the result are relative to the deepest folder that holds them all, so that the
    key does not depend on where the command was run. `format_name` says what a file is whose
    name says nothing. Raises `DiscoveryError`.
    """
    named: dict[Path, Room] = {}
    passed_over: dict[Path, tuple[str, ...]] = {}
    for path in paths:
        if path.is_dir():
            for folder in _folders(path) if recursive else (path,):
                for file, room, others in _in_folder(folder):
                    named[file] = room
                    passed_over[file] = others
            if not recursive and not any(file.parent == path.resolve() for file in named):
                raise _nothing(path)
        elif path.exists():
            named[_absolute(path)] = _room_of(path, format_name)
        else:
            raise DiscoveryError("there is no such file or folder", where=str(path))
    if not named:
        raise _nothing(paths[0] if paths else Path())
    root = Path(os.path.commonpath([file.parent for file in named]))
    found = [
        Found(
            room,
            Project(root, PurePosixPath(file.relative_to(root).as_posix()), host),
            tuple(
                other for other in passed_over.get(file, ()) if file.with_name(other) not in named
            ),
        )
        for file, room in named.items()
    ]
    return tuple(sorted(found, key=lambda f: str(f.project.lockfile)))


def _folders(top: Path) -> list[Path]:
    folders = []
    for parent, names, _ in os.walk(top):
        names[:] = sorted(n for n in names if n not in _SKIPPED and not n.startswith("."))
        folders.append(Path(parent))
    return folders


def _in_folder(folder: Path) -> Iterator[tuple[Path, Room, tuple[str, ...]]]:
    """At most one lockfile a family: the first pattern of a room wins, two rooms are refused.

    With each the names that were passed over.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError as error:
        raise DiscoveryError(
            f"cannot list the folder: {error.strerror}", where=str(folder)
        ) from None
    chosen: dict[str, Path] = {}
    for room in rooms():
        candidates = dict.fromkeys(
            name
            for pattern in room.lockfiles
            for name in names
            if fnmatchcase(name, pattern) and _has_marker(folder / name, room)
        )
        if not candidates:
            continue
        first, *others = candidates
        path = folder / first
        if room.family in chosen:
            other = chosen[room.family]
            raise DiscoveryError(
                f"two lockfiles for one project: {other.name} and {path.name}",
                where=str(folder),
                fix=f"Name the one that the project installs with, such as {other}.",
            )
        chosen[room.family] = path
        yield _absolute(path), room, () if room.precedence else tuple(others)


def _room_of(path: Path, format_name: str | None) -> Room:
    candidates = [
        room
        for room in rooms()
        if (room.name == format_name if format_name else _names(room, path.name))
    ]
    for room in candidates:
        if format_name or _has_marker(path, room):
            return room
    fix = "Say what it is with --format NAME: " + ", ".join(r.name for r in rooms()) + "."
    beside = [] if format_name else sorted(_known_in(path.parent))
    if beside:
        fix = f"Did you mean {' or '.join(beside)}, beside it? If not: {fix[0].lower()}{fix[1:]}"
    raise DiscoveryError(
        "this is not a lockfile that vendorpack knows by its name", where=str(path), fix=fix
    )


def _known_in(folder: Path) -> Iterator[str]:
    for path in folder.iterdir():
        if any(_names(room, path.name) for room in rooms()):
            yield path.name


def _absolute(path: Path) -> Path:
    """Absolute, with the folder resolved but not the file: what lies beside the name counts."""
    return path.parent.resolve() / path.name


def _names(room: Room, name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in room.lockfiles)


def _has_marker(path: Path, room: Room) -> bool:
    if not room.marker:
        return True
    try:
        with path.open("rb") as file:
            head = file.read(_SNIFF)
    except OSError as error:
        raise DiscoveryError(f"cannot read the file: {error.strerror}", where=str(path)) from None
    return any(line.startswith(room.marker.encode()) for line in head.splitlines())


def _nothing(folder: Path) -> DiscoveryError:
    known = sorted({pattern for room in rooms() for pattern in room.lockfiles})
    return DiscoveryError(
        "no lockfile found",
        where=str(folder.resolve()),
        fix=f"Looked for {', '.join(known)}. Name one, or search below with --recursive.",
    )
