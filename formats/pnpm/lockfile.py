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
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.npm.registry import check_name, check_version
from vendorpack.formats._shared.text.yaml_text import Document, Yaml, load_documents
from vendorpack.model import Project

_SUPPORTED: Final = re.compile(r"(5)\.[34]|(6)\.[01]|(9)\.0")
_PRODUCTION: Final = ("dependencies", "optionalDependencies", "configDependencies")
_DEVELOPMENT: Final = ("devDependencies",)
_LOCAL: Final = "file:"
_GIT_HOSTS: Final = ("codeload.github.com", "bitbucket.org", "gitlab.com")
"""Whose archives pnpm 10 and newer tell by their address, whatever the lockfile calls them."""
_REWRITE: Final = "Let pnpm write the lockfile anew (`pnpm install --lockfile-only`)."
_NO_VERSION: Final = "0.0.0"


@dataclass(frozen=True, slots=True)
class Package:
    """What one key of `packages` pins.

    id: pnpm's own name for it in its store: `name@version`, or the address it comes from.
    tarball: its address, possibly relative to the registry; None if that follows from the name.
    integrity: SRI, as the lockfile has it; empty if it has none.
    git_hosted: whether a git host made the tarball, so that pnpm keeps it by `id`.
    commit: repository and commit, for what pnpm clones itself (`type: git`).
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
    """All nodes of a document by key, and where to start."""

    nodes: Mapping[str, Node]
    production: tuple[str, ...]
    development: tuple[str, ...]


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
        raise LockfileError("the lockfile is empty", where=shown, fix=_REWRITE)
    return PnpmLock(version, tuple(graphs), local_tarballs)


class _Reader:
    """One document on its way to a graph."""

    def __init__(self, document: Document, shown: str) -> None:
        self._shown = shown
        self._lines = document.lines
        self._top = _as_mapping(document.value, shown)
        self.version = self._read_version()
        self.local_tarballs = False
        self._packages = self._section("packages")
        self._nodes = self._section("snapshots") if self.version == 9 else self._packages

    def graph(self) -> Graph:
        pinned = dict(self._pinned())
        nodes = {}
        for key, value in self._nodes.items():
            where = self._where("snapshots" if self.version == 9 else "packages", key)
            entry = _as_mapping(value, where)
            base = _without_suffix(key) if self.version == 9 else key
            if base not in pinned:
                raise LockfileError(
                    f"packages has no entry for the snapshot {key[:200]!r}",
                    where=where,
                    fix=_REWRITE,
                )
            nodes[key] = Node(
                pinned[base],
                _flag(entry, "optional", where),
                tuple(self._targets(entry, _PRODUCTION, where)),
            )
        importers = self._section("importers") or {".": self._top}
        return Graph(
            nodes,
            tuple(self._roots(importers, _PRODUCTION)),
            tuple(self._roots(importers, _DEVELOPMENT)),
        )

    def _read_version(self) -> int:
        text = _text(self._top, "lockfileVersion", self._shown)
        match = _SUPPORTED.fullmatch(text.partition("-")[0])
        if match is None:
            raise LockfileError(
                f"lockfileVersion {text[:40]!r} is not known" if text else "no lockfileVersion",
                where=self._shown,
                fix="pnpm 7 to 12 write versions 5.4, 6.0 and 9.0, which can be read. " + _REWRITE,
            )
        return int(text[0])

    def _section(self, name: str) -> dict[str, Yaml]:
        return _mapping(self._top, name, self._where(name))

    def _where(self, *path: str) -> str:
        line = self._lines.get(path)
        return self._shown if line is None else f"{self._shown}:{line}"

    # -- the graph -------------------------------------------------------------------------

    def _roots(self, importers: Mapping[str, Yaml], sections: tuple[str, ...]) -> Iterator[str]:
        for folder, value in importers.items():
            where = self._where("importers", folder)
            yield from self._targets(_as_mapping(value, where), sections, where)

    def _targets(
        self, entry: Mapping[str, Yaml], sections: tuple[str, ...], where: str
    ) -> Iterator[str]:
        """The nodes that an importer's or a node's dependencies lead to."""
        for section in sections:
            for name, value in _mapping(entry, section, where).items():
                # Importers since 6.0: {specifier, version}.
                reference = value.get("version") if isinstance(value, dict) else value
                if not isinstance(reference, str):
                    raise LockfileError(
                        f"{name[:100]!r} in {section} has no version", where=where, fix=_REWRITE
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
            fix=_REWRITE,
        )

    # -- packages --------------------------------------------------------------------------

    def _pinned(self) -> Iterator[tuple[str, Package | None]]:
        for key, value in self._packages.items():
            where = self._where("packages", key)
            entry = _as_mapping(value, where)
            resolution = _mapping(entry, "resolution", where)
            yield key, self._package(key, entry, resolution, where)

    def _package(
        self, key: str, entry: Mapping[str, Yaml], resolution: Mapping[str, Yaml], where: str
    ) -> Package | None:
        kind = _text(resolution, "type", where)
        tarball = _text(resolution, "tarball", where) or None
        if (tarball or "").startswith(_LOCAL):
            self.local_tarballs = True
            return None
        if kind == "directory":
            return None
        is_commit = kind == "git"
        if (kind and not is_commit) or "path" in resolution:
            raise UnsupportedError(
                f"{key[:200]} comes from {_KINDS.get(kind, 'somewhere')}, "
                "from where pnpm cannot be served offline",
                where=where,
                fix="Depend on a release in a registry, or on a tarball by its https address.",
            )
        name, version, package_id = self._identity(key, entry, tarball, where)
        integrity = _text(resolution, "integrity", where)
        if tarball is None and not integrity and not is_commit:
            raise LockfileError(f"{key[:200]} has no integrity", where=where, fix=_REWRITE)
        return Package(
            name=check_name(name, where),
            version=check_version(version, where),
            id=package_id,
            tarball=tarball,
            integrity=integrity,
            git_hosted=_flag(resolution, "gitHosted", where)
            or not integrity
            or _is_git_hosts(tarball or ""),
            os=_texts(entry, "os", where),
            cpu=_texts(entry, "cpu", where),
            libc=_texts(entry, "libc", where),
            where=where,
            commit=(_text(resolution, "repo", where), _text(resolution, "commit", where))
            if is_commit
            else None,
        )

    def _identity(
        self, key: str, entry: Mapping[str, Yaml], tarball: str | None, where: str
    ) -> tuple[str, str, str]:
        """Name, version and pnpm's id."""
        bare = _without_suffix(key)
        if self.version == 9:
            name, _, rest = _split(bare, "@")
            package_id = rest if ":" in bare else bare
        elif bare.startswith("/"):
            name, _, rest = _split(bare[1:], "/" if self.version == 5 else "@")
            if self.version == 5 and bare == key:  # peers stand behind the version, after a `_`
                rest = rest.partition("_")[0]
            package_id = f"{name}@{rest}"
        else:  # a registry's host, or an address without its scheme
            name, rest, package_id = "", "", bare
        version = _text(entry, "version", where) or rest
        if ":" in version or (not version and tarball):
            version = _NO_VERSION
        return _text(entry, "name", where) or name, version, package_id


