"""From artifacts to blobs: taken from the store or nearby, or downloaded; verified and stored.

Nothing gets a name in the store before every digest it is pinned with has been computed over
the very bytes that arrived. A hit in the store is hashed again, and costs no request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vendorpack.digest import Digest, Hashers, Integrity
from vendorpack.errors import FetchError, IntegrityError, StoreError, VendorpackError
from vendorpack.model import Artifact, Blob, Format, Packed
from vendorpack.parallel import Workers
from vendorpack.redact import redact_url
from vendorpack.store.local import Draft, Store

if TYPE_CHECKING:
    from concurrent.futures import Future

    from vendorpack.fetch.http import Client
    from vendorpack.fetch.part import Download
    from vendorpack.store.nearby import Nearby

MAX_ARTIFACT_SIZE: Final = 16 << 30
"""Bytes; the cap on a download whose size nothing declares."""
_CHUNK: Final = 1 << 20
_ATTEMPTS: Final = 2
"""Whole downloads of an artifact whose bytes turned out wrong."""


def is_commit(url: str) -> bool:
    """Whether an artifact's address names a git commit."""
    return url.startswith("git+")


@dataclass(slots=True)
class Tally:
    """What a run did, for the last line it prints."""

    downloaded: int = 0
    reused: int = 0
    bytes_downloaded: int = 0
    nearby: dict[str, int] = field(default_factory=dict)
    """Artifacts taken from each place nearby, by its name."""


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Gets artifacts.

    on_done: called with each artifact once it is in the store.
    jobs: artifacts at work at once. Each needs up to three descriptors (its lock, its part, its
        connection), so a part is opened only by an artifact whose turn it is.
    workers: what `Format.prepare` runs in.
    nearby: asked, in order, before anything is downloaded.
    warn: told what of theirs is wrong, and where.
    """

    store: Store
    client: Callable[[], Awaitable[Client]]
    """Made on first need: a run that finds everything in the store opens no connection."""
    commit: Callable[[str, Path, Sequence[str]], Awaitable[Download]]
    """Fetches a git commit into a part file."""
    on_done: Callable[[Artifact], None] = lambda artifact: None
    tally: Tally = field(default_factory=Tally)
    jobs: int = 32
    workers: Workers = field(default_factory=lambda: Workers(0))
    nearby: Sequence[Nearby] = ()
    warn: Callable[[str, str], None] = lambda what, where: None

    async def fetch(self, artifacts: Sequence[Artifact], room: Format) -> list[Packed]:
        """All of them, in the order given. Raises `FetchError`, `IntegrityError`, `StoreError`.

        Artifacts that share an address are downloaded once and must satisfy each other's
        digests. The first failure cancels the rest; what was verified stays in the store.
        """
        groups: dict[tuple[str, ...], list[Artifact]] = {}
        for artifact in artifacts:
            groups.setdefault(artifact.sources, []).append(artifact)
        blobs: dict[tuple[str, ...], Blob] = {}
        waiting = iter(groups.items())

        async def work() -> None:
            for sources, group in waiting:
                blobs[sources] = await self._one(group, room)

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(self.jobs, len(groups))):
                    tasks.create_task(work())
        except BaseExceptionGroup as group_error:
            raise _first(group_error) from None
        return [Packed(artifact, blobs[artifact.sources]) for artifact in artifacts]

    async def _one(self, group: Sequence[Artifact], room: Format) -> Blob:
        artifact = group[0]
        wanted = tuple(dict.fromkeys(member.integrity for member in group))
        blob = await asyncio.to_thread(self._stored, wanted)
        if blob is not None:
            self.tally.reused += 1
        elif self.nearby:
            taken = await asyncio.to_thread(self._take, artifact, wanted, room)
            if taken is not None:
                blob, name = taken
                self.tally.nearby[name] = self.tally.nearby.get(name, 0) + 1
        if blob is None:
            blob, fetched = await self._download(artifact, wanted, room)
            self.tally.downloaded += 1
            self.tally.bytes_downloaded += fetched
        for member in group:
            if member.size is not None and member.size != blob.size:
                raise IntegrityError(
                    f"{member} has {blob.size:,} bytes, and not the {member.size:,} it is "
                    "pinned with",
                    where=_where(member),
                )
        if self.nearby:
            await asyncio.to_thread(self._give, wanted, blob)
        for member in group:
            self.on_done(member)
        return blob

    def _stored(self, wanted: Sequence[Integrity]) -> Blob | None:
        """The one blob that satisfies every pin, read and hashed anew."""
        blob = self.store.find(wanted[0])
        if blob is None or any(self.store.find(other) != blob for other in wanted[1:]):
            return None
        return blob if all(self.store.check(blob, pin) for pin in wanted) else None

    def _take(
        self, artifact: Artifact, wanted: Sequence[Integrity], room: Format
    ) -> tuple[Blob, str] | None:
        """The artifact from a place nearby, if one has it and it is what every pin says.

        Returns the place's name too. Raises `StoreError`.
        """
        if not all(map(_counts, wanted)):
            return None
        for place in self.nearby:
            with self.store.part(f"from {place.name} {' '.join(map(str, wanted))}") as part:
                try:
                    shown = place.take(wanted[0], part)
                    if shown is not None:
                        values, size, drafts = self._read(artifact, wanted, part, room)
                        if all(pin.accepts(values) for pin in wanted):
                            return self._adopt(part, values, size, drafts), place.name
                        self.store.drop_drafts(drafts)
                        self.warn(f"it is not {artifact} as it is pinned; not used", shown)
                except StoreError:
                    raise
                except VendorpackError as error:
                    self.warn(f"not used: {error.what}", error.where or place.name)
                finally:
                    part.unlink(missing_ok=True)
        return None

    def _give(self, wanted: Sequence[Integrity], blob: Blob) -> None:
        for place in self.nearby:
            for pin in filter(_counts, wanted):
                place.give(pin, blob, self.store)

    async def _download(
        self, artifact: Artifact, wanted: Sequence[Integrity], room: Format
    ) -> tuple[Blob, int]:
        if not artifact.sources:
            raise FetchError(f"nothing says where {artifact} comes from", where=artifact.where)
        algorithms = tuple(dict.fromkeys(a for pin in wanted for a in pin.algorithms))
        # Other digests mean another file, whatever its address: its part is its own.
        mismatch: IntegrityError | None = None
        sources = artifact.sources
        with self.store.part(" ".join([*sources, *map(str, wanted)])) as part:
            for _ in range(_ATTEMPTS):
                try:
                    download = await self._arrive(artifact, sources, part, algorithms)
                except FetchError as failed:
                    failed.where = f"{artifact.where}: {artifact}\n{failed.where or ''}".rstrip()
                    raise
                values = dict(download.values)
                drafts: list[Draft] = []
                try:
                    work = self._prepare(artifact, algorithms, values, part, room)
                    if work is not None:
                        more, drafts = await asyncio.wrap_future(work)
                        values.update(more)
                except BaseException:
                    part.unlink(missing_ok=True)
                    raise
                wrong = next((pin for pin in wanted if not pin.accepts(values)), None)
                if wrong is None:
                    blob = await asyncio.to_thread(self._adopt, part, values, download.size, drafts)
                    return blob, download.fetched
                self.store.drop_drafts(drafts)
                part.unlink(missing_ok=True)
                mismatch = _mismatch(artifact, wrong, values, download, room)
                sources = sources[download.mirror + 1 :] or sources
        assert mismatch is not None
        raise mismatch

    def _prepare(
        self,
        artifact: Artifact,
        algorithms: Sequence[str],
        known: Mapping[str, bytes],
        path: Path,
        room: Format,
    ) -> Future[tuple[dict[str, bytes], list[Draft]]] | None:
        """Let a worker compute what is not `known` yet and convert the artifact, if it need be."""
        derived = tuple(a for a in algorithms if a not in known)
        if not derived and not room.prepares:
            return None
        return self.workers.submit(
            *(_prepared, room, artifact, derived, path, self.store.folder), label=str(artifact)
        )

    def _read(
        self, artifact: Artifact, wanted: Sequence[Integrity], path: Path, room: Format
    ) -> tuple[dict[str, bytes], int, Sequence[Draft]]:
        """The value of every algorithm that `wanted` names, the size, and the forms of a file."""
        algorithms = tuple(dict.fromkeys(a for pin in wanted for a in pin.algorithms))
        hashers = Hashers(algorithms)
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                hashers.update(chunk)
        values = hashers.values()
        work = self._prepare(artifact, algorithms, values, path, room)
        more, drafts = work.result() if work is not None else ({}, [])
        return {**values, **more}, hashers.size, drafts

    def _adopt(
        self, part: Path, values: Mapping[str, bytes], size: int, drafts: Iterable[Draft]
    ) -> Blob:
        blob = self.store.adopt(part, values, size)
        self.store.adopt_drafts(blob, drafts)
        return blob

    async def _arrive(
        self, artifact: Artifact, sources: Sequence[str], part: Path, algorithms: Sequence[str]
    ) -> Download:
        if is_commit(sources[0]):
            return await self.commit(sources[0], part, algorithms)
        client = await self.client()
        return await client.download(
            sources,
            part,
            algorithms=algorithms,
            size=artifact.size,
            max_size=MAX_ARTIFACT_SIZE,
            label=str(artifact),
        )


def _counts(integrity: Integrity) -> bool:
    """Whether a pin is good enough to take bytes from anywhere."""
    return bool(integrity) and not integrity.weak


def _prepared(
    room: Format, artifact: Artifact, algorithms: Sequence[str], path: Path, store: Path
) -> tuple[dict[str, bytes], list[Draft]]:
    """`Format.prepare`, in any process: the derived digests and the forms it kept."""
    drafts: list[Draft] = []
    keeper = Store(store)

    def keep(recipe: str, chunks: Iterable[bytes | memoryview]) -> None:
        drafts.append(keeper.draft(recipe, chunks))

    try:
        return dict(room.prepare(artifact, algorithms, path, keep)), drafts
    except BaseException:
        keeper.drop_drafts(drafts)
        raise


def _mismatch(
    artifact: Artifact,
    integrity: Integrity,
    values: Mapping[str, bytes],
    download: Download,
    room: Format,
) -> IntegrityError:
    expected = "\n".join(f"expected {digest}" for digest in integrity.digests)
    actual = "\n".join(f"actual   {Digest(a, values[a])}" for a in integrity.algorithms)
    what = f"{artifact} is not what the lockfile pins: its hash differs"
    fix = (
        "Do not use it: the artifact was changed after locking, or on its way here. "
        "If you know why, lock again."
    )
    head = download.head.lstrip()[:32].lower()
    if head.startswith((b"<!doctype", b"<html", b"<head")):
        what = f"the server sent an HTML page in place of {artifact}"
        fix = "It looks like a login or error page: check the address and the credentials."
    elif not integrity.strongest[0].streamed:
        fix = room.explain_mismatch(artifact, integrity.strongest[0].algorithm) or fix
    return IntegrityError(
        what,
        where=f"{_where(artifact)}\nfrom {download.url} ({download.size:,} bytes)\n"
        f"{expected}\n{actual}",
        fix=fix,
    )


def _where(artifact: Artifact) -> str:
    urls: Iterable[str] = map(redact_url, artifact.sources)
    return f"{artifact.where}: {artifact} ({', '.join(urls)})"


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that started it: task groups wrap even a single one."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
