"""The words the engine and the rooms share, and `Format`, which every room implements.

A room (one package below `vendorpack.formats`) knows one ecosystem; the engine knows none.
What passes between them are the frozen dataclasses here. The data goes one way::

    Format.read      Project, Options           -> Lockfile      pure
    Format.locate    Lockfile, Index            -> Lockfile      URLs and hashes the lock lacks
    (engine)         Artifact                   -> Blob          fetched, verified, stored
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
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Protocol, TypeAlias, TypeVar

from vendorpack.digest import Integrity
from vendorpack.errors import LockfileError

T = TypeVar("T")
R = TypeVar("R")
Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

MAX_LOCKFILE_SIZE = 64 * 1024 * 1024
"""Bytes; a lockfile or a config file beside it that is larger is refused unread."""


# -- what is asked for ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """A platform that artifacts are chosen for: `linux-x86_64-gnu-py3.12`.

    `os` is linux, macos, windows, freebsd …; `cpu` is x86_64, aarch64, i686, armv7l, ppc64le,
    s390x, riscv64 …; `libc` is gnu or musl on linux, empty elsewhere; `runtimes` are language
    versions, such as ("py", "3.12"); `release` is the libc's or macOS' version, such as 2.36, if
    it is named. `vendorpack.target` reads, prints and detects it.
    """

    os: str
    cpu: str
    libc: str = ""
    runtimes: tuple[tuple[str, str], ...] = ()
    release: str = ""

    def runtime(self, name: str) -> str | None:
        """The version of language `name` that is asked for, if any."""
        return dict(self.runtimes).get(name)

    def __str__(self) -> str:
        system, libc = self.os, self.libc
        if libc:
            libc += self.release
        else:
            system += self.release
        parts = [system, self.cpu, libc, *(n + v for n, v in self.runtimes)]
        return "-".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Options:
    """What decides the content beside the lockfile. All of it is in the key if a room uses it.

    targets: platforms to choose for; empty means all of them (`--all-targets`).
    dev: whether development dependencies go in.
    groups: names of groups or extras, where the ecosystem has them; empty is its own default.
    exclude: packages to leave out, `name` or `name@version` (patterns): the engine's own matter.
    extra: options that only one room knows, by `<format>-<option>` (`pnpm-store`).
    """

    targets: tuple[Target, ...] = ()
    dev: bool = True
    groups: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Host:
    """The machine as far as configuration goes: handed in, never looked up deep down."""

    environ: Mapping[str, str]
    home: Path
    os: str
    """linux, macos or windows."""

    @property
    def local_app_data(self) -> Path:
        """Windows' folder for what programs keep of a user on the one machine."""
        configured = self.environ.get("LOCALAPPDATA")
        return Path(configured) if configured else self.home / "AppData" / "Local"

    def config_bytes(self, path: Path) -> bytes | None:
        """Read a user's configuration file; None if there is none."""
        return _read_capped(path, str(path))


@dataclass(frozen=True, slots=True)
class Project:
    """A lockfile on disk and what may be read beside it."""

    root: Path
    """The folder that lockfile paths are relative to."""
    lockfile: PurePosixPath
    """The lockfile, relative to `root`."""
    host: Host
    held: Mapping[str, bytes] | None = None
    """Content by relative name, in place of the disk: of a lockfile that lies in an artifact."""

    @property
    def folder(self) -> Path:
        """The folder that the lockfile lies in."""
        return self.root / self.lockfile.parent

    def lock_bytes(self) -> bytes:
        """The lockfile's bytes. Raises `LockfileError` if it cannot be read."""
        data = self.read(self.lockfile.name)
        if data is None:
            raise LockfileError("the lockfile is not there", where=str(self.lockfile))
        return data

    def read(self, name: str) -> bytes | None:
        """A file beside the lockfile by its relative name; None if there is none."""
        if self.held is not None:
            return self.held.get(name)
        return _read_capped(self.folder / name, str(self.lockfile.parent / name))

    def where(self, line: int | None = None) -> str:
        """`path:line` of a place in the lockfile, for errors."""
        return str(self.lockfile) if line is None else f"{self.lockfile}:{line}"


def _read_capped(path: Path, shown: str) -> bytes | None:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LOCKFILE_SIZE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise LockfileError(f"cannot read the file: {error.strerror}", where=shown) from None
    if len(data) > MAX_LOCKFILE_SIZE:
        raise LockfileError(f"the file is larger than {MAX_LOCKFILE_SIZE >> 20} MiB", where=shown)
    return data


