"""pack and download: from lockfiles to a bundle, or to the caches at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from vendorpack import environment
from vendorpack.bundle.manifest import Head, LockfileHash, records_of
from vendorpack.bundle.plan import Base, Section
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.writer import Written, write_bundle
from vendorpack.commands import file_name
from vendorpack.commands.native import (
    describe_merged,
    describe_unpacked,
    merge_of,
    native_roots,
    say_next,
)
from vendorpack.commands.sharing import Places, open_places
from vendorpack.commands.signing import sign_made
from vendorpack.commands.storing import store_folder
from vendorpack.console import Console
from vendorpack.dataclass import dataclass
from vendorpack.discover import Found
from vendorpack.environment import ENV_NAME
from vendorpack.errors import StoreError, UsageError, VendorpackError
from vendorpack.fetch.tally import MAX_ARTIFACT_SIZE, Tally
from vendorpack.files import temporary
from vendorpack.files.disk import real_path
from vendorpack.files.pipes import placed
from vendorpack.formats import supplement
from vendorpack.gather import Gathered, choose, with_repair
from vendorpack.key import Keyed, compute_key
from vendorpack.license_rules import ANY_LICENSE, LicenseRules
from vendorpack.locked import Locked, access_of, check_locked, read_all
from vendorpack.machine import cores
from vendorpack.model import Access, Entry, Json, Need
from vendorpack.pack import (
    artifact_records,
    entries_of,
    environment_of,
    plan_record,
    side_files,
    still_allowed,
)
from vendorpack.parallel import within_descriptors
from vendorpack.policy import Policy
from vendorpack.progress import Progress, counted, human
from vendorpack.project import Host
from vendorpack.run import Run
from vendorpack.store.local import Store

if TYPE_CHECKING:
    from vendorpack.fetch.http import Client


T = TypeVar("T")

_DESCRIPTORS: Final = 4
"""Of one download: its lock, its part, its connection, and one left open for the next."""
DEFAULT_MTIME = 315619200
"""1980-01-02 UTC, in seconds. Zip files, which source builds make of what was unpacked, cannot
hold an earlier time (in any time zone): with 0 flit's builds fail."""


@dataclass(frozen=True, slots=True)
class Request:
    """What `pack` and `download` were asked for.

    git_config: whether git may read the user's configuration. reuse: an older bundle to take
    artifacts from. team_store: address of a team's store. base: the bundle that the new one shall
    be a delta on. sign_with: an ssh key to sign the bundle with. max_size: bytes
    of an artifact whose size nothing declares. licenses: which are let in.
    """

    found: Sequence[Found]
    policy: Policy
    store_dir: Path | None
    jobs: int
    host: Host
    git_config: bool = False
    reuse: Path | None = None
    team_store: str | None = None
    base: Path | None = None
    sign_with: Path | None = None
    max_size: int = MAX_ARTIFACT_SIZE
    licenses: LicenseRules = ANY_LICENSE


@dataclass(frozen=True, slots=True)
class Made:
    """A bundle that was made, or was there already.

    summary: a line on how it came to be. details: the same for machines. signature: one that came
    with it.
    """

    id: str
    key: str
    summary: str
    details: Mapping[str, Json]
    signature: bytes | None = None


def pack(request: Request, console: Console, output: Path, level: int) -> Made:
    """Write the bundle, unless the output already is the one that would be written."""
    with placed(output, file_name(output)) as path:
        made = make(request, console, path, level)
    sign_made(request.sign_with, made.id, output, request.team_store, console)
    tell(console, output, made)
    return made


