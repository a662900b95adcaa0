"""From artifacts to blobs: taken from the store or nearby, or downloaded; verified and stored.

Nothing gets a name in the store before every digest it is pinned with has been computed over
the very bytes that arrived. A hit in the store is hashed again, and costs no request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, Hashers, Integrity
from vendorpack.errors import FetchError, IntegrityError, StoreError, VendorpackError
from vendorpack.fetch.part import Download
from vendorpack.fetch.settle import Settled, algorithms, settle, stored
from vendorpack.fetch.tally import MAX_ARTIFACT_SIZE, Tally, by_source, is_commit
from vendorpack.files import temporary
from vendorpack.model import Artifact, Blob, Packed
from vendorpack.parallel import Workers
from vendorpack.redact import redact_url
from vendorpack.room import Format
from vendorpack.store.local import Store

if TYPE_CHECKING:
    from concurrent.futures import Future

    from vendorpack.fetch.http import Client
    from vendorpack.store.nearby import Nearby

_CHUNK: Final = 1 << 20
_LOOKED_UP: Final = 32
"""Artifacts that a worker looks for in the store at a time."""
_GONE: Final = (403, 404, 410)
"""What a server answers that does not have something, or not any more."""
_TAKEN_BACK: Final = (404, 410)
_MOST_GONE: Final = 20
"""Artifacts that may be so; where there are more, it is the server that is wrong."""
_ATTEMPTS: Final = 2
"""Whole downloads of an artifact whose bytes turned out wrong."""
_LOOK: Final = 0.1
"""Seconds between looks at what another process downloads, of which"""
_PATIENCE: Final = 100
"""so many may find nothing new, before it is downloaded here too."""


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Gets artifacts.

    on_done: called with each artifact once it is in the store.
    jobs: artifacts at work at once. Each needs up to three descriptors (its lock, its part, its
        connection), so a part is opened only by an artifact whose turn it is.
    max_size: bytes of an artifact whose size nothing declares.
    workers: what `Format.prepare` runs in.
    nearby: asked, in order, before anything is downloaded.
    warn: told what of theirs is wrong, and where.
    """

    store: Store
    client: Callable[[], Awaitable[Client]]
    """Made on first need: a run that finds everything in the store opens no connection."""
    commit: Callable[[str, Path, Sequence[str]], Awaitable[Download]]
    """Fetches a git commit into a part file."""
    export: Callable[[str, Path], Awaitable[None]]
    """Fetches a git commit's export into a file."""
    on_done: Callable[[Artifact], None] = lambda artifact: None
    tally: Tally = field(default_factory=Tally)
    jobs: int = 32
    max_size: int = MAX_ARTIFACT_SIZE
    workers: Workers = field(default_factory=lambda: Workers(1, fork=False))
    nearby: Sequence[Nearby] = ()
    warn: Callable[[str, str], None] = lambda what, where: None

    async def fetch(
        self,
        artifacts: Sequence[Artifact],
        room: Format,
        gone: dict[Artifact, FetchError] | None = None,
    ) -> list[Packed]:
        """All of them, in the order given. Raises `FetchError`, `IntegrityError`, `StoreError`.

        Artifacts that share an address are downloaded once and must satisfy each other's
        digests, but for those that a room makes of a commit. The first failure cancels the rest;
        what was verified stays in the store.

        gone: if given, takes what its server does not have, and why; too many are an error.
        """
        groups = by_source(artifacts)
        found = await self._found(groups, room)
        blobs: dict[Artifact, Blob] = {}
        waiting = iter(groups)

        async def work() -> None:
            for group in waiting:
                try:
                    blobs.update(await self._together(group, room, found))
                except FetchError as error:
                    if gone is None or error.status not in _GONE or len(gone) >= _MOST_GONE:
                        raise
                    gone.update(dict.fromkeys(group, error))

        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(min(self.jobs, len(groups))):
                    tasks.create_task(work())
        except BaseExceptionGroup as group_error:
            raise _first(group_error) from None
        return [Packed(artifact, blobs[artifact]) for artifact in artifacts if artifact in blobs]

    async def _found(
        self, groups: Sequence[Sequence[Artifact]], room: Format
    ) -> Mapping[Artifact, Blob]:
        """What the store has: of artifacts that share an address, by the first of them."""
        alike = (
            files
            for group in groups
            for files in ([[a] for a in group] if _made_of_commit(group, room) else [group])
        )
        pins = {files[0]: _pins(files) for files in alike}
        due = [*pins.values()]
        calls = [
            self.workers.submit(
                stored, self.store, due[start : start + _LOOKED_UP], label="the store"
            )
            for start in range(0, len(due), _LOOKED_UP)
        ]
        answers = await asyncio.gather(*map(asyncio.wrap_future, calls))
        blobs = (blob for answer in answers for blob in answer)
        return {one: blob for one, blob in zip(pins, blobs, strict=True) if blob is not None}

    async def _together(
        self, group: Sequence[Artifact], room: Format, found: Mapping[Artifact, Blob]
    ) -> dict[Artifact, Blob]:
        """Artifacts that share an address."""
        if _made_of_commit(group, room):
            return await self._exported(group, room, found)
        return dict.fromkeys(group, await self._one(group, room, found.get(group[0])))

    async def _one(self, group: Sequence[Artifact], room: Format, found: Blob | None) -> Blob:
        artifact, wanted = group[0], _pins(group)
        blob = await self._at_hand(artifact, wanted, room, found)
        if blob is None:
            blob = await self._brought(artifact, wanted, room)
        for member in group:
            if member.size is not None and member.size != blob.size:
                raise IntegrityError(
                    f"{member} has {blob.size:,} bytes, and not the {member.size:,} it is "
                    "pinned with",
                    where=_where(member),
                )
        await self._done(group, wanted, blob)
        return blob

    async def _exported(
        self, group: Sequence[Artifact], room: Format, found: Mapping[Artifact, Blob]
    ) -> dict[Artifact, Blob]:
        """What the room makes of one commit: each artifact is a file of its own."""
        at_hand = {a: await self._at_hand(a, (a.integrity,), room, found.get(a)) for a in group}
        blobs = {artifact: blob for artifact, blob in at_hand.items() if blob is not None}
        due = [artifact for artifact in group if artifact not in blobs]
        if due:
            address = due[0].sources[0]
            with self.store.part(f"export {address}") as export:
                try:
                    await self.export(address, export)
                    self.tally.bytes_downloaded += export.stat().st_size
                    for artifact in due:
                        blobs[artifact] = await self._made(artifact, export, room)
                        self.tally.downloaded += 1
                except FetchError as failed:
                    raise _at(due[0], failed, room) from None
                finally:
                    export.unlink(missing_ok=True)
        for artifact, blob in blobs.items():
            await self._done([artifact], (artifact.integrity,), blob)
        return blobs

    async def _made(self, artifact: Artifact, export: Path, room: Format) -> Blob:
        """One file of a commit's export, verified."""
        wanted = (artifact.integrity,)
        with self.store.part(f"of {export.name} {artifact} {artifact.integrity}") as part:
            try:
                await asyncio.to_thread(room.from_export, artifact, export, part)
                values, size = await asyncio.to_thread(_hashed, part, wanted)
                settled = await asyncio.wrap_future(
                    self._settle(artifact, wanted, part, values, size, room)
                )
                if settled.blob is not None:
                    return settled.blob
            finally:
                part.unlink(missing_ok=True)
        wrong = _contradicted(wanted, settled.values)
        made = Download(values, size, redact_url(artifact.sources[0]), size, b"", 0)
        raise _mismatch(artifact, wrong, settled.values, made, room)

    async def _at_hand(
        self, artifact: Artifact, wanted: Sequence[Integrity], room: Format, found: Blob | None
    ) -> Blob | None:
        """The artifact as it was found in the store, or from nearby, if it is there."""
        blob = found
        if blob is not None:
            self.tally.reused += 1
        elif self.nearby:
            taken = await asyncio.to_thread(self._take, artifact, wanted, room)
            if taken is not None:
                blob, name = taken
                self.tally.nearby[name] = self.tally.nearby.get(name, 0) + 1
        return blob

    async def _done(
        self, group: Sequence[Artifact], wanted: Sequence[Integrity], blob: Blob
    ) -> None:
        if self.nearby:
            await asyncio.to_thread(self._give, wanted, blob)
        for member in group:
            self.on_done(member)

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
                        values, size = _hashed(part, wanted)
                        settled = self._settle(artifact, wanted, part, values, size, room).result()
                        if settled.blob is not None:
                            return settled.blob, place.name
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

    async def _brought(self, artifact: Artifact, wanted: Sequence[Integrity], room: Format) -> Blob:
        """Download the artifact, unless another process that is at it brings it to the store."""
        others, patience = None, _PATIENCE
        while True:
            # Other digests mean another file, whatever its address: its part is its own.
            with self.store.part(" ".join([*artifact.sources, *map(str, wanted)])) as part:
                blob = None
                if self.store.find(wanted[0]) is not None:  # it came since it was looked for
                    blob = await asyncio.to_thread(self.store.verified, wanted)
                if blob is not None:
                    self.tally.reused += 1
                    return blob
                theirs = self.store.busy(part)
                patience = patience - 1 if theirs == others else _PATIENCE
                if theirs is None or not patience:
                    blob, fetched = await self._download(artifact, wanted, room, part)
                    self.tally.downloaded += 1
                    self.tally.bytes_downloaded += fetched
                    return blob
            others = theirs
            await asyncio.sleep(_LOOK)

    async def _download(
        self, artifact: Artifact, wanted: Sequence[Integrity], room: Format, part: Path
    ) -> tuple[Blob, int]:
        if not artifact.sources:
            raise FetchError(f"nothing says where {artifact} comes from", where=artifact.where)
        mismatch: IntegrityError | None = None
        sources = artifact.sources
        for _ in range(_ATTEMPTS):
            try:
                download = await self._arrive(artifact, sources, part, algorithms(wanted))
            except FetchError as failed:
                raise _at(artifact, failed, room) from None
            try:
                settled = await asyncio.wrap_future(
                    self._settle(artifact, wanted, part, download.values, download.size, room)
                )
            except BaseException:
                temporary.remove(part)
                raise
            if settled.blob is not None:
                return settled.blob, download.fetched
            temporary.remove(part)
            wrong = _contradicted(wanted, settled.values)
            mismatch = _mismatch(artifact, wrong, settled.values, download, room)
            sources = sources[download.mirror + 1 :] or sources
        assert mismatch is not None
        raise mismatch

    def _settle(
        self,
        artifact: Artifact,
        wanted: Sequence[Integrity],
        part: Path,
        values: Mapping[str, bytes],
        size: int,
        room: Format,
    ) -> Future[Settled]:
        """Let a worker verify what there is to be opened for, and take the file into the store."""
        return self.workers.submit(
            *(settle, self.store, room, artifact, wanted, part, values, size),
            label=str(artifact),
        )

    async def _arrive(
        self, artifact: Artifact, sources: Sequence[str], part: Path, algorithms: Sequence[str]
    ) -> Download:
        if is_commit(sources[0]):
            return await self._commit(sources, part, algorithms)
        client = await self.client()
        return await client.download(
            sources,
            part,
            algorithms=algorithms,
            size=artifact.size,
            max_size=self.max_size,
            label=str(artifact),
            only_if_absent=artifact.only_if_absent,
        )

    async def _commit(
        self, sources: Sequence[str], part: Path, algorithms: Sequence[str]
    ) -> Download:
        """From the first repository that hands it out; the first one's failure is told."""
        failure: FetchError | None = None
        for source in sources:
            try:
                return await self.commit(source, part, algorithms)
            except FetchError as failed:
                failure = failure or failed
        assert failure is not None
        raise failure


