"""With a bundle at hand: unpack, verify, sign, show, diff, env, run …; and the formats."""

from __future__ import annotations

from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Annotated

import typer

from vendorpack.cli import completion
from vendorpack.cli.app import part
from vendorpack.cli.groups import grouped
from vendorpack.cli.guard import guarded
from vendorpack.cli.options import (
    BundleFile,
    BundleOrFolder,
    Json,
    Prefix,
    Quiet,
    Replace,
    Serve,
    TeamStore,
)
from vendorpack.cli.selection import Expecting, Licensing
from vendorpack.cli.surroundings import checked_document, console_beside, this_host
from vendorpack.console import Console
from vendorpack.errors import UsageError

app = part()


@app.command()
@guarded
@grouped
def unpack(
    *,
    bundle: BundleFile,
    prefix: Prefix = None,
    replace: Replace = False,
    base: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE", help="For a delta: the bundle that has the rest."),
    ] = None,
    expecting: Expecting,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Processes.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Verify a bundle and put its files where clients find them."""
    from vendorpack.commands import using  # noqa: PLC0415

    console = Console(quiet=quiet, as_json=as_json)
    using.unpack(bundle, prefix, replace, base, expecting.expected(), jobs, console, this_host())


@app.command()
@guarded
@grouped
def verify(
    *,
    bundle: BundleOrFolder,
    expecting: Expecting,
    licensing: Licensing,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check every byte of a bundle, or of an unpacked one."""
    from vendorpack.commands import using  # noqa: PLC0415

    console = Console(quiet=quiet, as_json=as_json)
    using.verify(bundle, expecting.expected(), licensing.rules(), console, this_host())


@app.command()
@guarded
def sign(
    bundle: BundleFile,
    key: Annotated[
        Path,
        typer.Option(
            "--key", "-k", metavar="FILE", help="An ssh key, or the public one of an agent's."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Default: the bundle's name and .sig."),
    ] = None,
    team_store: TeamStore = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Verify a bundle and sign it with an ssh key.

    It is what `ssh-keygen -Y sign` makes of the bundle's id.
    """
    from vendorpack.commands import signing  # noqa: PLC0415

    if output is not None:
        checked_document(output, "deps.tar.zst.sig")
    console = console_beside([output], quiet=quiet, as_json=as_json)
    signing.sign(bundle, key, output, team_store, console)


@app.command()
@guarded
def show(
    bundle: BundleOrFolder,
    files: Annotated[bool, typer.Option("--files", help="List the files as well.")] = False,
    sums: Annotated[
        bool, typer.Option("--sums", help="Only lines for sha256sum -c in the unpacked folder.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List what is in a bundle."""
    from vendorpack.commands import using  # noqa: PLC0415

    if sums:
        if files or as_json:
            raise UsageError("--sums stands alone", fix="Leave --files and --json out.")
        using.show_sums(bundle, Console())
        return
    using.show(bundle, files, Console(as_json=as_json))


@app.command()
@guarded
def diff(
    old: BundleOrFolder,
    new: BundleOrFolder,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As a table for a pull request's comment.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List packages added, removed or changed between two bundles."""
    from vendorpack.commands import delta  # noqa: PLC0415

    if markdown and as_json:
        raise UsageError("--markdown and --json are two forms", fix="Leave one of them out.")
    delta.diff(old, new, markdown, Console(as_json=as_json))


@app.command()
@guarded
def env(
    bundle: BundleOrFolder,
    shell: Annotated[
        str,
        typer.Option(
            help="sh, csh, fish, nu, pwsh, cmd, dockerfile, env-file (docker's), github, gitlab "
            "or json.",
            autocompletion=completion.shells,
        ),
    ] = "sh",
    prefix: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Where the bundle will lie, in an image or on another machine."
        ),
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Print what takes them back, as far as they are set.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the variables that the ordinary install command needs.

    For a folder: to use it where it lies. For a bundle: after `vendorpack unpack` has put it
    into the clients' own caches. With --prefix: to use either in that folder.
    """
    from vendorpack.commands import using  # noqa: PLC0415

    place = None if prefix is None else _pure(prefix)
    console = Console(as_json=as_json)
    using.env(bundle, "json" if as_json else shell, place, undo, console, this_host())


def _pure(path: str) -> PurePath:
    """A path of another machine, which runs Windows if the path begins with a drive."""
    windows = PureWindowsPath(path)
    return windows if windows.drive else PurePosixPath(path)


@app.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
@guarded
@grouped
def run(
    *,
    bundle: BundleFile,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What to run.")],
    expecting: Expecting,
    serve: Serve = False,
    quiet: Quiet = False,
) -> None:
    """Unpack a bundle to a cache and run a command with it."""
    from vendorpack.commands import running  # noqa: PLC0415

    code = running.run(
        bundle, command, expecting.expected(), serve, Console(quiet=quiet), this_host()
    )
    if code:
        raise typer.Exit(code)


@app.command()
@guarded
def rehearse(
    bundle: BundleOrFolder,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND...]", help="Default: the format's install command."),
    ] = None,
    environ: Annotated[
        list[str] | None,
        typer.Option(
            "--env", metavar="NAME[=VALUE]", help="Pass this variable to it too (repeatable)."
        ),
    ] = None,
    serve: Serve = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the install without a network, and say what it lacks.

    It runs in a copy of the project, with an empty home and without a network. Linux.
    """
    from vendorpack.commands import rehearsing  # noqa: PLC0415

    console = Console(quiet=quiet, as_json=as_json)
    code = rehearsing.rehearse(bundle, command or [], environ or [], serve, console, this_host())
    if code:
        raise typer.Exit(code)


@app.command()
@guarded
def doctor(
    bundle: BundleOrFolder,
    project: Annotated[
        Path, typer.Option(metavar="DIR", help="The project to be installed (default: here).")
    ] = Path(),
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what an install takes, and whether it is on this machine.

    It writes nothing and asks no network; clients are asked for their versions.
    """
    from vendorpack.commands import doctoring  # noqa: PLC0415

    code = doctoring.doctor(bundle, project, Console(quiet=quiet, as_json=as_json), this_host())
    if code:
        raise typer.Exit(code)


@app.command("formats")
@guarded
def formats(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[FORMAT]", help="Only this one.", autocompletion=completion.formats
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the formats, or the options that one of them has."""
    from vendorpack.commands.formats import list_formats, show_format  # noqa: PLC0415

    console = Console(as_json=as_json)
    if name is None:
        list_formats(console)
    else:
        show_format(name, console)
