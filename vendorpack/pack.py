"""From lockfiles to a bundle (or straight to a folder): the way of the data, in one place.

::

    discover ─▶ read ─▶ locate ─▶ fetch ─▶ expand ─▶ layout ─▶ bundle

`read_all` is pure; `gather` is the only part that uses the network; `sections` is lazy, so
that a bundle of any size passes through without being held.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import (
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from vendorpack import environment
from vendorpack.boundary import Boundary, check_packed, compiled
from vendorpack.digest import WEAK
from vendorpack.discover import Found
from vendorpack.errors import BlobLost, UnsupportedError
from vendorpack.fetch.artifacts import Fetcher, Tally
from vendorpack.formats import boundary_of, load
from vendorpack.model import (
    Access,
    Answer,
    Artifact,
    Blob,
    Entry,
    Environment,
    Format,
    Index,
    Json,
    Lockfile,
    Options,
    Packed,
    Project,
    Trust,
)
from vendorpack.parallel import in_order
from vendorpack.policy import Policy, named
from vendorpack.progress import Progress
from vendorpack.redact import redact_url
from vendorpack.store.local import Store

if TYPE_CHECKING:
    from pathlib import Path

    from vendorpack.fetch.http import Client
    from vendorpack.fetch.part import Download
    from vendorpack.store.nearby import Nearby

T = TypeVar("T")
R = TypeVar("R")

_NEARBY_THREADS: Final = 32
_RETRIES: Final = 3
"""How often a damaged store is mended by fetching anew before we give up."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A lockfile that was read, and the room that read it."""

    room: Format
    project: Project
    lockfile: Lockfile


@dataclass(frozen=True, slots=True)
class Gathered:
    """Every artifact, verified and in the store, by format in name order.

    located: the lockfiles, with what the indexes added.
    """

    packed: Mapping[str, tuple[Packed, ...]]
    rooms: Mapping[str, Format]
    located: tuple[Locked, ...]

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

    options: Options
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


def read_all(found: Sequence[Found], options: Options) -> tuple[Locked, ...]:
    """Read every lockfile. Raises `LockfileError`, `UnsupportedError`."""
    locked = []
    for item in found:
        room = load(item.room.name)
        locked.append(Locked(room, item.project, room.read(item.project, options)))
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


async def gather(run: Run, locked: Sequence[Locked]) -> Gathered:
    """Locate, check against the policy, fetch and expand until nothing is missing."""
    access = access_of(locked)
    policy = run.policy.trusting(access.origins)
    check_locked(policy, locked)
    rooms = {item.room.name: item.room for item in locked}
    packed: dict[str, tuple[Packed, ...]] = {}
    async with contextlib.AsyncExitStack() as stack:
        client = _client_when_needed(run, access, policy, stack)
        located = await _locate(run, locked, _Index(client))
        granted = access_of(located)
        if granted != access:
            # An index may say that its artifacts lie elsewhere, and want its token there too.
            access, policy = granted, run.policy.trusting(granted.origins)
            client = _client_when_needed(run, access, policy, stack)

        async def commit(url: str, part: Path, algorithms: Sequence[str]) -> Download:
            from vendorpack.fetch.commits import download_commit  # noqa: PLC0415 - seldom needed

            return await download_commit(
                url,
                part,
                algorithms=algorithms,
                access=access,
                environ=run.environ,
                keep_config=run.git_config,
                plain_http=any(host.startswith("http://") for host in policy.allow_hosts),
            )

        fetcher = Fetcher(
            run.store,
            client,
            commit,
            lambda _: run.progress.done(),
            run.tally,
            jobs=run.jobs,
            nearby=run.nearby,
            warn=run.warn,
        )
        if run.nearby:
            # They wait for a file system or a network, one thread each.
            threads = ThreadPoolExecutor(_NEARBY_THREADS, "nearby")
            asyncio.get_running_loop().set_default_executor(threads)
        index = _Index(client)
        for name, room in rooms.items():
            lockfiles = [item.lockfile for item in located if item.room is room]
            have: dict[Artifact, Packed] = {}
            more = _merged(a for lockfile in lockfiles for a in lockfile.artifacts)
            workshop = _Workshop(run.store)
            while True:
                if more:
                    policy.check_hosts(more)
                    policy.check_hashes(more)
                    run.progress.start(f"{room.title}: fetching", len(more), "artifact")
                    for one in await fetcher.fetch(more, room):
                        have[_identity(one.artifact)] = one
                    run.progress.finish()
                packed[name] = tuple(sorted(have.values(), key=_order))
                # A lockfile that names nothing may still be of a project that is built.
                found = [
                    artifact
                    for lockfile in lockfiles
                    for artifact in await room.expand(lockfile, packed[name], workshop, index)
                ]
                more = [a for a in _merged(found) if _identity(a) not in have]
                if not more:
                    break
    return Gathered(packed, rooms, located)


