"""From entries to the bundle's files and frames: what both ends must agree on.

Writing: `members` checks the entries, `cut` groups them into frames, in one pass. Reading:
`locate` finds from the manifest alone which files each frame holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field, replace
from typing import Final, TypeAlias

from vendorpack.bundle import tar
from vendorpack.bundle.frames import MAX_FRAME, Buffer
from vendorpack.bundle.manifest import Delta, Head, Manifest
from vendorpack.bundle.table import File, Files, tree_of
from vendorpack.dataclass import dataclass
from vendorpack.errors import BlobLost, BundleError, UnsupportedError
from vendorpack.files.paths import PathError
from vendorpack.model import Blob, Entry, Slice

ReadBlob: TypeAlias = Callable[[Blob | Slice], Iterable[Buffer]]
"""The bytes of a blob, or of a part of one, in chunks, read from several threads at once.

Raises `BlobLost` after the last chunk, at the latest, if they are not the right ones.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes of tar in a frame: of archives kept whole, and of opened ones.

    Multiples of 512, at most `MAX_FRAME`. Other limits give other frames, so another id.
    """

    kept: int = 4 << 20
    opened: int = MAX_FRAME


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Section:
    """One format's part of the bundle: its entries, each with an index into the artifacts."""

    format: str
    opens_artifacts: bool
    entries: Iterable[tuple[Entry, int | None]]


@dataclass(frozen=True, slots=True)
class Member:
    """A checked entry: its row of the file table and where its bytes are."""

    file: File
    content: Blob | Slice | bytes | None
    section: int
    long: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Members that share a frame, or one member that takes several.

    sizes: bytes of tar in each frame. long: whether long-distance matching pays.
    """

    members: tuple[Member, ...]
    sizes: tuple[int, ...]
    long: bool


def members(sections: Iterable[Section], files: Files) -> Iterator[Member]:
    """Check entries and drop those that repeat an earlier one exactly.

    files: an empty table, which gets the row of each. Raises `UnsupportedError` for a path no
    bundle may hold, or two that are in each other's way.
    """
    tree = tree_of(files)
    for number, section in enumerate(sections):
        for entry, artifact in section.entries:
            file = _row(entry, artifact)
            try:
                tree.add(entry.path)
            except PathError as error:
                earlier = tree.number(entry.path)
                if earlier and files[earlier - 1][:4] == file[:4]:
                    continue
                if earlier:
                    raise UnsupportedError(
                        f"two different files would lie at {entry.path!r} of the bundle",
                        where=_where(entry),
                        fix="Pack the lockfiles into bundles of their own.",
                    ) from None
                raise UnsupportedError(
                    f"the bundle cannot hold {entry.path!r}: {error}", where=_where(entry)
                ) from None
            files.append(file)
            yield Member(file, entry.content, number, section.opens_artifacts)


def cut(entries: Iterable[Member], limits: Limits = DEFAULT_LIMITS) -> Iterator[Batch]:
    """Group members into frames: by section, between members, none larger than its limit.

    A member that is larger gets frames of its own, each as large as the limit but the last.
    """
    pending: list[Member] = []
    total = 0
    for member in entries:
        size = tar.member_size(member.file.path, member.file.size)
        limit = limits.opened if member.long else limits.kept
        if pending and (total + size > limit or pending[-1].section != member.section):
            yield Batch(tuple(pending), (total,), pending[0].long)
            pending, total = [], 0
        if size > limit:
            whole, rest = divmod(size, limit)
            yield Batch((member,), (limit,) * whole + ((rest,) if rest else ()), member.long)
        else:
            pending.append(member)
            total += size
    if pending:
        yield Batch(tuple(pending), (total,), pending[0].long)


def content_of(content: Blob | Slice | bytes | None, read_blob: ReadBlob) -> Iterator[Buffer]:
    """A member's bytes: exactly as many as its size says. Raises `BlobLost`."""
    if isinstance(content, bytes):
        yield content
    elif content is not None:
        rest = content.size
        for chunk in read_blob(content):
            rest -= len(chunk)
            if rest < 0:
                break
            yield chunk
        if rest:
            raise BlobLost(content.sha256, "a file of the store has not the size it had")


