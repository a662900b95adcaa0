"""From lockfiles to verified artifacts: the way of the data up to where it is written.

::

    discover ─▶ read ─▶ locate ─▶ fetch ─▶ expand ─▶ layout ─▶ bundle

`locked.read_all` is pure; `gather` is the only part that uses the network; `pack.entries_of` is
lazy, so that a bundle of any size passes through without being held.
"""

from __future__ import annotations

import contextlib
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import field, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import BlobLost, FetchError
from vendorpack.exclude import without
from vendorpack.fetch.lfs import pointed_sizes
from vendorpack.fetch.tally import by_source, is_commit
from vendorpack.formats import load, room_of_lockfile
from vendorpack.graph import merged_graph
from vendorpack.licenses import licensed
from vendorpack.locked import Locked, access_of, check_locked, identity, merged
from vendorpack.model import (
    Artifact,
    Brought,
    Graph,
    InnerLockfile,
    Lockfile,
    Need,
    Options,
    Packed,
    Wanted,
    Warning,
)
from vendorpack.network import Network
from vendorpack.parallel import Workers
from vendorpack.progress import Progress
from vendorpack.project import Project
from vendorpack.redact import redact_url
from vendorpack.room import Format, Index
from vendorpack.run import Run
from vendorpack.store.local import Store
from vendorpack.workshop import LocalWorkshop

if TYPE_CHECKING:
    from vendorpack.fetch.artifacts import Fetcher

T = TypeVar("T")
R = TypeVar("R")

_NEARBY_THREADS: Final = 32
_MANY: Final = 100
"""Artifacts that threads look up and store before processes could have begun to."""
_TICK: Final = 5.0
"""Seconds between looks at the clock while nothing comes."""
_RETRIES: Final = 3
"""How often a damaged store is mended by fetching anew before we give up."""


@dataclass(frozen=True, slots=True)
class Share:
    """One of several equal parts of what is to be fetched: `number`, from 0, `of` so many."""

    number: int = 0
    of: int = 1


@dataclass(frozen=True, slots=True)
class Gathered:
    """Every artifact, verified and in the store, by format in name order.

    located: the lockfiles, with what the indexes added.
    unmet: what installations fetch by themselves, and no artifact here is.
    graphs: which of a format's artifacts ask for which, where the lockfiles say it.
    """

    packed: Mapping[str, tuple[Packed, ...]]
    rooms: Mapping[str, Format]
    located: tuple[Locked, ...]
    unmet: tuple[Need, ...] = ()
    graphs: Mapping[str, Graph | None] = field(default_factory=dict)

    @property
    def artifacts(self) -> tuple[Packed, ...]:
        """All of them in the order of the manifest."""
        return tuple(p for name in sorted(self.packed) for p in self.packed[name])


def choose(run: Run, locked: Sequence[Locked]) -> tuple[Locked, ...]:
    """The lockfiles, with what is packed of those that only an index can tell it of."""

    async def asked(due: Sequence[Locked]) -> tuple[Locked, ...]:
        async with contextlib.AsyncExitStack() as stack:
            return await _locate(run, due, Network(run, access_of(due), stack))

    due = [item for item in locked if item.room.asks_to_choose(item.options)]
    if not due:
        return tuple(locked)
    from vendorpack import eventloop  # noqa: PLC0415 - as in `_fetching`

    chosen = iter(eventloop.run(asked(due)))
    return tuple(next(chosen) if item in due else item for item in locked)


