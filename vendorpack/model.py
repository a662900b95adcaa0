"""The words that the engine and the rooms share: what is asked for, pinned, packed and laid out.

All are frozen dataclasses. `vendorpack.room` says how they go from one to the other.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, replace
from typing import BinaryIO, Final, TypeAlias, TypeVar

from vendorpack.dataclass import dataclass
from vendorpack.digest import Integrity
from vendorpack.errors import LockfileError

T = TypeVar("T")
Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"


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
        A `git+https://…` address (ending `#<commit>`) is a git commit, not a file; of a room
        that `exports`, what it makes of one.
    fetch_from: addresses to download from in place of `url` (a mirror that the user
        configured), in order; all serve the same bytes.
    only_if_absent: whether the next address is tried only where one says that it has nothing
        there (404, 410), and not where it fails in another way.
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
    only_if_absent: bool = False
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
    """The whole value of the header."""
    name: str = "Authorization"


@dataclass(frozen=True, slots=True)
class Access:
    """Where a project's own configuration lets us go, and how.

    origins: `https://host[:port]` of the ecosystem's default and of the user's own config.
    ca_files: extra certificate authorities (PEM files).
    proxies: scheme ("http", "https") to proxy address, over the environment's.
    without_netrc: those of the origins that are to get no login from the netrc file.
    """

    origins: frozenset[str] = frozenset()
    credentials: tuple[Credential, ...] = ()
    ca_files: tuple[str, ...] = ()
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    without_netrc: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Warning:
    """Something that the user should know but that does not stop us."""

    what: str
    where: str


@dataclass(frozen=True, slots=True)
class Graph:
    """Which packages ask for which, as a lockfile resolved it; a package is its purl.

    requires: a package to those it asks for, be they packed or not. Of one that is not in here,
        the lockfile does not say. Peers and optional ones are in, where they are locked.
    direct: what the project's own packages (all of a workspace's) ask for; None if the lockfile
        does not say.
    """

    requires: Mapping[str, frozenset[str]] = field(default_factory=dict)
    direct: frozenset[str] | None = None

    @classmethod
    def of(
        cls,
        edges: Mapping[T, Iterable[T]],
        purls: Mapping[T, str | Iterable[str]],
        project: Iterable[T] | None,
    ) -> Graph:
        """The graph of a lockfile's own nodes.

        edges: from node to nodes. purls: what a node is; several where several variants of it are
        locked. Nodes that are none are left out, but for the `project`'s own, whose edges are what
        is asked for directly (None: the lockfile has no such nodes).
        """
        named = {node: (p,) if isinstance(p, str) else tuple(p) for node, p in purls.items()}

        def of(node: T) -> Iterator[str]:
            return (purl for other in edges.get(node, ()) for purl in named.get(other, ()))

        none = frozenset[str]()  # one for the many that ask for nothing
        requires: dict[str, frozenset[str]] = {}
        for node, own in named.items():
            for purl in own if node in edges else ():
                requires[purl] = (requires.get(purl, none).union(of(node)) - {purl}) or none
        direct = None if project is None else frozenset(purl for one in project for purl in of(one))
        return cls(requires, direct)

    def with_direct(self, artifacts: Iterable[Artifact]) -> Graph:
        """The same; the project asks for these too (its package manager)."""
        if self.direct is None:
            return self
        return replace(self, direct=self.direct.union(one.purl for one in artifacts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lockfile:
    """What a room read: the artifacts to get, already chosen for the targets asked for.

    graph: None if the lockfile has none.
    """

    path: str
    """Relative to the root, with `/`."""
    format: str
    artifacts: tuple[Artifact, ...]
    access: Access = Access()
    warnings: tuple[Warning, ...] = ()
    graph: Graph | None = None
    settled: frozenset[str] = frozenset()
    """Names of packages whose installation fetches nothing, by the user's own word."""

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


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that would do for a `Need`, as far as the needing artifact's own data say.

    pattern: of its name (fnmatch), by which it is known wherever it comes from; of the end of its
        path, if it has a slash.
    url: where it is by default; None if nothing says that.
    integrity: empty unless the artifact has it. place: as a lockfile's file name, if it matters.
    """

    pattern: str
    url: str | None = None
    integrity: Integrity = field(default_factory=Integrity)
    place: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """What installing an artifact fetches by itself, or may: no lockfile pins it.

    name: whose installation. how: what runs there. where: its entry in the lockfile.
    any_of: files of which one is enough, the best first; empty if nothing tells.
    otherwise: what makes the installation do without; empty if nothing is known.
    is_sure: whether it is known to fetch something; else nothing shows that it does not.
    at_install: whether installing does so; else a command does that is run for it (`how`), and
        packing does not warn.
    """

    name: str
    how: str
    where: str
    any_of: tuple[Wanted, ...] = ()
    otherwise: str = ""
    is_sure: bool = True
    at_install: bool = True


@dataclass(frozen=True, slots=True)
class Lack:
    """What an install without a network said that it lacks, and what to do about it.

    what: a name, as the client said it.
    """

    what: str
    remedy: str


# -- what goes into a bundle ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Blob:
    """Verified bytes in the store, by their hash."""

    sha256: str
    """64 lower-case hex digits."""
    size: int


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a blob, with a hash of its own that it is verified by.

    So a file of an archive that was opened once is taken from where its content lies.
    """

    blob: Blob
    offset: int
    size: int
    sha256: str
    """Of the part."""


@dataclass(frozen=True, slots=True)
class Packed:
    """An artifact and the verified bytes it turned out to be.

    license: what it says its licence is; empty if it says nothing, or was not asked yet.
    """

    artifact: Artifact
    blob: Blob
    license: str = ""


@dataclass(frozen=True, slots=True)
class LicenseReader:
    """How an artifact's bytes are asked what licence they are under.

    recipe: a name for the reading, fit for a file's, with a version that is raised when it gives
        another answer (and then the room's `layout_version` is too). With the bytes it decides the
        answer, which is kept in the store.
    read: the answer as it is written there, of any length; empty if there is none. Raises
        `UnsupportedError` for what cannot be read, which is no answer either. It runs in any
        process, so it can be pickled.
    """

    recipe: str
    read: Callable[[BinaryIO], str]


FILE_MODES: Final = (0o644, 0o755)
FOLDER_MODES: Final = (0o755, 0o1777)
"""What a bundle's entries may have; the first is the default."""
_DEFAULT_MODE: Final = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of the bundle's tree.

    path: relative to the bundle's root, with `/`; its first part is the room's own folder
        (rooms that serve the same client may share one).
    content: bytes of the store (all of a blob, or a part), bytes made by the room, or None for an
        empty directory.
    mode: 0o644 (a file's default) or 0o755; a directory's is 0o755 (its default) or 0o1777.
    artifact: what it came from; None for what the room made up (index files).

    Raises `ValueError` for any other mode.
    """

    path: str
    content: Blob | Slice | bytes | None
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
