"""What formats there are, and the options that only one of them has."""

from __future__ import annotations

import textwrap

from vendorpack.console import Console
from vendorpack.formats import load, rooms
from vendorpack.model import Json

_WIDTH = 80


def list_formats(console: Console) -> None:
    """A line for each: its lockfiles, and the command that works offline afterwards."""
    if console.as_json:
        console.answer_json([_record(room.name) for room in rooms()])
        return
    console.answer_table(
        [(room.name, ", ".join(room.lockfiles), load(room.name).command) for room in rooms()]
    )


def show_format(name: str, console: Console) -> None:
    """One of them, and its own options. Raises `UsageError` if there is none of that name."""
    room = load(name)
    if console.as_json:
        console.answer_json(_record(name))
        return
    lockfiles = textwrap.wrap(", ".join(_lockfiles(name)), _WIDTH - len("lockfiles  "))
    console.answer_table(
        [
            ("format", room.title),
            *zip(("lockfiles", *[""] * len(lockfiles)), lockfiles, strict=False),
            ("command", room.command),
        ]
    )
    for option, text in _options(name).items():
        console.answer(f"\n{option} VALUE")
        console.answer(textwrap.fill(text, _WIDTH, initial_indent="  ", subsequent_indent="  "))


def _record(name: str) -> dict[str, Json]:
    room = load(name)
    return {
        "name": name,
        "title": room.title,
        "lockfiles": [*_lockfiles(name)],
        "command": room.command,
        "options": dict[str, Json](_options(name)),
    }


def _lockfiles(name: str) -> tuple[str, ...]:
    return next(room.lockfiles for room in rooms() if room.name == name)


def _options(name: str) -> dict[str, str]:
    """As they are typed."""
    return {f"--{name}-{option}": text for option, text in sorted(load(name).options.items())}
