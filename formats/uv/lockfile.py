"""uv.lock (version 1, any revision) and the `<script>.py.lock` of a script: text to packages.

::

    version = 1
    revision = 3
    [manifest]
    members = ["app", "lib"]                  workspace; without it, the packages that are local
    requirements = [{ name = "x" }]           a script's, or the workspace root's own
    dependency-groups.dev = [{ name = "x" }]  of a workspace root that is no package
    build-constraints = [{ name = "x", specifier = "<3" }]

    [[package]]
    name = "x"
    version = "1.0"                           may be missing where it is dynamic
    source = { registry = "https://…/simple" }
        registry (address or folder), url (+ subdirectory), git (`<url>?rev=…#<commit>`),
        path, directory, editable, virtual
    resolution-markers = ["…"]                of a fork; the dependencies' markers say as much
    dependencies = [{ name = "y", version = "2.0", source = {…}, extra = ["z"], marker = "…" }]
        version and source only where the name alone is not enough
    sdist = { url = "…", hash = "sha256:…", size = 1 }    of a source that is an address: no url
    wheels = [{ url = "…", hash = "sha256:…", size = 1 }]
    [package.optional-dependencies]           by extra
    [package.dev-dependencies]                by group

uv writes every table of packages at the start of a line, so errors can name it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.digest import SIZES, Digest, DigestError, Integrity
from vendorpack.errors import LockfileError
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
from vendorpack.redact import redact_url

_VERSION: Final = 1
_LOCAL: Final = ("path", "directory", "editable", "virtual")
_MAX_SIZE: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Source:
    """Where a package comes from.

    kind: registry, url, git, path, directory, editable or virtual.
    location: address or path; of git without query and fragment.
    commit, ref: of git: what the fragment says, and where it was found; empty if nowhere else.
    subdirectory: of url and git.
    """

    kind: str
    location: str
    subdirectory: str = ""
    commit: str = ""
    ref: str = ""

    @property
    def is_local(self) -> bool:
        """Whether it lies in the project's own folders, or another one of this machine."""
        return self.kind in _LOCAL or (self.kind == "registry" and "://" not in self.location)


@dataclass(frozen=True, slots=True)
class File:
    """A wheel or source distribution. `size`: bytes, None if the index did not say."""

    url: str
    filename: str
    integrity: Integrity
    size: int | None


@dataclass(frozen=True, slots=True)
class Dependency:
    """An edge. `version` and `source` narrow down which package of that name is meant."""

    name: str
    extras: tuple[str, ...] = ()
    marker: str = ""
    version: str | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """A package that the lockfile pins, or one of the project's own.

    wheels, sdist: files to be had; empty for local ones and for git.
    """

    name: str
    version: str
    source: Source
    dependencies: tuple[Dependency, ...]
    extras: Mapping[str, tuple[Dependency, ...]]
    groups: Mapping[str, tuple[Dependency, ...]]
    wheels: tuple[File, ...]
    sdist: File | None
    where: str


@dataclass(frozen=True, slots=True)
class UvLock:
    """A whole lockfile.

    members: names of the workspace's packages; empty for a single one.
    requirements, groups: what the workspace's root or a script asks for itself.
    build_constraints: requirements (PEP 508) that build environments keep to.
    """

    packages: tuple[Package, ...]
    members: tuple[str, ...]
    requirements: tuple[Dependency, ...]
    groups: Mapping[str, tuple[Dependency, ...]]
    build_constraints: tuple[str, ...]


def parse_uv_lock(project: Project) -> UvLock:
    """Read the project's lockfile. Raises `LockfileError`."""
    data = project.lock_bytes()
    where = project.where()
    document = load_toml(data, where)
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise LockfileError("the lockfile has no version", where=where)
    if version != _VERSION:
        raise LockfileError(
            f"a uv lockfile of version {version} is not known, only {_VERSION}",
            where=where,
            fix="Update vendorpack." if version > _VERSION else "Lock with a newer uv.",
        )
    manifest = subtable(document, "manifest", where)
    # The first releases called the array by another name.
    header = "distribution" if "distribution" in document else "package"
    return UvLock(
        packages=tuple(_package(t, line) for t, line in tables(document, data, header, where)),
        members=tuple(text_list(manifest, "members", where)),
        requirements=_dependencies(manifest, "requirements", where),
        groups=_by_name(manifest, "dependency-groups", where),
        build_constraints=tuple(_constraints(manifest, where)),
    )


