"""What a shell may complete: values of options, and the options of single formats.

Shells call the program at every Tab; so rooms are imported only once their name is begun.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Final

from typer.core import TyperCommand

_TARGETS: Final = (
    "linux-x86_64-gnu",
    "linux-x86_64-musl",
    "linux-aarch64-gnu",
    "linux-aarch64-musl",
    "macos-aarch64",
    "macos-x86_64",
    "windows-x86_64",
)


def formats(incomplete: str) -> list[str]:
    """Names of formats."""
    from vendorpack.formats import rooms  # noqa: PLC0415

    return [room.name for room in rooms() if room.name.startswith(incomplete)]


def shells(incomplete: str) -> list[str]:
    """What `env --shell` takes."""
    from vendorpack.shells import SHELLS  # noqa: PLC0415

    return [name for name in SHELLS if name.startswith(incomplete)]


def targets(incomplete: str) -> list[str]:
    """Common targets; a runtime is for the user to add."""
    return [name for name in _TARGETS if name.startswith(incomplete)]


class RoomCommand(TyperCommand):
    """A command that takes the options of single formats too."""

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The command's own options, and those of a format whose name is begun."""
        # Typer has click in it, or beside it, as its version is.
        home = TyperCommand.__mro__[1].__module__.rpartition(".")[0]
        item: Any = importlib.import_module(f"{home}.shell_completion").CompletionItem
        found = list(super().shell_complete(ctx, incomplete))
        return found + [item(name) for name in room_options(incomplete)]


def room_options(incomplete: str) -> Iterator[str]:
    """`--npm` completes to the options of the format, others to nothing."""
    from vendorpack.formats import load, rooms  # noqa: PLC0415

    begun = incomplete.removeprefix("--")
    if begun == incomplete or not begun:
        return
    for room in rooms():
        if begun.startswith(room.name) or (len(begun) > 1 and room.name.startswith(begun)):
            for own in load(room.name).options:
                if f"{room.name}-{own}".startswith(begun):
                    yield f"--{room.name}-{own}"