async def _locate(run: Run, locked: Sequence[Locked], index: Index) -> tuple[Locked, ...]:
    """The lockfiles with what the indexes add; warnings that are new with it are said."""
    located = []
    said = {w for item in locked for w in item.lockfile.warnings}
    for item in locked:
        lockfile = await item.room.locate(item.lockfile, run.options, index)
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


def _order(packed: Packed) -> tuple[str, str, str, str]:
    artifact = packed.artifact
    return (artifact.name, artifact.version, artifact.url or "", str(artifact.integrity))


def with_repair(run: Run, locked: Sequence[Locked], work: Callable[[Gathered], R]) -> R:
    """Gather, then do `work`; a blob lost under way is fetched anew and the work repeated."""
    for attempt in range(_RETRIES):
        gathered = asyncio.run(gather(run, locked))
        try:
            return work(gathered)
        except BlobLost as lost:
            if attempt == _RETRIES - 1:
                raise
            run.say(f"{lost.what}: fetching it again")
    raise AssertionError("unreachable")


# -- the manifest's part ---------------------------------------------------------------------


def artifact_record(packed: Packed, format_name: str) -> dict[str, Json]:
    """An artifact as the manifest has it. Digests are the pinned ones; sha256 is always there."""
    artifact, blob = packed.artifact, packed.blob
    trust = artifact.trust if artifact.integrity else Trust.FIRST_USE
    return {
        "digests": [str(d) for d in artifact.integrity.digests],
        "format": format_name,
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
    within = compiled(_boundary(room.name))
    for entry in entries:
        content = entry.content
        sha256 = content.sha256 if isinstance(content, Blob) else None
        if isinstance(content, bytes) and entry.path.endswith("/config"):
            sha256 = hashlib.sha256(content).hexdigest()  # git's is looked at by its hash
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
    """The store and all cores, as a layout may use them (`model.Workshop`)."""

    store: Store

    def read(self, blob: Blob) -> bytes:
        return self.store.read(blob)

    def open(self, blob: Blob) -> BinaryIO:
        return self.store.open(blob)

    def keep(self, chunks: Iterable[bytes]) -> Blob:
        return self.store.keep(chunks)

    def derived(self, recipe: str, blob: Blob, make: Callable[[bytes], bytes]) -> Blob:
        return self.store.derived(recipe, blob, make)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        return in_order(function, items, jobs=os.cpu_count() or 1)


# -- the client, made when it is first needed ------------------------------------------------


def _client_when_needed(
    run: Run, access: Access, policy: Policy, stack: contextlib.AsyncExitStack
) -> Callable[[], Awaitable[Client]]:
    made: list[Client] = []
    making = asyncio.Lock()

    async def client() -> Client:
        async with making:
            if not made:
                made.append(await stack.enter_async_context(run.connect(access, policy)))
        return made[0]

    return client


class _Index:
    """`model.Index` over a client that is made at the first question."""

    def __init__(self, client: Callable[[], Awaitable[Client]]) -> None:
        self._client = client

    async def get(self, url: str, *, accept: str = "*/*", max_size: int = 64 << 20) -> Answer:
        return await (await self._client()).get(url, accept=accept, max_size=max_size)