@dataclass(frozen=True, slots=True)
class Tally:
    """What the manifest needs to know of the batches that went by.

    files: the rows of their members: `members` fills it.
    """

    files: Files = field(default_factory=Files)
    frames: list[int] = field(default_factory=list)

    def watch(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Hand the batches through."""
        for batch in batches:
            self.frames.extend(batch.sizes)
            yield batch

    def manifest(self, head: Head, mtime: int) -> Manifest:
        """The manifest, once all batches have gone by."""
        return Manifest(head, mtime, tuple(self.frames), self.files)


Row: TypeAlias = tuple[str, int, int, str | None]
"""Path, size, mode and hash: what must be equal for two bundles to have the same file."""


@dataclass(frozen=True, slots=True)
class Base:
    """The bundle that a delta goes on from: its id, and the files it has."""

    id: str
    rows: frozenset[Row]

    @classmethod
    def of(cls, bundle_id: str, manifest: Manifest) -> Base:
        """The base that a bundle, or a delta once it is unpacked, makes."""
        return cls(bundle_id, frozenset(file[:4] for file in manifest.files))


@dataclass(frozen=True, slots=True)
class DeltaTally:
    """A `Tally` that hands through only what a base lacks, in frames of its own."""

    base: Base
    limits: Limits
    full: Tally = field(default_factory=Tally)
    own: Tally = field(default_factory=Tally)

    @property
    def files(self) -> Files:
        """The rows of all members, lacking or not."""
        return self.full.files

    def watch(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Hand the lacking members through."""
        return self.own.watch(
            cut(
                (
                    member
                    for batch in self.full.watch(batches)
                    for member in batch.members
                    if member.file[:4] not in self.base.rows
                ),
                self.limits,
            )
        )

    def manifest(self, head: Head, mtime: int) -> Manifest:
        """The delta's manifest, once all batches have gone by."""
        manifest = self.full.manifest(head, mtime)
        indexes = (i for i, file in enumerate(manifest.files) if file[:4] not in self.base.rows)
        delta = Delta(self.base.id, tuple(self.own.frames), tuple(indexes))
        return replace(manifest, delta=delta)


@dataclass(frozen=True, slots=True)
class Span:
    """What a frame holds: `files[first:stop]` of those in the bundle.

    size: bytes of tar. skip: bytes of the first file's member that earlier frames hold.
    split: whether it is a part of one member.
    """

    size: int
    first: int
    stop: int
    skip: int
    split: bool


def locate(manifest: Manifest) -> tuple[Span, ...]:
    """The span of every frame, in the files the bundle holds.

    Raises `BundleError` if they do not fit.
    """
    sizes, files = manifest.held()
    count = len(files)
    members = (tar.member_size(file.path, file.size) for file in files)
    rest = next(members, 0)
    spans = []
    index = skip = 0
    for size in sizes:
        first, before = index, skip
        room = size
        while room > 0 and index < count:
            if rest > room:
                rest, skip = rest - room, skip + room
                room = 0
            else:
                room -= rest
                index, skip = index + 1, 0
                rest = next(members, 0)
        split = before > 0 or skip > 0
        stop = index + 1 if skip else index
        if room or not size or (split and stop - first != 1) or size % tar.BLOCK:
            raise _misfit()
        spans.append(Span(size, first, stop, before, split))
    if index != count or skip:
        raise _misfit()
    return tuple(spans)


def _misfit() -> BundleError:
    return BundleError("the bundle's manifest is not valid: its frames do not fit its files")


def _row(entry: Entry, artifact: int | None) -> File:
    content = entry.content
    if content is None:
        return File(entry.path + "/", 0, entry.mode, None, artifact)
    if isinstance(content, bytes):
        digest = hashlib.sha256(content).hexdigest()
        return File(entry.path, len(content), entry.mode, digest, artifact)
    return File(entry.path, content.size, entry.mode, content.sha256, artifact)


def _where(entry: Entry) -> str | None:
    artifact = entry.artifact
    return None if artifact is None else f"{artifact} ({artifact.where})"
