"""pnpm's store: files by their content, and an index of each package's files.

::

    pnpm/store/
      v3/                                     pnpm 7, 8, 9
        files/<hh>/<rest>[-exec]              a file: hex of its sha512; -exec if executable
        files/<ii>/<rest>-index.json          a package: hex of its tarball's digest
        <id>/integrity.json                   a package without one (from a git host)
        <id>/integrity-not-built.json         the same, for --ignore-scripts
      v10/                                    pnpm 10
        files/<hh>/<rest>[-exec]
        index/<ii>/<rest, 62 digits>-<id>.json
        <id>/integrity.json …
        projects/                             pnpm puts links in it: everybody may write
      v11/                                    pnpm 11, 12
        files/<hh>/<rest>[-exec]
        index.db                              rows by "<integrity>\\t<id>"
        links/…/node_modules/<name>/          a configuration dependency, unpacked, for pnpm 11
      git/                                    repositories that pnpm clones (`type: git`)

`<id>` is `name@version` (or an address), escaped. Every version looks below its own folder
only, so a file that several versions need is there several times. The copies follow each
other, and compress to almost nothing; unpacked they take their space.

An archive's first path component is cut, only files count (pnpm takes a hard link for one), and
of two with one path the later counts. A git host's archive of a commit, for which the lockfile has
no hash, is made up for by the commit itself.
"""

from __future__ import annotations

import base64
import hashlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import BinaryIO, Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import Integrity
from vendorpack.formats._shared.npm.git_dependencies import repositories
from vendorpack.formats._shared.npm.package import entry_mode
from vendorpack.formats.pnpm.artifacts import PnpmArtifact, PnpmCommit
from vendorpack.formats.pnpm.contents import (
    read_manifest,
    requires_build,
    requires_prepare,
    unpacked,
    word,
)
from vendorpack.formats.pnpm.index import TABLE, TABLE_SQL, File, PackageIndex
from vendorpack.formats.pnpm.sqlite_file import write_table
from vendorpack.formats.pnpm.stores import STORES
from vendorpack.model import Entry, Packed, Slice
from vendorpack.room import Workshop

ROOT: Final = "pnpm/store"
INDEX_DB: Final = "index.db"
GIT: Final = f"{ROOT}/git"

_SHARED_FOLDER: Final = 0o1777
_LONGEST_FOLDER: Final = 120
_LARGE: Final = 16 << 20
"""Bytes of rows from which on the index is not held in memory."""


@dataclass(frozen=True, slots=True)
class _Unpacked:
    artifact: PnpmArtifact
    index: PackageIndex
    contents: Sequence[Slice | bytes]
    """Of `index.files`, in order."""

    @property
    def needs_build(self) -> bool:
        """Whether pnpm would run its scripts before it packs it (git hosts only)."""
        return self.index.requires_prepare is True


