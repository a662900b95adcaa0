"""Pinned packages to artifacts: which ones, from where, and for which stores.

A graph is walked as pnpm walks it: from all projects' dependencies, and not beyond an optional
package that does not fit the platform. So `--no-dev` needs no flags of the lockfile's (9.0 has
none), and what only a left out package needs is left out too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from urllib.parse import quote, urljoin, urlsplit

from vendorpack.digest import DigestError, Integrity
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.git_dependencies import Commit, commit_artifact
from vendorpack.formats._shared.npm.registry import (
    DEFAULT_REGISTRY,
    chosen,
    download_warnings,
    purl,
    tarball_url,
)
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats.pnpm.lockfile import Graph, Package, PnpmLock
from vendorpack.model import Artifact, Options, Target, Warning
from vendorpack.redact import redact_url

T = TypeVar("T")
_REWRITE: Final = "Let pnpm write the lockfile anew (`pnpm install --lockfile-only`)."


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
    """

    id: str
    sri: str
    git_hosted: bool
    stores: tuple[str, ...]
    frozen: bool = True
    registry: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PnpmCommit(Commit):
    """A commit that pnpm clones, and puts into the store: one of `stores`, as above."""

    stores: tuple[str, ...] = ()
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Registries:
    """Where packages come from: the default registry, and scopes (`@scope`) that have their own."""

    default: str
    scopes: Mapping[str, str]

    def of(self, name: str) -> str:
        """The registry to ask for a package."""
        return self.scopes.get(name.partition("/")[0], self.default)

    def canonical(self, name: str) -> str:
        """The registry that a package is known by, whatever mirror of it is asked."""
        return self.scopes.get(name.partition("/")[0], DEFAULT_REGISTRY)


def choose(
    lock: PnpmLock, options: Options, registries: Registries, stores: Sequence[str]
) -> tuple[tuple[PnpmArtifact | PnpmCommit, ...], tuple[Warning, ...]]:
    """The artifacts that `pnpm install` needs on the targets, each once, sorted; and warnings.

    Raises `LockfileError`.
    """
    found: dict[tuple[str, str, str], PnpmArtifact | PnpmCommit] = {}
    warnings: list[Warning] = []
    for graph in lock.graphs:
        for package, why in _reached(graph, options).items():
            artifact: PnpmArtifact | PnpmCommit
            if package.commit is not None:
                artifact = replace(_commit(package, *package.commit), why=why, stores=tuple(stores))
            else:
                artifact = replace(
                    _artifact(package, registries),
                    why=why,
                    stores=tuple(stores),
                    frozen=not lock.local_tarballs,
                )
            key = (artifact.name, artifact.version, package.id)
            known = found.setdefault(key, artifact)
            if known.integrity != artifact.integrity:
                raise LockfileError(
                    f"{artifact} is pinned twice, with different hashes",
                    where=f"{known.where} and {artifact.where}",
                    fix=_REWRITE,
                )
            found[key] = replace(known, why=tuple(word for word in known.why if word in why))
            warnings += _warnings(package)
    return tuple(found[key] for key in sorted(found)), tuple(dict.fromkeys(warnings))


def _reached(graph: Graph, options: Options) -> dict[Package, tuple[str, ...]]:
    """Packages that an install reaches, in the lockfile's order, and why each one is there."""
    production = _walk(graph, graph.production, options.targets)
    both = production
    if options.dev:
        both = _walk(graph, (*graph.production, *graph.development), options.targets)
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


def _artifact(package: Package, registries: Registries) -> PnpmArtifact:
    """Without `why` and `stores`."""
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
        integrity=_integrity(package),
        where=package.where,
        id=package.id,
        sri=package.integrity,
        git_hosted=package.git_hosted,
        stores=(),
        registry=registry if released else None,
    )


def _commit(package: Package, remote: str, commit: str) -> PnpmCommit:
    """Without `why` and `stores`. Raises `UnsupportedError`."""
    made = commit_artifact(package.name, package.version, remote, commit, package.where)
    return PnpmCommit(
        name=made.name,
        version=made.version,
        purl=made.purl,
        url=made.url,
        integrity=made.integrity,
        where=made.where,
        remote=made.remote,
    )


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
        fix=_REWRITE,
    )


def _integrity(package: Package) -> Integrity:
    if not package.integrity:
        return Integrity()
    try:
        return Integrity.parse_sri(package.integrity)
    except DigestError as error:
        raise LockfileError(str(error), where=package.where, fix=_REWRITE) from None


def _warnings(package: Package) -> Iterable[Warning]:
    yield from download_warnings(package.name, package.where)
    if package.git_hosted and package.commit is None:
        yield Warning(
            f"{package.name} comes from a git host: if it has a prepare script, pnpm can "
            "install it offline with --ignore-scripts only",
            package.where,
        )
