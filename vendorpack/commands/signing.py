"""sign: who made a bundle, by an ssh key."""

from __future__ import annotations

from pathlib import Path

from vendorpack import signature
from vendorpack.bundle.reader import open_bundle
from vendorpack.commands.native import cores
from vendorpack.console import Console
from vendorpack.errors import UsageError
from vendorpack.files.pipes import STANDARD, write_small


def sign(bundle: Path, key: Path, output: Path | None, console: Console) -> None:
    """Verify a bundle, and write the signature of its id beside it."""
    if output is None:
        if bundle == STANDARD:
            raise UsageError("a bundle from standard input needs --output for its signature")
        output = signature.beside(bundle)
    with open_bundle(bundle, or_delta=True) as opened:
        opened.verify(jobs=cores())
        bundle_id = opened.id
    made = signature.sign(bundle_id, key)
    write_small(output, made)
    console.say(f"{output}: signed with {key}")
    if console.as_json:
        console.answer_json({"path": str(output), "id": bundle_id})
    else:
        console.report(f"{output} {bundle_id}")
