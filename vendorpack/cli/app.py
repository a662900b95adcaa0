"""The program: where its commands are, and what comes before a command."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_group

from vendorpack import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULES: Final[Mapping[str, str]] = {
    command: module
    for module, commands in {
        "packing": ("pack", "download", "extras", "init"),
        "planning": ("plan", "exists"),
        "fleet": ("fleet",),
        "key": ("key",),
        "bundles": (
            *("unpack", "verify", "sign", "show", "diff", "env", "run"),
            *("rehearse", "doctor", "formats"),
        ),
        "reviewing": ("sbom", "provenance", "report"),
        "sharing": ("push", "pull", "store"),
        "manual": ("man",),
    }.items()
    for command in commands
}
"""Each command's module below `vendorpack.cli`, in the order of the help."""


class Commands(TyperGroup):
    """The commands, each loaded when it is asked for: `key` does not wait for the others."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all of them."""
        return list(MODULES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; of one that there is not, all are loaded, to propose one."""
        modules = {MODULES[cmd_name]} if cmd_name in MODULES else {*MODULES.values()}
        for module in modules if cmd_name not in self.commands else ():
            part = importlib.import_module(f"vendorpack.cli.{module}").app
            self.commands.update(get_group(part).commands)
        return super().get_command(ctx, cmd_name)


def part(text: str | None = None) -> typer.Typer:
    """What a module hangs its commands on. `text`: the help of a command that has commands."""
    return typer.Typer(no_args_is_help=True, help=text, rich_markup_mode=None)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Download, verify and pack every dependency that a lockfile names into one "
    "deterministic bundle, which unpacks into the package managers' own caches.",
)


@app.callback(invoke_without_command=True)
def options_of_all(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """What comes before a command."""
    if version:
        typer.echo(f"vendorpack {__version__}")
        raise typer.Exit
