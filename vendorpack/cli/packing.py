"""From lockfiles: pack, download and extras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from vendorpack.cli.app import part
from vendorpack.cli.guard import guarded
from vendorpack.cli.options import (
    IfAbsent,
    Json,
    Level,
    Output,
    Prefix,
    Quiet,
    Replace,
    Signer,
    Signers,
    SignWith,
    Source,
    Verbose,
)
from vendorpack.cli.project_file import known
from vendorpack.cli.selection import Fetching, Licensing, Selection, lockfile_command
from vendorpack.cli.surroundings import checked_output, console_beside, this_host
from vendorpack.commands import DEFAULT_OUTPUT
from vendorpack.console import Console
from vendorpack.errors import UsageError
from vendorpack.files.pipes import check_output

app = part()


@lockfile_command(app)
def pack(
    *,
    context: typer.Context,
    output: Output = None,
    oci: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR|FILE.tar",
            help="Write an OCI image layout whose only layer is the bundle; alone, no other file.",
        ),
    ] = None,
    source: Source = None,
    push_too: Annotated[
        bool, typer.Option("--push", help="Push it to --from if that did not have it.")
    ] = False,
    if_absent: IfAbsent = False,
    selection: Selection,
    fetching: Fetching,
    licensing: Licensing,
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
    sign_with: SignWith = None,
    signers: Signers = None,
    signer: Signer = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be downloaded.")
    ] = False,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Download and verify all that lockfiles pin, into one bundle."""
    from vendorpack.commands import packing, planning, signing  # noqa: PLC0415
    from vendorpack.commands.signed import trusted  # noqa: PLC0415
    from vendorpack.key import compute_key  # noqa: PLC0415

    signing.check_key(sign_with)
    found = selection.read(context)
    if output is not None or oci is None:
        output = checked_output(planning.named(output or DEFAULT_OUTPUT, found))
    if oci is not None:
        oci = planning.named(oci, found)
        check_output(oci)
    console = console_beside((output, oci), quiet=quiet, verbose=verbose, as_json=as_json)
    if if_absent and not dry_run:
        shelves = planning.Shelves(fetching.team_store, source)
        if planning.skipped(compute_key(found).key, shelves, console, this_host()):
            return
    request = replace(fetching.request(found), reuse=reuse, base=base)
    request = replace(request, sign_with=sign_with, licenses=licensing.rules())
    if dry_run:
        packing.plan(request, console)
    elif base is not None and (oci is not None or source is not None or push_too):
        raise UsageError("--base makes a delta, which is no image: leave --oci and --from out")
    elif oci is None and source is None and not push_too:
        assert output is not None
        packing.pack(request, console, output, level)
    else:
        from vendorpack.commands import images  # noqa: PLC0415

        images.pack(
            request,
            console,
            images.Wanted(output, oci, source, push_too, level, trusted(signers, signer)),
        )


@lockfile_command(app)
def download(
    *,
    context: typer.Context,
    prefix: Prefix = None,
    replace_other: Replace = False,
    selection: Selection,
    fetching: Fetching,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Download straight into the clients' caches, with no bundle."""
    from vendorpack.commands import packing  # noqa: PLC0415

    request = fetching.request(selection.read(context))
    console = Console(quiet=quiet, verbose=verbose, as_json=as_json)
    packing.download(request, console, prefix, replace_other)


@lockfile_command(app)
def extras(
    *,
    context: typer.Context,
    write: Annotated[
        bool, typer.Option("--write", help="Add the lines to the lockfile instead.")
    ] = False,
    prebuilt: Annotated[
        bool, typer.Option("--prebuilt", help="Prefer what is compiled already to its sources.")
    ] = False,
    selection: Selection,
    fetching: Fetching,
    quiet: Quiet = False,
) -> None:
    """Find what installs fetch by themselves, and print its pins."""
    from vendorpack.commands.extras import extras as find_extras  # noqa: PLC0415

    find_extras(fetching.request(selection.read(context)), Console(quiet=quiet), write, prebuilt)


@app.command()
@guarded
def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The project's folder (default: here).")
    ] = Path(),
    quiet: Quiet = False,
) -> None:
    """Write vendorpack.toml, for a project's own options."""
    from vendorpack.commands.starting import init as write_settings  # noqa: PLC0415

    write_settings(folder, known(), Console(quiet=quiet), this_host())
