"""The rooms: which ecosystems there are, without importing any of them.

`BUILTIN` is the ordered table; `load` imports one room. Third parties add rooms by the entry
point group `vendorpack.formats`: an entry point's name is the format's name, its object a
`Builtin` row with the room's module in it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from vendorpack.errors import UsageError
from vendorpack.model import Format

ENTRY_POINT_GROUP = "vendorpack.formats"


@dataclass(frozen=True, slots=True)
class Room:
    """How a format is recognised before its code is imported.

    lockfiles: file-name patterns (fnmatch); where several lie in one folder the first wins.
    precedence: whether that is so for the client too, and needs no mention.
    family: clients that install into the same project; two lockfiles of one family in one
        folder are ambiguous unless they are named.
    marker: how a line of the lockfile begins, where a file name is shared by two rooms.
    """

    name: str
    module: str
    family: str
    lockfiles: tuple[str, ...]
    precedence: bool = False
    marker: str = ""


BUILTIN = (
    Room(
        name="npm",
        module="vendorpack.formats.npm",
        family="javascript",
        lockfiles=("npm-shrinkwrap.json", "package-lock.json"),
        precedence=True,
    ),
    Room(
        name="pnpm",
        module="vendorpack.formats.pnpm",
        family="javascript",
        lockfiles=("pnpm-lock.yaml",),
    ),
    Room(
        name="bun",
        module="vendorpack.formats.bun",
        family="javascript",
        lockfiles=("bun.lock", "bun.lockb"),
        precedence=True,
    ),
    Room(
        name="deno",
        module="vendorpack.formats.deno",
        family="javascript",
        lockfiles=("deno.lock",),
    ),
    Room(
        name="yarn-classic",
        module="vendorpack.formats.yarn_classic",
        family="javascript",
        lockfiles=("yarn.lock",),
        marker="# yarn lockfile v1",
    ),
    Room(
        name="yarn-berry",
        module="vendorpack.formats.yarn_berry",
        family="javascript",
        lockfiles=("yarn.lock",),
        marker="__metadata:",
    ),
    Room(
        name="uv",
        module="vendorpack.formats.uv",
        family="python",
        lockfiles=("uv.lock", "*.py.lock"),
    ),
    Room(
        name="poetry",
        module="vendorpack.formats.poetry",
        family="python",
        lockfiles=("poetry.lock",),
    ),
    Room(
        name="pipenv",
        module="vendorpack.formats.pipenv",
        family="python",
        lockfiles=("Pipfile.lock",),
    ),
    Room(
        name="pdm",
        module="vendorpack.formats.pdm",
        family="python",
        lockfiles=("pdm.lock",),
    ),
    Room(
        name="pip",
        module="vendorpack.formats.pip",
        family="python",
        lockfiles=("pylock.toml", "pylock.*.toml", "requirements.txt", "requirements*.txt"),
    ),
    Room(
        name="cargo",
        module="vendorpack.formats.cargo",
        family="cargo",
        lockfiles=("Cargo.lock",),
    ),
    Room(
        name="gomod",
        module="vendorpack.formats.gomod",
        family="gomod",
        lockfiles=("go.work", "go.sum"),
        precedence=True,
    ),
    Room(
        name="bundler",
        module="vendorpack.formats.bundler",
        family="bundler",
        lockfiles=("gems.locked", "Gemfile.lock"),
        precedence=True,
    ),
)


@functools.cache
def rooms() -> tuple[Room, ...]:
    """All rooms: the built-in ones in their order, then third parties' by name."""
    if not _third_parties():
        return BUILTIN
    from importlib.metadata import entry_points  # noqa: PLC0415 - dear, and seldom needed

    extra = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)
    return BUILTIN + tuple(cast(Room, point.load()) for point in extra)


def _third_parties() -> bool:
    """Whether any installed distribution names our entry-point group.

    A look into the files: `importlib.metadata` takes longer than all else `key` does.
    """
    group = f"[{ENTRY_POINT_GROUP}]".encode()
    for folder in sys.path:
        with contextlib.suppress(OSError), os.scandir(folder or ".") as entries:
            for entry in entries:
                if entry.name.endswith((".dist-info", ".egg-info")):
                    with contextlib.suppress(OSError):
                        if group in Path(entry.path, "entry_points.txt").read_bytes():
                            return True
    return False


def load(name: str) -> Format:
    """Import the room of format `name`. Raises `UsageError` if there is none."""
    for room in BUILTIN:
        if room.name == name:
            break
    else:
        for room in rooms():
            if room.name == name:
                break
        else:
            raise UsageError(
                f"no format is named {name!r}",
                fix="Known formats: " + ", ".join(room.name for room in rooms()) + ".",
            )
    return cast(Format, importlib.import_module(room.module).FORMAT)
