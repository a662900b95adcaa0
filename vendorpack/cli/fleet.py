"""Of many bundles: pack them all."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_group

from vendorpack.cli import packing
from vendorpack.cli.app import part
from vendorpack.cli.guard import misuse
from vendorpack.cli.options import Quiet, Recursive
from vendorpack.cli.planning import arguments_for_pack, typed_for_pack
from vendorpack.cli.project_file import of_lockfile, settings_of
from vendorpack.cli.selection import Fetching, Selection, lockfile_command, split_room_options
from vendorpack.cli.surroundings import checked_document, checked_file, console_beside, this_host
from vendorpack.dataclass import dataclass
from vendorpack.errors import Faults, UsageError
from vendorpack.files.pipes import STANDARD, read_text

if TYPE_CHECKING:
    from vendorpack.discover import Found

app = part()

_PASSED_ON = ("--git-config", "--jobs", "--store-dir")
"""What was typed and each `pack` is told, of what no project's file may have."""


@dataclass(frozen=True, slots=True)
class Roots(Selection):
    """The same, for all that is below folders."""

    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ROOT]...|[PLAN]",
            help="Folders that lockfiles are below (default: here), or what `plan` printed: a "
            "file, or - for standard input.",
        ),
    ] = None
    recursive: Recursive = True


@lockfile_command(app)
def fleet(
    *,
    context: typer.Context,
    push: Annotated[
        str | None,
        typer.Option(metavar="REGISTRY/REPO", help="Push each bundle there too, under its key."),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="tcp://HOST:PORT", help="Let the workers of this dask scheduler pack."
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Without --dask: how many bundles at a time (default: cores)."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Leave out what is there already, by its key.")
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="What came of each, as JSON.")
    ] = Path("fleet.json"),
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="The same, as a page.")] = None,
    selection: Roots,
    fetching: Fetching,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name each bundle as it is packed.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Pack every bundle of a plan into a team's store.

    Each is packed by a process of its own, here or on a cluster's workers.
    """
    from vendorpack.commands import fleet as fleets  # noqa: PLC0415
    from vendorpack.commands import planning  # noqa: PLC0415
    from vendorpack.machine import cores  # noqa: PLC0415

    if fetching.team_store is None:
        raise UsageError("fleet needs --store URL: that is where the bundles go")
    if getattr(sys, "frozen", False):
        raise UsageError(
            "a vendorpack that is one program packs no fleet",
            fix="Install the package: python -m pip install vendorpack",
        )
    store = fetching.team_store
    how = fleets.Fleet(
        store if "://" in store else str(Path(store).absolute()),
        push,
        dask,
        processes or cores(),
        resume,
        checked_document(output, "fleet.json"),
        None if html is None else checked_file(html, "fleet.html"),
    )
    words = typed_for_pack(context, selection, *_PASSED_ON)
    paths = [Path(path) for path in split_room_options(selection.paths or ())[0]]
    plan: Sequence[Mapping[str, Any]]
    faults: Faults = []
    if len(paths) == 1 and (paths[0] == STANDARD or paths[0].is_file()):
        plan = [
            {**one, "arguments": [*words, *one["arguments"]]}
            for one in fleets.parse_plan(read_text(paths[0], "plan"), str(paths[0]))
        ]
    else:
        arguments = arguments_for_pack(selection, words)
        plan = planning.records_of(selection.read(context, faults), arguments, faults)
    console = console_beside((output,), quiet=quiet, verbose=verbose)
    fleets.fleet(plan, faults, _meant, how, console, this_host())


def _meant(arguments: Sequence[str]) -> tuple[Sequence[Found], Sequence[Path]]:
    """The lockfiles that `pack` would pack with these arguments, and files with their options."""
    pack = get_group(packing.app).commands["pack"]
    try:
        context: Any = pack.make_context("vendorpack pack", [*arguments])
    except Exception as error:
        raise misuse(error) or error from None
    given = {field.name: context.params[field.name] for field in fields(Selection)}
    lists = {name: [*value] for name, value in given.items() if isinstance(value, tuple)}
    selection = Selection(**{**given, **lists})  # as Typer has it when it calls a command
    found = selection.read(context)
    if selection.no_project_config:
        return found, ()
    files = {said[0].path for one in found if (said := of_lockfile(one.project.path))}
    whole = settings_of(arguments[-1:])
    return found, sorted(files | ({whole.path} if whole else set()))
