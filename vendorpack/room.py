"""A room: `Format`, which each implements, and what the engine hands it.

A room (one package below `vendorpack.formats`) knows one ecosystem; the engine knows none. What
passes between them are the frozen dataclasses of `vendorpack.model`. The data goes one way::

    Format.read      Project, Options           -> Lockfile      pure
    Format.locate    Lockfile, Index            -> Lockfile      URLs and hashes the lock lacks
    (engine)         Artifact                   -> Blob          fetched, verified, stored
    Format.license   Artifact                   -> reader        of what it says of its licence
    Format.prepare   Artifact, file             -> digests       that are not file hashes, and
                                                                 converted forms, in one reading
    Format.expand    Lockfile, Packed, Index    -> Brought…      found by reading an artifact
    Format.layout    Packed, Workshop           -> Entry…        the native cache's tree
    Format.environment  Lockfile, Packed        -> Environment   how the client finds it

A room may subclass `Artifact` (frozen, keyword-only) to carry what its layout needs; the
engine hands back the very objects it was given.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeAlias, TypeVar

from vendorpack.dataclass import dataclass
from vendorpack.model import (
    Artifact,
    Blob,
    Brought,
    Entry,
    Environment,
    Json,
    Lack,
    LicenseReader,
    Lockfile,
    Need,
    Options,
    Packed,
    Slice,
    Wanted,
)
from vendorpack.project import Host, Project

if TYPE_CHECKING:
    from vendorpack.demands import Contents, Demand

T = TypeVar("T")
R = TypeVar("R")


# -- what the engine hands a room ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What an index said."""

    body: bytes
    content_type: str
    url: str
    """After redirects, without userinfo: what relative links are relative to."""


class Index(Protocol):
    """An ecosystem's index, asked over the network. Policy, auth and retries are its own."""

    async def get(self, url: str, *, accept: str = "*/*", max_size: int = 64 << 20) -> Answer:
        """Fetch a small document. Raises `FetchError` with `.status` (404 …) or `PolicyError`."""
        ...

    async def head(self, repository: str, paths: Sequence[str]) -> Mapping[str, bytes]:
        """Files of the newest commit of a git repository (its HEAD), of up to 64 MiB each.

        By path; what is not there is left out. Raises `FetchError`, `PolicyError`.
        """
        ...


Keep: TypeAlias = Callable[[str, Iterable[bytes | memoryview]], None]
"""Takes a recipe's name and the converted form, in chunks: see `Format.prepare`."""
Make: TypeAlias = Callable[[BinaryIO, Keep], None]
"""Reads an artifact and keeps its forms."""


