"""The program: what the commands are hung on, and what comes before a command."""

from __future__ import annotations

from typing import Annotated

import typer

from vendorpack import __version__

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Download, verify and pack every dependency that a lockfile names into one "
    "deterministic bundle, which unpacks into the package managers' own caches.",
)
store_app = typer.Typer(
    no_args_is_help=True, help="The local store of verified artifacts.", rich_markup_mode=None
)
app.add_typer(store_app, name="store")


@app.callback(invoke_without_command=True)
def options_of_all(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """What comes before a command."""
    if version:
        typer.echo(f"vendorpack {__version__}")
        raise typer.Exit
