"""For whoever approves a bundle: sbom, provenance, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vendorpack.cli.app import part
from vendorpack.cli.guard import guarded
from vendorpack.cli.options import BundleOrFolder, Quiet
from vendorpack.cli.surroundings import checked_document
from vendorpack.console import Console

app = part()

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


@app.command()
@guarded
def report(
    bundle: BundleOrFolder,
    since: Annotated[
        Path | None,
        typer.Option(metavar="BUNDLE|DIR", help="Say what changed since this one."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE")] = Path("report.html"),
    quiet: Quiet = False,
) -> None:
    """Write a page on a bundle for whoever approves it.

    It is one file that loads nothing from anywhere. It takes jinja2: vendorpack[report].
    """
    from vendorpack.commands import documents  # noqa: PLC0415

    output = checked_document(output, "report.html")
    documents.report(bundle, since, output, Console(quiet=quiet))
