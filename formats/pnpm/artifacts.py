"""Pinned packages to artifacts: which ones, from where, and for which stores.

A graph is walked as pnpm walks it: from all projects' dependencies, and not beyond an optional
package that does not fit the platform. So `--no-dev` needs no flags of the lockfile's (9.0 has
none), and what only a left out package needs is left out too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.digest import DigestError, Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.npm.git_dependencies import (
    Commit,
    commit_artifact,
    hosted_artifact,
    of_kind,
)
from vendorpack.formats._shared.npm.git_hosts import hosted_archive
from vendorpack.formats._shared.npm.registry import (
    chosen,
    purl,
    tarball_url,
)
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats.pnpm.config import Registries
from vendorpack.formats.pnpm.config_dependencies import link_folders
from vendorpack.formats.pnpm.fields import REWRITE
from vendorpack.formats.pnpm.lockfile import Graph, Package, PnpmLock
from vendorpack.formats.pnpm.runtimes import Variant, chosen_variants, mirrored
from vendorpack.model import Artifact, Options, Target, Warning
from vendorpack.model import Graph as PackageGraph
from vendorpack.redact import redact_url

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PnpmArtifact(Artifact):
    """An artifact and how pnpm looks it up in its store.

    id: pnpm's own name for it: `name@version`, or the address it comes from.
    sri: its integrity as the lockfile writes it; the empty string if there is none.
    git_hosted: whether newer pnpms look it up by `id` in place of `sri`.
    stores: the store versions to lay it out for, oldest first.
    frozen: whether the store need not be written to: the project has no archives of its own,
        which pnpm would put in.
    registry: whom to ask for a hash that counts; None if it is no release of a registry's.
    folder: where in the archive or commit the package lies; empty for the root.
    link: the folder below `links` in which pnpm 11 wants it unpacked; empty for none.
    """

    id: str
    sri: str
    git_hosted: bool
    stores: tuple[str, ...]
    frozen: bool = True
    registry: str | None = None
    folder: str = ""
    link: str = ""

    @property
    def is_commit(self) -> bool:
        """Whether it is fetched as a commit, in place of the archive that its host makes."""
        return (self.url or "").startswith("git+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PnpmRuntime(PnpmArtifact):
    """An archive of a runtime, which pnpm unpacks in a way of its own."""

    variant: Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class PnpmCommit(Commit):
    """A commit that pnpm clones, and puts into the store: one of `stores`, as above."""

    stores: tuple[str, ...] = ()
    frozen: bool = False


def choose(
    lock: PnpmLock, options: Options, registries: Registries, stores: Sequence[str]
) -> tuple[tuple[PnpmArtifact | PnpmCommit, ...], PackageGraph, tuple[Warning, ...]]:
    """The artifacts that `pnpm install` needs on the targets, each once, sorted; graph, warnings.

    Raises `LockfileError`.
    """
    found: dict[tuple[str, ...], PnpmArtifact | PnpmCommit] = {}
    warnings: list[Warning] = []
    purls: dict[Package, list[str]] = {}
    for graph in lock.graphs:
        links = link_folders(graph)
        for package, why in _reached(graph, options).items():
            warnings += _warnings(package, options)
            for made in _artifacts(package, options, registries, stores):
                artifact = replace(made, why=why)
                purls.setdefault(package, []).append(artifact.purl)
                if isinstance(artifact, PnpmArtifact):
                    link = links.get(package, "")
                    artifact = replace(artifact, frozen=not lock.local_tarballs, link=link)
                key = (artifact.name, artifact.version, package.id, artifact.url or "")
                known = found.setdefault(key, artifact)
                if known.integrity != artifact.integrity:
                    raise LockfileError(
                        f"{artifact} is pinned twice, with different hashes",
                        where=f"{known.where} and {artifact.where}",
                        fix=REWRITE,
                    )
                found[key] = _joined(known, artifact)
    sorted_ones = tuple(found[key] for key in sorted(found))
    return sorted_ones, _graph(lock, purls), tuple(dict.fromkeys(warnings))


_Node: TypeAlias = tuple[int, str]
"""A document's number and a key in it; all that its projects ask for has the key ""."""


def _graph(lock: PnpmLock, purls: Mapping[Package, Sequence[str]]) -> PackageGraph:
    edges: dict[_Node, list[_Node]] = {}
    named: dict[_Node, Sequence[str]] = {}
    local: list[_Node] = []
    for number, graph in enumerate(lock.graphs):
        roots = (*graph.config, *graph.production, *graph.development)
        edges[number, ""] = [(number, key) for key in roots]
        local.append((number, ""))
        for key, node in graph.nodes.items():
            edges[number, key] = [(number, other) for other in node.edges]
            if node.package is None:
                local.append((number, key))
            elif node.package in purls:
                named[number, key] = purls[node.package]
    return PackageGraph.of(edges, named, local)


def _joined(
    known: PnpmArtifact | PnpmCommit, other: PnpmArtifact | PnpmCommit
) -> PnpmArtifact | PnpmCommit:
    """Two entries for one package, which may be a configuration dependency in one of them."""
    why = tuple(word for word in known.why if word in other.why)
    if isinstance(known, PnpmArtifact) and isinstance(other, PnpmArtifact):
        return replace(known, why=why, link=known.link or other.link)
    return replace(known, why=why)