def make(
    request: Request,
    console: Console,
    output: Path,
    level: int,
    elsewhere: Callable[[str, int], Made | None] = lambda key, mtime: None,
) -> Made:
    """Do what `pack` does, and say nothing yet of what came of it.

    elsewhere: may get a bundle with this key and time to `output` in another way.
    """
    started = time.monotonic()
    keyed = compute_key(request.found)
    uncompressed = output.suffix == ".tar"
    mtime = _source_date_epoch(request.host)
    base = None
    if request.base is not None:
        from vendorpack.commands.delta import read_base  # noqa: PLC0415 - brings in unpacking

        base = read_base(request.base)
    existing = _existing(output, keyed, None if uncompressed else level, mtime, request, base)
    if existing is not None:
        return Made(existing, keyed.key, "already has this key: nothing to do", {"reused": True})
    got = elsewhere(keyed.key, mtime)
    if got is not None:
        return got
    locked = read_all(request.found)
    warn_of(console, request.found, locked)
    with open_places(request.reuse, request.team_store, console) as places:
        run = run_of(request, console, places)

        def write(keyed: Keyed, gathered: Gathered) -> Written:
            run.progress.start("packing", len(gathered.artifacts), "artifact", told=False)
            return write_bundle(
                output,
                _head(keyed, gathered),
                _sections(gathered, run.store, run.progress),
                read_blob=run.store.chunks,
                level=level,
                jobs=min(request.jobs, run.cores),
                progress=run.progress.add_bytes,
                mtime=mtime,
                uncompressed=uncompressed,
                base=base,
            )

        keyed, written = _carry_out(request, run, keyed, locked, write)
        run.progress.finish()
        if places.team is not None and base is None and not uncompressed:
            given = places.team.give_bundle(keyed.key, output, written.id)
        else:
            given = False
    tally = run.tally
    return Made(
        written.id,
        keyed.key,
        f"{human(written.size)}, {counted(written.files, 'file')}{_delta_on(base, written)}; "
        f"{tally.downloaded} {places.describe(tally)}"
        f"{'; now in the team store too' if given else ''}; {time.monotonic() - started:.1f} s",
        {
            "reused": False,
            "sha256": written.sha256,
            "size": written.size,
            "downloaded": tally.downloaded,
            "bytes_downloaded": tally.bytes_downloaded,
            "from_store": tally.reused,
            **places.details(tally),
            **({} if base is None else {"base": base.id, "kept": written.kept}),
        },
    )


def _delta_on(base: Base | None, written: Written) -> str:
    if base is None:
        return ""
    return f" (a delta: {written.kept} more are in its base {base.id[:12]}…)"


def tell(
    console: Console, output: Path, made: Made, more: Mapping[str, Json] | None = None
) -> None:
    """Say what came of `make`. `more` is added to the answer for machines."""
    console.say(f"{output}: {made.summary}")
    if console.as_json:
        answer = {"path": str(output), "id": made.id, "key": made.key}
        console.answer_json({**answer, **made.details, **(more or {})})
    else:
        console.report(f"{output} {made.id}")


def plan(request: Request, console: Console) -> None:
    """Say what would be downloaded, as far as the lockfiles alone tell.

    An index is asked only where an option lets it choose.
    """
    keyed = compute_key(request.found)
    locked: Sequence[Locked] = read_all(request.found)
    warn_of(console, request.found, locked)
    policy = request.policy.trusting(access_of(locked).origins)
    check_locked(policy, locked)
    with open_places(request.reuse, request.team_store, console) as places:
        locked = choose(run_of(request, console, places), locked)
    records = [
        plan_record(artifact, item.room.name)
        for item in locked
        for artifact in item.lockfile.artifacts
    ]
    if console.as_json:
        console.answer_json({"key": keyed.key, "artifacts": records})
        return
    for record in records:
        console.answer(f"{record['name']} {record['version']}  {record['url'] or '(to be asked)'}")
    console.say(f"{counted(len(records), 'artifact')}; key {keyed.key}")


