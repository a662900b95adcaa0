"""plan and exists: which bundles there are to make, and which are there already."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from vendorpack.console import Console
from vendorpack.dataclass import dataclass
from vendorpack.discover import Found, folder_of
from vendorpack.errors import Faults, FetchError, UsageError, kept_in
from vendorpack.key import Keyed, compute_key
from vendorpack.model import Json
from vendorpack.progress import Progress
from vendorpack.project import Host
from vendorpack.settings import root_of

_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]+")
_FIELD: Final = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, slots=True)
class Planned:
    """A bundle to make: of the lockfiles of one folder."""

    folder: Path
    found: Sequence[Found]
    keyed: Keyed

    @property
    def name(self) -> str:
        """What tells it from the others of its repository, for a file or a job."""
        return name_of(self.folder)

    def record(self, arguments: Sequence[str]) -> dict[str, Json]:
        """The same for machines. arguments: of `pack`, before the folder."""
        folder = os.path.relpath(self.folder)
        lockfiles: list[Json] = [
            {"path": p.path, "format": p.format, "sha256": p.sha256} for p in self.keyed.pinned
        ]
        words = [*arguments, folder if not folder.startswith("-") else f"./{folder}"]
        return {
            "name": self.name,
            "folder": folder,
            "key": self.keyed.key,
            "lockfiles": lockfiles,
            "options": dict(self.keyed.options),
            "arguments": [*words],
            "command": shlex.join(["vendorpack", "pack", *words]),
        }


@dataclass(frozen=True, slots=True)
class Shelves:
    """Where bundles are kept for others: a team's store, a repository of a registry."""

    store: str | None
    source: str | None

    def looked_up(
        self, keys: Sequence[str], console: Console, host: Host
    ) -> dict[str, dict[str, bool]]:
        """By key, each place, as it may be shown, and whether it has the bundle.

        One small request a key and place. Raises `UsageError` if no place is named, `FetchError`.
        """
        if self.store is None and self.source is None:
            raise UsageError("where? name a store or a registry", fix="--store URL or --from REPO")
        found: dict[str, dict[str, bool]] = {key: {} for key in keys}
        if self.store is not None:
            from vendorpack.commands.sharing import open_team_store  # noqa: PLC0415

            team = open_team_store(self.store, console)
            for key, places in found.items():
                places[team.name] = team.has_bundle(key)
        if self.source is not None:
            tags = _tagged(self.source, [*found], console, host)
            for key, places in found.items():
                places[self.source] = key in tags
        return found


def _tagged(source: str, keys: Sequence[str], console: Console, host: Host) -> set[str]:
    """Those of the keys that a repository has as tags."""
    # They bring in the event loop and the HTTP client, which take a quarter second.
    from vendorpack import eventloop  # noqa: PLC0415
    from vendorpack.commands.repositories import open_repository  # noqa: PLC0415
    from vendorpack.oci.reference import parse_reference  # noqa: PLC0415

    reference = parse_reference(source)
    if reference.tag or reference.digest:
        raise UsageError("--from names a repository: the tag is the key of the lockfiles")

    async def ask() -> set[str]:
        progress = Progress(console)
        async with open_repository(reference, progress, console, host, False) as there:
            return {key for key in keys if await there.manifest(key) is not None}

    return eventloop.run(ask())


def plan(
    found: Sequence[Found],
    arguments: Callable[[Path], Sequence[str]],
    only_absent: Shelves | None,
    as_array: bool,
    console: Console,
    host: Host,
) -> None:
    """Print what to pack, a bundle a folder. arguments: what `pack` is to be told for a folder."""
    records = records_of(found, arguments)
    if only_absent is not None:
        there = only_absent.looked_up([str(one["key"]) for one in records], console, host)
        records = [one for one in records if not all(there[str(one["key"])].values())]
    console.answer_json_lines([records] if as_array else records)


def records_of(
    found: Sequence[Found],
    arguments: Callable[[Path], Sequence[str]],
    faults: Faults | None = None,
) -> list[dict[str, Json]]:
    """What to pack, as `plan` prints it. faults: takes what is wrong with single bundles."""
    return [one.record(arguments(one.folder)) for one in bundles_of(found, faults)]


def bundles_of(found: Sequence[Found], faults: Faults | None = None) -> Iterator[Planned]:
    """Bundles of one folder each, with the keys that `pack FOLDER` gives them."""
    folders: dict[Path, list[Found]] = {}
    for one in found:
        folders.setdefault(folder_of(one), []).append(one)
    for folder, own in sorted(folders.items()):
        root = _common([one.project.path.parent for one in own])
        alone = [_seen_from(root, one) for one in own]
        with kept_in(faults):
            yield Planned(folder, alone, compute_key(alone))


def _seen_from(root: Path, one: Found) -> Found:
    """The lockfile as it is found where only its own folder is named."""
    lockfile = PurePosixPath(one.project.path.relative_to(root).as_posix())
    return replace(one, project=replace(one.project, root=root, lockfile=lockfile))


def _common(paths: Sequence[Path]) -> Path:
    return Path(os.path.commonpath(paths))


def exists(keys: Sequence[str], shelves: Shelves, console: Console, host: Host) -> None:
    """Say where a bundle is. Raises `FetchError` if one of them is nowhere."""
    there = shelves.looked_up(keys, console, host)
    for key in keys:
        found = there[key]
        if not any(found.values()):
            raise FetchError(
                "there is no bundle with this key",
                where="\n".join(f"{place}: {key}" for place in found),
                status=404,
            )
        for place in (place for place, has_it in found.items() if has_it):
            console.answer(f"{place} {key}")


def skipped(key: str, shelves: Shelves, console: Console, host: Host) -> bool:
    """Whether every place has the bundle, so that it need not be made; then that is said."""
    found = shelves.looked_up([key], console, host)[key]
    if not all(found.values()):
        return False
    console.say(f"{' and '.join(found)}: there already: nothing to do")
    if console.as_json:
        console.answer_json({"key": key, "skipped": True, "places": [*found]})
    else:
        console.report(f"- {key}")
    return True


def name_of(folder: Path) -> str:
    """A folder's path in its repository, as one word; the root's own name for the root."""
    root = root_of(folder)
    path = folder.relative_to(root) if root is not None and folder != root else Path(folder.name)
    return _UNFIT.sub("-", "-".join(path.parts)).strip("-") or "deps"


def named(output: Path, found: Sequence[Found]) -> Path:
    """An output's path with `{key}` and `{name}` filled in. Raises `UsageError` for others."""
    text = str(output)
    fields = set(_FIELD.findall(text))
    if not fields:
        return output
    unknown = sorted(fields - {"key", "name"})
    if unknown:
        raise UsageError(
            f"an output's name has no {{{unknown[0]}}}", where=text, fix="Use {key} or {name}."
        )
    root = _common([folder_of(one) for one in found])
    values: Mapping[str, str] = {"key": compute_key(found).key, "name": name_of(root)}
    return Path(_FIELD.sub(lambda match: values[match[1]], text))
