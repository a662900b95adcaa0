"""From lockfiles to a bundle (or straight to a folder): the way of the data, in one place.

::

    discover ─▶ read ─▶ locate ─▶ fetch ─▶ expand ─▶ layout ─▶ bundle

`read_all` is pure; `gather` is the only part that uses the network; `sections` is lazy, so
that a bundle of any size passes through without being held.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import (
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar
from urllib.parse import urlsplit

from vendorpack import environment
from vendorpack.boundary import Boundary, check_packed, compiled
from vendorpack.digest import WEAK, Integrity
from vendorpack.discover import Found
from vendorpack.errors import BlobLost, FetchError, UnsupportedError
from vendorpack.exclude import check_known, without
from vendorpack.fetch.lfs import pointed_sizes
from vendorpack.fetch.tally import MAX_ARTIFACT_SIZE, Tally, is_commit
from vendorpack.formats import boundary_of, load, room_of_lockfile
from vendorpack.graph import graph_parts, merged_graph
from vendorpack.licenses import licensed
from vendorpack.model import (
    Access,
    Artifact,
    Blob,
    Brought,
    Entry,
    Environment,
    Graph,
    InnerLockfile,
    Json,
    Lockfile,
    Need,
    Options,
    Packed,
    Slice,
    Trust,
    Wanted,
    Warning,
)
from vendorpack.parallel import Workers, in_order
from vendorpack.policy import Policy, named, origin_of
from vendorpack.progress import Progress
from vendorpack.project import Project
from vendorpack.redact import redact_url
from vendorpack.room import Answer, Format, Index, Make
from vendorpack.store.local import Store

if TYPE_CHECKING:
    from pathlib import Path

    from vendorpack.fetch.address import Landing
    from vendorpack.fetch.artifacts import Fetcher
    from vendorpack.fetch.commits import Reach
    from vendorpack.fetch.http import Client
    from vendorpack.fetch.part import Download
    from vendorpack.store.nearby import Nearby

T = TypeVar("T")
R = TypeVar("R")

_NEARBY_THREADS: Final = 32
_TICK: Final = 5.0
"""Seconds between looks at the clock while nothing comes."""
_RETRIES: Final = 3
"""How often a damaged store is mended by fetching anew before we give up."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A lockfile that was read, and the room that read it."""

    room: Format
    project: Project
    lockfile: Lockfile
    options: Options
    excluded: tuple[Artifact, ...] = ()
    """What the user wants left out of it."""


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

    @property
    def environment(self) -> Environment:
        """What the target needs."""
        return environment.join(map(self._environment, sorted(self.packed)))

    def _environment(self, name: str) -> Environment:
        needed = self.rooms[name].environment(self.packed[name])
        check_packed(name, _boundary(name), needed)
        return needed


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of `pack` or `download` works with."""

    policy: Policy
    store: Store
    connect: Callable[[Access, Policy], Client]
    """Makes the HTTP client; called at the first request, as its import is dear."""
    environ: Mapping[str, str]
    progress: Progress
    say: Callable[[str], None]
    warn: Callable[[str, str], None]
    tally: Tally = field(default_factory=Tally)
    jobs: int = 32
    """Artifacts fetched at once."""
    nearby: tuple[Nearby, ...] = ()
    git_config: bool = False
    """Whether git may read the user's own configuration."""
    max_size: int = MAX_ARTIFACT_SIZE
    """Bytes that are downloaded of an artifact whose size nothing declares."""
    cores: int = 1
    """How many processes prepare artifacts, for rooms that do."""
    workers: Workers | None = None
    detail: Callable[[str], None] = lambda text: None
    """Takes a line on each single artifact."""


def read_all(found: Sequence[Found]) -> tuple[Locked, ...]:
    """Read every lockfile. Raises `LockfileError`, `UnsupportedError`, `UsageError`."""
    locked = []
    for item in found:
        room = load(item.room.name)
        options = item.options
        lockfile, out = without(room.read(item.project, options), options.exclude)
        locked.append(Locked(room, item.project, lockfile, options, out))
    patterns = dict.fromkeys(pattern for item in found for pattern in item.options.exclude)
    check_known([*patterns], (a for item in locked for a in item.excluded))
    return tuple(locked)


def access_of(locked: Iterable[Locked]) -> Access:
    """Where all the lockfiles' configurations together let us go."""
    merged = Access()
    for item in locked:
        access = item.lockfile.access
        merged = Access(
            origins=merged.origins | access.origins,
            credentials=merged.credentials + access.credentials,
            ca_files=merged.ca_files + access.ca_files,
            proxies={**merged.proxies, **access.proxies},
            without_netrc=merged.without_netrc | {*map(origin_of, access.without_netrc)},
        )
    return merged


