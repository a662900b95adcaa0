"""What `bundle install --local` finds gems and git repositories in.

::

    bundler/cache/<name>-<version>[-<platform>].gem    BUNDLE_CACHE_PATH: as downloaded, flat
    bundler/user/git/<name>-<sha1 of the address>/     BUNDLE_USER_CACHE: bare repositories
        HEAD, config, objects/, shallow
        refs/heads/master                              HEAD must lead somewhere
        refs/heads/locked-<commit>                     and every commit must be reached

    bundler/submodules/<name>-<sha1 of the address>/   the same, of submodules: git is led there
                                                       when it asks for their addresses

Bundler has two other layouts for git gems in its cache path, plain trees and bare repositories,
and no version before 2.6 takes both. A bare repository in the user's cache, which is asked
with BUNDLE_GLOBAL_GEM_CACHE, is what all of them take: seen with 2.2 to 4.0. From there it is
cloned into the bundle's path, so that gemspecs that ask `git ls-files` see a work tree.
`.gem` files in the user's cache, on the other hand, are found by none with `--local`.

Before 2.4, Bundler clones refs and not commits: hence a ref for each.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.git.repository import bare_repository
from vendorpack.formats.bundler.artifacts import Commit, Gem
from vendorpack.model import Entry, Packed
from vendorpack.redact import redact_url
from vendorpack.room import Workshop

GEMS: Final = "bundler/cache"
USER: Final = "bundler/user"
SUBMODULES: Final = "bundler/submodules"


def layout(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """All gems, then all repositories. Raises `UnsupportedError` for two gems of one name."""
    gems: dict[str, Packed] = {}
    for item in packed:
        if not isinstance(item.artifact, Gem):
            continue
        name = item.artifact.id.file_name
        other = gems.setdefault(name, item)
        if other is item:
            yield Entry(f"{GEMS}/{name}", item.blob, artifact=item.artifact)
        elif other.blob != item.blob:
            raise UnsupportedError(
                f"two sources have a {name}, and not the same",
                where="\n".join(
                    f"{one.artifact.where}: {redact_url(one.artifact.url or '')}"
                    for one in (other, item)
                ),
                fix="Bundler's cache is one flat folder: pack the lockfiles into a bundle each.",
            )
    commits = [
        (repository_path(item.artifact), item)
        for item in packed
        if isinstance(item.artifact, Commit)
    ]
    commits.sort(key=lambda pair: (pair[0], pair[1].artifact.version))
    for folder, pairs in itertools.groupby(commits, key=lambda pair: pair[0]):
        unique = {item.artifact.version: item for _, item in pairs}
        refs = {f"refs/heads/locked-{commit}": commit for commit in unique}
        refs["refs/heads/master"] = min(unique)
        yield from bare_repository(folder, list(unique.values()), workshop, refs)


def repository_path(commit: Commit) -> str:
    """Where the bundle has a commit's repository."""
    return f"{SUBMODULES if commit.is_submodule else f'{USER}/git'}/{commit.folder}"
