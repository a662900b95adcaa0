"""Pinned packages to artifacts, each file of the offline mirror once.

===========================  ============================================================
`resolved`                   what is done
===========================  ============================================================
`https://…` of a registry    its tarball; from the configured registry in place of the
                             public one
a git host's, of a commit    an archive made of the commit, unless its hash is locked
any other `https://…`        that tarball
`file:…`, a relative path    nothing: lies in the project
git                          an archive of the commit, which Yarn unpacks as it is
===========================  ============================================================
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias
from urllib.parse import quote, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.digest import Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.npm.git_dependencies import (
    Commit,
    commit_artifact,
    hosted_artifact,
    of_kind,
)
from vendorpack.formats._shared.npm.git_hosts import hosted_archive, hosted_commit
from vendorpack.formats._shared.npm.registry import purl
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats.yarn_classic.lockfile import Pin
from vendorpack.formats.yarn_classic.yarnrc import Yarnrc
from vendorpack.model import Artifact, Graph, Warning
from vendorpack.redact import redact_url

# Yarn's own rule (TarballFetcher, 1.22.22) for the path of an address.
_REGISTRY_PATH: Final = re.compile(
    r"/(?:(?P<scope>@[^/]+)(?:/|%2f))?[^/]+/(?:-|_attachments)/(?:@[^/]+/)?(?P<file>[^/]+)$"
)
_GIT: Final = re.compile(
    r"(?:git|ssh|github|gitlab|bitbucket|gist)[+:@]|https?://[^#]+\.git$", re.IGNORECASE
)
_IN_PROJECT: Final = re.compile(r"file:|[a-zA-Z]:[\\/]|\.{0,2}[\\/]")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9@%._~!$&'()+,;=-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorArtifact(Artifact):
    """A tarball and its name in the offline mirror.

    registry: whom to ask for a hash; None if it is no release of a registry's.
    """

    file_name: str
    registry: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorCommit(Commit):
    """A commit, and the name of its archive in the offline mirror.

    root: the folder in the archive: Yarn cuts the first one of a tarball, and none of what it takes
        for git's own.
    """

    file_name: str
    root: str


Mirrored: TypeAlias = MirrorArtifact | MirrorCommit


def choose(
    pins: Sequence[Pin], yarnrc: Yarnrc
) -> tuple[tuple[Mirrored, ...], Graph, tuple[Warning, ...]]:
    """The artifacts that Yarn needs, on any platform, sorted; graph, and warnings.

    Raises `LockfileError`, `UnsupportedError`.
    """
    by_file: dict[str, Mirrored] = {}
    files: dict[str, str] = {}
    warnings: list[Warning] = []
    for pin in pins:
        artifact = _artifact(pin, yarnrc)
        if artifact is None:
            continue
        key = artifact.file_name.lower()
        known = by_file.get(key)
        by_file[key] = artifact if known is None else _join(known, artifact)
        files |= dict.fromkeys(pin.patterns, key)
    chosen = sorted(by_file.values(), key=lambda a: (a.name, a.version, a.file_name))
    purls = {pattern: by_file[key].purl for pattern, key in files.items()}
    return tuple(chosen), _graph(pins, purls), tuple(dict.fromkeys(warnings))


def _graph(pins: Sequence[Pin], purls: Mapping[str, str]) -> Graph:
    """Nodes are requests. The lockfile does not say which of them are the project's."""
    listed = {pattern for pin in pins for pattern in pin.patterns}
    edges = {
        pattern: pin.asks for pin in pins for pattern in pin.patterns if listed.issuperset(pin.asks)
    }
    return Graph.of(edges, purls, None)


def mirror_name(url: str) -> str:
    """The name of a tarball's file in the offline mirror."""
    path = urlsplit(url).path
    match = _REGISTRY_PATH.search(path)
    if match is None:
        return posixpath.basename(path)
    return f"{match['scope']}-{match['file']}" if match["scope"] else match["file"]


