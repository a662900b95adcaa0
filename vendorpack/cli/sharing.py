"""Where bundles and artifacts are shared: registries, the local store and a team's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vendorpack.cli.app import app, store_app
from vendorpack.cli.groups import grouped
from vendorpack.cli.guard import guarded
from vendorpack.cli.options import (
    ROOM_HELP,
    ROOM_OPTIONS,
    BundleFile,
    Json,
    Quiet,
    StoreDir,
    TeamStore,
)
from vendorpack.cli.selection import Selection, key_of_this_folder
from vendorpack.cli.surroundings import checked_output, console_beside, this_host
from vendorpack.commands import DEFAULT_OUTPUT
from vendorpack.console import Console
from vendorpack.errors import UsageError


@app.command()
@guarded
def push(
    bundle: BundleFile,
    target: Annotated[
        str,
        typer.Argument(metavar="REGISTRY/REPO[:TAG]", help="Where to (default tag: the key)."),
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Move a tag that another image has.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put a bundle into a container registry, as an image.

    The bundle is the image's only layer, byte for byte.
    """
    from vendorpack.commands.pushing import push as push_bundle  # noqa: PLC0415

    console = Console(quiet=quiet, as_json=as_json)
    push_bundle(bundle, target, replace, console, this_host())


@app.command()
@guarded
def pull(
    source: Annotated[
        str,
        typer.Argument(
            metavar="REGISTRY/REPO[:TAG|@DIGEST]",
            help="Where from (default tag: the key of the lockfiles here).",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The bundle (default: deps.tar.zst).")
    ] = None,
    store_dir: StoreDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Get a bundle from a container registry, and verify it.

    Where the tag is a key, the bundle must have it.
    """
    from vendorpack.commands.pulling import pull as pull_bundle  # noqa: PLC0415

    if output is not None:
        checked_output(output)
    console = console_beside((output,), quiet=quiet, as_json=as_json)
    pull_bundle(source, output, key_of_this_folder, store_dir, console, this_host())


@store_app.command("path")
@guarded
def store_path(store_dir: StoreDir = None) -> None:
    """Print where the store is."""
    from vendorpack.commands import storing  # noqa: PLC0415

    Console().answer(str(storing.store_folder(store_dir, this_host())))


@store_app.command("size")
@guarded
def store_size(store_dir: StoreDir = None, as_json: Json = False) -> None:
    """Print how much the store holds, and what `run` has unpacked."""
    from vendorpack.commands import storing  # noqa: PLC0415

    host = this_host()
    folder = storing.store_folder(store_dir, host)
    storing.store_size(folder, storing.run_trees(host), Console(as_json=as_json))


@store_app.command("prune")
@guarded
def store_prune(
    unused_days: Annotated[
        int, typer.Option(min=0, help="Remove what was not used for so many days; 0 is all.")
    ] = 30,
    store_dir: StoreDir = None,
    as_json: Json = False,
) -> None:
    """Remove what was not used for a while, of what `run` has unpacked too."""
    from vendorpack.commands import storing  # noqa: PLC0415

    host = this_host()
    folder = storing.store_folder(store_dir, host)
    storing.store_prune(folder, storing.run_trees(host), unused_days, Console(as_json=as_json))


@store_app.command("get", context_settings=ROOM_OPTIONS, epilog=ROOM_HELP)
@guarded
@grouped
def store_get(
    *,
    context: typer.Context,
    selection: Selection,
    team_store: TeamStore = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The bundle (default: deps.tar.zst).")
    ] = DEFAULT_OUTPUT,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Get the bundle for these lockfiles from a team's store.

    It is verified, and its key too.
    """
    from vendorpack.commands import sharing  # noqa: PLC0415
    from vendorpack.key import compute_key  # noqa: PLC0415

    if team_store is None:
        raise UsageError("store get needs --store URL")
    checked_output(output)
    found, options = selection.read(context)
    key = compute_key(found, options).key
    console = console_beside((output,), quiet=quiet, as_json=as_json)
    sharing.store_get(team_store, key, output, console)
