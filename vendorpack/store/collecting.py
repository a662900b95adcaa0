"""A team's store over the years: what nobody wants is removed, and what is there is verified.

::

    keys still wanted ─▶ their bundles ─▶ their artifacts ─▶ all that stays
    everything else, if it is old enough ─▶ removed: bundles, then indexes, then the bytes

Others may write meanwhile. What is younger than the age that is asked for stays, so nothing that is
being made is touched. An old artifact that nobody's bundle has may be removed in the very moment in
which a pack takes it: then that pack takes it from its registry, as if it had never been here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Final

from vendorpack.bundle.reader import open_bundle
from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest
from vendorpack.errors import BundleError, UsageError
from vendorpack.store.objects import Listed, Objects
from vendorpack.store.team import (
    INDEX_LINE,
    MAX_BUNDLE_SIZE,
    MAX_INDEX,
    TeamStore,
    blob_name,
    index_name,
)

BUNDLES: Final = "bundles/v1/"
SIGNATURES: Final = "signatures/v1/"
INDEXES: Final = "index/"
ARTIFACTS: Final = "cas/sha256/"
FOLDERS: Final = (BUNDLES, SIGNATURES, INDEXES, ARTIFACTS)
"""What there is, in the order in which it may be removed: what names before what is named."""
_BUNDLE: Final = re.compile(r"bundles/v1/([0-9a-f]{64})\.tar\.zst")
_BLOB: Final = re.compile(r"cas/sha256/[0-9a-f]{2}/([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Doomed:
    """What nobody wants. By folder of `FOLDERS`. missing: keys that are wanted and not there."""

    objects: tuple[Listed, ...]
    kept: int
    missing: tuple[str, ...]

    def below(self, folder: str) -> list[Listed]:
        """Those of one folder."""
        return [one for one in self.objects if one.name.startswith(folder)]


@dataclass(slots=True)
class _Wanted:
    """Names of objects that stay, and ids of bundles that do."""

    names: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)


def find_doomed(team: TeamStore, objects: Objects, keys: frozenset[str], before: float) -> Doomed:
    """What is older than `before` (seconds since 1970), and no wanted or younger bundle has.

    Raises `FetchError`; `BundleError` if a bundle that stays cannot be read, as nobody knows then
    what it needs.
    """
    wanted = _Wanted()
    # Before the bundles: an artifact that is listed is older than any bundle listed after it.
    others = [one for folder in FOLDERS[1:] for one in objects.listed(folder)]
    bundles = [*objects.listed(BUNDLES)]
    for one in bundles:
        match = _BUNDLE.fullmatch(one.name)
        if match is None or match[1] in keys or one.modified >= before:
            wanted.names.add(one.name)
            if match is not None:
                _add(team, one, wanted)
    everything = [*bundles, *others]
    doomed = [one for one in everything if one.modified < before and not _stays(one.name, wanted)]
    there = {match[1] for one in bundles if (match := _BUNDLE.fullmatch(one.name))}
    missing = tuple(sorted(keys - there))
    return Doomed(tuple(sorted(doomed, key=_order)), len(everything) - len(doomed), missing)


def remove(
    team: TeamStore,
    objects: Objects,
    doomed: Doomed,
    on_each: Callable[[], None],
) -> tuple[int, int]:
    """Take it away: how many objects, and their bytes. What a new bundle needs by now stays."""
    listed = {one.name for one in doomed.below(BUNDLES)}
    wanted = _Wanted()
    for one in objects.listed(BUNDLES):
        if one.name not in listed and _BUNDLE.fullmatch(one.name):
            _add(team, one, wanted)
    count = size = 0
    gone = []
    for one in doomed.objects:
        if one.name not in listed and _stays(one.name, wanted):
            continue
        objects.remove(one.name)
        gone.append(one.name)
        count, size = count + 1, size + one.size
        on_each()
    # Whoever wrote meanwhile may have named bytes that were there a moment before.
    for name in (name for name in gone if name.startswith(INDEXES)):
        if _dangles(objects, name):
            objects.remove(name)
    return count, size


def _add(team: TeamStore, one: Listed, wanted: _Wanted) -> None:
    bundle_id, manifest = team.head_of(one.name, one.size)
    wanted.ids.add(bundle_id)
    for record in manifest.head.artifacts:
        wanted.names.add(blob_name(str(record.get("sha256"))))
        digests = record.get("digests")
        for text in digests if isinstance(digests, list) else ():
            with contextlib.suppress(ValueError):
                wanted.names.add(index_name(Digest.parse(str(text))))


def _stays(name: str, wanted: _Wanted) -> bool:
    if name.startswith(SIGNATURES):
        return name.split("/")[2] in wanted.ids
    return name in wanted.names


def _order(one: Listed) -> tuple[int, str]:
    return next(n for n, folder in enumerate(FOLDERS) if one.name.startswith(folder)), one.name


def _dangles(objects: Objects, name: str) -> bool:
    line = objects.read(name, MAX_INDEX)
    match = None if line is None else INDEX_LINE.fullmatch(line)
    return match is not None and objects.size(blob_name(match[1].decode())) is None


# -- verify ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wrong:
    """An object that is not what its name says."""

    name: str
    why: str


def verify(objects: Objects, on_each: Callable[[], None]) -> Iterator[Wrong]:
    """Read everything. Raises `FetchError`."""
    sound: dict[str, int] = {}
    for one in objects.listed(ARTIFACTS):
        why = _of_blob(objects, one)
        if why:
            yield Wrong(one.name, why)
        else:
            sound[one.name] = one.size
        on_each()
    for one in objects.listed(INDEXES):
        line = objects.read(one.name, MAX_INDEX) or b""
        match = INDEX_LINE.fullmatch(line)
        if match is None:
            yield Wrong(one.name, "it names no artifact")
        elif sound.get(blob_name(match[1].decode())) != int(match[2]):
            yield Wrong(one.name, "the artifact that it names is not there, or wrong")
        on_each()
    for one in objects.listed(BUNDLES):
        why = _of_bundle(objects, one)
        if why:
            yield Wrong(one.name, why)
        on_each()


def _of_blob(objects: Objects, one: Listed) -> str:
    match = _BLOB.fullmatch(one.name)
    if match is None:
        return "it has no artifact's name"
    with tempfile.NamedTemporaryFile() as file:
        objects.save(one.name, Path(file.name), one.size)
        with open(file.name, "rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
    return "" if found == match[1] else f"its sha256 is {found}"


def _of_bundle(objects: Objects, one: Listed) -> str:
    match = _BUNDLE.fullmatch(one.name)
    if match is None:
        return "it has no bundle's name"
    with tempfile.NamedTemporaryFile(suffix=".tar.zst") as file:
        objects.save(one.name, Path(file.name), MAX_BUNDLE_SIZE)
        try:
            with open_bundle(Path(file.name)) as bundle:
                bundle.verify(jobs=1)
                key = bundle.manifest.head.key
        except BundleError as error:
            return error.what
    return "" if key == match[1] else f"it was made for key {key}"


def parse_keys(text: str, where: str) -> Iterator[str]:
    """Keys of a plan (JSON, a line or an array each), or of a list, a key a line.

    Raises `UsageError` for a line that has none.
    """
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words:
            continue
        try:
            value = json.loads(words) if words[0] in "[{" else {"key": words}
            rows: Iterable[dict[str, object]] = value if isinstance(value, list) else [value]
            keys = [str(row["key"]) for row in rows]
        except (ValueError, TypeError, KeyError, AttributeError):
            keys = [""]
        for key in keys:
            if not re.fullmatch(r"[0-9a-f]{64}", key):
                raise UsageError(
                    "this line has no key",
                    where=f"{where}:{number}",
                    fix="Give what `vendorpack plan` printed, or a key a line.",
                )
            yield key