def _reached(graph: Graph, options: Options) -> dict[Package, tuple[str, ...]]:
    """Packages that an install reaches, in the lockfile's order, and why each one is there."""
    roots = (*graph.config, *graph.production)
    production = _walk(graph, roots, options.targets)
    both = production
    if options.dev:
        both = _walk(graph, (*roots, *graph.development), options.targets)
    nodes: dict[Package, list[str]] = {}
    for key, node in graph.nodes.items():
        if key in both and node.package is not None:
            nodes.setdefault(node.package, []).append(key)
    return {
        package: tuple(
            word
            for word, applies in (
                ("dev", production.isdisjoint(keys)),
                ("optional", all(graph.nodes[key].optional for key in keys)),
            )
            if applies
        )
        for package, keys in nodes.items()
    }


def _walk(graph: Graph, roots: Iterable[str], targets: Sequence[Target]) -> set[str]:
    """Keys of the nodes that are reached from the roots."""
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        key = waiting.pop()
        if key in seen:
            continue
        node = graph.nodes[key]
        package = node.package
        # pnpm installs what is not optional even where it does not fit.
        if (
            node.optional
            and package is not None
            and not chosen(targets, os=package.os, cpu=package.cpu, libc=package.libc)
        ):
            continue
        seen.add(key)
        waiting += node.edges
    return seen


def _artifacts(
    package: Package, options: Options, registries: Registries, stores: Sequence[str]
) -> Iterator[PnpmArtifact | PnpmCommit]:
    """A package's own, or a runtime's for each platform; without `why`, `frozen` and `link`."""
    if package.commit is not None:
        yield replace(_commit(package, *package.commit), stores=tuple(stores))
    elif package.variants:
        yield from _runtimes(package, options, registries.mirrors, stores)
    else:
        yield replace(_artifact(package, registries), stores=tuple(stores))


def _runtimes(
    package: Package, options: Options, mirrors: Mapping[str, str], stores: Sequence[str]
) -> Iterator[PnpmRuntime]:
    """A runtime's archives. Raises `UnsupportedError` if only pnpm 9 or older is served."""
    known_to = tuple(store for store in stores if store != "v3")
    if not known_to:
        raise UnsupportedError(
            f"{package.id} is a runtime, which pnpm 9 and older do not know",
            where=package.where,
            fix="Install with pnpm 10 or newer, and name it: --pnpm-store v10 or v11.",
        )
    for variant in chosen_variants(package.variants, options.targets):
        asked = mirrored(variant.url, mirrors)
        yield PnpmRuntime(
            name=package.name,
            version=package.version,
            purl=f"pkg:generic/{quote(package.name, safe='')}@{quote(package.version, safe='')}"
            f"?download_url={quote(redact_url(variant.url), safe='')}",
            url=variant.url,
            fetch_from=(asked,) if asked != variant.url else (),
            integrity=_integrity(variant.integrity, package.where),
            where=package.where,
            id=package.id,
            sri=variant.integrity,
            git_hosted=False,
            stores=known_to,
            variant=variant,
        )


def _artifact(package: Package, registries: Registries) -> PnpmArtifact:
    """What comes from a registry or by its address; without `stores`.

    A git host's archive of a full commit is the commit, unless the lockfile has the archive's hash.
    """
    hosted = None if package.integrity else hosted_archive(package.tarball or "")
    if hosted is not None:
        made = hosted_artifact(package.name, package.version, hosted, package.where)
        return of_kind(
            PnpmArtifact,
            made,
            id=package.id,
            sri="",
            git_hosted=True,
            stores=(),
            folder=package.folder,
        )
    name, version = package.name, package.version
    registry = registries.of(name)
    package_url = purl(name, version)
    released = True
    if package.tarball is None:
        url = tarball_url(registries.canonical(name), name, version)
        asked = tarball_url(registry, name, version)
    else:
        url = asked = _address(package, registry)
        released = "/-/" in urlsplit(url).path
        if not released:
            package_url += f"?download_url={quote(redact_url(url), safe='')}"
    return PnpmArtifact(
        name=name,
        version=version,
        purl=package_url,
        url=url,
        fetch_from=(asked,) if asked != url else (),
        integrity=_integrity(package.integrity, package.where),
        where=package.where,
        id=package.id,
        sri=package.integrity,
        git_hosted=package.git_hosted,
        stores=(),
        registry=registry if released else None,
        folder=package.folder,
    )


def _commit(package: Package, remote: str, commit: str) -> PnpmCommit:
    """Without `why` and `stores`. Raises `UnsupportedError`."""
    made = commit_artifact(package.name, package.version, remote, commit, package.where)
    return of_kind(PnpmCommit, made, folder=package.folder)


def _address(package: Package, registry: str) -> str:
    try:
        address = urljoin(registry, package.tarball or "")
    except ValueError:
        address = ""
    if is_http(address):
        return address
    raise LockfileError(
        f"tarball of {package.name} is not an address: {redact_url(package.tarball or '')[:200]}",
        where=package.where,
        fix=REWRITE,
    )


def _integrity(sri: str, where: str) -> Integrity:
    if not sri:
        return Integrity()
    try:
        return Integrity.parse_sri(sri)
    except DigestError as error:
        raise LockfileError(str(error), where=where, fix=REWRITE) from None


def _warnings(package: Package, options: Options) -> Iterable[Warning]:
    for target in options.targets if package.variants else ():
        if not any(variant.fits(target) for variant in package.variants):
            yield Warning(
                f"the lockfile has no archive of {package.id} for {target}: pnpm fails there",
                package.where,
            )
