"""What `pack` and `download` take from elsewhere: an older bundle, a team's store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vendorpack.bundle.reader import open_bundle
from vendorpack.commands import file_name
from vendorpack.commands.signed import Trusted, keep_beside
from vendorpack.console import Console
from vendorpack.dataclass import dataclass
from vendorpack.errors import BundleError, FetchError, KeyMismatchError
from vendorpack.fetch.tally import Tally
from vendorpack.files import temporary
from vendorpack.files.disk import storage_error
from vendorpack.files.pipes import placed
from vendorpack.machine import cores
from vendorpack.model import Json
from vendorpack.progress import human
from vendorpack.store.old_bundle import OldBundle

if TYPE_CHECKING:
    from vendorpack.store.nearby import Nearby
    from vendorpack.store.team import TeamStore


@dataclass(frozen=True, slots=True)
class Places:
    """What was named with --reuse and --store, if anything was."""

    old: OldBundle | None = None
    team: TeamStore | None = None

    @property
    def nearby(self) -> tuple[Nearby, ...]:
        """In the order they are asked: what is on this machine first."""
        return tuple(place for place in (self.old, self.team) if place is not None)

    def describe(self, tally: Tally) -> str:
        """Where all came from, to follow a number of artifacts: `downloaded (…), 2 from …`."""
        text = f"downloaded ({human(tally.bytes_downloaded)}), {tally.reused} from the store"
        for place in self.nearby:
            text += f", {tally.nearby.get(place.name, 0)} from {place.name}"
        if self.old is not None and not len(self.old):
            text += " (its formats open artifacts: their own bytes are not in it)"
        return text

    def details(self, tally: Tally) -> dict[str, Json]:
        """What came from these places, for machines."""
        counts: dict[str, Json] = {}
        if self.old is not None:
            counts["from_bundle"] = tally.nearby.get(self.old.name, 0)
        if self.team is not None:
            counts["from_team_store"] = tally.nearby.get(self.team.name, 0)
        return counts


@contextmanager
def open_places(reuse: Path | None, store_url: str | None, console: Console) -> Iterator[Places]:
    """Open both. An older bundle that cannot be used is reported, and no more.

    Raises `UsageError` for a store's address that cannot be used.
    """
    old: OldBundle | None = None
    team: TeamStore | None = None
    if store_url is not None:
        team = open_team_store(store_url, console)
    with ExitStack() as stack:
        if reuse is not None:
            try:
                old = OldBundle(stack.enter_context(open_bundle(reuse, or_delta=True)))
            except BundleError as error:
                console.warn(f"nothing is reused: {error.what}", str(reuse))
        yield Places(old, team)


def open_team_store(url: str, console: Console) -> TeamStore:
    """The team's store at an address. Raises `UsageError`."""
    from vendorpack.store.team import TeamStore, open_objects  # noqa: PLC0415 - seldom needed

    return TeamStore(open_objects(url), console.warn)


def store_get(url: str, key: str, output: Path, trusted: Trusted, console: Console) -> None:
    """Get the bundle for a key from a team's store, and check it, its key and its signature.

    Unlike `pack` this believes the store for what no lockfile pins: the files that layouts
    make of the artifacts.
    """
    team = open_team_store(url, console)
    with placed(output, file_name(output)) as path:
        bundle_id, size, chosen = _get(team, key, path, trusted, console)
    console.say(f"{output}: {human(size)} from {team.name}")
    signed = keep_beside(output, chosen, console)
    if console.as_json:
        answer: Mapping[str, Json] = {"path": str(output), "id": bundle_id, "key": key}
        console.answer_json({**answer, "signature": signed})
    else:
        console.report(f"{output} {bundle_id}")


def _get(
    team: TeamStore, key: str, output: Path, trusted: Trusted, console: Console
) -> tuple[str, int, bytes | None]:
    """The bundle's id, its size, and the signature that goes with it."""
    try:
        temporary.sweep(output.parent, output.name)
        path, fd = temporary.create_file(output)
    except OSError as error:
        raise storage_error(error, output) from None
    try:
        if not team.take_bundle(key, path):
            raise FetchError(
                "the team's store has no bundle with this key",
                where=f"{team.name}: {key}",
                fix="Pack the lockfiles with the same --store; it is put there then.",
            )
        with open_bundle(path) as bundle:
            bundle.verify(jobs=cores())
            if bundle.manifest.head.key != key:
                raise KeyMismatchError(
                    "the bundle in the team's store was made for another key",
                    where=f"{team.name}\nexpected {key}\nactual   {bundle.manifest.head.key}",
                    fix="Do not use it: somebody put it there under a wrong name.",
                )
            bundle_id, size = bundle.id, bundle.size
        place = f"{team.name}: {bundle_id}"
        chosen = trusted.choose(bundle_id, team.take_signatures(bundle_id), place, console)
        os.fsync(fd)
        temporary.publish(path, output)
    except OSError as error:
        raise storage_error(error, output) from None
    finally:
        temporary.remove(path)
        os.close(fd)
    return bundle_id, size, chosen