@contextlib.asynccontextmanager
async def _fetching(
    run: Run, locked: Sequence[Locked]
) -> AsyncIterator[tuple[tuple[Locked, ...], Network, Fetcher]]:
    """The lockfiles with what the indexes add, and what fetches for them.

    Raises `PolicyError` for what the lockfiles alone decide.
    """
    import asyncio  # noqa: PLC0415 - a pack that has nothing to do needs none of this

    from vendorpack.fetch.artifacts import Fetcher  # noqa: PLC0415

    access = access_of(locked)
    check_locked(run.policy.trusting(access.origins), locked)
    async with contextlib.AsyncExitStack() as stack:
        net = Network(run, access, stack)
        located = await _locate(run, locked, net)
        # An index may say that its artifacts lie elsewhere, and want its token there too.
        net.grant(access_of(located))
        fetcher = Fetcher(
            run.store,
            net.client,
            net.commit,
            net.export,
            lambda artifact: _arrived(run, artifact),
            run.tally,
            jobs=run.jobs,
            max_size=run.max_size,
            workers=run.workers or Workers(run.cores, fork=False),
            nearby=run.nearby,
            warn=run.warn,
        )
        if run.nearby:
            # They wait for a file system or a network, one thread each.
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

            threads = ThreadPoolExecutor(_NEARBY_THREADS, "nearby")
            asyncio.get_running_loop().set_default_executor(threads)
        yield located, net, fetcher


async def gather(run: Run, locked: Sequence[Locked]) -> Gathered:
    """Locate, check against the policy, fetch and expand until nothing is missing."""
    rooms = {item.room.name: item.room for item in locked}
    async with _fetching(run, locked) as (located, net, fetcher):
        workshop = LocalWorkshop(run.store)
        every, inner, told = list(located), set[InnerLockfile](), set[Warning]()
        have: dict[str, dict[Hashable, Packed]] = {name: {} for name in rooms}
        due = list(rooms.values())
        while due:
            room = due.pop(0)
            own = [item for item in every if item.room is room]
            lockfiles = [item.lockfile for item in own]
            brought = await _complete(run, room, lockfiles, have[room.name], fetcher, workshop, net)
            for thing in brought:
                if isinstance(thing, Warning) and thing not in told:
                    told.add(thing)
                    run.warn(thing.what, thing.where)
            lay = dict.fromkeys(thing for thing in brought if isinstance(thing, InnerLockfile))
            asked: list[Options] = []
            for item in own:
                if item.options not in asked:
                    asked.append(item.options)
            found = [
                _read_inner(run, one, locked[0].project, options)
                for one in lay
                if one not in inner
                for options in asked
            ]
            inner.update(lay)
            net.grant(access_of((*every, *found)))
            for item in await _locate(run, found, net):
                every.append(item)
                net.grant(access_of(every))
                rooms.setdefault(item.room.name, item.room)
                have.setdefault(item.room.name, {})
                if item.room not in due:
                    due.append(item.room)
    packed = {name: _in_name_order(known) for name, known in have.items()}
    for name, items in packed.items():
        _warn_of_pointers(run, rooms[name], items)
    said = [(item.room, item.lockfile.graph) for item in located]
    for item in every[len(located) :]:
        # What a lockfile in an artifact asks for, the project does not.
        said.append((item.room, replace(item.lockfile.graph or Graph(), direct=frozenset())))
    graphs = {
        name: merged_graph(graph for of, graph in said if of is room)
        for name, room in rooms.items()
    }
    return Gathered(packed, rooms, located, _unmet(run, located, packed), graphs)


def _arrived(run: Run, artifact: Artifact) -> None:
    run.progress.done()
    run.detail(f"{artifact}: {', '.join(map(redact_url, artifact.sources[:1]))}")


def _unmet(
    run: Run, located: Sequence[Locked], packed: Mapping[str, tuple[Packed, ...]]
) -> tuple[Need, ...]:
    """The needs of all lockfiles that no artifact serves, by its address; each once.

    Without those of packages that are settled.
    """
    paths = {
        urlsplit(url).path
        for every in packed.values()
        for one in every
        if (url := one.artifact.url) is not None
    }
    settled = frozenset().union(*(item.lockfile.settled for item in located))
    found: dict[tuple[str, tuple[Wanted, ...]], Need] = {}
    for item in located:
        here = {identity(a) for a in item.lockfile.artifacts}
        own = [one for one in packed[item.room.name] if identity(one.artifact) in here]
        for need in item.room.needs(item.project, own, item.options, LocalWorkshop(run.store)):
            if need.name.rpartition(" ")[0] in settled:
                continue
            if not any(_serves(path, wanted) for wanted in need.any_of for path in paths):
                found.setdefault((need.name, need.any_of), need)
    return tuple(found.values())


