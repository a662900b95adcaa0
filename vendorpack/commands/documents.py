"""sbom, provenance, report: what a bundle holds, for those who review it and their tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from vendorpack.changes import changes
from vendorpack.commands.using import manifest_of
from vendorpack.console import Console
from vendorpack.errors import UsageError
from vendorpack.files.pipes import is_stdout, write_small
from vendorpack.sbom.cyclonedx import cyclonedx
from vendorpack.sbom.provenance import provenance as statement_of
from vendorpack.sbom.spdx import spdx

_WRITERS: Final = {"cyclonedx": cyclonedx, "spdx": spdx}


def sbom_of(path: Path, form: str) -> dict[str, Any]:
    """The bill of materials of a bundle, or of an unpacked one. Raises `UsageError`."""
    if form not in _WRITERS:
        raise UsageError(
            f"{form!r} is no form of a bill of materials", fix="--format cyclonedx, or spdx"
        )
    return _WRITERS[form](*manifest_of(path))


def sbom(path: Path, form: str, output: Path, console: Console) -> None:
    """Write the bill of materials."""
    _write(sbom_of(path, form), output, console)


def provenance(path: Path, output: Path, console: Console) -> None:
    """Write what a bundle, or an unpacked one, was made from."""
    _write(statement_of(*manifest_of(path)), output, console)


def report(path: Path, since: Path | None, output: Path, console: Console) -> None:
    """Write a page on a bundle, or an unpacked one, and on what changed since another.

    Raises `UsageError`.
    """
    from vendorpack.report.content import content_of  # noqa: PLC0415 - only a report takes it
    from vendorpack.report.page import render  # noqa: PLC0415

    manifest, bundle_id = manifest_of(path)
    found, old_id = None, None
    if since is not None:
        old, old_id = manifest_of(since)
        found = changes(old, manifest)
    page = render(content_of(manifest, bundle_id), found, old_id)
    if is_stdout(output):
        console.answer_lines([page])
        return
    write_small(output, page.encode())
    console.say(f"{output}: written")


def _write(document: dict[str, Any], output: Path, console: Console) -> None:
    """As JSON: to standard output, or to a file that appears whole. Raises `StoreError`."""
    if is_stdout(output):
        console.answer_json(document)
        return
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    write_small(output, text.encode("ascii"))
    console.say(f"{output}: written")
