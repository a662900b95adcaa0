"""store gc and store verify: a team's store over the years."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vendorpack.commands.sharing import open_team_store
from vendorpack.console import Console
from vendorpack.errors import IntegrityError, UsageError
from vendorpack.files.pipes import read_text
from vendorpack.model import Json
from vendorpack.progress import Progress, counted, human
from vendorpack.store import collecting
from vendorpack.store.team import open_objects

_DAY: Final = 24 * 3600
_SHOWN: Final = 10
_NOUNS: Final = {
    collecting.BUNDLES: "bundle",
    collecting.ARTIFACTS: "artifact",
    collecting.SIGNATURES: "signature",
}


def gc(url: str, keep: Sequence[Path], older_than: int, delete: bool, console: Console) -> None:
    """Say what nobody wants any more, and take it away if that is meant.

    keep: files that name the keys still wanted. older_than: days.
    """
    keys = _keys(keep)
    team, objects = open_team_store(url, console), open_objects(url)
    doomed = collecting.find_doomed(team, objects, keys, time.time() - older_than * _DAY)
    if doomed.missing:
        console.warn(
            f"{counted(len(doomed.missing), 'wanted key')} not in the store: "
            f"{', '.join(doomed.missing[:_SHOWN])}{' …' if len(doomed.missing) > _SHOWN else ''}",
            team.name,
        )
    count, size = len(doomed.objects), sum(one.size for one in doomed.objects)
    if delete:
        progress = Progress(console)
        progress.start("removing", count, "object")
        count, size = collecting.remove(team, objects, doomed, progress.done)
        progress.finish()
    parts = {noun: len(doomed.below(folder)) for folder, noun in _NOUNS.items()}
    if console.as_json:
        answer: dict[str, Json] = {
            "removed": delete,
            "objects": count,
            "size": size,
            "kept": doomed.kept,
            **{f"{noun}s": number for noun, number in parts.items()},
            "missing": [*doomed.missing],
        }
        console.answer_json(answer)
        return
    listed = ", ".join(counted(number, noun) for noun, number in parts.items() if number)
    verb = "removed" if delete else "would remove"
    console.answer(f"{verb} {listed or 'nothing'}: {human(size)} in {counted(count, 'object')}")
    if count and not delete:
        console.say("nothing was removed yet: pass --delete")


def verify(url: str, delete: bool, console: Console) -> None:
    """Read everything in the store. Raises `IntegrityError` if anything is wrong."""
    objects = open_objects(url)
    progress = Progress(console)
    total = sum(1 for folder in collecting.FOLDERS for _ in objects.listed(folder))
    progress.start("verifying", total, "object")
    wrong = []
    for one in collecting.verify(objects, progress.done):
        wrong.append(one)
        console.warn(one.why, f"{objects.url}/{one.name}")
        if delete:
            objects.remove(one.name)
    progress.finish()
    if console.as_json:
        rows: list[Json] = [{"name": one.name, "why": one.why} for one in wrong]
        console.answer_json({"objects": total, "wrong": rows, "removed": delete})
    if wrong and not delete:
        raise IntegrityError(
            f"{counted(len(wrong), 'object')} in the store are not what their names say",
            where=objects.url,
            fix="Remove them with --delete: they are put there anew when they are packed again.",
        )
    if not console.as_json:
        gone = f"; {counted(len(wrong), 'object')} removed" if wrong else ""
        console.answer(f"{counted(total, 'object')} in {objects.url}{gone}")


def _keys(files: Sequence[Path]) -> frozenset[str]:
    keys: set[str] = set()
    for path in files:
        keys.update(collecting.parse_keys(read_text(path, "file of keys"), str(path)))
    if files and not keys:
        raise UsageError(
            "no key at all is wanted",
            where=", ".join(map(str, files)),
            fix="Is that the right file? Without --keep only the age counts.",
        )
    return frozenset(keys)
