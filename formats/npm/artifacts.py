"""Pinned packages to artifacts: which ones, from where, and how npm will look them up.

npm 10 to 12 find a package in the cache in one of three ways, by what the lockfile has:

========  =========  ==========================================================================
resolved  integrity  look-up
========  =========  ==========================================================================
yes       yes        the content, by the strongest algorithm of `integrity`
yes       no         the index, by the address (`replace-registry-host` applied)
no        any        the index, by the packument's address; then by that packument's tarball
========  =========  ==========================================================================

For a lockfile of version 1 npm reads every packument: what it finds there it believes more than
the lockfile (platforms, commands, dependencies: one that is not named is not installed), and
for what it does not find it warns, links no commands and unpacks every platform. So there each
package's packument must lie in the cache, with all that decides the tree.

For a git dependency npm ignores `integrity`. Of the hosts that it knows it takes the commit's
tarball, whatever hash that has, and looks up the index by its address; from any other it clones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.digest import Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.npm.git_dependencies import (
    Commit,
    commit_artifact,
    fetch_address,
    hosted_artifact,
    of_kind,
)
from vendorpack.formats._shared.npm.git_hosts import hosted_commit, is_known_host
from vendorpack.formats._shared.npm.npmrc import Npmrc
from vendorpack.formats._shared.npm.registry import (
    ALIAS_REGISTRY,
    DEFAULT_REGISTRY,
    chosen,
    purl,
    tarball_url,
)
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats.npm.graph import graph_of
from vendorpack.formats.npm.lockfile import PackageLock, Pin
from vendorpack.model import Artifact, Graph, Options, Warning
from vendorpack.redact import redact_url

_GIT: Final = re.compile(
    r"(?:git|ssh|github|gitlab|bitbucket|gist|sourcehut)[+:@]|https?://[^#]+\.git#"
)
_CLONED: Final = re.compile(
    r"(?:git\+)?(?P<remote>(?:ssh|https|http|git)://[^#]+|[\w.-]+@[\w.-]+:[^#]+)#(?P<commit>[^#]*)"
)
_SCP_BY_SSH: Final = re.compile(r"ssh://([^/:#]+@[^/:#]+:(?!\d+/).+)")
"""What npm takes for `user@host:path` behind a `git+ssh://`."""
_NO_VERSION: Final = "0.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class NpmArtifact(Artifact):
    """An artifact and how npm will look it up in its cache.

    registry: the registry to ask about it; None for what comes by address or from git.
    address_locked: whether the lockfile says where it is.
    content: algorithms under whose digests npm looks for the content.
    index_urls: addresses under which npm looks for the tarball in the index.
    packuments: registries whose packument npm reads first; the last is the default one.
    install_script: whether the lockfile says that something runs when it is installed.
    manifest: JSON of what that packument must say of the version beside its address; None if
        npm needs it and it is still to be asked for.
    """

    registry: str | None
    address_locked: bool
    content: tuple[str, ...] = ()
    index_urls: tuple[str, ...] = ()
    packuments: tuple[str, ...] = ()
    manifest: str | None = "{}"
    install_script: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NpmCommit(Commit):
    """A commit on a host that npm knows. `index_urls`: where npm looks for its tarball."""

    index_urls: tuple[str, ...]


def choose(
    lock: PackageLock, options: Options, npmrc: Npmrc
) -> tuple[tuple[NpmArtifact | Commit, ...], Graph, tuple[Warning, ...]]:
    """The artifacts that `npm ci` needs on the targets, each once, sorted; graph, and warnings.

    npm gives up on a package that does not fit the platform unless it is optional: only
    optional ones are left out. Raises `LockfileError`, `UnsupportedError`.
    """
    merged: dict[tuple[str, str, str | None], NpmArtifact | Commit] = {}
    warnings: list[Warning] = []
    purls: dict[str, str] = {}
    local: set[str] = set()
    for pin in lock.pins:
        if not _wanted(pin, options):
            continue
        warnings += _warnings(pin, lock)
        artifact = _artifact(pin, lock, npmrc)
        if artifact is None:
            local.add(pin.place)
            continue
        purls[pin.place] = artifact.purl
        key = (artifact.name, artifact.version, artifact.url)
        known = merged.get(key)
        merged[key] = artifact if known is None else _join(known, artifact)
    chosen = tuple(merged[key] for key in sorted(merged))
    return chosen, graph_of(lock, purls, local), tuple(dict.fromkeys(warnings))


def _wanted(pin: Pin, options: Options) -> bool:
    if pin.dev and not options.dev:
        return False
    optional = pin.optional or pin.dev_optional
    return not optional or chosen(options.targets, os=pin.os, cpu=pin.cpu, libc=pin.libc)


def _artifact(pin: Pin, lock: PackageLock, npmrc: Npmrc) -> NpmArtifact | Commit | None:
    """None for what lies in the project itself or what npm drops."""
    why = tuple(_why(pin))
    if pin.resolved is None:
        if not pin.version:
            return None  # npm drops an entry that names neither version nor address
        registry = npmrc.registry_for(pin.name)
        url = tarball_url(registry, pin.name, pin.version)
        return NpmArtifact(
            name=pin.name,
            version=pin.version,
            purl=purl(pin.name, pin.version),
            url=url,
            integrity=pin.integrity,
            where=pin.where,
            why=why,
            registry=registry,
            address_locked=False,
            index_urls=tuple(dict.fromkeys((url, npmrc.replace_host(url)))),
            install_script=pin.install_script,
            packuments=_asked(pin, npmrc),
            manifest="{}" if lock.knows_platforms else None,
        )
    version = pin.version or _NO_VERSION
    scheme = _scheme(pin)
    if scheme == "file":
        return None
    if scheme == "git":
        return _from_git(pin, version, why)
    if not pin.integrity and redact_url(pin.resolved) != pin.resolved:
        raise UnsupportedError(
            f"{pin.name} has no integrity, so npm would look it up by its address, and that may "
            f"hold a secret, which no bundle may: {redact_url(pin.resolved)}",
            where=pin.where,
            fix="Lock again with npm 7 or newer, which records the integrity.",
        )
    asked = npmrc.replace_host(pin.resolved)
    if pin.integrity and asked.startswith(ALIAS_REGISTRY):
        # npm finds it by its content: it is the same wherever it came from.
        asked = npmrc.replace_host(DEFAULT_REGISTRY + asked.removeprefix(ALIAS_REGISTRY))
    origin = next((r for r in npmrc.registries() if asked.startswith(r)), None)
    # Version 1 has a version only for what comes from a registry.
    reads_packument = not lock.knows_platforms and bool(pin.version)
    package_url = purl(pin.name, version)
    if origin is None and not reads_packument and "/-/" not in urlsplit(pin.resolved).path:
        package_url += f"?download_url={quote(redact_url(pin.resolved), safe='')}"
    return NpmArtifact(
        name=pin.name,
        version=version,
        purl=package_url,
        url=pin.resolved,
        fetch_from=(asked,) if asked != pin.resolved else (),
        integrity=pin.integrity,
        where=pin.where,
        why=why,
        registry=npmrc.registry_for(pin.name) if reads_packument else origin,
        address_locked=True,
        content=_strongest(pin.integrity),
        index_urls=() if pin.integrity else tuple(dict.fromkeys((pin.resolved, asked))),
        packuments=_asked(pin, npmrc) if reads_packument else (),
        install_script=pin.install_script,
        manifest=None if reads_packument else "{}",
    )


def _asked(pin: Pin, npmrc: Npmrc) -> tuple[str, ...]:
    """The registries whose packument npm may ask for.

    The default one too: a scope's own may be configured for the user only, and then the
    target does not know of it.
    """
    return tuple(dict.fromkeys((npmrc.registry_for(pin.name), npmrc.registry)))


def _from_git(pin: Pin, version: str, why: tuple[str, ...]) -> Commit:
    resolved = pin.resolved or ""
    hosted = hosted_commit(resolved)
    if hosted is not None:
        made = hosted_artifact(pin.name, version, hosted, pin.where)
        return of_kind(NpmCommit, made, why=why, index_urls=hosted.archives)
    cloned = _CLONED.fullmatch(resolved)
    if cloned is None:
        raise _not_served(pin)
    remote = _SCP_BY_SSH.sub(r"\1", cloned["remote"])
    address = urlsplit(fetch_address(pin.name, remote, pin.where))
    if is_known_host(address.hostname or ""):
        raise _not_served(pin)
    made = commit_artifact(pin.name, version, remote, cloned["commit"], pin.where)
    return replace(made, why=why)


def _not_served(pin: Pin) -> UnsupportedError:
    return UnsupportedError(
        f"{pin.name} comes from git, from where npm cannot be served offline: "
        f"{redact_url(pin.resolved or '')}",
        where=pin.where,
        fix="Full commits can be, by the repository's https or ssh address: lock it so, publish "
        "the package to a registry, or depend on a tarball by its https address.",
    )


def _scheme(pin: Pin) -> str:
    """`file`, `git` or `http`. Raises `LockfileError` for anything else."""
    resolved = pin.resolved or ""
    if resolved.startswith("file:"):
        return "file"
    if _GIT.match(resolved):
        return "git"
    if is_http(resolved):
        return "http"
    raise LockfileError(
        f"resolved of {pin.name} is not an address: {redact_url(resolved)[:200]}",
        where=pin.where,
        fix="Let npm write the lockfile anew.",
    )


def _join(one: NpmArtifact | Commit, other: NpmArtifact | Commit) -> NpmArtifact | Commit:
    """Two entries for one address: the content must satisfy both, and both must be found."""
    why = tuple(sorted({*one.why, *other.why})) if one.why and other.why else ()
    if isinstance(one, Commit) or isinstance(other, Commit):
        return replace(one, why=why)
    return replace(
        one,
        integrity=_both(one, other),
        why=why,
        content=_union(one.content, other.content),
        index_urls=_union(one.index_urls, other.index_urls),
        packuments=_union(one.packuments, other.packuments),
    )


def _both(one: NpmArtifact, other: NpmArtifact) -> Integrity:
    if one.integrity == other.integrity:
        return one.integrity
    digests = {*one.integrity.digests, *other.integrity.digests}
    for algorithm in sorted({*one.integrity.algorithms} & {*other.integrity.algorithms}):
        mine, theirs = (
            {d for d in a.integrity.digests if d.algorithm == algorithm} for a in (one, other)
        )
        if not mine & theirs:
            raise LockfileError(
                f"{one} is pinned twice, with {algorithm} digests that contradict each other",
                where=f"{one.where} and {other.where}",
                fix="One of the two was changed by hand; let npm write the lockfile anew.",
            )
        digests -= mine ^ theirs
    return Integrity.of(digests)


def _union(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


def _strongest(integrity: Integrity) -> tuple[str, ...]:
    return integrity.algorithms[:1]


def _why(pin: Pin) -> Iterator[str]:
    if pin.dev or pin.dev_optional:
        yield "dev"
    if pin.optional or pin.dev_optional:
        yield "optional"
    if pin.peer:
        yield "peer"


def _warnings(pin: Pin, lock: PackageLock) -> Iterable[Warning]:
    if pin.resolved is None:
        if not pin.version:
            yield Warning(f"{pin.name} has neither version nor address; npm drops it", pin.where)
        return
    path = pin.resolved.removeprefix("file:")
    if path != pin.resolved and (path.startswith(("/", "~")) or ".." in path.split("/")):
        yield Warning(
            f"{pin.name} lies outside of the project ({path}) and is not packed", pin.where
        )
