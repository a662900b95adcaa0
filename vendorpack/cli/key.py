"""From lockfiles: key, in a module of its own because nothing else shall slow it."""

from __future__ import annotations

import typer

from vendorpack.cli.app import part
from vendorpack.cli.options import Json
from vendorpack.cli.selection import Selection, lockfile_command
from vendorpack.console import Console

app = part()


@lockfile_command(app)
def key(
    *,
    context: typer.Context,
    selection: Selection,
    as_json: Json = False,
) -> None:
    """Print the lockfile hash that names the bundle. Needs no network."""
    from vendorpack.key import compute_key  # noqa: PLC0415

    keyed = compute_key(selection.read(context))
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
