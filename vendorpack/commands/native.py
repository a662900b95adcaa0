"""Where the clients keep what a bundle brings, and what is said once it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vendorpack.console import Console
from vendorpack.environment import ENV_NAME
from vendorpack.errors import TargetError
from vendorpack.files.pipes import is_stream
from vendorpack.formats import load
from vendorpack.project import Host
from vendorpack.room import Format

if TYPE_CHECKING:
    from vendorpack.unpack.merge import MergeResult
    from vendorpack.unpack.ways import Unpacked


def native_roots(rooms: Mapping[str, Format], host: Host) -> dict[str, Path]:
    """Path in a bundle to the folder where its format's client keeps that."""
    return {
        path: folder
        for name in sorted(rooms)
        for path, folder in rooms[name].native_roots(host).items()
    }


def merge_of(rooms: Mapping[str, Format], host: Host) -> Callable[[str, bytes, bytes], bytes]:
    """Let the room whose cache it is join an entry with what is there already."""
    owners = {
        path: (room, folder)
        for room in rooms.values()
        for path, folder in room.native_roots(host).items()
    }

    def merge(path: str, existing: bytes, ours: bytes) -> bytes:
        root = _longest(path, owners)
        if root is None:
            return ours
        room, folder = owners[root]
        mark = room.in_use_mark(path)
        if mark is not None:
            beside = (folder / path[len(root) + 1 :]).with_name(mark)
            if beside.exists() and beside.stat().st_size:
                raise TargetError(
                    f"{room.title} is using its cache, or was killed while it did",
                    where=str(beside),
                    fix=f"Wait for it, or run {room.title} once so that it tidies up; or unpack "
                    "to a folder of its own with --prefix.",
                )
        return room.merge(path, existing, ours)

    return merge


def _longest(path: str, prefixes: Iterable[str]) -> str | None:
    fitting = [p for p in prefixes if path == p or path.startswith(p + "/")]
    return max(fitting, key=len, default=None)


def native_place(roots: Mapping[str, Path]) -> Callable[[str], str | None]:
    """Says where a path of a bundle lies after it was unpacked into the native caches."""

    def place(path: str) -> str | None:
        root = _longest(path, roots)
        if root is None:
            return None
        return str(roots[root] / path[len(root) :].lstrip("/"))

    return place


def describe_unpacked(prefix: Path, result: Unpacked) -> str:
    """A line on what happened to a prefix."""
    if not result.changed:
        return f"{prefix}: holds this bundle already"
    if result.replaced is None:
        return f"{prefix}: unpacked"
    from vendorpack.unpack.prefix import name_of  # noqa: PLC0415 - all who get here have it

    return f"{prefix}: unpacked, in place of {name_of(result.replaced)}"


def describe_merged(result: MergeResult) -> str:
    """A line on what happened to the native caches."""
    return str(result)


def say_next(
    console: Console, prefix: Path | None, formats: Sequence[str], bundle: Path | None = None
) -> None:
    """Say what to type now.

    prefix: where the tree is, if not in the clients' own caches. bundle: what it came from.
    """
    if console.quiet:
        return  # before rooms are imported for it
    own = [load(name).command for name in formats]
    commands = own[0] if len(own) == 1 else "each project's own install command"
    if prefix is not None:
        console.say(
            f"next: . {prefix / ENV_NAME}{' && ' if len(own) == 1 else ', then '}{commands}"
        )
    elif bundle is not None:
        named = "BUNDLE" if is_stream(bundle) else bundle
        console.say(f"next: {commands} (with the variables that `vendorpack env {named}` prints)")
    else:
        console.say(f"next: {commands}")
