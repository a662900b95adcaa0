"""sbom, provenance: what a bundle holds, for the tools of those who review it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from vendorpack.commands.using import manifest_of
from vendorpack.console import Console
from vendorpack.errors import UsageError
from vendorpack.files.pipes import is_stdout, write_small
from vendorpack.sbom.cyclonedx import cyclonedx
from vendorpack.sbom.provenance import provenance as statement_of
from vendorpack.sbom.spdx import spdx

_WRITERS: Final = {"cyclonedx": cyclonedx, "spdx": spdx}


def sbom(path: Path, form: str, output: Path, console: Console) -> None:
    """Write the bill of materials of a bundle, or of an unpacked one. Raises `UsageError`."""
    if form not in _WRITERS:
        raise UsageError(
            f"{form!r} is no form of a bill of materials", fix="--format cyclonedx, or spdx"
        )
    _write(_WRITERS[form](*manifest_of(path)), output, console)


def provenance(path: Path, output: Path, console: Console) -> None:
    """Write what a bundle, or an unpacked one, was made from."""
    _write(statement_of(*manifest_of(path)), output, console)


def _write(document: dict[str, Any], output: Path, console: Console) -> None:
    """As JSON: to standard output, or to a file that appears whole. Raises `StoreError`."""
    if is_stdout(output):
        console.answer_json(document)
        return
    text = json.dumps(document, indent=2, sort_keys=True) + "\n"
    write_small(output, text.encode("ascii"))
    console.say(f"{output}: written")