def _serves(path: str, wanted: Wanted) -> bool:
    if "/" in wanted.pattern:
        return fnmatchcase(path, f"*/{wanted.pattern}")
    return fnmatchcase(path.rpartition("/")[2], wanted.pattern)


async def _complete(
    run: Run,
    room: Format,
    lockfiles: Sequence[Lockfile],
    known: dict[Hashable, Packed],
    fetcher: Fetcher,
    workshop: LocalWorkshop,
    net: Network,
) -> Sequence[Brought]:
    """Fetch and expand until the room wants nothing more; what it brought at last.

    known: what is packed by its `identity`; it gets what is fetched.
    """
    wanted = [a for lockfile in lockfiles for a in lockfile.artifacts]
    gone: dict[Artifact, FetchError] | None = {} if room.spares else None
    while True:
        more = [a for a in merged(wanted) if identity(a) not in known]
        if more:
            for one in await _fetched(run, room, more, gone, fetcher, net):
                known[identity(one.artifact)] = one
        packed = _in_name_order(known)
        if gone:
            _leave_out(run, room, lockfiles, gone, packed, workshop)
            gone.clear()
        # A lockfile that names nothing may still be of a project that is built.
        brought = [
            thing
            for lockfile in lockfiles
            for thing in await room.expand(lockfile, packed, workshop, net)
        ]
        wanted = [thing for thing in brought if isinstance(thing, Artifact)]
        if all(identity(a) in known for a in wanted):
            return brought


async def _fetched(
    run: Run,
    room: Format,
    artifacts: Sequence[Artifact],
    gone: dict[Artifact, FetchError] | None,
    fetcher: Fetcher,
    net: Network,
) -> Sequence[Packed]:
    """What the policy lets in of them: all, or it raises."""
    net.policy.check_hosts(artifacts)
    net.policy.check_hashes(artifacts)
    run.progress.start(f"{room.title}: fetching", len(artifacts), "artifact")
    packed = await _with_ticks(fetcher.fetch(artifacts, room, gone), run.progress)
    run.progress.finish()
    return packed


async def _with_ticks(work: Coroutine[Any, Any, T], progress: Progress) -> T:
    """Wait for the work, and let the progress be seen though no byte comes."""
    import asyncio  # noqa: PLC0415 - as in `_fetching`

    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=_TICK))[0]:
            progress.tick()
    finally:
        task.cancel()
    return task.result()


def _leave_out(
    run: Run,
    room: Format,
    lockfiles: Sequence[Lockfile],
    gone: Mapping[Artifact, FetchError],
    packed: Sequence[Packed],
    workshop: LocalWorkshop,
) -> None:
    """Warn of what is not to be had and not needed; raise the error of anything else."""
    for artifact, error in gone.items():
        reasons = [
            room.spared(lockfile, artifact, packed, workshop)
            for lockfile in lockfiles
            if identity(artifact) in map(identity, lockfile.artifacts)
        ]
        if not reasons or not all(reasons):
            raise error
        run.warn(f"{artifact} is not to be had and is left out: {reasons[0]}", artifact.where)


def _warn_of_pointers(run: Run, room: Format, packed: Iterable[Packed]) -> None:
    """Name the commits that have files in git-lfs, which are not fetched."""
    commits = [one for one in packed if any(map(is_commit, one.artifact.sources))]
    for one in commits if not room.exports else ():
        with run.store.open(one.blob) as file:
            sizes = pointed_sizes(file)
        if sizes:
            files = "a file" if len(sizes) == 1 else f"{len(sizes)} files"
            run.warn(
                f"{one.artifact} has {files} ({sum(sizes):,} bytes) in git-lfs, and the bundle has "
                "the pointers only; where git-lfs is set up, set GIT_LFS_SKIP_SMUDGE=1, or it "
                "asks its server. If they are needed, let the repository hold them itself",
                one.artifact.where,
            )


