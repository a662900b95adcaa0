"""poetry.lock, versions 1.0 to 2.1: text to packages.

::

    [[package]]
    name = "x"
    version = "1.0"
    optional = false
    python-versions = ">=3.9"
    category = "main"                         1.x: main or dev
    groups = ["main", "dev"]                  2.1
    markers = "python_version < \\"3.11\\""     2.1; a table by group where they differ
    files = [{ file = "x-1.0.tar.gz", hash = "sha256:…" }]
    [package.dependencies]
    y = ">=1"                                 or { version, markers, optional, extras }, or a list
    [package.source]                          unless it comes from the default index
    type = "legacy"                           url: an index's, reference: its name in the project
        "url"                                 url: the file's
        "git"                                 url, resolved_reference, subdirectory
        "file", "directory"                   url: a path

    [extras]
    some = ["y"]

    [metadata]
    lock-version = "2.1"
    [metadata.files]                          1.0 and 1.1: name to files

A lock has no addresses and no sizes; the index has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import SIZES, Digest, DigestError
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.python.graph import Request
from vendorpack.formats._shared.python.index import check_filename, check_name
from vendorpack.formats._shared.text.toml_text import (
    Table,
    load_toml,
    optional_text,
    subtable,
    tables,
    text,
    text_list,
)
from vendorpack.project import Project

_LOCK_VERSION: Final = re.compile(r"(\d{1,3})\.(\d{1,3})")
_NEWEST: Final = 2
_KINDS: Final = ("", "legacy", "url", "git", "file", "directory")
MAIN: Final = "main"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a package comes from. `kind` is empty for the default index."""

    kind: str = ""
    url: str = ""
    reference: str = ""
    commit: str = ""
    subdirectory: str = ""

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine."""
        return self.kind in ("file", "directory")


@dataclass(frozen=True, slots=True)
class Package:
    """A package that the lockfile pins.

    name: normalised. groups: empty if the lockfile does not say.
    markers: by group; the key "" stands for all others.
    files: names and hashes; of lockfiles before 2.0 those of all versions of the name.
    dependencies: with extras in the marker.
    """

    name: str
    version: str
    optional: bool
    groups: tuple[str, ...]
    markers: Mapping[str, str]
    files: tuple[tuple[str, Digest], ...]
    dependencies: tuple[Request, ...]
    source: Source
    where: str

    def marker(self, group: str) -> str:
        """The marker under which the package is needed by `group`."""
        return self.markers.get(group, self.markers.get("", ""))


@dataclass(frozen=True, slots=True)
class PoetryLock:
    """A whole lockfile.

    knows_markers: whether packages carry groups and markers (2.1), or both have to be found
        by walking from the project's own dependencies.
    extras: extra of the project to names of its optional packages.
    """

    knows_markers: bool
    packages: tuple[Package, ...]
    extras: Mapping[str, tuple[str, ...]]


def parse_poetry_lock(project: Project) -> PoetryLock:
    """Read the project's lockfile. Raises `LockfileError`."""
    data = project.lock_bytes()
    where = project.where()
    document = load_toml(data, where)
    metadata = subtable(document, "metadata", where)
    version = _lock_version(metadata, where)
    old_files = subtable(metadata, "files", where)
    extras = subtable(document, "extras", where)
    return PoetryLock(
        knows_markers=version >= (2, 1),
        packages=tuple(
            _package(table, old_files, line)
            for table, line in tables(document, data, "package", where)
        ),
        extras={
            name: tuple(_name_of(item, where) for item in text_list(extras, name, where))
            for name in sorted(extras)
        },
    )


def _lock_version(metadata: Table, where: str) -> tuple[int, int]:
    if "lock-version" not in metadata:
        raise LockfileError(
            "a lockfile of Poetry 0 or of its first days, without a version",
            where=where,
            fix="Write it anew with `poetry lock --no-update` of Poetry 1, or `poetry lock` of 2.",
        )
    match = _LOCK_VERSION.fullmatch(text(metadata, "lock-version", where))
    if match is None:
        raise LockfileError("lock-version is not a version", where=where)
    version = int(match[1]), int(match[2])
    if not 1 <= version[0] <= _NEWEST:
        raise LockfileError(
            f"a Poetry lockfile of version {match[0]} is not known, only 1 and 2",
            where=where,
            fix="Update vendorpack, or lock with Poetry 2.",
        )
    return version


def _package(table: Table, old_files: Table, where: str) -> Package:
    written = text(table, "name", where)
    groups = text_list(table, "groups", where)
    category = optional_text(table, "category", where)
    files = table if "files" in table else {"files": old_files.get(written, [])}
    return Package(
        name=check_name(written, where),
        version=text(table, "version", where),
        optional=table.get("optional") is True,
        groups=tuple(groups) or ((category,) if category else ()),
        markers=_markers(table, where),
        files=tuple(_files(files, where)),
        dependencies=tuple(_dependencies(subtable(table, "dependencies", where), where)),
        source=_source(subtable(table, "source", where), where),
        where=where,
    )


def _markers(table: Table, where: str) -> dict[str, str]:
    value = table.get("markers")
    if value is None:
        return {}
    if isinstance(value, str):
        return {"": value}
    if isinstance(value, Mapping) and all(isinstance(item, str) for item in value.values()):
        return dict(value)
    raise LockfileError("'markers' is neither a string nor a table of strings", where=where)


def _files(table: Table, where: str) -> Iterator[tuple[str, Digest]]:
    items = table["files"]
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise LockfileError("'files' is not an array of tables", where=where)
    for item in items:
        filename = check_filename(text(item, "file", where), where)
        algorithm, _, digits = text(item, "hash", where).partition(":")
        if algorithm not in SIZES:
            raise LockfileError(f"the hash of {filename} is of no known kind", where=where)
        try:
            yield filename, Digest.from_hex(algorithm, digits)
        except DigestError as error:
            raise LockfileError(f"the hash of {filename}: {error}", where=where) from None


def _dependencies(table: Table, where: str) -> Iterator[Request]:
    for written in table:
        name = check_name(written, where)
        values: Any = table[written]
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, str):
                yield Request(name, "", value)
            elif isinstance(value, Mapping):
                marker, constraint = (
                    optional_text(value, key, where) or "" for key in ("markers", "version")
                )
                yield Request(name, marker, constraint)
            else:
                raise LockfileError(f"the dependency {name} is not understood", where=where)


def _source(table: Table, where: str) -> Source:
    kind = optional_text(table, "type", where) or ""
    if kind not in _KINDS:
        raise LockfileError(f"a source of type {kind[:40]!r} is not known", where=where)
    return Source(
        kind=kind,
        url=text(table, "url", where) if kind else "",
        reference=optional_text(table, "reference", where) or "",
        commit=optional_text(table, "resolved_reference", where) or "",
        subdirectory=optional_text(table, "subdirectory", where) or "",
    )


def _name_of(requirement: str, where: str) -> str:
    """The name at the start of a requirement."""
    match = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    return check_name(match[0] if match else requirement, where)


def by_name(packages: Sequence[Package]) -> dict[str, list[Package]]:
    """Packages by name; several where a lockfile has several versions."""
    found: dict[str, list[Package]] = {}
    for package in packages:
        found.setdefault(package.name, []).append(package)
    return found