def _hashed(path: Path, wanted: Iterable[Integrity]) -> tuple[dict[str, bytes], int]:
    """The value of every streamed algorithm that `wanted` names, and the size."""
    hashers = Hashers(algorithms(wanted))
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hashers.update(chunk)
    return hashers.values(), hashers.size


def _contradicted(wanted: Sequence[Integrity], values: Mapping[str, bytes]) -> Integrity:
    """The first pin that the values do not satisfy: of those over the file's own bytes, if any."""
    pins = (*(pin.streamed for pin in wanted), *wanted)
    return next(pin for pin in pins if not pin.accepts(values))


def _pins(group: Sequence[Artifact]) -> tuple[Integrity, ...]:
    return tuple(dict.fromkeys(member.integrity for member in group))


def _made_of_commit(group: Sequence[Artifact], room: Format) -> bool:
    """Whether each of them is a file of its own, which the room makes of one commit's export."""
    sources = group[0].sources
    return room.exports and bool(sources) and is_commit(sources[0])


def _counts(integrity: Integrity) -> bool:
    """Whether a pin is good enough to take bytes from anywhere."""
    return bool(integrity) and not integrity.weak


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


def _at(artifact: Artifact, failed: FetchError, room: Format) -> FetchError:
    if failed.status is not None and (explained := room.explain_failure(artifact)):
        failed.fix = explained
    elif failed.status in _TAKEN_BACK:
        advice = "If it was taken back, lock another version, or leave it out: "
        failed.fix = f"{advice}--exclude {artifact.name}.\n{failed.fix or ''}".rstrip()
    failed.where = f"{artifact.where}: {artifact}\n{failed.where or ''}".rstrip()
    return failed


def _where(artifact: Artifact) -> str:
    urls: Iterable[str] = map(redact_url, artifact.sources)
    return f"{artifact.where}: {artifact} ({', '.join(urls)})"


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that started it: task groups wrap even a single one."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
