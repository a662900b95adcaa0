"""Where bundles and artifacts are shared: registries, the local store and a team's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vendorpack.cli.app import part
from vendorpack.cli.guard import guarded
from vendorpack.cli.options import (
    BundleFile,
    InFile,
    Json,
    Output,
    Quiet,
    Signer,
    Signers,
    StoreDir,
    TeamStore,
)
from vendorpack.cli.selection import Fetching, Selection, lockfile_command, split_room_options
from vendorpack.cli.surroundings import checked_output, console_beside, this_host
from vendorpack.commands import DEFAULT_OUTPUT
from vendorpack.console import Console
from vendorpack.errors import UsageError

app = part()
store_app = part("The local store of verified artifacts.")
app.add_typer(store_app, name="store")


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
    signature: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="To attach (default: the bundle's name and .sig, if it is there)."
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put a bundle and its signature into a container registry.

    The bundle is the image's only layer, byte for byte.
    """
    from vendorpack.commands.pushing import push as push_bundle  # noqa: PLC0415

    console = Console(quiet=quiet, as_json=as_json)
    push_bundle(bundle, target, replace, signature, console, this_host())


@lockfile_command(app)
def pull(
    *,
    context: typer.Context,
    repository: Annotated[
        str | None,
        typer.Argument(
            metavar="[REGISTRY/REPO[:TAG|@DIGEST]]",
            help="Where from (default: the project's file names it; tag: the lockfiles' key).",
        ),
    ] = None,
    selection: Selection,
    source: Annotated[
        str | None, typer.Option("--from", metavar="REGISTRY/REPO", help="The same."), InFile()
    ] = None,
    output: Output = None,
    signers: Signers = None,
    signer: Signer = None,
    store_dir: StoreDir = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Get a bundle from a container registry, and verify it.

    Where the tag is a key, the bundle must have it. A signature that is attached to it is checked
    if --signers is given, and written beside it.
    """
    from vendorpack.commands.planning import named  # noqa: PLC0415
    from vendorpack.commands.pulling import pull as pull_bundle  # noqa: PLC0415
    from vendorpack.commands.signed import trusted  # noqa: PLC0415
    from vendorpack.key import compute_key  # noqa: PLC0415

    if output is not None:
        found = selection.read(context) if "{" in str(output) else ()
        output = checked_output(named(output, found))
    if repository is not None and repository.startswith("-"):
        split_room_options([repository, *(selection.paths or ())])  # is it an option at all?
        raise UsageError("the repository comes first", fix="vendorpack pull REGISTRY/REPO …")
    if repository is None and source is None:
        raise UsageError("pull from where?", fix="vendorpack pull REGISTRY/REPO")

    def key_here() -> str:
        return compute_key(selection.read(context)).key

    console = console_beside((output,), quiet=quiet, as_json=as_json)
    whose = trusted(signers, signer)
    where = repository or source or ""
    pull_bundle(where, output, key_here, whose, store_dir, console, this_host())


def _named(team_store: str | None, command: str) -> str:
    """The team's store. Raises `UsageError` if none is named."""
    if team_store is None:
        raise UsageError(f"store {command} needs --store URL")
    return team_store


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


@store_app.command("gc")
@guarded
def store_gc(
    team_store: TeamStore = None,
    keep: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Keys still wanted: what `plan` printed, or a key a line; - for standard input "
            "(repeatable).",
        ),
    ] = None,
    older_than: Annotated[
        int, typer.Option(min=0, metavar="DAYS", help="Leave all that is younger.")
    ] = 30,
    delete: Annotated[bool, typer.Option("--delete", help="Do it; else it is only said.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove from a team's store what nobody wants any more."""
    from vendorpack.commands import collecting  # noqa: PLC0415

    console = Console(quiet=quiet, as_json=as_json)
    collecting.gc(_named(team_store, "gc"), keep or [], older_than, delete, console)


@store_app.command("verify")
@guarded
def store_verify(
    team_store: TeamStore = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove what is wrong.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read all of a team's store, and name what is wrong in it."""
    from vendorpack.commands import collecting  # noqa: PLC0415

    collecting.verify(_named(team_store, "verify"), delete, Console(quiet=quiet, as_json=as_json))


@lockfile_command(store_app, "warm")
def store_warm(
    *,
    context: typer.Context,
    selection: Selection,
    fetching: Fetching,
    share: Annotated[
        str | None,
        typer.Option(metavar="N/OF", help="Only one of several equal shares, such as 2/5."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put what these lockfiles pin into a team's store, and pack nothing.

    For machines that each take a share of a huge lockfile, or a nightly run before all others.
    """
    from vendorpack.commands import warming  # noqa: PLC0415

    _named(fetching.team_store, "warm")
    part_of = warming.share_of(share)
    request = fetching.request(selection.read(context))
    warming.store_warm(request, part_of, Console(quiet=quiet, as_json=as_json))


@lockfile_command(store_app, "get")
def store_get(
    *,
    context: typer.Context,
    selection: Selection,
    team_store: TeamStore = None,
    output: Output = None,
    signers: Signers = None,
    signer: Signer = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Get the bundle for these lockfiles from a team's store.

    It is verified, and its key and its signature too; that is written beside it.
    """
    from vendorpack.commands import sharing  # noqa: PLC0415
    from vendorpack.commands.planning import named  # noqa: PLC0415
    from vendorpack.commands.signed import trusted  # noqa: PLC0415
    from vendorpack.key import compute_key  # noqa: PLC0415

    url = _named(team_store, "get")
    found = selection.read(context)
    output = checked_output(named(output or DEFAULT_OUTPUT, found))
    key = compute_key(found).key
    console = console_beside((output,), quiet=quiet, as_json=as_json)
    sharing.store_get(url, key, output, trusted(signers, signer), console)