_KINDS: Final = {
    "git": "a folder of a git repository",
    "binary": "a runtime's download page",
    "variations": "a runtime's download page",
    "": "a folder of a git repository",
}


def _is_git_hosts(tarball: str) -> bool:
    """Whether a git host makes this archive (pnpm 9 to 11, `isGitHostedTarballUrl`)."""
    try:
        parts = urlsplit(tarball)
    except ValueError:
        return False
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


# -- typed access --------------------------------------------------------------------------


def _as_mapping(value: Yaml, where: str) -> dict[str, Yaml]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise LockfileError("here should be a mapping", where=where, fix=_REWRITE)
    return value


def _mapping(owner: Mapping[str, Yaml], key: str, where: str) -> dict[str, Yaml]:
    return _as_mapping(owner.get(key), where)


def _text(owner: Mapping[str, Yaml], key: str, where: str) -> str:
    value = owner.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise LockfileError(f"{key} should be a text", where=where, fix=_REWRITE)
    return value


def _texts(owner: Mapping[str, Yaml], key: str, where: str) -> tuple[str, ...]:
    value = owner.get(key)
    values = value if isinstance(value, list) else [] if value is None else [value]
    texts = tuple(text for text in values if isinstance(text, str))
    if len(texts) != len(values):
        raise LockfileError(f"{key} should be a list of texts", where=where, fix=_REWRITE)
    return texts


def _flag(owner: Mapping[str, Yaml], key: str, where: str) -> bool:
    value = owner.get(key, False)
    if not isinstance(value, bool):
        raise LockfileError(f"{key} should be true or false", where=where, fix=_REWRITE)
    return value
