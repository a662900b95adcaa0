"""For whoever approves a bundle: sbom, provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vendorpack.cli.app import app
from vendorpack.cli.guard import guarded
from vendorpack.cli.options import BundleOrFolder, Quiet
from vendorpack.cli.surroundings import checked_document
from vendorpack.console import Console

Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="Default: standard output.")
]


@app.command()
@guarded
def sbom(
    bundle: BundleOrFolder,
    form: Annotated[str, typer.Option("--format", help="cyclonedx (1.6) or spdx (2.3).")] = (
        "cyclonedx"
    ),
    output: Output = Path("-"),
    quiet: Quiet = False,
) -> None:
    """Write a bundle's bill of materials, as JSON."""
    from vendorpack.commands import documents  # noqa: PLC0415

    documents.sbom(bundle, form, checked_document(output, "deps.cdx.json"), Console(quiet=quiet))


@app.command()
@guarded
def provenance(bundle: BundleOrFolder, output: Output = Path("-"), quiet: Quiet = False) -> None:
    """Write what a bundle was made from: SLSA, in-toto."""
    from vendorpack.commands import documents  # noqa: PLC0415

    output = checked_document(output, "deps.intoto.json")
    documents.provenance(bundle, output, Console(quiet=quiet))
