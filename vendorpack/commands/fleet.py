"""fleet: every bundle of a plan, packed into a team's store by many processes or machines."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeAlias

from vendorpack import __version__
from vendorpack.commands.planning import Shelves
from vendorpack.console import Console
from vendorpack.dataclass import dataclass
from vendorpack.discover import Found
from vendorpack.errors import FetchError, FleetError, KeyMismatchError, UsageError, VendorpackError
from vendorpack.files.pipes import write_small
from vendorpack.fleet.runners import here, on_dask
from vendorpack.fleet.sending import parcel_of
from vendorpack.fleet.task import Outcome, Task
from vendorpack.progress import Progress, counted, human
from vendorpack.project import Host
from vendorpack.redact import redact_url
from vendorpack.report.page import load_jinja2, render_fleet

_SHOWN: Final = 10
_PLANNED: Final[Mapping[str, type]] = {"name": str, "folder": str, "key": str, "arguments": list}

Read: TypeAlias = Callable[[Sequence[str]], tuple[Sequence[Found], Sequence[Path]]]
"""Lockfiles that arguments of `pack` mean, and files with the project's options."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """How to pack a plan's bundles.

    store: the team's store that they go to; push: a repository that they go to as well. dask: the
    address of a scheduler; without one `at_once` are packed at a time here. resume: leave out what
    is there. output: the summary, as JSON; page: the same as HTML, if it is wanted.
    """

    store: str
    push: str | None
    dask: str | None
    at_once: int
    resume: bool
    output: Path
    page: Path | None

    @property
    def shelves(self) -> Shelves:
        """Where the bundles go."""
        return Shelves(self.store, self.push)


def parse_plan(text: str, where: str) -> list[Mapping[str, Any]]:
    """What `plan` printed, as lines or one array. Raises `UsageError`."""
    records: list[Any] = []
    try:
        for line in filter(str.strip, text.splitlines()):
            one = json.loads(line)
            records += one if isinstance(one, list) else [one]
    except (ValueError, RecursionError):
        records = [None]
    for record in records:
        if not isinstance(record, dict) or not all(
            isinstance(record.get(name), kind) for name, kind in _PLANNED.items()
        ):
            raise UsageError(
                "this is not what `vendorpack plan` prints",
                where=where,
                fix="Name a folder, or a file made by `vendorpack plan -r > plan.jsonl`.",
            )
    return records


def fleet(
    plan: Sequence[Mapping[str, Any]],
    faults: Sequence[VendorpackError],
    read: Read,
    how: Fleet,
    console: Console,
    host: Host,
) -> None:
    """Pack the plan's bundles, and write what came of each. Raises `FleetError` if one lacks.

    faults: of what is not in the plan for them.
    """
    started = time.monotonic()
    if how.page is not None:
        load_jinja2()  # before anything else is done
    keys = [str(record["key"]) for record in plan]
    found = how.shelves.looked_up(keys if how.resume else keys[:1], console, host)
    there = {key for key, places in found.items() if how.resume and all(places.values())}
    outcomes = [Outcome("", error.where or "", "", "failed").failed(error) for error in faults]
    for outcome in outcomes:
        _tell(outcome, console)
    outcomes += [_bundle(record) for record in plan if record["key"] in there]
    due = [record for record in plan if record["key"] not in there]
    progress = Progress(console)
    progress.start("fleet", len(due), "bundle")
    done = []
    with closing(_carried_out(due, read, how, host)) as coming:
        for outcome in coming:
            done.append(outcome)
            progress.done()
            _tell(outcome, console)
    progress.finish()
    outcomes += _kept(done, how.shelves, console, host)
    outcomes.sort(key=lambda one: (one.folder, one.key))
    summary = _summary(outcomes, how, time.monotonic() - started)
    write_small(how.output, (json.dumps(summary, indent=2, sort_keys=True) + "\n").encode())
    if how.page is not None:
        write_small(how.page, render_fleet(summary).encode())
    _conclude(summary, how.output, console)


def _bundle(record: Mapping[str, Any]) -> Outcome:
    return Outcome(record["name"], record["folder"], record["key"], "there")


def _carried_out(
    due: Sequence[Mapping[str, Any]], read: Read, how: Fleet, host: Host
) -> Generator[Outcome]:
    """Outcomes as they come. Workers are busy while lockfiles are still read here."""
    unread: list[Outcome] = []

    def tasks() -> Iterator[Task]:
        for record in due:
            try:
                yield _task(record, read, how, host)
            except VendorpackError as error:
                unread.append(_bundle(record).failed(error))

    if due:
        with closing(
            here(tasks(), how.at_once) if how.dask is None else on_dask(tasks(), how.dask)
        ) as outcomes:
            yield from outcomes
    yield from unread


def _task(record: Mapping[str, Any], read: Read, how: Fleet, host: Host) -> Task:
    """The task for a line of a plan. Raises what packing would."""
    *options, folder = record["arguments"]
    found, settings = read(record["arguments"])
    parcel = parcel_of(found, Path(folder), settings, host, abroad=how.dask is not None)
    if parcel.keyed.key != record["key"]:
        raise KeyMismatchError(
            "the lockfiles, or what is asked of them, are not those of the plan any more",
            where=f"{folder}\nplanned key {record['key']}\nkey now     {parcel.keyed.key}",
            fix="Plan again.",
        )
    return Task(
        record["name"],
        record["folder"],
        record["key"],
        parcel.files,
        parcel.place,
        tuple(options),
        how.store,
        how.push,
        parcel.artifacts,
    )


def _kept(
    outcomes: Sequence[Outcome], shelves: Shelves, console: Console, host: Host
) -> Iterator[Outcome]:
    """The outcomes; of a bundle that is not where it should have been put, that it is not.

    A worker that may only read the store packs all the same, and warns.
    """
    packed = [one.key for one in outcomes if one.state == "packed"]
    try:
        there = shelves.looked_up(packed, console, host)
    except FetchError as error:
        yield from (one.failed(error) if one.state == "packed" else one for one in outcomes)
        return
    for one in outcomes:
        lacking = [place for place, has_it in there.get(one.key, {}).items() if not has_it]
        if one.state == "packed" and lacking:
            yield one.failed(
                FetchError(
                    "it was packed, and is not there",
                    where=", ".join(lacking),
                    fix="May the workers write there? Is it the same folder for all of them?",
                )
            )
        else:
            yield one


def _tell(outcome: Outcome, console: Console) -> None:
    for warning in outcome.warnings:
        console.warn(warning, outcome.folder)
    if outcome.error is None:
        console.detail(f"{outcome.folder}: {human(outcome.size)} in {outcome.seconds:.1f} s")
    else:
        console.warn(f"not packed: {outcome.error['error']}", outcome.folder)


def _summary(outcomes: Iterable[Outcome], how: Fleet, seconds: float) -> dict[str, Any]:
    bundles = [asdict(one) for one in outcomes]
    states = Counter(one["state"] for one in bundles)
    return {
        "vendorpack": __version__,
        "store": redact_url(how.store),
        "push": how.push,
        "seconds": round(seconds, 3),
        **{state: states[state] for state in ("packed", "there", "failed")},
        **{
            name: sum(one[name] for one in bundles)
            for name in ("size", "downloaded", "bytes_downloaded")
        },
        "bundles": bundles,
    }


def _conclude(summary: Mapping[str, Any], output: Path, console: Console) -> None:
    told = (
        f"{summary['packed']} packed ({human(summary['size'])}), {summary['there']} there already, "
        f"{summary['failed']} failed; {counted(summary['downloaded'], 'artifact')} downloaded "
        f"({human(summary['bytes_downloaded'])}); {summary['seconds']:.1f} s"
    )
    console.say(f"{output}: {told}")
    if summary["failed"]:
        rows = [one for one in summary["bundles"] if one["error"] is not None]
        lines = [f"{one['folder']}: {one['error']['error']}" for one in rows[:_SHOWN]]
        raise FleetError(
            f"{summary['failed']} of {counted(len(summary['bundles']), 'bundle')} were not packed",
            where="\n".join([*lines, *(["…"] if len(rows) > _SHOWN else [])]),
            fix=f"{output} has all of it. Run it again with --resume for what lacks.",
        )