def layout(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """The stores' entries, package by package. What has the same content is there each time."""
    stores = stores_of(packed)
    indexes: set[str] = set()
    if "v10" in stores:
        yield Entry(f"{ROOT}/v10/projects", None, _SHARED_FOLDER)
    yield from repositories(GIT, packed, workshop)
    packages = [one for one in packed if isinstance(one.artifact, PnpmArtifact)]
    with tempfile.TemporaryFile() as file:
        rows = _Rows(file)
        for package in workshop.map(lambda one: _unpack(one, workshop), packages):
            yield from _file_entries(package)
            for entry in _index_entries(package):
                if entry.path not in indexes:
                    indexes.add(entry.path)
                    yield entry
            if "v11" in package.artifact.stores:
                rows.add(_row_keys(package), package.index.to_msgpack())
        if "v11" in stores:
            pieces = write_table(TABLE, TABLE_SQL, rows.readers())
            content = workshop.keep(pieces) if rows.size > _LARGE else b"".join(pieces)
            yield Entry(f"{ROOT}/v11/{INDEX_DB}", content)


class _Rows:
    """The rows of an index by their keys; what is in them is in a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[str, tuple[int, int]] = {}
        self.size = 0

    def add(self, keys: Iterable[str], value: bytes) -> None:
        """The same value for each key that has none."""
        self._file.seek(self.size)
        self._file.write(value)
        for key in keys:
            self._places.setdefault(key, (self.size, len(value)))
        self.size += len(value)

    def readers(self) -> dict[str, Callable[[], bytes]]:
        """What gets each row's value."""
        return {key: partial(self._read, *place) for key, place in self._places.items()}

    def _read(self, start: int, size: int) -> bytes:
        self._file.seek(start)
        return self._file.read(size)


def stores_of(packed: Iterable[Packed]) -> tuple[str, ...]:
    """The store versions that any artifact is laid out for, oldest first."""
    wanted = {
        store
        for one in packed
        if isinstance(one.artifact, PnpmArtifact | PnpmCommit)
        for store in one.artifact.stores
    }
    return tuple(store for store in STORES if store in wanted)


# -- a package -----------------------------------------------------------------------------


def _unpack(packed: Packed, workshop: Workshop) -> _Unpacked:
    artifact = packed.artifact
    assert isinstance(artifact, PnpmArtifact)
    found = unpacked(packed, workshop)
    listed = sorted(found.items())
    files = [File(path, file.sha512, file.mode, file.size) for path, file in listed]
    manifest = read_manifest(found, workshop)
    index = PackageIndex(
        name=word(manifest, "name") or artifact.name,
        version=word(manifest, "version") or artifact.version,
        requires_build=requires_build(manifest, found),
        requires_prepare=requires_prepare(manifest, found) if artifact.git_hosted else None,
        files=files,
    )
    return _Unpacked(artifact, index, [file.content for _, file in listed])


def _file_entries(package: _Unpacked) -> Iterator[Entry]:
    artifact = package.artifact
    for file, content in zip(package.index.files, package.contents, strict=True):
        digits = file.digest.hex()
        suffix = "-exec" if file.executable else ""
        mode = entry_mode(file.mode)
        for store in artifact.stores:
            path = f"{ROOT}/{store}/files/{digits[:2]}/{digits[2:]}{suffix}"
            yield Entry(path, content, mode, artifact)
        if artifact.link and "v11" in artifact.stores:
            folder = f"{ROOT}/v11/links/{artifact.link}/node_modules/{artifact.name}"
            yield Entry(f"{folder}/{file.path}", content, mode, artifact)


def _index_entries(package: _Unpacked) -> Iterator[Entry]:
    paths = [*_index_paths(package)]
    if paths:  # v11 alone has none, and the text is as long as the list of files
        index = package.index.to_json()
        yield from (Entry(f"{ROOT}/{path}", index, artifact=package.artifact) for path in paths)


def _index_paths(package: _Unpacked) -> Iterator[str]:
    artifact = package.artifact
    # The lockfile's own hash, whatever the registry added to it.
    digits = Integrity.parse_sri(artifact.sri).strongest[0].hex if artifact.sri else ""
    if "v3" in artifact.stores:
        if artifact.sri:
            yield f"v3/files/{digits[:2]}/{digits[2:]}-index.json"
        else:
            for folder in _folders_v3(artifact.id):
                yield from (f"v3/{folder}/{name}" for name in _built_names(package))
    if "v10" in artifact.stores:
        if artifact.git_hosted:
            folder = _folder_v10(artifact.id)
            yield from (f"v10/{folder}/{name}" for name in _built_names(package))
        if artifact.sri:
            yield f"v10/index/{digits[:2]}/{digits[2:64]}-{_escaped(artifact.id)}.json"


def _built_names(package: _Unpacked) -> tuple[str, ...]:
    if package.needs_build:
        return ("integrity-not-built.json",)
    return ("integrity.json", "integrity-not-built.json")


def _row_keys(package: _Unpacked) -> Iterator[str]:
    artifact = package.artifact
    if artifact.sri:
        yield f"{artifact.sri}\t{artifact.id}"
    if artifact.git_hosted:
        yield f"{artifact.id}\tnot-built"
        if not package.needs_build:
            yield f"{artifact.id}\tbuilt"


# -- names ---------------------------------------------------------------------------------


def _escaped(text: str) -> str:
    return re.sub(r'[\\/:*?"<>|]', "+", text)


def _folders_v3(package_id: str) -> list[str]:
    """pnpm 7 to 9 each name it in a way of their own; most ids come out the same in some."""
    parent, slash, last = package_id.rpartition("/")
    older = _escaped(f"{parent}@{last}" if slash else package_id)
    names = {
        _shortened(older, 50, _base32_md5),
        _shortened(older, 93, _base32_md5),
        _shortened(_escaped(package_id), 93, _base32_md5),
    }
    return sorted(names)


def _folder_v10(package_id: str) -> str:
    name = _escaped(package_id).replace("#", "+")
    return _shortened(name, 87, lambda text: hashlib.sha256(text.encode()).hexdigest()[:32])


def _shortened(name: str, kept: int, digest: Callable[[str], str]) -> str:
    """Long names and such with capitals are cut and end in a hash."""
    if len(name) <= _LONGEST_FOLDER and name == name.lower():
        return name
    return f"{name[:kept]}_{digest(name)}"


def _base32_md5(text: str) -> str:
    value = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    return base64.b32encode(value).decode().rstrip("=").lower()
