"""What goes with a task: all that is read of a project to pack it."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest
from vendorpack.discover import Found
from vendorpack.errors import PolicyError, UnsupportedError
from vendorpack.key import Keyed, compute_key
from vendorpack.locked import access_of, read_all
from vendorpack.model import Credential
from vendorpack.project import Host, Project
from vendorpack.store.local import Store, default_folder
from vendorpack.workshop import Shelf

_VARIABLE: Final = re.compile(r"\$\{\w+[?]?\}")
MAX_SIZE: Final = 64 << 20
"""Bytes that go with a task, at most; a scheduler holds all of them."""


@dataclass(frozen=True, slots=True)
class _Host(Host):
    """Notes configuration that is read of the project's own folder."""

    folder: Path = Path()
    seen: dict[Path, bytes] = field(default_factory=dict, compare=False, repr=False)

    def config_bytes(self, path: Path) -> bytes | None:
        data = Host.config_bytes(self, path)
        if data is not None and path.is_relative_to(self.folder):
            self.seen[path] = data
        return data


@dataclass(frozen=True, slots=True)
class _Project(Project):
    """Notes the files that are read."""

    seen: dict[Path, bytes] = field(default_factory=dict, compare=False, repr=False)

    def read(self, name: str) -> bytes | None:
        data = Project.read(self, name)
        if data is not None:
            self.seen[self._place(name)] = data
        return data

    def files(self, folder: str) -> tuple[str, ...]:
        names = Project.files(self, folder)
        for name in names:
            self.seen.setdefault(self._place(f"{folder}/{name}"), b"")  # only its name counts
        return names

    def has_any(self, name: str, digests: Iterable[Digest]) -> bool:
        found = Project.has_any(self, name, digests)
        if found:
            place = self._place(name)
            self.seen[place] = place.read_bytes()
        return found

    def _place(self, name: str) -> Path:
        return Path(os.path.normpath(self.folder / name))


@dataclass(frozen=True, slots=True)
class Parcel:
    """A project's files by their paths below a folder. place: of the lockfiles' folder in it.

    artifacts: how many the lockfiles name.
    """

    keyed: Keyed
    files: Mapping[str, bytes]
    place: str
    artifacts: int


def parcel_of(
    found: Sequence[Found], folder: Path, more: Iterable[Path], host: Host, *, abroad: bool
) -> Parcel:
    """What packing the lockfiles of a folder reads of their project.

    more: other files to send. abroad: whether others than this machine's processes get it; then no
    login may be in it. Raises what reading lockfiles does, `PolicyError` and `UnsupportedError`.
    """
    folder = folder.resolve()
    seen = {path: path.read_bytes() for path in more}
    here = _Host(host.environ, host.home, host.os, folder, seen)
    watched = [
        replace(
            one,
            project=_Project(
                one.project.root, one.project.lockfile, here, None, one.project.trusted, seen
            ),
        )
        for one in found
    ]
    keyed, locked = compute_key(watched), read_all(watched)
    shelf = Shelf(Store(default_folder(host)))
    for item in locked:
        item.room.needs(item.project, (), item.options, shelf)  # what scripts may do is read there
    access = access_of(locked)
    for path in map(Path, access.ca_files):
        if path.is_relative_to(folder):
            seen[path] = path.read_bytes()
    if abroad:
        _refuse_logins(seen, access.credentials)
    size = sum(map(len, seen.values()))
    if size > MAX_SIZE:
        raise UnsupportedError(
            f"packing it reads {size >> 20} MiB of the project, too much to send to a worker",
            where=str(folder),
            fix="Pack it by itself, with the same --store.",
        )
    base = Path(os.path.commonpath([folder, *(path.parent for path in seen)]))
    files = {path.relative_to(base).as_posix(): data for path, data in sorted(seen.items())}
    artifacts = sum(len(item.lockfile.artifacts) for item in locked)
    return Parcel(keyed, files, folder.relative_to(base).as_posix(), artifacts)


def _refuse_logins(seen: Mapping[Path, bytes], credentials: Iterable[Credential]) -> None:
    """Raise `PolicyError` if a file has a login in it, rather than the name of a variable."""
    for credential in credentials:
        for secret in _secrets(credential.header):
            for path, data in seen.items():
                if secret in data:
                    raise PolicyError(
                        "a login stands in a file of the project, and is not sent to a cluster",
                        where=str(path),
                        fix="Write the name of a variable there (${NAME}), or leave it out, and "
                        "give the login to the workers: their environment, .netrc or .npmrc.",
                    )


def _secrets(header: str) -> Iterator[bytes]:
    """The forms in which a file may have what a header says."""
    kind, _, value = header.rpartition(" ")
    if _VARIABLE.fullmatch(value):
        return  # of the workers' environment, and not of this one
    yield value.encode()
    if kind.lower() == "basic":
        try:
            password = base64.b64decode(value, validate=True).partition(b":")[2]
        except ValueError:
            return
        if password:
            yield from (password, base64.b64encode(password))