class Workshop(Protocol):
    """The store and the cores, as a layout may use them."""

    def read(self, blob: Blob | Slice) -> bytes:
        """The bytes, verified. Raises `BlobLost`."""
        ...

    def open(self, blob: Blob) -> BinaryIO:
        """A seekable stream over a blob that was verified in full before this returns."""
        ...

    def keep(self, chunks: Iterable[bytes]) -> Blob:
        """Put bytes that are too large for memory into the store."""
        ...

    def derived(self, recipe: str, blob: Blob, make: Callable[[bytes], bytes]) -> Blob:
        """`make(read(blob))`, kept in the store: the next pack finds it by recipe and blob.

        `recipe` names the conversion and its version; a change of its output needs a new one.
        """
        ...

    def forms(self, recipes: Sequence[str], blob: Blob, make: Make) -> tuple[Blob, ...]:
        """What `make` keeps of the blob under each of the recipes, from the store as `derived`."""
        ...

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Like the built-in `map`, on all cores (threads), in order, with bounded look-ahead."""
        ...


# -- a room --------------------------------------------------------------------------------


class Format(abc.ABC):
    """One ecosystem's lockfile and native cache. A room's `FORMAT` is an instance.

    Attributes:
        name: the word for it everywhere (`npm`); also its folder in the bundle.
        title: for people ("npm").
        layout_version: raised whenever the same artifacts give other entries, another graph or
            other licences; part of the key.
        command: the ordinary install command that works offline afterwards.
        opens_artifacts: whether entries are unpacked files (long frames compress them far
            better) rather than archives kept whole.
        prepares: whether `prepare` is worth processes of its own.
        exports: whether its git artifacts are files that `from_export` makes of a commit, pinned
            by hashes of their own: several may share a commit. Their addresses may name it by a
            ref alone, or by its first (12 or more) digits.
        spares: whether `spared` is worth asking.
        options: the options only this room has: name (without `<format>-`) to help text.
        inner_lockfiles: names of lockfiles that its artifacts may hold; the rooms that read
            those are part of its key.
    """

    name: str
    title: str
    layout_version: int
    command: str
    opens_artifacts: bool = False
    prepares: bool = False
    exports: bool = False
    spares: bool = False
    options: Mapping[str, str] = {}
    inner_lockfiles: Sequence[str] = ()

    @abc.abstractmethod
    def read(self, project: Project, options: Options) -> Lockfile:
        """Read a lockfile: no network, no clock, no code of the project's.

        Artifacts are chosen by `options` and each is listed once, in a fixed order.
        Raises `LockfileError`, `UnsupportedError`, `PolicyError`.
        """

    def companions(self, lockfile: str) -> tuple[str, ...]:
        """Names of files beside `lockfile` that pin as it does (go.mod beside go.sum).

        Those that exist are hashed into the key with it.
        """
        return ()

    @abc.abstractmethod
    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """All that decides the content beside the lockfiles' bytes and `layout_version`.

        Only what this room really uses: a room that takes every platform leaves targets out,
        and its bundles then have the same key everywhere. Must be fast (`vendorpack key`).
        """

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the index for the URLs and hashes that the lockfile lacks.

        The only step of a room that sees the network. What it learns must be a function of
        the lockfile and the index, not of what the store already has.
        """
        return lockfile

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether `locate` may find a hash for this artifact, which has none that counts.

        What nobody is asked about is refused at once. By default those without an address
        are asked about.
        """
        return artifact.url is None

    def asks_to_choose(self, options: Options) -> bool:
        """Whether only an index tells which of a lockfile's artifacts are packed."""
        return False

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """What reading the fetched artifacts brought to light.

        Further artifacts, already located; lockfiles that lie in an artifact, which the engine
        hands to the room that reads them; and warnings. Called at least once, and again with
        everything packed so far until it returns no new artifact.
        """
        return ()

    def spared(
        self, lockfile: Lockfile, artifact: Artifact, packed: Sequence[Packed], workshop: Workshop
    ) -> str:
        """Why an artifact that its server has no more can be left out; empty if it cannot.

        packed: all the others that are there. Asked of a room that `spares`.
        """
        return ""

    def opens(self, artifact: Artifact) -> bool:
        """Whether `layout` unpacks this artifact, so that no file of the bundle is all of it."""
        return self.opens_artifacts

    def needs(
        self, project: Project, packed: Sequence[Packed], options: Options, workshop: Workshop
    ) -> Sequence[Need]:
        """What installing these artifacts fetches beside them: for warnings and proposals.

        From the artifacts' own data, read no more than that takes.
        """
        return ()

    def license(self, artifact: Artifact) -> LicenseReader | None:
        """How this artifact is asked for its licence; None if it has nothing that would say it.

        Declared in the ecosystem's own way, never guessed: an SPDX expression where it has one,
        else the words it has.
        """
        return None

    def licenses(self, packed: Sequence[Packed]) -> Iterable[str]:
        """The licence of each, from what each says: where one takes another's (a parent's)."""
        return [one.license for one in packed]

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The value of a derived digest over a downloaded file (see `vendorpack.digest`)."""
        raise NotImplementedError(f"{self.name} has no digest named {algorithm}")

    def prepare(
        self, artifact: Artifact, algorithms: Sequence[str], path: Path, keep: Keep
    ) -> Mapping[str, bytes]:
        """Read an artifact that has just arrived, once, while others still download.

        Returns the values of the derived digests that are named; the streamed ones were compared
        before. Forms that `layout` will ask `Workshop.derived` or `Workshop.forms` for can be given
        to `keep` under their recipes; they are believed only once the artifact is verified. So can
        the licence that it declares, under its reader's: then it is not read once more. Runs
        in a process of its own if the room `prepares`, so it must be a function of its arguments;
        for a room that does not, only if there are derived digests.
        """
        return {algorithm: self.derive(artifact, algorithm, path) for algorithm in algorithms}

    def from_export(self, artifact: Artifact, export: Path, out: Path) -> None:
        """Write to `out` what a git artifact is, made of its commit, in a room that `exports`.

        export: two tars, one after the other: `tree/…` as `git archive` writes it, `raw/…` as it is
        in the repository (see `vendorpack.fetch.git_export`). Raises `IntegrityError` if it
        cannot be there.
        """
        raise NotImplementedError(f"{self.name} makes nothing of commits")

    def derive_stored(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The same over what `layout` makes of the file: what is in a bundle.

        Where that is another file, the digest is over what both have in common, or over ours.
        Raises `NotImplementedError` if there is no such thing: then the artifact is laid out anew
        and compared, if the local store has it.
        """
        return self.derive(artifact, algorithm, path)

    def explain_mismatch(self, artifact: Artifact, algorithm: str) -> str:
        """What to do when a derived digest differs; empty if there is nothing special to say."""
        return ""

    def explain_failure(self, artifact: Artifact) -> str:
        """What to do about an artifact that a server refused; empty if that says it all."""
        return ""

    @abc.abstractmethod
    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The native cache's tree, in artifact order (name, version), then path.

        `packed` has the artifacts of all lockfiles of this format, sorted, each once. Lazy:
        an entry's bytes may be dropped once the next one is asked for. An entry that is there
        already, with the same content and mode, is passed over: nobody need remember paths.
        """

    def is_place_of(self, path: str, name: str, version: str) -> bool:
        """Whether what lies at a path of the bundle, whole, can be of that package.

        For clients that take what lies at a path without comparing it with the lockfile again.
        """
        return True

    @abc.abstractmethod
    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The target's environment, relative to the prefix."""

    def side_files(
        self, project: Project, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop
    ) -> Mapping[str, bytes]:
        """Files beside the lockfile that the user asked this room to keep: name to content.

        Such as a record of what the lockfile leaves open, so that packing again is the same.
        Written before the key is computed for good, since they may be a part of it.
        """
        return {}

    def explain_request(self, url: str) -> str | None:
        """What to do about a request that an install made in vain: for `rehearse`.

        url: redacted, and without a path where that was not seen. Empty if nothing comes of it (an
        audit, a look for a newer client); None if this room does not know the address.
        """
        return None

    def explain_output(self, text: str) -> Sequence[Lack]:
        """What an install that failed said that it lacks: for `rehearse`.

        text: the end of what it printed. A client that this room's environment keeps offline asks
        for nothing, so that its words are all there is.
        """
        return ()

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """What an install from a bundle needs of its machine: for `doctor`.

        contents: all that is known there, from the manifest.
        """
        from vendorpack.demands import Client  # noqa: PLC0415 - packing needs none of it

        return (Client((self.command.split()[0],)),)

    @abc.abstractmethod
    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """Where the client itself keeps what the bundle has below a path: path to folder.

        For `unpack` without a prefix; the longest matching path decides.
        """

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """What to write where the native cache already has another file at `path`.

        Content-addressed files are simply replaced; an index that holds the user's other
        entries must keep them.
        """
        return ours

    def in_use_mark(self, path: str) -> str | None:
        """Name of a file beside `path` that, while it is not empty, belongs to a running client.

        A native cache's file with such a mark is not merged with; None: there is no such mark.
        """
        return None


class Supplement(Format):
    """A room whose lockfile pins single files by address, and can be added to.

    addition: the name of that lockfile. plain_files: the bundle's folder of those that no client
        finds by itself, which `run --serve` offers over http. settling: the line of that lockfile
        that makes a package's name one of `Lockfile.settled`, with `NAME` for it.
    """

    addition: str
    settling: str
    plain_files: str

    @abc.abstractmethod
    def served(self, names: Sequence[str], address: str) -> Mapping[str, str]:
        """Variables that lead clients to these plain files at an address; only while served."""

    @abc.abstractmethod
    def pins(self, wanted: Sequence[Wanted]) -> Lockfile:
        """A lockfile, not on disk, of these files; those without integrity are to be recorded."""

    @abc.abstractmethod
    def added(self, text: bytes | None, files: Sequence[tuple[Artifact, str]]) -> bytes:
        """The lockfile `text` (None: a new one) with these files behind it, all else as it was.

        Each has a hash by now, and comes with a comment. Raises `LockfileError` for a text that
        cannot be added to.
        """
