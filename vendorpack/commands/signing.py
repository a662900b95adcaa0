"""sign: who made a bundle, by an ssh key."""

from __future__ import annotations

from pathlib import Path

from vendorpack import signature
from vendorpack.bundle.reader import open_bundle
from vendorpack.commands.sharing import open_team_store
from vendorpack.commands.signed import keep_beside
from vendorpack.console import Console
from vendorpack.errors import SignatureError, UsageError
from vendorpack.files.pipes import STANDARD, write_small
from vendorpack.machine import cores


def sign(
    bundle: Path, key: Path, output: Path | None, team_store: str | None, console: Console
) -> None:
    """Verify a bundle, and write the signature of its id beside it, and to a team's store."""
    if output is None:
        if bundle == STANDARD:
            raise UsageError("a bundle from standard input needs --output for its signature")
        output = signature.beside(bundle)
    team = None if team_store is None else open_team_store(team_store, console)
    with open_bundle(bundle, or_delta=True) as opened:
        opened.verify(jobs=cores())
        bundle_id = opened.id
    made = signature.sign(bundle_id, key)
    write_small(output, made)
    if team is not None:
        team.give_signature(bundle_id, made)
    console.say(f"{output}: signed with {key}")
    if console.as_json:
        console.answer_json({"path": str(output), "id": bundle_id})
    else:
        console.report(f"{output} {bundle_id}")


def sign_made(
    key: Path | None,
    bundle_id: str,
    output: Path | None,
    team_store: str | None,
    console: Console,
) -> bytes | None:
    """Sign what was just made, if there is a key: beside it, and in the team's store."""
    if key is None:
        return None
    made = signature.sign(bundle_id, key)
    keep_beside(output, made, console)
    if team_store is not None:
        open_team_store(team_store, console).give_signature(bundle_id, made)
    return made


def check_key(key: Path | None) -> None:
    """See that a key is there before anything else is done. Raises `SignatureError`."""
    if key is not None and not key.is_file():
        raise SignatureError("there is no such key", where=str(key))
