"""pnpm-lock.yaml: the packages it pins and the graph in which projects reach them.

=======  ==============  ==========================  =====================================
version  written by      key of a package            what is where
=======  ==============  ==========================  =====================================
5.3 5.4  pnpm 6, 7       `/name/1.2.3_peers`         `packages`: resolution and dependencies
6.0 6.1  pnpm 8          `/name@1.2.3(peers)`        the same
9.0      pnpm 9 to 12    `name@1.2.3`                `packages`: resolution, platform;
                         `name@1.2.3(peers)`         `snapshots`: dependencies
=======  ==============  ==========================  =====================================

A dependency is a name and a reference: a version with its peers, for the package of that name;
or a key, for aliases and for what comes from no registry; or `link:…`, for what lies in the
workspace. Since pnpm 11 a first YAML document may hold the configuration dependencies
(`configDependencies` of its only importer), which are installed before all else.

`patchedDependencies`, `overrides`, `catalogs` and the like bring nothing to download.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.npm.registry import check_name, check_version
from vendorpack.formats._shared.text.addresses import parts_of
from vendorpack.formats._shared.text.yaml_text import Document, Yaml, load_documents
from vendorpack.formats.pnpm.fields import (
    REWRITE,
    as_mapping,
    flag_of,
    mapping_of,
    text_of,
    texts_of,
)
from vendorpack.formats.pnpm.runtimes import Variant, read_variants
from vendorpack.project import Project

_SUPPORTED: Final = re.compile(r"(5)\.[34]|(6)\.[01]|(9)\.0")
_PRODUCTION: Final = ("dependencies", "optionalDependencies")
_DEVELOPMENT: Final = ("devDependencies",)
_CONFIGURATION: Final = ("configDependencies",)
_LOCAL: Final = "file:"
_RUNTIME_SPEC: Final = "runtime:"
_RUNTIME_TYPES: Final = ("binary", "variations")
_GIT_HOSTS: Final = ("codeload.github.com", "bitbucket.org", "gitlab.com")
"""Whose archives pnpm 10 and newer tell by their address, whatever the lockfile calls them."""
_NO_VERSION: Final = "0.0.0"


@dataclass(frozen=True, slots=True)
class Package:
    """What one key of `packages` pins.

    id: pnpm's own name for it in its store: `name@version`, or the address it comes from.
    tarball: its address, possibly relative to the registry; None if that follows from the name.
    integrity: SRI, as the lockfile has it; empty if it has none.
    git_hosted: whether a git host made the tarball, so that pnpm keeps it by `id`.
    commit: repository and commit, for what pnpm clones itself (`type: git`).
    folder: where in a repository or archive the package lies; empty for the root.
    variants: the archives of a runtime, one for each platform; then `tarball` is not of interest.
    """

    name: str
    version: str
    id: str
    tarball: str | None
    integrity: str
    git_hosted: bool
    os: tuple[str, ...]
    cpu: tuple[str, ...]
    libc: tuple[str, ...]
    where: str
    commit: tuple[str, str] | None = None
    folder: str = ""
    variants: tuple[Variant, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A package with its peers settled.

    package: None for what lies in the project itself (a folder, a local tarball).
    optional: whether pnpm may leave it out where the platform does not fit.
    edges: the nodes it depends on.
    """

    package: Package | None
    optional: bool
    edges: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """All nodes of a document by key, and where to start: `config` before all else."""

    nodes: Mapping[str, Node]
    production: tuple[str, ...]
    development: tuple[str, ...]
    config: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PnpmLock:
    """A lockfile: its version's first number (5, 6 or 9) and a graph for each document.

    local_tarballs: whether archives in the project itself are among its packages.
    """

    version: int
    graphs: tuple[Graph, ...]
    local_tarballs: bool = False