def _read_inner(run: Run, inner: InnerLockfile, project: Project, options: Options) -> Locked:
    """A lockfile that lies in an artifact, read by the room that knows it, with its warnings."""
    path = PurePosixPath(inner.path)
    room = load(room_of_lockfile(path.name))
    inside = Project(project.root, path, project.host, {path.name: inner.data})
    run.say(f"{inner.path}: read too, for what is built where it is installed")
    lockfile, _ = without(room.read(inside, options), options.exclude)
    for warning in lockfile.warnings:
        run.warn(warning.what, warning.where)
    return Locked(room, inside, lockfile, options)


async def _locate(run: Run, locked: Sequence[Locked], index: Index) -> tuple[Locked, ...]:
    """The lockfiles with what the indexes add; warnings that are new with it are said."""
    located = []
    said = {w for item in locked for w in item.lockfile.warnings}
    for item in locked:
        lockfile = await item.room.locate(item.lockfile, item.options, index)
        located.append(replace(item, lockfile=lockfile))
        for warning in dict.fromkeys(lockfile.warnings):
            if warning not in said:
                said.add(warning)
                run.warn(warning.what, warning.where)
    return tuple(located)


def _in_name_order(known: Mapping[Hashable, Packed]) -> tuple[Packed, ...]:
    return tuple(sorted(known.values(), key=_order))


def _order(packed: Packed) -> tuple[str, str, str, str]:
    artifact = packed.artifact
    return (artifact.name, artifact.version, artifact.url or "", str(artifact.integrity))


async def _warmed(run: Run, locked: Sequence[Locked], share: Share) -> None:
    async with _fetching(run, locked) as (located, net, fetcher):
        for room in {item.room.name: item.room for item in located}.values():
            own = [item.lockfile for item in located if item.room is room]
            groups = by_source(merged(a for lockfile in own for a in lockfile.artifacts))
            ours = [a for group in groups[share.number :: share.of] for a in group]
            if ours:
                gone: dict[Artifact, FetchError] = {}
                await _fetched(run, room, ours, gone if room.spares else None, fetcher, net)


def warm(run: Run, locked: Sequence[Locked], share: Share) -> None:
    """Fetch a share of the artifacts that lockfiles name, into the stores, and nothing else.

    What comes up only when artifacts are opened is not among them.
    """
    from vendorpack import eventloop  # noqa: PLC0415 - as in `_fetching`

    with _workers(run, locked) as workers:
        eventloop.run(_warmed(replace(run, workers=workers), locked, share))


def _workers(run: Run, locked: Sequence[Locked]) -> Workers:
    """Made before there are threads, of which a fork would copy the locks they hold."""
    named = sum(len(item.lockfile.artifacts) for item in locked)
    fork = named > _MANY or any(item.room.prepares for item in locked)
    return Workers(min(run.cores, max(named, 1)), fork=fork)


def with_repair(run: Run, locked: Sequence[Locked], work: Callable[[Gathered], R]) -> R:
    """Gather, then do `work`; a blob lost under way is fetched anew and the work repeated."""
    from vendorpack import eventloop  # noqa: PLC0415 - as in `_fetching`

    with _workers(run, locked) as workers:
        run = replace(run, workers=workers)
        for attempt in range(_RETRIES):
            try:
                return work(with_licenses(eventloop.run(gather(run, locked)), run.store))
            except BlobLost as lost:
                if attempt == _RETRIES - 1:
                    raise
                run.say(f"{lost.what}: fetching it again")
    raise AssertionError("unreachable")


def with_licenses(gathered: Gathered, store: Store) -> Gathered:
    """The same, each artifact with what it says of its licence. Raises `BlobLost`."""
    rooms = gathered.rooms
    packed = {name: licensed(rooms[name], items, store) for name, items in gathered.packed.items()}
    return replace(gathered, packed=packed)