def _join(one: Mirrored, other: Mirrored) -> Mirrored:
    """Two entries for one file of the mirror: the content must satisfy both.

    Raises `UnsupportedError` unless both are certain to be the same content.
    """
    digests = {*one.integrity.digests, *other.integrity.digests}
    shared = {*one.integrity.algorithms} & {*other.integrity.algorithms}
    for algorithm in sorted(shared):
        mine, theirs = (
            {d for d in a.integrity.digests if d.algorithm == algorithm} for a in (one, other)
        )
        if not mine & theirs:
            raise collision(one, other)
        digests -= mine ^ theirs
    if one.file_name != other.file_name or not (shared or _same_place(one, other)):
        raise collision(one, other)
    return replace(one, integrity=Integrity.of(digests))


def _artifact(pin: Pin, yarnrc: Yarnrc) -> Mirrored | None:
    """None for what lies in the project."""
    url = pin.resolved
    if _GIT.match(url):
        return _cloned(pin)
    if _IN_PROJECT.match(url):
        return None
    file_name = _checked_name(pin)
    hosted = None if pin.integrity else hosted_archive(url)
    if hosted is not None:
        made = hosted_artifact(pin.name, pin.version, hosted, pin.where)
        return _mirrored(made, file_name, "package")
    asked = yarnrc.asked(url, pin.name)
    registry = _registry(asked, pin.name)
    package_url = purl(pin.name, pin.version)
    if registry is None:
        package_url += f"?download_url={quote(redact_url(url), safe='')}"
    return MirrorArtifact(
        name=pin.name,
        version=pin.version,
        purl=package_url,
        url=url,
        fetch_from=(asked,) if asked != url else (),
        integrity=pin.integrity,
        where=pin.where,
        file_name=file_name,
        registry=registry,
    )


def _cloned(pin: Pin) -> MirrorCommit:
    """What Yarn would clone. Raises `UnsupportedError`, `LockfileError`."""
    spec = f"{pin.resolved}#{pin.fragment}"
    remote = pin.resolved.removeprefix("git+")
    # Yarn's own rule (GitFetcher, 1.22.22).
    name = re.split(r"[/:]", remote.partition("?")[0])[-1]
    if "://" not in remote or not _FILE_NAME.fullmatch(name):
        raise _no_address(pin)
    hosted = hosted_commit(spec)
    if hosted is not None:
        made = hosted_artifact(pin.name, pin.version, hosted, pin.where)
    else:
        made = commit_artifact(pin.name, pin.version, remote, pin.fragment, pin.where)
    return _mirrored(made, f"{name}-{pin.fragment}", "")


def _mirrored(made: Commit, file_name: str, root: str) -> MirrorCommit:
    return of_kind(MirrorCommit, made, remote="", file_name=file_name, root=root)


def _checked_name(pin: Pin) -> str:
    name = mirror_name(pin.resolved) if is_http(pin.resolved) else ""
    if _FILE_NAME.fullmatch(name) and name not in (".", ".."):
        return name
    raise _no_address(pin)


def _no_address(pin: Pin) -> LockfileError:
    return LockfileError(
        f"resolved of {pin.name} is not the address of a tarball: {redact_url(pin.resolved)[:200]}",
        where=pin.where,
        fix="Let Yarn write the lockfile anew.",
    )


def _registry(url: str, name: str) -> str | None:
    """The registry whose address of package `name` this is; None if it is no such address."""
    for written in (name, name.replace("/", "%2f")):
        base, found, _ = url.partition(f"/{written}/-/")
        if found:
            return base + "/"
    return None


def _same_place(one: Mirrored, other: Mirrored) -> bool:
    return one.sources == other.sources


def collision(one: Mirrored, other: Mirrored) -> UnsupportedError:
    """The error that one file of the mirror would have to be two."""
    return UnsupportedError(
        f"{one} and {other} would be the same file of Yarn's offline mirror, {one.file_name}: "
        f"{redact_url(one.url or '')} and {redact_url(other.url or '')}",
        where=f"{one.where} and {other.where}",
        fix="Yarn names these files by the end of their address; take one of the two from "
        "another address.",
    )