# -- what a lockfile pins ------------------------------------------------------------------


class Trust(enum.StrEnum):
    """Who vouches for an artifact's hash."""

    LOCKFILE = "lockfile"
    REGISTRY = "registry"
    """The lockfile has no hash (or only a weak one); the index it names gave it."""
    FIRST_USE = "first-use"
    """Nobody: allowed by name, and recorded as it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One thing to download.

    url: the canonical address that goes into the manifest; None until `Format.locate` knows.
        A `git+https://…` address (ending `#<commit>`) is a git commit, not a file.
    fetch_from: addresses to download from in place of `url` (a mirror that the user
        configured), in order; all serve the same bytes.
    size: bytes, if the lockfile or the index says so; then it is enforced.
    why: why it was chosen, for `show` ("dev", "optional", "build" …), sorted.
    where: `path:line` of its entry in the lockfile.
    """

    name: str
    version: str
    purl: str
    url: str | None
    integrity: Integrity
    where: str
    fetch_from: tuple[str, ...] = ()
    size: int | None = None
    trust: Trust = Trust.LOCKFILE
    why: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises `LockfileError`: what is here is shown to people, line by line."""
        if not (self.name.isprintable() and self.version.isprintable()):
            raise LockfileError(
                f"a name or version that cannot be printed: {self.name!r} {self.version!r}",
                where=self.where,
                fix="Let the package manager write the lockfile anew.",
            )

    @property
    def sources(self) -> tuple[str, ...]:
        """The addresses to try, in order."""
        if self.fetch_from:
            return self.fetch_from
        return (self.url,) if self.url is not None else ()

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class Credential:
    """Goes with every request below `prefix` (scheme, host, port and path), nowhere else."""

    prefix: str
    header: str = field(repr=False)
    """The whole value of the Authorization header."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where a project's own configuration lets us go, and how.

    origins: `https://host[:port]` of the ecosystem's default and of the user's own config.
    ca_files: extra certificate authorities (PEM files).
    proxies: scheme ("http", "https") to proxy address, over the environment's.
    """

    origins: frozenset[str] = frozenset()
    credentials: tuple[Credential, ...] = ()
    ca_files: tuple[str, ...] = ()
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Warning:
    """Something that the user should know but that does not stop us."""

    what: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockfile:
    """What a room read: the artifacts to get, already chosen for the targets asked for."""

    path: str
    """Relative to the root, with `/`."""
    format: str
    artifacts: tuple[Artifact, ...]
    access: Access = Access()
    warnings: tuple[Warning, ...] = ()

    def with_artifacts(self, artifacts: Iterable[Artifact]) -> Lockfile:
        """The same lockfile with other artifacts."""
        return replace(self, artifacts=tuple(artifacts))


@dataclass(frozen=True, slots=True)
class InnerLockfile:
    """A lockfile that lies in an artifact: what it pins is needed where that is installed.

    path: where it lies: `some-gem-1.0/ext/Cargo.lock`. By its name, one of the room's
        `Format.inner_lockfiles`, the engine finds the room that reads it. What lies beside it
        is not read: an artifact says nothing of hosts, registries and settings.
    """

    path: str
    data: bytes


Brought: TypeAlias = Artifact | InnerLockfile | Warning
"""What reading an artifact may bring to light."""


# -- what goes into a bundle ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Blob:
    """Verified bytes in the store, by their hash."""

    sha256: str
    """64 lower-case hex digits."""
    size: int


@dataclass(frozen=True, slots=True)
class Packed:
    """An artifact and the verified bytes it turned out to be."""

    artifact: Artifact
    blob: Blob


FILE_MODES: Final = (0o644, 0o755)
FOLDER_MODES: Final = (0o755, 0o1777)
"""What a bundle's entries may have; the first is the default."""
_DEFAULT_MODE: Final = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of the bundle's tree.

    path: relative to the bundle's root, with `/`; its first part is the room's own folder
        (rooms that serve the same client may share one).
    content: bytes of the store, bytes made by the room, or None for an empty directory.
    mode: 0o644 (a file's default) or 0o755; a directory's is 0o755 (its default) or 0o1777.
    artifact: what it came from; None for what the room made up (index files).

    Raises `ValueError` for any other mode.
    """

    path: str
    content: Blob | bytes | None
    mode: int = _DEFAULT_MODE
    artifact: Artifact | None = None

    def __post_init__(self) -> None:
        modes = FOLDER_MODES if self.content is None else FILE_MODES
        if self.mode == _DEFAULT_MODE:
            object.__setattr__(self, "mode", modes[0])
        elif self.mode not in modes:
            raise ValueError(f"{self.path!r} has mode {self.mode:o}")


@dataclass(frozen=True, slots=True, order=True)
class Variable:
    """An environment variable of the target.

    is_path: value is relative to the prefix. scheme: what goes before that path: `file://`.
    """

    name: str
    value: str
    is_path: bool = False
    scheme: str = ""


class Base(enum.StrEnum):
    """What a word's path is relative to."""

    PREFIX = "prefix"
    HOME = "home"
    """The folder of the user who installs."""


@dataclass(frozen=True, slots=True, order=True)
class Word:
    """A word of a command line: `text`, and behind it a path, if `base` is given."""

    text: str
    base: Base | None = None
    path: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Arguments:
    """A variable whose words a program takes as arguments, split at spaces.

    Ours go before those that the variable has already.
    """

    name: str
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Environment:
    """What the ordinary install command needs to find the bundle and stay offline.

    git_sources: (remote address as the lockfile has it, path of a bare repository in the
        bundle): the engine turns all rooms' into one GIT_CONFIG_COUNT block.
    """

    variables: tuple[Variable, ...] = ()
    git_sources: tuple[tuple[str, str], ...] = ()
    arguments: tuple[Arguments, ...] = ()


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


Keep: TypeAlias = Callable[[str, Iterable[bytes | memoryview]], None]
"""Takes a recipe's name and the converted form, in chunks: see `Format.prepare`."""


class Workshop(Protocol):
    """The store and the cores, as a layout may use them."""

    def read(self, blob: Blob) -> bytes:
        """The blob's bytes, verified. Raises `BlobLost`."""
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

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Like the built-in `map`, on all cores (threads), in order, with bounded look-ahead."""
        ...


# -- a room --------------------------------------------------------------------------------


class Format(abc.ABC):
    """One ecosystem's lockfile and native cache. A room's `FORMAT` is an instance.

    Attributes:
        name: the word for it everywhere (`npm`); also its folder in the bundle.
        title: for people ("npm").
        layout_version: raised whenever the same artifacts give other entries; part of the key.
        command: the ordinary install command that works offline afterwards.
        opens_artifacts: whether entries are unpacked files (long frames compress them far
            better) rather than archives kept whole.
        prepares: whether `prepare` is worth processes of its own.
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

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """What reading the fetched artifacts brought to light.

        Further artifacts, already located; lockfiles that lie in an artifact, which the engine
        hands to the room that reads them; and warnings. Called at least once, and again with
        everything packed so far until it returns no new artifact.
        """
        return ()

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The value of a derived digest over a downloaded file (see `vendorpack.digest`)."""
        raise NotImplementedError(f"{self.name} has no digest named {algorithm}")

    def prepare(
        self, artifact: Artifact, algorithms: Sequence[str], path: Path, keep: Keep
    ) -> Mapping[str, bytes]:
        """Read an artifact that has just arrived, once, while others still download.

        Returns the values of the derived digests that are named. Forms that `layout` will ask
        `Workshop.derived` for can be given to `keep` under their recipes; they are believed only
        once the artifact is verified. Runs in a process of its own if the room `prepares`, so it
        must be a function of its arguments; for a room that does not, only if there are derived
        digests.
        """
        return {algorithm: self.derive(artifact, algorithm, path) for algorithm in algorithms}

    def derive_stored(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The same over what `layout` makes of the file: what is in a bundle.

        Where that is another file, the digest is over what both have in common, or over ours.
        """
        return self.derive(artifact, algorithm, path)

    def explain_mismatch(self, artifact: Artifact, algorithm: str) -> str:
        """What to do when a derived digest differs; empty if there is nothing special to say."""
        return ""

    @abc.abstractmethod
    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The native cache's tree, in artifact order (name, version), then path.

        `packed` has the artifacts of all lockfiles of this format, sorted, each once. Lazy:
        an entry's bytes may be dropped once the next one is asked for.
        """

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