def download(request: Request, console: Console, prefix: Path | None, replace: bool) -> None:
    """Fill the native caches, or a folder, without a bundle in between."""
    from vendorpack.unpack import ways as unpacking  # noqa: PLC0415

    locked = read_all(request.found)
    keyed = compute_key(request.found)
    warn_of(console, request.found, locked)
    with open_places(request.reuse, request.team_store, console) as places:
        run = run_of(request, console, places)

        def install(keyed: Keyed, gathered: Gathered) -> str:
            run.progress.start("writing", len(gathered.artifacts), "artifact", told=False)
            sections = _sections(gathered, run.store, run.progress)
            if prefix is None:
                return describe_merged(
                    unpacking.merge_entries(
                        sections,
                        native_roots(gathered.rooms, request.host),
                        merge_of(gathered.rooms, request.host),
                        read_blob=run.store.chunks,
                        jobs=run.cores,
                        mtime=_source_date_epoch(request.host),
                        progress=run.progress.add_bytes,
                    )
                )
            return describe_unpacked(
                prefix,
                unpacking.entries_to_prefix(
                    _head(keyed, gathered),
                    sections,
                    prefix,
                    read_blob=run.store.chunks,
                    jobs=run.cores,
                    mtime=_source_date_epoch(request.host),
                    progress=run.progress.add_bytes,
                    replace=replace,
                ),
            )

        keyed, result = _carry_out(request, run, keyed, locked, install)
        run.progress.finish()
    console.say(f"{run.tally.downloaded} {places.describe(run.tally)}; {result}")
    say_next(console, prefix, sorted(keyed.layouts))
    if console.as_json:
        console.answer_json(
            {
                "key": keyed.key,
                "prefix": None if prefix is None else str(prefix),
                "downloaded": run.tally.downloaded,
                "from_store": run.tally.reused,
                **places.details(run.tally),
            }
        )


def run_of(request: Request, console: Console, places: Places) -> Run:
    """What the way of the data works with, for a request."""

    def connect(access: Access, policy: Policy) -> Client:
        from vendorpack.fetch.http import Client, Limits  # noqa: PLC0415 - a quarter second

        return Client(
            access,
            policy,
            environ=request.host.environ,
            home=request.host.home,
            limits=Limits(jobs=jobs),
            on_bytes=progress.add_bytes,
            on_retry=console.say,
        )

    progress = Progress(console)
    jobs = within_descriptors(request.jobs, _DESCRIPTORS)
    return Run(
        policy=request.policy,
        store=Store(store_folder(request.store_dir, request.host)),
        connect=connect,
        environ=request.host.environ,
        progress=progress,
        say=console.say,
        warn=console.warn,
        jobs=jobs,
        nearby=places.nearby,
        git_config=request.git_config,
        max_size=request.max_size,
        cores=cores(),
        detail=console.detail,
    )


def _carry_out(
    request: Request,
    run: Run,
    keyed: Keyed,
    locked: Sequence[Locked],
    work: Callable[[Keyed, Gathered], T],
) -> tuple[Keyed, T]:
    """Gather, write the side files that were asked for, and do the work.

    Where that wrote a side file, all is done from it, under its key: as the next run will, so to
    the same bytes.
    """

    def attempt(gathered: Gathered) -> T | None:
        if _record(gathered, run):
            return None
        for what, where in unmet_warnings(gathered.unmet):
            run.warn(what, where)
        request.licenses.check(artifact_records(gathered))
        if not gathered.artifacts:
            lockfiles = ", ".join(str(item.project.lockfile) for item in locked)
            run.warn("nothing to download is named here", lockfiles)
        return work(keyed, gathered)

    with run.store.in_use():
        result = with_repair(run, locked, attempt)
        if result is None:
            keyed = compute_key(request.found)
            again = replace(run, tally=Tally())  # all of it is in the store now
            result = with_repair(again, read_all(request.found), attempt)
    if result is None:
        raise StoreError(
            "a file that was just written beside a lockfile has changed",
            fix="Does another run write it at the same time? Run the command again.",
        )
    return keyed, result


def unmet_warnings(needs: Sequence[Need]) -> Iterator[tuple[str, str]]:
    """What to say of installations that will fail offline, and in one line of those that may."""
    sure = [(_unmet(need), need.where) for need in needs if need.is_sure and need.at_install]
    yield from dict.fromkeys(sure)
    unsure = [need for need in needs if not need.is_sure]
    if unsure:
        room = supplement()
        names = ", ".join(dict.fromkeys(f"{need.name} ({need.how})" for need in unsure))
        wheres = {need.where.partition(":")[0] for need in unsure}
        yield (
            f"what these fetch when they are installed, if anything, is not known: {names}: "
            "`vendorpack rehearse BUNDLE` shows what they reach for; of those that fetch nothing, "
            f"`{room.settling}` in {room.addition} says so",
            ", ".join(sorted(wheres)),
        )