def _package(table: Table, where: str) -> Package:
    name = text(table, "name", where)
    source = _source(subtable(table, "source", where), where)
    wheels: tuple[File, ...] = ()
    sdist = None
    if not source.is_local and source.kind != "git":
        wheels = tuple(_file(w, source, where) for w in _array(table, "wheels", where))
        sdist = _file(table["sdist"], source, where) if "sdist" in table else None
    return Package(
        name=name,
        version=optional_text(table, "version", where) or "",
        source=source,
        dependencies=_dependencies(table, "dependencies", where),
        extras=_by_name(table, "optional-dependencies", where),
        groups=_by_name(table, "dev-dependencies", where),
        wheels=wheels,
        sdist=sdist,
        where=where,
    )


def _source(table: Table, where: str) -> Source:
    for kind in ("registry", "url", "git", *_LOCAL):
        location = optional_text(table, kind, where)
        if location is None:
            continue
        subdirectory = optional_text(table, "subdirectory", where) or ""
        if kind == "git":
            return _git(location, where)
        if kind == "url" or (kind == "registry" and "://" in location):
            _check_address(location, where)
        return Source(kind, location, subdirectory)
    raise LockfileError("the source is of a kind that is not known", where=where)


def _git(location: str, where: str) -> Source:
    parts = _check_address(location, where)
    query: dict[str, str] = {}
    for pair in parts.query.split("&"):
        key, _, value = pair.partition("=")
        query[key] = unquote(value)
    url = location.partition("#")[0].partition("?")[0]
    ref = query.get("rev", "")
    for key, folder in (("tag", "refs/tags/"), ("branch", "refs/heads/")):
        if query.get(key):
            ref = folder + query[key]
    if parts.fragment.startswith(ref):
        ref = ""
    return Source("git", url, query.get("subdirectory", ""), parts.fragment, ref)


def _file(raw: Any, source: Source, where: str) -> File:
    if not isinstance(raw, Mapping):
        raise LockfileError("a wheel or sdist is not a table", where=where)
    url = optional_text(raw, "url", where)
    if url is None and source.kind == "url":
        url = source.location
    if url is None:
        raise LockfileError("a wheel or sdist has no url", where=where)
    filename = unquote(_check_address(url, where).path.rpartition("/")[2])
    if not filename or "/" in filename or "\\" in filename or not filename.isprintable():
        raise LockfileError(f"an address ends in no file name: {redact_url(url)}", where=where)
    size = raw.get("size")
    if size is not None and (type(size) is not int or not 0 <= size < _MAX_SIZE):
        raise LockfileError(f"the size of {filename} is not a number of bytes", where=where)
    return File(url, filename, _integrity(raw, filename, where), size)


def _integrity(raw: Table, filename: str, where: str) -> Integrity:
    value = optional_text(raw, "hash", where)
    if value is None:
        return Integrity()
    algorithm, _, digits = value.partition(":")
    if algorithm not in SIZES:
        raise LockfileError(f"the hash of {filename} is of no known kind", where=where)
    try:
        return Integrity.of([Digest.from_hex(algorithm, digits)])
    except DigestError as error:
        raise LockfileError(f"the hash of {filename}: {error}", where=where) from None


def _check_address(address: str, where: str) -> Any:
    try:
        parts = urlsplit(address)
        # Reading the port checks it.
        valid = bool(parts.scheme and parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
        parts = urlsplit("")
    if not valid or not address.isascii() or not address.isprintable() or " " in address:
        raise LockfileError(f"not an address: {redact_url(address)[:200]!r}", where=where)
    return parts


def _by_name(table: Table, key: str, where: str) -> dict[str, tuple[Dependency, ...]]:
    named = subtable(table, key, where)
    return {name: _dependencies(named, name, where) for name in sorted(named)}


def _dependencies(table: Table, key: str, where: str) -> tuple[Dependency, ...]:
    return tuple(_dependency(item, where) for item in _array(table, key, where))


def _dependency(table: Table, where: str) -> Dependency:
    source = subtable(table, "source", where)
    # Edges between packages say `extra`, requirements of the manifest `extras`.
    return Dependency(
        name=text(table, "name", where),
        extras=(*text_list(table, "extra", where), *text_list(table, "extras", where)),
        marker=optional_text(table, "marker", where) or "",
        version=optional_text(table, "version", where),
        source=_source(source, where) if source else None,
    )


def _constraints(manifest: Table, where: str) -> Iterator[str]:
    for item in _array(manifest, "build-constraints", where):
        marker = optional_text(item, "marker", where)
        specifier = optional_text(item, "specifier", where) or ""
        requirement = text(item, "name", where) + specifier
        yield f"{requirement} ; {marker}" if marker else requirement


def _array(table: Table, key: str, where: str) -> Sequence[Table]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise LockfileError(f"{key!r} is not an array of tables", where=where)
    return value
