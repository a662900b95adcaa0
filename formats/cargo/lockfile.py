"""`Cargo.lock`, versions 1 to 4, without its manifest.

Every `[[package]]` and `[[patch.unused]]` table with a `source` is wanted; without one it is a
member of the workspace or a path. Cargo reads the index entry of every locked package, for
all platforms, so all are taken. A checksum is inline since version 2; before, it was a line
`"checksum NAME VERSION (SOURCE)" = "HEX"` of `[metadata]`. Git packages have none: the commit
in their source is it. One commit may hold many packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, DigestError, Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.text.addresses import parts_of
from vendorpack.formats._shared.text.toml_text import (
    Table,
    load_toml,
    optional_text,
    subtable,
    tables,
    text,
    text_list,
)
from vendorpack.formats.cargo.artifacts import (
    Commit,
    Crate,
    PackageId,
    commit_artifact,
    crate_purl,
    download_url,
)
from vendorpack.formats.cargo.config import Config
from vendorpack.formats.cargo.sources import CRATES_IO_DOWNLOADS, Registry, package_source
from vendorpack.model import Artifact, Graph

NEWEST_VERSION: Final = 4

_NAME: Final = re.compile(r"[^\W\d][\w-]{0,127}|\d[\w-]{0,127}")
_VERSION: Final = re.compile(
    r"\d{1,20}\.\d{1,20}\.\d{1,20}(?:-[0-9A-Za-z.-]{1,128})?(?:\+[0-9A-Za-z.-]{1,128})?"
)
_REMOTE: Final = ("https", "http", "ssh")
_REFERENCES: Final = {"branch": "refs/heads/", "tag": "refs/tags/", "rev": ""}


def read_lock(
    data: bytes, path: str, config: Config, *, compat: bool, git_index: bool = False
) -> list[Crate | Commit]:
    """All that a lockfile wants, each once, sorted. Raises `LockfileError`, `UnsupportedError`."""
    document = load_toml(data, path)
    version = document.get("version", 1)
    if type(version) is not int or version < 1:
        raise LockfileError("'version' is not a positive integer", where=path)
    if version > NEWEST_VERSION:
        raise UnsupportedError(
            f"version {version} of Cargo.lock is not known here",
            where=path,
            fix=f"Known are versions 1 to {NEWEST_VERSION}; a newer vendorpack may know it.",
        )
    metadata = subtable(document, "metadata", path)
    found: dict[tuple[str, str, str], Crate | Commit] = {}
    for table, where in _packages(document, data, path):
        name, package_version = text(table, "name", where), text(table, "version", where)
        source = optional_text(table, "source", where)
        if source is None:
            continue
        if not _NAME.fullmatch(name) or not _VERSION.fullmatch(package_version):
            raise LockfileError(f"not a package: {name!r} {package_version!r}", where=where)
        kind_and_url = package_source(source)
        if kind_and_url is None:
            raise UnsupportedError(f"{name} {package_version} has an unknown source", where=where)
        if kind_and_url[0] == "git":
            commit = _commit(kind_and_url[1], where, compat=compat)
            found.setdefault(("git", commit.repository, commit.version), commit)
            continue
        key = (source, name, package_version)
        if key in found:
            raise LockfileError(f"{name} {package_version} is locked twice", where=where)
        checksum = optional_text(table, "checksum", where)
        if checksum is None:
            checksum = optional_text(
                metadata, f"checksum {name} {package_version} ({source})", path
            )
        integrity = _integrity(checksum, where)
        crate = _crate(name, package_version, Registry(source), integrity, where, config)
        found[key] = replace(crate, compat=compat, git_index=git_index)
    return sorted(found.values(), key=lambda item: (item.name, item.version, item.purl))


@dataclass(frozen=True, slots=True)
class Needs:
    """Who needs whom, of all packages; the project's own have no source.

    root: what the project needs, where a lockfile of cargo before 1.16 has it in a table of its
        own. patched: unused patches.
    """

    of: Mapping[PackageId, tuple[PackageId, ...]]
    root: tuple[PackageId, ...]
    patched: frozenset[PackageId]


def read_needs(data: bytes, path: str) -> Needs:
    """What a lockfile says of who needs whom. Raises `LockfileError`."""
    document = load_toml(data, path)
    listed: dict[PackageId, Sequence[str]] = {}
    for table, where in tables(document, data, "package", path):
        package = _package_id(table, where)
        listed[package] = (*listed.get(package, ()), *text_list(table, "dependencies", where))
    by_name: dict[str, list[PackageId]] = {}
    for package in listed:
        by_name.setdefault(package.name, []).append(package)
    root = text_list(subtable(document, "root", path), "dependencies", path)
    return Needs(
        of={
            package: tuple(one for line in lines for one in _meant(line, by_name))
            for package, lines in listed.items()
        },
        root=tuple(package for line in root for package in _meant(line, by_name)),
        patched=frozenset(
            _package_id(*pair) for pair in tables(document, data, "patch.unused", path)
        ),
    )


def graph_of(needs: Needs, artifacts: Sequence[Artifact]) -> Graph:
    """The graph of a lockfile; packages out of one git repository are one."""
    purls: dict[PackageId, str] = {}
    commits = {(a.repository, a.version): a.purl for a in artifacts if isinstance(a, Commit)}
    purls |= {a.package: a.purl for a in artifacts if isinstance(a, Crate)}
    for package in needs.of:
        kind_and_url = package_source(package.source)
        if kind_and_url is not None and kind_and_url[0] == "git":
            address, _, commit = kind_and_url[1].rpartition("#")
            repository = urlsplit(address)._replace(query="").geturl()
            if (repository, commit) in commits:
                purls[package] = commits[repository, commit]
    root = PackageId("", "", "")
    own = [package for package in needs.of if not package.source]
    return Graph.of({**needs.of, root: needs.root}, purls, (*own, root))


def with_needs(artifacts: Sequence[Artifact], lock: Needs) -> list[Artifact]:
    """The same with what the lockfile says of who needs whom.

    What has no source, or one of git, is taken to need all that it names, and `[[patch.unused]]`
    to be asked for.
    """
    asked_for = {*lock.patched, *lock.root}
    needs = lock.of
    for package, found in needs.items():
        if not package.source or package.source.startswith("git+"):
            asked_for.update(found)
    return [
        replace(a, needs=needs.get(a.package, ()), is_asked_for=a.package in asked_for)
        if isinstance(a, Crate)
        else a
        for a in artifacts
    ]


def _package_id(table: Table, where: str) -> PackageId:
    source = optional_text(table, "source", where) or ""
    return PackageId(text(table, "name", where), text(table, "version", where), source)


def _meant(line: str, by_name: Mapping[str, Sequence[PackageId]]) -> Iterator[PackageId]:
    """The packages that `NAME[ VERSION[ (SOURCE)]]` may mean."""
    name, _, rest = line.partition(" ")
    version, _, source = rest.partition(" ")
    for package in by_name.get(name, ()):
        if version in ("", package.version) and source in ("", f"({package.source})"):
            yield package


def _packages(document: Table, data: bytes, path: str) -> Iterator[tuple[Table, str]]:
    yield from tables(document, data, "package", path)
    yield from tables(document, data, "patch.unused", path)


def _integrity(checksum: str | None, where: str) -> Integrity:
    if checksum is None or checksum == "<none>":
        return Integrity()
    try:
        return Integrity.of([Digest.from_hex("sha256", checksum)])
    except DigestError as error:
        raise LockfileError(str(error), where=where) from None


def _crate(
    name: str,
    version: str,
    registry: Registry,
    integrity: Integrity,
    where: str,
    config: Config,
) -> Crate:
    mirror = config.mirror if registry.is_crates_io else None
    served_by = mirror or registry
    scheme = parts_of(served_by.index).scheme
    if scheme not in _REMOTE:
        raise UnsupportedError(
            f"{name} {version} is in a registry whose index is at "
            f"{f'a {scheme}' if scheme else 'no'} address",
            where=where,
            fix=f"An index is asked by {', '.join(_REMOTE)}: name the registry by such an address.",
        )
    named = None if registry.is_crates_io else config.named(registry)
    direct = served_by.is_crates_io
    checksum = integrity.digests[0].hex if integrity else ""
    return Crate(
        name=name,
        version=version,
        purl=crate_purl(name, version, registry),
        url=download_url(CRATES_IO_DOWNLOADS, name, version, checksum)
        if registry.is_crates_io
        else None,
        integrity=integrity,
        where=where,
        registry=registry,
        looked_up_as=served_by if config.mirror_is_the_projects else registry,
        served_by=served_by,
        registry_name=named.name if named else None,
        downloads=CRATES_IO_DOWNLOADS if direct else "",
    )


def _commit(url: str, where: str, *, compat: bool) -> Commit:
    """`<url>[?branch=…|tag=…|rev=…]#<commit>`; version 4 percent-encodes the query's value."""
    address, _, commit = url.rpartition("#")
    try:
        parts = urlsplit(address)
        query = dict(parse_qsl(parts.query))
    except ValueError:
        raise LockfileError("the source of a git package is not a URL", where=where) from None
    references = [_REFERENCES[key] + query[key] for key in _REFERENCES if key in query]
    repository = parts._replace(query="").geturl()
    return commit_artifact(
        repository, commit, references[0] if references else None, where=where, compat=compat
    )