def parse_pnpm_lock(project: Project) -> PnpmLock:
    """Read pnpm-lock.yaml.

    Raises:
        LockfileError: the file makes no sense, or is of a version that nobody writes any more.
        UnsupportedError: it needs something that is in no pnpm store.
    """
    shown = project.where()
    graphs = []
    version = 0
    local_tarballs = False
    for document in load_documents(project.lock_bytes(), shown):
        if document.value is None:
            continue
        reader = _Reader(document, shown)
        version = reader.version
        graphs.append(reader.graph())
        local_tarballs |= reader.local_tarballs
    if not graphs:
        raise LockfileError("the lockfile is empty", where=shown, fix=REWRITE)
    return PnpmLock(version, tuple(graphs), local_tarballs)


class _Reader:
    """One document on its way to a graph."""

    def __init__(self, document: Document, shown: str) -> None:
        self._shown = shown
        self._lines = document.lines
        self._top = as_mapping(document.value, shown)
        self.version = self._read_version()
        self.local_tarballs = False
        self._packages = self._section("packages")
        self._nodes = self._section("snapshots") if self.version == 9 else self._packages

    def graph(self) -> Graph:
        pinned = dict(self._pinned())
        nodes = {}
        for key, value in self._nodes.items():
            where = self._where("snapshots" if self.version == 9 else "packages", key)
            entry = as_mapping(value, where)
            base = _without_suffix(key) if self.version == 9 else key
            if base not in pinned:
                raise LockfileError(
                    f"packages has no entry for the snapshot {key[:200]!r}",
                    where=where,
                    fix=REWRITE,
                )
            nodes[key] = Node(
                pinned[base],
                flag_of(entry, "optional", where),
                tuple(self._targets(entry, _PRODUCTION, where)),
            )
        importers = self._section("importers") or {".": self._top}
        return Graph(
            nodes,
            tuple(self._roots(importers, _PRODUCTION)),
            tuple(self._roots(importers, _DEVELOPMENT)),
            tuple(self._roots(importers, _CONFIGURATION)),
        )

    def _read_version(self) -> int:
        text = text_of(self._top, "lockfileVersion", self._shown)
        match = _SUPPORTED.fullmatch(text.partition("-")[0])
        if match is None:
            raise LockfileError(
                f"lockfileVersion {text[:40]!r} is not known" if text else "no lockfileVersion",
                where=self._shown,
                fix="pnpm 7 to 12 write versions 5.4, 6.0 and 9.0, which can be read. " + REWRITE,
            )
        return int(text[0])

    def _section(self, name: str) -> dict[str, Yaml]:
        return mapping_of(self._top, name, self._where(name))

    def _where(self, *path: str) -> str:
        line = self._lines.get(path)
        return self._shown if line is None else f"{self._shown}:{line}"

    # -- the graph -------------------------------------------------------------------------

    def _roots(self, importers: Mapping[str, Yaml], sections: tuple[str, ...]) -> Iterator[str]:
        for folder, value in importers.items():
            where = self._where("importers", folder)
            yield from self._targets(as_mapping(value, where), sections, where)

    def _targets(
        self, entry: Mapping[str, Yaml], sections: tuple[str, ...], where: str
    ) -> Iterator[str]:
        """The nodes that an importer's or a node's dependencies lead to."""
        for section in sections:
            for name, value in mapping_of(entry, section, where).items():
                # Importers since 6.0: {specifier, version}.
                reference = value.get("version") if isinstance(value, dict) else value
                if not isinstance(reference, str):
                    raise LockfileError(
                        f"{name[:100]!r} in {section} has no version", where=where, fix=REWRITE
                    )
                if not reference.startswith("link:"):
                    yield self._node_key(name, reference, where)

    def _node_key(self, name: str, reference: str, where: str) -> str:
        joined = {5: f"/{name}/{reference}", 6: f"/{name}@{reference}", 9: f"{name}@{reference}"}
        for key in (joined[self.version], reference):
            if key in self._nodes:
                return key
        raise LockfileError(
            f"the lockfile has no package for {name[:100]!r} {reference[:200]!r}",
            where=where,
            fix=REWRITE,
        )

    # -- packages --------------------------------------------------------------------------

    def _pinned(self) -> Iterator[tuple[str, Package | None]]:
        for key, value in self._packages.items():
            where = self._where("packages", key)
            entry = as_mapping(value, where)
            resolution = mapping_of(entry, "resolution", where)
            yield key, self._package(key, entry, resolution, where)

    def _package(
        self, key: str, entry: Mapping[str, Yaml], resolution: Mapping[str, Yaml], where: str
    ) -> Package | None:
        kind = text_of(resolution, "type", where)
        tarball = text_of(resolution, "tarball", where) or None
        if (tarball or "").startswith(_LOCAL):
            self.local_tarballs = True
            return None
        if kind == "directory":
            return None
        is_commit = kind == "git"
        variants = read_variants(resolution, where) if kind in _RUNTIME_TYPES else ()
        if kind and not is_commit and not variants:
            raise UnsupportedError(
                f"{key[:200]} comes from somewhere that is not known: {kind[:40]!r}",
                where=where,
                fix="Depend on a release in a registry, or on a tarball by its https address.",
            )
        name, version, package_id = self._identity(key, entry, tarball, where)
        integrity = text_of(resolution, "integrity", where)
        if tarball is None and not integrity and not is_commit and not variants:
            raise LockfileError(f"{key[:200]} has no integrity", where=where, fix=REWRITE)
        return Package(
            name=check_name(name, where),
            version=check_version(version, where),
            id=package_id,
            tarball=tarball,
            integrity=integrity,
            git_hosted=not variants
            and (
                flag_of(resolution, "gitHosted", where)
                or not integrity
                or _is_git_hosts(tarball or "")
            ),
            os=texts_of(entry, "os", where),
            cpu=texts_of(entry, "cpu", where),
            libc=texts_of(entry, "libc", where),
            where=where,
            commit=(text_of(resolution, "repo", where), text_of(resolution, "commit", where))
            if is_commit
            else None,
            folder=_folder(text_of(resolution, "path", where), where),
            variants=variants,
        )

    def _identity(
        self, key: str, entry: Mapping[str, Yaml], tarball: str | None, where: str
    ) -> tuple[str, str, str]:
        """Name, version and pnpm's id."""
        bare = _without_suffix(key)
        if self.version == 9:
            name, _, rest = _split(bare, "@")
            rest = rest.removeprefix(_RUNTIME_SPEC)
            package_id = rest if ":" in rest else bare
        elif bare.startswith("/"):
            name, _, rest = _split(bare[1:], "/" if self.version == 5 else "@")
            if self.version == 5 and bare == key:  # peers stand behind the version, after a `_`
                rest = rest.partition("_")[0]
            package_id = f"{name}@{rest}"
        else:  # a registry's host, or an address without its scheme
            name, rest, package_id = "", "", bare
        version = text_of(entry, "version", where) or rest
        if ":" in version or (not version and tarball):
            version = _NO_VERSION
        return text_of(entry, "name", where) or name, version, package_id


def _folder(path: str, where: str) -> str:
    """A package's folder in its repository: `/packages/a` and the like, without slashes around."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\\" in path:
        raise LockfileError(f"path is not a folder below: {path[:200]!r}", where=where, fix=REWRITE)
    return "/".join(parts)


def _is_git_hosts(tarball: str) -> bool:
    """Whether a git host makes this archive (pnpm 9 to 11, `isGitHostedTarballUrl`)."""
    parts = parts_of(tarball)
    return parts.scheme == "https" and parts.hostname in _GIT_HOSTS and "tar.gz" in tarball.lower()


def _without_suffix(key: str) -> str:
    """A key without the groups in parentheses at its end (peers, `patch_hash=…`)."""
    end = len(key)
    depth = 0
    for at in range(len(key) - 1, -1, -1):
        if key[at] == ")":
            depth += 1
        elif depth == 0:
            break
        elif key[at] == "(":
            depth -= 1
            if depth == 0:
                end = at
    return key[:end]


def _split(text: str, separator: str) -> tuple[str, str, str]:
    """Name, separator, rest; the name may begin with a scope."""
    start = text.find("/") + 1 if text.startswith("@") else 0
    name, found, rest = text[start:].partition(separator)
    return text[:start] + name, found, rest
