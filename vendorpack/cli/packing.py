"""From lockfiles: pack, download and key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from vendorpack.cli.app import app
from vendorpack.cli.groups import grouped
from vendorpack.cli.guard import guarded
from vendorpack.cli.options import ROOM_HELP, ROOM_OPTIONS, Json, Level, Prefix, Quiet, Replace
from vendorpack.cli.selection import Fetching, Selection
from vendorpack.cli.surroundings import checked_output, console_beside
from vendorpack.commands import DEFAULT_OUTPUT
from vendorpack.console import Console
from vendorpack.errors import UsageError
from vendorpack.files.pipes import check_output


@app.command(context_settings=ROOM_OPTIONS, epilog=ROOM_HELP)
@guarded
@grouped
def pack(
    *,
    context: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The bundle: .tar.zst, or .tar uncompressed; - for standard output "
            "(default: deps.tar.zst).",
        ),
    ] = None,
    oci: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE.tar",
            help="Write an OCI image layout whose only layer is the bundle; alone, no other file.",
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="REGISTRY/REPO",
            help="Pull the bundle from there if it has one with this key.",
        ),
    ] = None,
    push_too: Annotated[
        bool, typer.Option("--push", help="Push it to --from if that did not have it.")
    ] = False,
    selection: Selection,
    fetching: Fetching,
    level: Level = 3,
    reuse: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE", help="Take unchanged artifacts from this older bundle, verified."
        ),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE|DIR", help="Write a delta: only the files that this bundle lacks."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be downloaded.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Download and verify all that lockfiles pin, into one bundle."""
    from vendorpack.commands import packing  # noqa: PLC0415

    if output is not None or oci is None:
        checked_output(output or DEFAULT_OUTPUT)
    if oci is not None:
        check_output(oci)
    console = console_beside((output, oci), quiet=quiet, as_json=as_json)
    found, options = selection.read(context)
    request = replace(fetching.request(found, options), reuse=reuse, base=base)
    if dry_run:
        packing.plan(request, console)
    elif base is not None and (oci is not None or source is not None or push_too):
        raise UsageError("--base makes a delta, which is no image: leave --oci and --from out")
    elif oci is None and source is None and not push_too:
        packing.pack(request, console, output or DEFAULT_OUTPUT, level)
    else:
        from vendorpack.commands import images  # noqa: PLC0415

        images.pack(request, console, images.Wanted(output, oci, source, push_too, level))


@app.command(context_settings=ROOM_OPTIONS, epilog=ROOM_HELP)
@guarded
@grouped
def download(
    *,
    context: typer.Context,
    prefix: Prefix = None,
    replace_other: Replace = False,
    selection: Selection,
    fetching: Fetching,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Download straight into the clients' caches, with no bundle."""
    from vendorpack.commands import packing  # noqa: PLC0415

    found, options = selection.read(context)
    request = fetching.request(found, options)
    packing.download(request, Console(quiet=quiet, as_json=as_json), prefix, replace_other)


@app.command(context_settings=ROOM_OPTIONS, epilog=ROOM_HELP)
@guarded
@grouped
def key(
    *,
    context: typer.Context,
    selection: Selection,
    as_json: Json = False,
) -> None:
    """Print the lockfile hash that names the bundle. Needs no network."""
    from vendorpack.key import compute_key  # noqa: PLC0415

    found, options = selection.read(context)
    keyed = compute_key(found, options)
    console = Console(as_json=as_json)
    if as_json:
        lockfiles = [{"path": p.path, "format": p.format, "sha256": p.sha256} for p in keyed.pinned]
        console.answer_json(
            {
                "key": keyed.key,
                "lockfiles": lockfiles,
                "layouts": dict(keyed.layouts),
                "options": dict(keyed.options),
            }
        )
    else:
        console.answer(keyed.key)
