"""Of many bundles: which there are to make, and which are made already."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from vendorpack.cli.app import part
from vendorpack.cli.options import IfAbsent, Source, TeamStore
from vendorpack.cli.project_file import settings_of, table
from vendorpack.cli.selection import Selection, lockfile_command, split_room_options
from vendorpack.cli.surroundings import this_host
from vendorpack.console import Console
from vendorpack.errors import UsageError

app = part()

_KEY = re.compile(r"[0-9a-f]{64}")


@lockfile_command(app)
def plan(
    *,
    context: typer.Context,
    selection: Selection,
    team_store: TeamStore = None,
    source: Source = None,
    if_absent: IfAbsent = False,
    as_array: Annotated[
        bool, typer.Option("--array", help="One JSON array, as matrices of CI services want it.")
    ] = False,
) -> None:
    """Print what to pack as JSON lines: a bundle for each folder.

    Each has its key, its lockfiles, and the command that packs it. Needs no network, but for
    --if-absent.
    """
    from vendorpack.commands import planning  # noqa: PLC0415

    arguments = arguments_for_pack(selection, typed_for_pack(context, selection))
    shelves = planning.Shelves(team_store, source) if if_absent else None
    found = selection.read(context)
    planning.plan(found, arguments, shelves, as_array, Console(), this_host())


def arguments_for_pack(
    selection: Selection, words: Sequence[str]
) -> Callable[[Path], Sequence[str]]:
    """Says what `pack` is to be told for a folder, before the folder: what was typed, and more."""

    def arguments(folder: Path) -> list[str]:
        own = None if selection.no_project_config else settings_of([str(folder)])
        alone = own is not None and own.general.get("recursive")
        return [*words, *(["--no-recursive"] if alone else [])]

    return arguments


def typed_for_pack(context: typer.Context, selection: Selection, *also: str) -> list[str]:
    """What was typed and `pack` is to be told too: what a project's file may have, and `also`."""
    words = [*_typed(context, {*also, "--no-project-config"})]
    extra = split_room_options(selection.paths or ())[1]
    return words + [f"--{name}={value}" for name, value in sorted(extra.items())]


def _typed(context: typer.Context, also: Container[str]) -> Iterator[str]:
    for param in context.command.params:
        source = context.get_parameter_source(param.name or "")
        name = param.opts[0]
        kept = name.removeprefix("--") in table() or name in also
        if source is None or source.name != "COMMANDLINE" or not kept or name == "--recursive":
            continue
        value = context.params[param.name or ""]
        if isinstance(value, bool):
            yield name if value else param.secondary_opts[0]
        else:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                yield f"{name}={one}"


@lockfile_command(app)
def exists(
    *,
    context: typer.Context,
    selection: Selection,
    team_store: TeamStore = None,
    source: Source = None,
) -> None:
    """Ask whether a store or a registry has a bundle already.

    Exit code 0, or 7. In place of PATHS there may be keys.
    """
    from vendorpack.commands import planning  # noqa: PLC0415
    from vendorpack.key import compute_key  # noqa: PLC0415

    words = selection.paths or []
    keys = [word for word in words if _KEY.fullmatch(word)]
    if keys and len(keys) != len(words):
        raise UsageError("keys or paths, not both", fix="vendorpack exists KEY")
    keys = keys or [compute_key(selection.read(context)).key]
    planning.exists(keys, planning.Shelves(team_store, source), Console(), this_host())
