"""Git dependencies of npm and pnpm: commits that their git clones from the bundle.

::

    <folder>/<digest>.git/      a bare repository for each address: git's insteadOf

Both clients clone a repository's branches and look for the commit in there (npm 10 to 12, pnpm 8
to 12), so each commit has a branch; npm asks for the submodules too, which are not packed. Of hosts
that they know they take an archive, which is made from the commit (`HostedCommit`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlunsplit

from vendorpack.dataclass import dataclass
from vendorpack.formats._shared.git.addresses import check_address
from vendorpack.formats._shared.git.archive import tar_of_commit
from vendorpack.formats._shared.git.checkout import file_at
from vendorpack.formats._shared.git.pack import read_pack
from vendorpack.formats._shared.git.repository import (
    bare_repository,
    commit_address,
    commit_integrity,
    commit_of,
)
from vendorpack.formats._shared.git.submodules import read_submodules
from vendorpack.formats._shared.npm.git_hosts import HostedCommit
from vendorpack.formats._shared.npm.registry import purl
from vendorpack.formats._shared.text.addresses import parts_of
from vendorpack.model import Artifact, Blob, Entry, Packed, Warning
from vendorpack.room import Workshop

_SCP: Final = re.compile(r"([\w.-]+@[\w.-]+):(?!/)(.+)", re.ASCII)
Kind = TypeVar("Kind", bound=Artifact)
_DEPENDENCIES: Final = ("dependencies", "devDependencies", "optionalDependencies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit(Artifact):
    """A package that is a commit.

    remote: the repository, as the client asks git for it; empty if it takes an archive instead.
    folder: where in the repository the package lies; empty for the root.
    """

    remote: str
    folder: str = ""


def fetch_address(name: str, remote: str, where: str) -> str:
    """Where we fetch a repository from. Raises `UnsupportedError`.

    `git://` is asked by https: it has no security of its own, and hosts have stopped serving it.
    """
    if match := _SCP.fullmatch(remote):
        return f"ssh://{match[1]}/{match[2]}"
    parts = parts_of(remote)
    check_address(name, remote, parts, where)
    return urlunsplit(parts._replace(scheme={"git": "https"}.get(parts.scheme, parts.scheme)))


def commit_artifact(name: str, version: str, remote: str, commit: str, where: str) -> Commit:
    """The artifact. Raises `UnsupportedError` where the commit is not given in full."""
    url = fetch_address(name, remote, where)
    source = quote(f"git+{url}@{commit}", safe="")
    return Commit(
        name=name,
        version=version,
        purl=f"{purl(name, version)}?vcs_url={source}",
        url=commit_address(url, commit),
        integrity=commit_integrity(commit, where),
        where=where,
        remote=remote,
    )


def hosted_artifact(name: str, version: str, hosted: HostedCommit, where: str) -> Commit:
    """The artifact of a commit whose archive the client takes from a host that it knows."""
    https, ssh = hosted.repositories
    made = commit_artifact(name, version, https, hosted.commit, where)
    sources = tuple(commit_address(place, hosted.commit) for place in (https, ssh))
    return replace(made, remote="", fetch_from=sources)


def of_kind(kind: type[Kind], made: Commit, **more: Any) -> Kind:
    """The artifact as a room's own kind of it, with what that has beside or in place of it."""
    own = {field.name for field in fields(kind)}
    known = {f.name: getattr(made, f.name) for f in fields(made) if f.name in own}
    return kind(**(known | more))


def archive_of(one: Packed, workshop: Workshop, folder: str = "package") -> Blob:
    """The archive of a commit, uncompressed, all in one folder."""
    with workshop.open(one.blob) as file:
        return workshop.keep(tar_of_commit(file, len(commit_of(one.artifact)), folder))


# -- layout --------------------------------------------------------------------------------


def repositories(folder: str, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """The bare repositories of the commits among `packed`, below `folder`."""
    for remote, commits in sorted(_by_remote(packed).items()):
        ids = [commit_of(one.artifact).hex() for one in commits]
        refs = {f"refs/heads/{commit}": commit for commit in ids}
        refs["refs/heads/master"] = ids[0]
        yield from bare_repository(_path(folder, remote), commits, workshop, refs)


def merge_shallow(existing: bytes, ours: bytes) -> bytes:
    """A repository's list of commits without parents: the user's and ours."""
    return b"".join(sorted({*existing.splitlines(True), *ours.splitlines(True)}))


def git_sources(folder: str, packed: Sequence[Packed]) -> tuple[tuple[str, str], ...]:
    """Repositories' addresses, as the clients ask for them, and their folders in the bundle."""
    return tuple((remote, _path(folder, remote)) for remote in sorted(_by_remote(packed)))


def _path(folder: str, remote: str) -> str:
    return f"{folder}/{hashlib.sha256(remote.encode()).hexdigest()[:16]}.git"


def _by_remote(packed: Sequence[Packed]) -> dict[str, list[Packed]]:
    """Repository address to its commits, each once."""
    found: dict[str, dict[bytes, Packed]] = {}
    for one in packed:
        if isinstance(one.artifact, Commit) and one.artifact.remote:
            found.setdefault(one.artifact.remote, {}).setdefault(commit_of(one.artifact), one)
    return {remote: list(commits.values()) for remote, commits in found.items()}


# -- what will fail offline ----------------------------------------------------------------


def warnings(
    packed: Sequence[Packed], scripts: Sequence[str], client: str, workshop: Workshop
) -> Iterator[Warning]:
    """Commits that the client builds before it installs them, and that need more for it.

    scripts: those for which the client installs a commit's own dependencies, development ones
        too, which no lockfile names.
    """
    for one in packed:
        if not isinstance(one.artifact, Commit):
            continue
        manifest, has_submodules = read_commit(one, one.artifact.folder, workshop)
        given = manifest.get("scripts")
        ran = [name for name in scripts if isinstance(given, dict) and given.get(name)]
        if ran and any(manifest.get(section) for section in _DEPENDENCIES):
            yield Warning(
                f"{one.artifact.name} comes from git and has a {ran[0]} script: {client} installs "
                "its dependencies for that, which no lockfile names, and fails offline",
                one.artifact.where,
            )
        if has_submodules:
            yield Warning(
                f"{one.artifact.name} comes from git and has submodules, which are not packed: "
                "a client that asks for them fails offline",
                one.artifact.where,
            )


def read_commit(one: Packed, folder: str, workshop: Workshop) -> tuple[dict[str, object], bool]:
    """package.json in a folder (empty if it is none), and whether there are submodules."""
    path = f"{folder}/package.json" if folder else "package.json"
    manifest: object = None
    with workshop.open(one.blob) as file:
        pack = read_pack(file, len(commit_of(one.artifact)))
        data = file_at(pack, file, path) or b""
        try:
            manifest = json.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            manifest = None
        return manifest if isinstance(manifest, dict) else {}, bool(read_submodules(pack, file))
