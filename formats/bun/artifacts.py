"""Pinned packages to artifacts: which ones, from where, and under which names Bun looks them up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.digest import DigestError, Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.git.repository import commit_address, commit_integrity
from vendorpack.formats._shared.npm.registry import (
    DEFAULT_REGISTRY,
    chosen,
    purl,
    tarball_url,
)
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats.bun.config import Registries
from vendorpack.formats.bun.lockfile import BunLock, Pin
from vendorpack.formats.bun.wyhash import wyhash
from vendorpack.model import Artifact, Graph, Options, Warning
from vendorpack.redact import redact_url

# The only place that names GitHub's hosts. Bun asks the API, which leads to the archive.
_GITHUB: Final = re.compile(r"github:(?P<repository>[\w.-]+/[\w.-]+)#(?P<commit>[0-9a-f]{7,40})")
_GITHUB_TARBALL: Final = "https://api.github.com/repos/{repository}/tarball/{commit}"
_GIT: Final = re.compile(r"(?:git\+)?(?P<url>[^#]+)#(?P<commit>[0-9a-f]{40})")
_SCP: Final = re.compile(r"(?P<user>[\w.-]+@[\w.-]+):(?!//|\d+/)(?P<path>.+)")
_FOLDER: Final = re.compile(r"@GH@[\w.-]+")
_LONGEST_HOST: Final = 32
_SHORTENED_HOST: Final = 12
_DIGEST_DIGITS: Final = 32
_SUFFIX: Final = "@@@1"
_NO_VERSION: Final = "0.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class BunArtifact(Artifact):
    """An artifact and the names of its folders in Bun's cache.

    registry: whom to ask for a hash; None if it is no release of a registry's.
    tag: content of the folder's `.bun-tag`, which Bun 1.4 asks of a git commit.
    """

    folders: tuple[str, ...]
    registry: str | None = None
    tag: str = ""


def choose(
    lock: BunLock, options: Options, registries: Registries
) -> tuple[tuple[BunArtifact, ...], Graph, tuple[Warning, ...]]:
    """The artifacts that `bun install` needs on the targets, each once, sorted; graph, warnings.

    Raises `LockfileError`, `UnsupportedError`.
    """
    production = _reached(lock, lock.production)
    found: dict[tuple[str, str, str], BunArtifact] = {}
    warnings: dict[Warning, None] = {}
    purls: dict[str, str] = {}
    for key, pin in lock.pins.items():
        if not (options.dev or key in production) or not _fits(pin, options):
            continue
        why = () if key in production else ("dev",)
        artifact = replace(_artifact(pin, registries), why=why)
        purls[key] = artifact.purl
        identity = (artifact.name, artifact.version, artifact.url or "")
        known = found.setdefault(identity, artifact)
        if known.integrity != artifact.integrity:
            raise LockfileError(
                f"{artifact} is pinned twice, with different hashes",
                where=f"{known.where} and {artifact.where}",
                fix="Let Bun write the lockfile anew (`bun install --lockfile-only`).",
            )
        if not why:
            found[identity] = replace(known, why=())
    chosen = tuple(found[identity] for identity in sorted(found))
    return chosen, _graph(lock, purls), tuple(warnings)


_PROJECT: Final = ""
"""The node of all that the workspace's projects ask for."""


def _graph(lock: BunLock, purls: Mapping[str, str]) -> Graph:
    asked = {key: [(key, need) for need in _needs(lock, key)] for key in lock.keys}
    asked[_PROJECT] = [*lock.production, *lock.development]
    edges = {
        node: [key for one in needs if (key := _resolve(lock, *one)) is not None]
        for node, needs in asked.items()
    }
    return Graph.of(edges, purls, (_PROJECT, *lock.local))


def _reached(lock: BunLock, roots: Iterable[tuple[str, str]]) -> set[str]:
    """Keys of the packages that are reached from the roots."""
    seen: set[str] = set()
    waiting = list(roots)
    while waiting:
        home, name = waiting.pop()
        key = _resolve(lock, home, name)
        if key is not None and key not in seen:
            seen.add(key)
            waiting += [(key, need) for need in _needs(lock, key)]
    return seen


def _needs(lock: BunLock, key: str) -> tuple[str, ...]:
    return lock.pins[key].needs if key in lock.pins else lock.local.get(key, ())


def _resolve(lock: BunLock, home: str, name: str) -> str | None:
    """The key that `name` means to the package at `home`: below it, or nearer to the root."""
    while home:
        key = f"{home}/{name}"
        if key in lock.keys:
            return key
        home = home.rpartition("/")[0]
        if home.rpartition("/")[2].startswith("@"):  # what was cut was half of a name
            home = home.rpartition("/")[0]
    return name if name in lock.keys else None


def _fits(pin: Pin, options: Options) -> bool:
    if "none" in (*pin.os, *pin.cpu, *pin.libc):
        return False  # for a machine that Bun does not run on
    return chosen(options.targets, os=pin.os, cpu=pin.cpu, libc=pin.libc)


def _artifact(pin: Pin, registries: Registries) -> BunArtifact:
    if pin.is_release:
        return _release(pin, registries)
    if pin.is_git:
        return _commit(pin)
    if pin.source.startswith("github:"):
        return _github(pin)
    return _tarball(pin)


