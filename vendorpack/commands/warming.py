"""store warm: the artifacts of lockfiles, or a share of them, into a team's store."""

from __future__ import annotations

import re

from vendorpack.commands.packing import Request, run_of, warn_of
from vendorpack.commands.sharing import open_places
from vendorpack.console import Console
from vendorpack.errors import UsageError
from vendorpack.gather import Share, warm
from vendorpack.locked import read_all
from vendorpack.progress import counted


def share_of(text: str | None) -> Share:
    """What `2/5` means: the second of five shares. Raises `UsageError`."""
    if text is None:
        return Share()
    match = re.fullmatch(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})", text, re.ASCII)
    if match is None or int(match[1]) > int(match[2]):
        raise UsageError(
            f"--share is not one of several: {text!r}", fix="Write it as 1/4, 2/4, 3/4, 4/4."
        )
    return Share(int(match[1]) - 1, int(match[2]))


def store_warm(request: Request, share: Share, console: Console) -> None:
    """Fetch and verify what is not in the team's store, and put it there.

    Where `pack` would have to ask an index for more, or open an artifact, this leaves it to it.
    """
    locked = read_all(request.found)
    warn_of(console, request.found, locked)
    with open_places(request.reuse, request.team_store, console) as places:
        run = run_of(request, console, places)
        with run.store.in_use():
            warm(run, locked, share)
    tally = run.tally
    if console.as_json:
        console.answer_json(
            {
                "downloaded": tally.downloaded,
                "bytes_downloaded": tally.bytes_downloaded,
                "from_store": tally.reused,
                **places.details(tally),
            }
        )
    else:
        console.answer(f"{counted(tally.downloaded, 'artifact')} {places.describe(tally)}")
