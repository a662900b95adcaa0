"""With a bundle at hand: unpack, verify, sign, show, diff, env, run; and what formats there are."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from vendorpack.cli.app import app
from vendorpack.cli.guard import guarded
from vendorpack.cli.options import (
    BundleFile,
    BundleOrFolder,
    ExpectKey,
    ForLockfile,
    Json,
    Prefix,
    Quiet,
    Replace,
    SignatureFile,
    Signer,
    Signers,
)
from vendorpack.cli.surroundings import checked_document, console_beside, this_host
from vendorpack.console import Console
from vendorpack.errors import UsageError


@app.command()
@guarded
def unpack(
    bundle: BundleFile,
    prefix: Prefix = None,
    replace: Replace = False,
    base: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE", help="For a delta: the bundle that has the rest."),
    ] = None,
    expect_key: ExpectKey = None,
    lockfile: ForLockfile = None,
    signers: Signers = None,
    signer: Signer = None,
    signature: SignatureFile = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Processes.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Verify a bundle and put its files where clients find them."""
    from vendorpack.commands import using  # noqa: PLC0415

    expected = using.Expected(expect_key, tuple(lockfile or ()), signers, signer, signature)
    console = Console(quiet=quiet, as_json=as_json)
    using.unpack(bundle, prefix, replace, base, expected, jobs, console, this_host())


@app.command()
@guarded
def verify(
    bundle: BundleOrFolder,
    expect_key: ExpectKey = None,
    lockfile: ForLockfile = None,
    signers: Signers = None,
    signer: Signer = None,
    signature: SignatureFile = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check every byte of a bundle, or of an unpacked one."""
    from vendorpack.commands import using  # noqa: PLC0415

    expected = using.Expected(expect_key, tuple(lockfile or ()), signers, signer, signature)
    using.verify(bundle, expected, Console(quiet=quiet, as_json=as_json), this_host())


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
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Verify a bundle and sign it with an ssh key.

    It is what `ssh-keygen -Y sign` makes of the bundle's id.
    """
    from vendorpack.commands import signing  # noqa: PLC0415

    if output is not None:
        checked_document(output, "deps.tar.zst.sig")
    signing.sign(bundle, key, output, console_beside([output], quiet=quiet, as_json=as_json))


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
            help="sh, csh, fish, pwsh, dockerfile, env-file (docker's), github, gitlab or json."
        ),
    ] = "sh",
    prefix: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Where the bundle will lie, in an image or on another machine."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the variables that the ordinary install command needs.

    For a folder: to use it where it lies. For a bundle: after `vendorpack unpack` has put it
    into the clients' own caches. With --prefix: to use either in that folder.
    """
    from vendorpack.commands import using  # noqa: PLC0415

    place = None if prefix is None else PurePosixPath(prefix)
    console = Console(as_json=as_json)
    using.env(bundle, "json" if as_json else shell, place, console, this_host())


@app.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
@guarded
def run(
    bundle: BundleFile,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What to run.")],
    expect_key: ExpectKey = None,
    lockfile: ForLockfile = None,
    signers: Signers = None,
    signer: Signer = None,
    signature: SignatureFile = None,
    quiet: Quiet = False,
) -> None:
    """Unpack a bundle to a cache and run a command with it."""
    from vendorpack.commands import using  # noqa: PLC0415

    expected = using.Expected(expect_key, tuple(lockfile or ()), signers, signer, signature)
    using.run(bundle, command, expected, Console(quiet=quiet), this_host())


@app.command("formats")
@guarded
def formats(
    name: Annotated[str | None, typer.Argument(metavar="[FORMAT]", help="Only this one.")] = None,
    as_json: Json = False,
) -> None:
    """List the formats, or the options that one of them has."""
    from vendorpack.commands.formats import list_formats, show_format  # noqa: PLC0415

    console = Console(as_json=as_json)
    if name is None:
        list_formats(console)
    else:
        show_format(name, console)