def check_locked(policy: Policy, locked: Sequence[Locked]) -> None:
    """Refuse what the lockfiles alone decide: hosts, and hashes that no index will be asked for.

    policy: with what the lockfiles' configurations trust. Raises `PolicyError`.
    """
    policy.check_hosts(a for item in locked for a in item.lockfile.artifacts)
    for room in {item.room.name: item.room for item in locked}.values():
        artifacts = _merged(
            a for item in locked if item.room is room for a in item.lockfile.artifacts
        )
        policy.check_hashes(a for a in artifacts if not room.asks_for_hash(a))


def choose(run: Run, locked: Sequence[Locked]) -> tuple[Locked, ...]:
    """The lockfiles, with what is packed of those that only an index can tell it of."""

    async def asked(due: Sequence[Locked]) -> tuple[Locked, ...]:
        async with contextlib.AsyncExitStack() as stack:
            return await _locate(run, due, _Network(run, access_of(due), stack))

    due = [item for item in locked if item.room.asks_to_choose(item.options)]
    if not due:
        return tuple(locked)
    from vendorpack import eventloop  # noqa: PLC0415 - as in `gather`

    chosen = iter(eventloop.run(asked(due)))
    return tuple(next(chosen) if item in due else item for item in locked)


async def gather(run: Run, locked: Sequence[Locked]) -> Gathered:
    """Locate, check against the policy, fetch and expand until nothing is missing."""
    import asyncio  # noqa: PLC0415 - a pack that has nothing to do needs none of this

    from vendorpack.fetch.artifacts import Fetcher  # noqa: PLC0415

    access = access_of(locked)
    policy = run.policy.trusting(access.origins)
    check_locked(policy, locked)
    rooms = {item.room.name: item.room for item in locked}
    async with contextlib.AsyncExitStack() as stack:
        net = _Network(run, access, stack)
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
            workers=run.workers or Workers(0),
            nearby=run.nearby,
            warn=run.warn,
        )
        if run.nearby:
            # They wait for a file system or a network, one thread each.
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

            threads = ThreadPoolExecutor(_NEARBY_THREADS, "nearby")
            asyncio.get_running_loop().set_default_executor(threads)
        workshop = _Workshop(run.store)
        every, inner, told = list(located), set[InnerLockfile](), set[Warning]()
        have: dict[str, dict[Artifact, Packed]] = {name: {} for name in rooms}
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
        here = {_identity(a) for a in item.lockfile.artifacts}
        own = [one for one in packed[item.room.name] if _identity(one.artifact) in here]
        for need in item.room.needs(item.project, own, item.options, _Workshop(run.store)):
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
    known: dict[Artifact, Packed],
    fetcher: Fetcher,
    workshop: _Workshop,
    net: _Network,
) -> Sequence[Brought]:
    """Fetch and expand until the room wants nothing more; what it brought at last.

    known: what is packed by its `_identity`; it gets what is fetched.
    """
    wanted = [a for lockfile in lockfiles for a in lockfile.artifacts]
    gone: dict[Artifact, FetchError] | None = {} if room.spares else None
    while True:
        more = [a for a in _merged(wanted) if _identity(a) not in known]
        if more:
            net.policy.check_hosts(more)
            net.policy.check_hashes(more)
            run.progress.start(f"{room.title}: fetching", len(more), "artifact")
            for one in await _with_ticks(fetcher.fetch(more, room, gone), run.progress):
                known[_identity(one.artifact)] = one
            run.progress.finish()
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
        if all(_identity(a) in known for a in wanted):
            return brought


