"""The machine and the project that a lockfile is of, as far as a room may look at them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest
from vendorpack.errors import LockfileError

MAX_LOCKFILE_SIZE = 64 * 1024 * 1024
"""Bytes; a lockfile or a config file beside it that is larger is refused unread."""


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

    def is_of_bundle(self, value: str) -> bool:
        """Whether a variable's value is a path that a bundle's vendorpack.env set in this shell.

        Such a value says where clients find that bundle, not what the user configured.
        """
        prefix = self.environ.get("VENDORPACK_PREFIX")
        return bool(prefix) and value.removeprefix("file://").startswith(f"{prefix}/")

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
    trusted: bool = True
    """Whether the project's own files may say where requests go, and read the environment."""

    @property
    def path(self) -> Path:
        """Where the lockfile is."""
        return self.root / self.lockfile

    @property
    def folder(self) -> Path:
        """The folder that the lockfile lies in."""
        return self.path.parent

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

    def files(self, folder: str) -> tuple[str, ...]:
        """The names of the files in a folder beside the lockfile, sorted; none if it is none."""
        if self.held is not None:
            return ()
        try:
            return tuple(sorted(path.name for path in (self.folder / folder).iterdir()))
        except OSError:
            return ()

    def has_any(self, name: str, digests: Iterable[Digest]) -> bool:
        """Whether a file beside the lockfile has one of the digests, however large it is."""
        wanted = {digest.algorithm: set[str]() for digest in digests}
        hashers = {algorithm: hashlib.new(algorithm) for algorithm in wanted}
        for digest in digests:
            wanted[digest.algorithm].add(digest.hex)
        try:
            with (self.folder / name).open("rb") as file:
                while chunk := file.read(1 << 20):
                    for hasher in hashers.values():
                        hasher.update(chunk)
        except OSError:
            return False
        return any(hashers[algorithm].hexdigest() in wanted[algorithm] for algorithm in wanted)

    def settings(self, name: str) -> bytes | None:
        """The same of a file that names registries, hosts or logins.

        None too if the user does not trust the project with that (`--no-project-config`).
        """
        return self.read(name) if self.trusted else None

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment, as far as the project's own files may put it in."""
        return self.host.environ if self.trusted else {}

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
