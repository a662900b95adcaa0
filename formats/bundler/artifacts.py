"""What this room downloads: gems of a source, and commits of git repositories."""

from __future__ import annotations

import hashlib
import posixpath
import re
from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult, quote, urlunsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.git.repository import commit_address, commit_integrity
from vendorpack.formats._shared.text.addresses import parts_of
from vendorpack.formats.bundler.config import Config, split_userinfo
from vendorpack.formats.bundler.lockfile import RUBY, GemId, LockedCommit, LockedGem
from vendorpack.model import Artifact
from vendorpack.redact import redact_url

DEFAULT_SOURCE: Final = "https://rubygems.org/"
"""The public gem server, whose name most lockfiles give as their source."""

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\x00-\x20\x7f]+")
_HAS_SCHEME: Final = re.compile(r"\w+://(\w+@)?", re.ASCII)
_SCP_LIKE: Final = re.compile(r"(?!-)([A-Za-z0-9._@-]+):(?!/)([^\x00-\x20\x7f]+)", re.ASCII)
_BEFORE_NAME: Final = re.compile(r"^(\w+://)?([^/:]+:)?(//\w*/)?(\w*/)*", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """A gem server. Both addresses end with a slash and have no userinfo.

    address: as the lockfile names it.
    server: where it is asked: there, or at a mirror.
    """

    address: str
    server: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gem(Artifact):
    """A `.gem` file.

    candidates: the sources that may have it, in the lockfile's order.
    compiled: whether a target installs it from source: no other variant of it fits there.
    """

    id: GemId
    candidates: tuple[Source, ...]
    compiled: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.id.full_version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit(Artifact):
    """A commit of a git repository.

    folder: what Bundler calls the repository in its cache, or would.
    remote: its address as the lockfile, or a `.gitmodules`, has it, without a secret.
    has_submodules: whether Bundler fetches its submodules too.
    is_submodule: whether it is one: git asks for it by its remote.
    """

    folder: str
    remote: str
    has_submodules: bool = False
    is_submodule: bool = False


def source_of(remote: str, config: Config, where: str) -> tuple[Source, str | None]:
    """The source that a `remote:` names, and the userinfo that its server is to get.

    Raises `UnsupportedError`.
    """
    parts = _split(remote)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UnsupportedError(
            f"gems from {redact_url(remote)!r}, which is no web address",
            where=where,
            fix="A folder of gems cannot be downloaded: add it to the project as it is.",
        )
    address, userinfo = split_userinfo(remote)
    address = address.rstrip("/") + "/"
    if address == "http:" + DEFAULT_SOURCE.removeprefix("https:"):
        address = DEFAULT_SOURCE  # it answers both, and old lockfiles have the other
    mirror = config.mirror(address)
    if mirror is None:
        return Source(address, address), userinfo
    if _split(mirror).scheme not in ("http", "https"):
        raise UnsupportedError(
            f"the mirror that is configured for {address} is no web address", where=where
        )
    return Source(address, split_userinfo(mirror)[0]), split_userinfo(mirror)[1]


def gem_artifact(
    gem: LockedGem, sources: tuple[Source, ...], where: str, *, compiled: bool = False
) -> Gem:
    """The artifact of one gem, that may come from any of `sources`."""
    return Gem(
        name=gem.id.name,
        version=gem.id.version,
        purl=_gem_purl(gem.id, sources[0]),
        integrity=gem.integrity,
        where=where,
        id=gem.id,
        candidates=sources,
        compiled=compiled,
        url=gem_url(sources[0].address, gem.id),
        fetch_from=fetch_from(sources, gem.id),
    )


def gem_url(address: str, gem: GemId) -> str:
    """Where a gem server has a file."""
    return f"{address}gems/{gem.file_name}"


def fetch_from(sources: tuple[Source, ...], gem: GemId) -> tuple[str, ...]:
    """Where to try to download it, if that is not just its address."""
    if len(sources) == 1 and sources[0].server == sources[0].address:
        return ()
    return tuple(dict.fromkeys(gem_url(source.server, gem) for source in sources))


def commit_artifact(commit: LockedCommit, where: str) -> Commit:
    """The artifact of a locked commit. Raises `UnsupportedError`."""
    found = _commit(commit.remote, commit.revision, commit.ref, where)
    return replace(found, has_submodules=commit.submodules)


def submodule_artifact(parent: Commit, path: str, address: str, revision: str) -> Commit:
    """The artifact of a commit's submodule. Raises `UnsupportedError`."""
    where = f"{parent.where} ({parent.name}, submodule {path})"
    found = _commit(address, revision, None, where)
    plain = _without_user(address)
    folder = f"{repository_name(plain)}-{repository_hash(plain)}"
    return replace(found, folder=folder, has_submodules=True, is_submodule=True)


def _commit(remote: str, revision: str, ref: str | None, where: str) -> Commit:
    url = git_url(remote, where)
    name = repository_name(remote)
    origin = quote(f"git+{split_userinfo(url)[0]}@{revision}", safe="")
    return Commit(
        name=name or "repository",
        version=revision,
        purl=f"pkg:generic/{quote(name or 'repository', safe='')}@{revision}?vcs_url={origin}",
        url=commit_address(url, revision, ref),
        integrity=commit_integrity(revision, where),
        where=where,
        folder=f"{name}-{repository_hash(remote)}",
        # A web address may hold a secret, an ssh address says who.
        remote=split_userinfo(remote)[0] if url.startswith("http") else remote,
    )


def asked_addresses(remote: str) -> tuple[str, ...]:
    """The addresses that git may ask for a submodule by, sorted.

    Bundler 4 takes the user out of what relative ones count from.
    """
    return tuple(sorted({_without_user(remote), remote}))


def _without_user(remote: str) -> str:
    return split_userinfo(remote)[0] if _split(remote).scheme else remote


def repository_name(remote: str) -> str:
    """What Bundler calls a repository (`Source::Git#base_name`)."""
    rest = _BEFORE_NAME.sub("", remote, count=1)
    name = posixpath.basename(rest.rstrip("/"))
    return name if name == ".git" else name.removesuffix(".git")


def repository_hash(remote: str) -> str:
    """What tells repositories of one name apart (`Source::Git#uri_hash`): 40 hex digits."""
    text = remote
    if _HAS_SCHEME.match(remote):
        parts = _split(remote)
        userinfo, at, host = parts.netloc.rpartition("@")
        path = parts.path or ("/" if host else "")
        normal = SplitResult(
            parts.scheme.lower(), userinfo + at + host.lower(), path, parts.query, parts.fragment
        )
        text = urlunsplit(normal).removesuffix("/")
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def git_url(remote: str, where: str) -> str:
    """The address to fetch from. Raises `UnsupportedError`.

    `git://` is asked by https: it has no security of its own, and hosts have stopped serving it.
    """
    if match := _SCP_LIKE.fullmatch(remote):
        return f"ssh://{match[1]}/{match[2]}"
    parts = _split(remote)
    known = parts.scheme in ("https", "http", "ssh", "git") and parts.hostname
    if not known or parts.query or parts.fragment:
        raise UnsupportedError(
            f"a git source at {redact_url(remote)!r}, which is no address on a network",
            where=where,
            fix="Take it from a server, or as a path gem of the project.",
        )
    userinfo, at, host = parts.netloc.rpartition("@")
    if parts.scheme == "ssh":
        host = userinfo.partition(":")[0] + at + host
    return urlunsplit(parts._replace(scheme=parts.scheme.replace("git", "https"), netloc=host))


def _split(url: str) -> SplitResult:
    """The parts of a URL; empty ones for what is none."""
    return parts_of(url if _URL.fullmatch(url) else "")


def _gem_purl(gem: GemId, source: Source) -> str:
    """The package URL; the default source and the platform `ruby` are the type's own."""
    qualifiers = []
    if gem.platform != RUBY:
        qualifiers.append(f"platform={quote(gem.platform, safe='')}")
    if source.address != DEFAULT_SOURCE:
        qualifiers.append(f"repository_url={quote(source.address, safe='')}")
    tail = "?" + "&".join(qualifiers) if qualifiers else ""
    return f"pkg:gem/{gem.name}@{quote(gem.version, safe='')}{tail}"