def _release(pin: Pin, registries: Registries) -> BunArtifact:
    name, version = pin.name, pin.source
    registry = registries.of(name)
    own = registries.scopes.get(name.partition("/")[0])
    published = version.partition("+")[0]
    if not pin.address:
        url = tarball_url(own or DEFAULT_REGISTRY, name, published)
        asked = tarball_url(registry, name, published)
    elif pin.address.endswith((".tgz", ".tar.gz")):
        url = asked = _checked(pin, pin.address)
    else:
        url = asked = tarball_url(_checked(pin, pin.address), name, published)
    folder = f"{name}@{_folder_version(version)}"
    suffixes = [_SUFFIX, *(_registry_suffixes(own) if own else ())]
    return BunArtifact(
        name=name,
        version=version,
        purl=purl(name, version),
        url=url,
        fetch_from=(asked,) if asked != url else (),
        integrity=_integrity(pin),
        where=pin.where,
        folders=tuple(sorted({folder + suffix for suffix in suffixes})),
    )


def _tarball(pin: Pin) -> BunArtifact:
    url = _checked(pin, pin.source)
    integrity = _integrity(pin)
    registry, version = _published(url, pin.name)
    names = [f"@T@{wyhash(pin.source.encode()):016x}"]
    for digest in integrity.digests:
        names.append(f"@T@{digest.algorithm}-{digest.value.hex()[:_DIGEST_DIGITS]}")
    return BunArtifact(
        name=pin.name,
        version=version or _NO_VERSION,
        purl=purl(pin.name, version) if version else _purl(pin.name, "download_url", url),
        url=url,
        integrity=integrity,
        where=pin.where,
        folders=tuple(sorted(name + _SUFFIX for name in names)),
        registry=registry,
    )


def _github(pin: Pin) -> BunArtifact:
    match = _GITHUB.fullmatch(pin.source)
    folder = f"@GH@{pin.tag}"
    if match is None or not _FOLDER.fullmatch(folder):
        raise LockfileError(
            f"{pin.source[:200]!r} is no commit on GitHub as Bun writes one", where=pin.where
        )
    return BunArtifact(
        name=pin.name,
        version=_NO_VERSION,
        purl=f"pkg:github/{match['repository'].lower()}@{match['commit']}",
        url=_GITHUB_TARBALL.format_map(match.groupdict()),
        integrity=_integrity(pin),
        where=pin.where,
        folders=(folder + _SUFFIX,),
    )


def _commit(pin: Pin) -> BunArtifact:
    match = _GIT.fullmatch(pin.source)
    if match is None:
        raise UnsupportedError(
            f"{pin.name} is not pinned to a full commit: {redact_url(pin.source)[:200]}",
            where=pin.where,
            fix="Lock it to a commit: 40 hex digits.",
        )
    url, commit = match["url"], match["commit"]
    scp = _SCP.fullmatch(url.removeprefix("ssh://"))
    if scp is not None:  # git@host:path, which Bun writes with or without ssh:// before it
        url = f"ssh://{scp['user']}/{scp['path']}"
    return BunArtifact(
        name=pin.name,
        version=_NO_VERSION,
        purl=_purl(pin.name, "vcs_url", f"git+{url}@{commit}"),
        url=commit_address(url, commit),
        integrity=commit_integrity(commit, pin.where),
        where=pin.where,
        folders=(f"@G@{commit}",),
        tag=commit,
    )


def _purl(name: str, qualifier: str, address: str) -> str:
    return f"{purl(name, _NO_VERSION)}?{qualifier}={quote(redact_url(address), safe='')}"


def _published(url: str, name: str) -> tuple[str | None, str]:
    """The registry and the version, if this is the address of a registry's release."""
    base = re.escape(name.rpartition("/")[2])
    match = re.fullmatch(rf"(.+/){re.escape(name)}/-/{base}-(\d[\w.+-]*)\.tgz", url)
    return (match[1], match[2]) if match else (None, "")


def _folder_version(version: str) -> str:
    """What a folder calls a version: what is not a plain number is hashed."""
    core, plus, build = version.partition("+")
    core, dash, pre = core.partition("-")
    text = core
    if dash:
        text += f"-{wyhash(pre.encode()):016x}"
    if plus:
        text += f"+{wyhash(build.encode()):016X}"
    return text


def _registry_suffixes(registry: str) -> Iterator[str]:
    """How folders of a scope's own registry end: in Bun 1.1 to 1.3, and in Bun 1.4."""
    parts = urlsplit(registry)
    host = parts.hostname or ""
    hashed = f"__{wyhash(registry.encode()):016x}"
    if len(host) > _LONGEST_HOST:
        yield f"@@{host[:_SHORTENED_HOST]}{hashed}{_SUFFIX}"
        return
    yield f"@@{host}{_SUFFIX}"
    if parts.scheme != "https" or parts.port is not None or parts.path.strip("/"):
        yield f"@@{host}{hashed}{_SUFFIX}"


def _checked(pin: Pin, address: str) -> str:
    if is_http(address):
        return address
    raise LockfileError(
        f"the address of {pin.name} is none: {redact_url(address)[:200]}",
        where=pin.where,
        fix="Let Bun write the lockfile anew (`bun install --lockfile-only`).",
    )


def _integrity(pin: Pin) -> Integrity:
    if not pin.integrity:
        return Integrity()
    try:
        return Integrity.parse_sri(pin.integrity)
    except DigestError as error:
        raise LockfileError(str(error), where=pin.where) from None
