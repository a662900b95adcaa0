"""The wheelhouse: what pip, pipenv and pdm projects are installed from offline.

::

    pip/wheelhouse/<file name>                  wheels, sdists, and what those are built with
    pip/wheelhouse/<file name>.html             a page that links an sdist which is neither .tar.gz
                                                nor .zip: pip 26 passes over the file itself
    pip/cache/http-v2/…                         responses for addresses that pip asks for itself:
                                                direct URLs, every file of a pylock.toml
    pip/cache/http/…                            the same for pip before 23.3, if asked for
    pip/git/<repository>-<hash>/                bare repositories of locked commits and submodules

`PIP_FIND_LINKS` points at the flat folder and `PIP_NO_INDEX` shuts the network out; both also
hold in the environments that pip builds sdists in. Seen with pip 23.2.1 and 26.3 and pipenv
2026.10. The rooms share the folder: a file that two lockfiles need lies there once.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from vendorpack.formats._shared.git.repository import bare_repository, commit_of
from vendorpack.formats._shared.git.submodule_sources import ALLOWED_PROTOCOLS
from vendorpack.formats._shared.python import pip_http_cache
from vendorpack.formats._shared.python.distributions import (
    CACHE,
    OLD_CACHE,
    WHEELHOUSE,
    Distribution,
    GitProject,
)
from vendorpack.formats._shared.python.pip_config import pip_cache_dir, user_cache_dir
from vendorpack.model import Entry, Environment, Packed, Variable
from vendorpack.project import Host
from vendorpack.room import Workshop

FOLDER: Final = "pip"
_WHEELHOUSE: Final = f"{FOLDER}/wheelhouse"
_CACHE: Final = f"{FOLDER}/cache"
_GIT: Final = f"{FOLDER}/git"
_NO_RECURSION: Final = Variable("GIT_CONFIG_PARAMETERS", "'fetch.recurseSubmodules=false'")
"""As `git -c` hands it on. pip 23.2 fetches a commit that it has got already; git would then look
for changed submodules in the commit's parents, which are not here. pip updates them itself."""
_CONTENT_TYPE: Final = "application/octet-stream"
"""pip looks into an archive to see what it is."""


def layout(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """The entries of all packed artifacts, in their order."""
    repositories: dict[str, dict[str, Packed]] = {}
    for one in packed:
        artifact = one.artifact
        if isinstance(artifact, GitProject):
            repositories.setdefault(artifact.remote, {})[one.blob.sha256] = one
    seen: set[str] = set()
    for one in packed:
        artifact = one.artifact
        if isinstance(artifact, GitProject):
            if artifact.remote not in seen:
                seen.add(artifact.remote)
                commits = [*repositories[artifact.remote].values()]
                yield from _repository(artifact.remote, commits, workshop)
        elif isinstance(artifact, Distribution):
            yield from _files(one, artifact, workshop)


def environment(packed: Sequence[Packed]) -> Environment:
    """What pip needs to find all that and to ask for nothing else."""
    places = {
        place
        for one in packed
        if isinstance(one.artifact, Distribution)
        for place in one.artifact.places
    }
    variables = [
        Variable("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        Variable("PIP_NO_INDEX", "1"),
    ]
    if WHEELHOUSE in places:
        variables.append(Variable("PIP_FIND_LINKS", _WHEELHOUSE, is_path=True))
    if places & {CACHE, OLD_CACHE}:
        variables.append(Variable("PIP_CACHE_DIR", _CACHE, is_path=True))
    commits = [one.artifact for one in packed if isinstance(one.artifact, GitProject)]
    if any(commit.is_submodule for commit in commits):
        variables += [ALLOWED_PROTOCOLS, _NO_RECURSION]
    remotes = {commit.remote for commit in commits}
    return Environment(
        tuple(sorted(variables)),
        tuple((remote, repository_folder(remote)) for remote in sorted(remotes)),
    )


def native_roots(host: Host) -> Mapping[str, Path]:
    """pip's own cache; pip has no folder of its own for the rest."""
    ours = user_cache_dir(host) / "vendorpack" / FOLDER
    return {FOLDER: ours, _CACHE: pip_cache_dir(host)}


def repository_folder(remote: str) -> str:
    """Where the bare repository of a remote address lies in the bundle."""
    name = remote.rstrip("/").rpartition("/")[2].removesuffix(".git")
    plain = "".join(c if c.isalnum() and c.isascii() else "-" for c in name)[:40]
    return f"{_GIT}/{plain}-{hashlib.sha256(remote.encode()).hexdigest()[:16]}"


def _repository(remote: str, commits: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """A bare repository as pip wants it.

    With a branch for each commit: pip clones, and only then asks for a commit by its id. Where
    the history ends is said by `info/grafts`, not by `shallow`: pip makes partial clones
    (`--filter=blob:none`), and git 2.39 takes minutes for one of a shallow repository.
    """
    folder = repository_folder(remote)
    ids = sorted(commit_of(one.artifact).hex() for one in commits)
    refs = {"refs/heads/master": ids[0]} | {f"refs/heads/commit-{i}": i for i in ids[1:]}
    entries = {entry.path: entry for entry in bare_repository(folder, commits, workshop, refs)}
    grafts = f"{folder}/info/grafts"
    entries[grafts] = replace(entries.pop(f"{folder}/shallow"), path=grafts)
    for path in sorted(entries):
        yield entries[path]


def _files(one: Packed, artifact: Distribution, workshop: Workshop) -> Iterator[Entry]:
    url = artifact.url or ""
    if OLD_CACHE in artifact.places:
        yield pip_http_cache.entry_with_body(
            f"{_CACHE}/http", url, _CONTENT_TYPE, one.blob, artifact, workshop
        )
    if CACHE in artifact.places:
        yield from pip_http_cache.entries(
            f"{_CACHE}/http-v2", url, _CONTENT_TYPE, one.blob, artifact
        )
    if WHEELHOUSE in artifact.places:
        yield Entry(f"{_WHEELHOUSE}/{artifact.filename}", one.blob, artifact=artifact)
        if artifact.is_source and not artifact.filename.endswith((".tar.gz", ".zip")):
            name = html.escape(quote(artifact.filename))
            page = f'<!DOCTYPE html><html><body><a href="{name}">{name}</a></body></html>\n'
            yield Entry(f"{_WHEELHOUSE}/{artifact.filename}.html", page.encode())