async def _with_ticks(work: Coroutine[Any, Any, T], progress: Progress) -> T:
    """Wait for the work, and let the progress be seen though no byte comes."""
    import asyncio  # noqa: PLC0415 - as in `gather`

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
    workshop: _Workshop,
) -> None:
    """Warn of what is not to be had and not needed; raise the error of anything else."""
    for artifact, error in gone.items():
        reasons = [
            room.spared(lockfile, artifact, packed, workshop)
            for lockfile in lockfiles
            if _identity(artifact) in map(_identity, lockfile.artifacts)
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


def _identity(artifact: Artifact) -> Artifact:
    """What makes two lockfiles' entries one artifact: all but where and why it was named."""
    return replace(artifact, where="", why=())


def _merged(artifacts: Iterable[Artifact]) -> list[Artifact]:
    """Each artifact once, as it stands first, with every reason it was chosen for."""
    merged: dict[Artifact, Artifact] = {}
    for artifact in artifacts:
        identity = _identity(artifact)
        known = merged.get(identity)
        if known is None:
            merged[identity] = artifact
        elif known.why != artifact.why:
            merged[identity] = replace(known, why=tuple(sorted({*known.why, *artifact.why})))
    return list(merged.values())


def _in_name_order(known: Mapping[Artifact, Packed]) -> tuple[Packed, ...]:
    return tuple(sorted(known.values(), key=_order))


def _order(packed: Packed) -> tuple[str, str, str, str]:
    artifact = packed.artifact
    return (artifact.name, artifact.version, artifact.url or "", str(artifact.integrity))


def with_repair(run: Run, locked: Sequence[Locked], work: Callable[[Gathered], R]) -> R:
    """Gather, then do `work`; a blob lost under way is fetched anew and the work repeated."""
    from vendorpack import eventloop  # noqa: PLC0415 - as in `gather`

    # Before there are threads, of which a fork would copy the locks they hold.
    with Workers(run.cores if any(item.room.prepares for item in locked) else 0) as workers:
        run = replace(run, workers=workers)
        for attempt in range(_RETRIES):
            gathered = eventloop.run(gather(run, locked))
            try:
                return work(with_licenses(gathered, run.store))
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


# -- the manifest's part ---------------------------------------------------------------------


def artifact_record(packed: Packed, format_name: str) -> dict[str, Json]:
    """An artifact as the manifest has it. Digests are the pinned ones; sha256 is always there.

    `license` is there if the artifact declares one.
    """
    artifact, blob = packed.artifact, packed.blob
    trust = artifact.trust if artifact.integrity else Trust.FIRST_USE
    return {
        "digests": [str(d) for d in artifact.integrity.digests],
        "format": format_name,
        **({"license": packed.license} if packed.license else {}),
        "name": artifact.name,
        "purl": artifact.purl,
        "sha256": blob.sha256,
        "size": blob.size,
        "trust": trust.value,
        "url": redact_url(artifact.url) if artifact.url else None,
        "version": artifact.version,
        "where": artifact.where,
        "why": list(artifact.why),
    }


def artifact_records(gathered: Gathered) -> Iterator[dict[str, Json]]:
    """All of them in the manifest's order, with what is known of who asks for whom."""
    start = 0
    for name in sorted(gathered.packed):
        packed = gathered.packed[name]
        parts = graph_parts(packed, gathered.graphs.get(name), start)
        for one, part in zip(packed, parts, strict=True):
            yield artifact_record(one, name) | part
        start += len(packed)


def plan_record(artifact: Artifact, format_name: str) -> dict[str, Json]:
    """An artifact as `pack --dry-run` shows it, before anything was fetched.

    Where the lockfile has no hash nobody knows yet who will vouch: an index has not been asked.
    """
    record = artifact_record(Packed(artifact, Blob("", artifact.size or 0)), format_name)
    del record["sha256"]
    trust = artifact.trust.value if artifact.integrity else None
    return {**record, "size": artifact.size, "trust": trust}


def still_allowed(records: Iterable[Mapping[str, Json]], policy: Policy) -> bool:
    """Whether the policy of today would let these artifacts' hashes through."""
    for record in records:
        digests = record.get("digests")
        algorithms = (
            [str(d).partition("-")[0] for d in digests] if isinstance(digests, list) else []
        )
        names = {"name": str(record.get("name")), "version": str(record.get("version"))}
        if record.get("trust") == Trust.FIRST_USE:
            if not named(policy.allow_missing_hash, **names):
                return False
        elif all(a in WEAK for a in algorithms) and not named(policy.allow_weak_hash, **names):
            return False
    return True


def side_files(gathered: Gathered, store: Store) -> dict[Path, bytes]:
    """What the rooms were asked to record beside the lockfiles: path to content."""
    return {
        item.project.folder / name: content
        for item in gathered.located
        for name, content in item.room.side_files(
            item.project, item.lockfile, gathered.packed[item.room.name], _Workshop(store)
        ).items()
    }


# -- the layout ------------------------------------------------------------------------------


def entries_of(
    gathered: Gathered, store: Store
) -> Iterator[tuple[Format, Iterator[tuple[Entry, int | None]]]]:
    """Each room's entries with the index of their artifact in the manifest, lazily."""
    numbers = {id(p.artifact): number for number, p in enumerate(gathered.artifacts)}

    def number_of(artifact: Artifact | None) -> int | None:
        return None if artifact is None else numbers[id(artifact)]

    for name in sorted(gathered.packed):
        room = gathered.rooms[name]
        entries = _within(room, room.layout(gathered.packed[name], _Workshop(store)))
        yield room, ((entry, number_of(entry.artifact)) for entry in entries)


def _within(room: Format, entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries, each seen to be in a cache: what is packed here can be opened there."""
    boundary = _boundary(room.name)
    within = compiled(boundary)
    texts = {path for path, _ in boundary.texts}
    for entry in entries:
        content = entry.content
        sha256 = content.sha256 if isinstance(content, Blob | Slice) else None
        # These, and git's own configuration, are looked at by their hash.
        if isinstance(content, bytes) and (entry.path in texts or entry.path.endswith("/config")):
            sha256 = hashlib.sha256(content).hexdigest()
        if not within(entry.path, sha256):
            raise UnsupportedError(
                f"{entry.path!r} is no part of {room.title}'s cache, and bundles hold nothing else",
                where=entry.artifact.where if entry.artifact is not None else None,
            )
        yield entry


def _boundary(name: str) -> Boundary:
    boundary = boundary_of(name)
    assert boundary is not None, "it was loaded by the same table"
    return boundary


@dataclass(frozen=True, slots=True)
class _Workshop:
    """The store and all cores, as a layout may use them (`room.Workshop`)."""

    store: Store

    def read(self, blob: Blob | Slice) -> bytes:
        return self.store.read(blob)

    def open(self, blob: Blob) -> BinaryIO:
        return self.store.open(blob)

    def keep(self, chunks: Iterable[bytes]) -> Blob:
        return self.store.keep(chunks)

    def derived(self, recipe: str, blob: Blob, make: Callable[[bytes], bytes]) -> Blob:
        return self.store.derived(recipe, blob, make)

    def forms(self, recipes: Sequence[str], blob: Blob, make: Make) -> tuple[Blob, ...]:
        return self.store.forms(recipes, blob, make)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        return in_order(function, items, jobs=os.cpu_count() or 1)


class Shelf(_Workshop):
    """The same, where artifacts are looked for that may be there (`proof.Shelf`)."""

    def find(self, integrity: Integrity) -> Blob | None:
        """The artifact with these digests, hashed anew; None if it is not in the store."""
        blob = self.store.find(integrity)
        return blob if blob is not None and self.store.check(blob, integrity) else None


# -- the client, made when it is first needed ------------------------------------------------


class _Network:
    """The client, made at the first request and again once more is granted (`room.Index`)."""

    def __init__(self, run: Run, access: Access, stack: contextlib.AsyncExitStack) -> None:
        import asyncio  # noqa: PLC0415 - as in `gather`

        self._run, self._stack = run, stack
        self._made: list[Client] = []
        self._making = asyncio.Lock()
        self._access = access
        self.policy = run.policy.trusting(access.origins)

    def grant(self, access: Access) -> None:
        """From now on, go where `access` lets us."""
        if access != self._access:
            self._access = access
            self.policy = self._run.policy.trusting(access.origins)
            self._made.clear()

    async def client(self) -> Client:
        """The client of what is granted by now."""
        async with self._making:
            if not self._made:
                client = self._run.connect(self._access, self.policy)
                self._made.append(await self._stack.enter_async_context(client))
        return self._made[0]

    async def get(self, url: str, *, accept: str = "*/*", max_size: int = 64 << 20) -> Answer:
        """Ask an index."""
        return await (await self.client()).get(url, accept=accept, max_size=max_size)

    async def _moved(self, url: str) -> Landing:
        """Where an address leads to, each hop judged as any other's is."""
        return await (await self.client()).landing(url)

    async def commit(self, url: str, part: Path, algorithms: Sequence[str]) -> Download:
        """Fetch a git commit."""
        from vendorpack.fetch.commits import download_commit  # noqa: PLC0415 - seldom needed

        return await download_commit(url, part, algorithms=algorithms, reach=self._reach())

    async def export(self, url: str, out: Path) -> None:
        """Fetch the export of a git commit."""
        from vendorpack.fetch.commits import download_export  # noqa: PLC0415 - seldom needed

        await download_export(url, out, reach=self._reach())

    async def head(self, repository: str, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Ask an index that is a git repository."""
        from vendorpack.fetch.commits import download_files  # noqa: PLC0415 - seldom needed

        self.policy.check(f"git+{repository}")
        with self._run.store.part(f"head {repository}") as part:
            return await download_files(repository, paths, part, reach=self._reach())

    def _reach(self) -> Reach:
        from vendorpack.fetch.commits import Reach  # noqa: PLC0415 - seldom needed

        return Reach(
            access=self._access,
            environ=self._run.environ,
            keep_config=self._run.git_config,
            moved=self._moved,
            plain_http=any(host.startswith("http://") for host in self.policy.allow_hosts),
        )