def _unmet(need: Need) -> str:
    without = f"; to do without: {need.otherwise}" if need.otherwise else ""
    return (
        f"{need.name} fetches what is not in the bundle when it is installed ({need.how}): "
        f"`vendorpack extras --write` finds and pins it{without}"
    )


def _record(gathered: Gathered, run: Run) -> bool:
    """Write the side files that were asked for; whether any of them is new or changed."""
    changed = {
        path: content
        for named, content in sorted(side_files(gathered, run.store).items())
        if not (path := real_path(named)).is_file() or path.read_bytes() != content
    }
    for path, content in changed.items():
        temporary.write_file(path, content)
        run.say(f"{path}: written")
    return bool(changed)


def _existing(
    output: Path, keyed: Keyed, level: int | None, mtime: int, request: Request, base: Base | None
) -> str | None:
    """The id of the bundle at `output`, if it is sound and what would be written now."""
    if not output.is_file():
        return None
    try:
        with open_bundle(output, or_delta=base is not None) as bundle:
            head = bundle.manifest.head
            if (
                head.key == keyed.key
                and (bundle.trailer.level if bundle.trailer else None) == level
                and bundle.manifest.mtime == mtime
                and (bundle.delta.base if bundle.delta else None) == (base.id if base else None)
                and still_allowed(head.artifacts, request.policy)
                and not request.licenses.refused(head.artifacts)
            ):
                bundle.verify(jobs=cores())
                return bundle.id
    except VendorpackError:
        pass  # not a bundle, or a damaged one: it is written anew
    return None


def _head(keyed: Keyed, gathered: Gathered) -> Head:
    return Head(
        key=keyed.key,
        lockfiles=tuple(LockfileHash(p.path, p.format, p.sha256) for p in keyed.pinned),
        # Lockfiles that lay in artifacts may have brought more rooms in than the key names.
        layouts={name: room.layout_version for name, room in sorted(gathered.rooms.items())},
        options=keyed.options,
        artifacts=records_of(artifact_records(gathered)),
        environment=environment_of(gathered),
    )


def _sections(gathered: Gathered, store: Store, progress: Progress) -> Iterator[Section]:
    """All that goes in. The artifacts are counted as their entries pass."""
    env = environment.env_file(environment_of(gathered))
    yield Section("", False, [(Entry(ENV_NAME, env), None)])
    seen = bytearray(len(gathered.artifacts))
    for room, entries in entries_of(gathered, store):
        yield Section(room.name, room.opens_artifacts, _counted(entries, seen, progress))


def _counted(
    entries: Iterable[tuple[Entry, int | None]], seen: bytearray, progress: Progress
) -> Iterator[tuple[Entry, int | None]]:
    """seen: of each artifact whether it was."""
    for entry, number in entries:
        if number is not None and not seen[number]:
            seen[number] = True
            progress.done()
        yield entry, number


def warn_of(console: Console, found: Iterable[Found], locked: Iterable[Locked]) -> None:
    """Say what was passed over, what is left out, and what the lockfiles warn of."""
    for one in found:
        if one.passed_over:
            others = " and ".join(one.passed_over)
            console.warn(f"read, and not {others} beside it", str(one.project.lockfile))
        for other in one.set_aside:
            console.say(f"{one.project.lockfile}: read, and not {other}")
    for item in locked:
        for artifact in item.excluded:
            console.say(f"{artifact.where}: {artifact} is left out")
        for warning in item.lockfile.warnings:
            console.warn(warning.what, warning.where)


def _source_date_epoch(host: Host) -> int:
    """The modification time of every file: SOURCE_DATE_EPOCH, else `DEFAULT_MTIME`."""
    text = host.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return DEFAULT_MTIME
    if not (text.isascii() and text.isdigit() and int(text[:12]) < 8**11):
        raise UsageError(f"SOURCE_DATE_EPOCH is not a time in seconds: {text!r}")
    return int(text)
