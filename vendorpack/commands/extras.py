"""extras: what installs fetch by themselves, as lines of the lockfile that pins such files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from vendorpack import eventloop
from vendorpack.commands.packing import Request, run_of, unmet_warnings
from vendorpack.commands.sharing import open_places
from vendorpack.console import Console
from vendorpack.digest import Digest, Integrity
from vendorpack.discover import folder_of
from vendorpack.errors import FetchError, PolicyError, VendorpackError
from vendorpack.files import temporary
from vendorpack.files.disk import real_path
from vendorpack.formats import supplement
from vendorpack.gather import Gathered, gather, with_repair
from vendorpack.locked import Locked, read_all
from vendorpack.model import Artifact, Need, Options, Wanted
from vendorpack.progress import counted
from vendorpack.project import Host, Project
from vendorpack.room import Supplement
from vendorpack.run import Run


def extras(request: Request, console: Console, write: bool, prebuilt: bool) -> None:
    """Print the lines that the lockfile of extras lacks, or write them into it.

    A hash comes from inside the needing package if that has one; else the file is fetched, and its
    hash recorded, which the line says. prebuilt: of several files that would do the last one that
    has an address, not the first.

    Raises `FetchError`, once all else is printed or written, if a file could not be fetched.
    """
    room = supplement()
    locked = read_all(request.found)
    folder = Path(os.path.commonpath([folder_of(one) for one in request.found]))
    path = folder / room.addition
    with open_places(request.reuse, request.team_store, console) as places:
        run = run_of(request, console, places)

        def unmet(gathered: Gathered) -> tuple[Need, ...]:
            return gathered.unmet

        with run.store.in_use():
            needs = with_repair(run, locked, unmet)
            found = _chosen(needs, prebuilt, console)
            if not found:
                console.say("nothing to add that has an address")
                return
            files = room.pins([*found]).artifacts
            recorded, failed = eventloop.run(_recorded(run, room, folder, request.host, files))
            run.progress.finish()
    lines = [
        (recorded.get(file, file), _comment(found, file)) for file in files if file not in failed
    ]
    for file, error in failed.items():
        console.warn(f"not reached: {_comment_of(found, file)}: {error.what}", file.url or "")
    if write and lines:
        text = path.read_bytes() if path.is_file() else None
        temporary.write_file(real_path(path), room.added(text, lines))
        console.say(f"{path}: {counted(len(lines), 'file')} added")
    elif lines:
        console.answer(room.added(None, lines).decode().rstrip("\n"))
    if failed:
        raise FetchError(
            f"{counted(len(failed), 'file')} could not be fetched, so that nothing says their hash",
            fix="Run it again where their hosts are reached, or write the lines yourself.",
        )


def _chosen(needs: Sequence[Need], prebuilt: bool, console: Console) -> dict[Wanted, list[Need]]:
    """One file for each need; what nothing is known of is warned of."""
    unsure = [need for need in needs if not need.is_sure]
    for what, where in unmet_warnings(unsure):
        console.warn(what, where)
    found: dict[Wanted, list[Need]] = {}
    for need in needs:
        if need in unsure:
            continue
        known = [one for one in need.any_of if one.url is not None]
        if known:
            found.setdefault(known[-1 if prebuilt else 0], []).append(need)
        else:
            console.warn(_unknown(need), need.where)
    return found


def _unknown(need: Need) -> str:
    wanted = " or ".join(one.pattern for one in need.any_of) or "something"
    return (
        f"{need.name} fetches {wanted} ({need.how}), and nothing in it says from where: name the "
        "address in the lockfile yourself"
    )


async def _recorded(
    run: Run, room: Supplement, folder: Path, host: Host, files: Sequence[Artifact]
) -> tuple[dict[Artifact, Artifact], dict[Artifact, VendorpackError]]:
    """Those that have no hash yet, with the one of what is sent now; and those that are not sent.

    Each is asked for on its own, all at once.
    """
    unknown = [file for file in files if not file.integrity]
    lenient = replace(run.policy, allow_missing_hash=("*",))
    project = Project(folder, PurePosixPath(room.addition), host)

    async def hash_of(file: Artifact) -> str:
        locked = Locked(room, project, room.pins([Wanted("", file.url)]), Options())
        gathered = await gather(replace(run, policy=lenient), [locked])
        return gathered.packed[room.name][0].blob.sha256

    found = await asyncio.gather(*map(hash_of, unknown), return_exceptions=True)
    recorded: dict[Artifact, Artifact] = {}
    failed: dict[Artifact, VendorpackError] = {}
    for file, one in zip(unknown, found, strict=True):
        if isinstance(one, FetchError | PolicyError):
            failed[file] = one
        elif isinstance(one, BaseException):
            raise one
        else:
            integrity = Integrity.of([Digest.from_hex("sha256", one)])
            recorded[file] = replace(file, integrity=integrity)
    return recorded, failed


def _comment(found: Mapping[Wanted, Sequence[Need]], file: Artifact) -> str:
    """For whom a file is, and whose word its hash is."""
    word = (
        "the hash is the package's own"
        if file.integrity
        else "the hash is of what was sent first: compare it with the publisher's"
    )
    return f"{_comment_of(found, file)}; {word}"


def _comment_of(found: Mapping[Wanted, Sequence[Need]], file: Artifact) -> str:
    of_it = [n.name for w, needs in found.items() if w.url == file.url for n in needs]
    return f"for {', '.join(of_it)}"
