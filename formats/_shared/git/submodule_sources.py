"""What `git submodule update` will ask for: for clients that run the git program.

They follow every submodule of a commit, and those in turn. The bundle serves all of them by
insteadOf; git then reads folders, which it does for submodules only if it is told that files
are an allowed protocol: `ALLOWED_PROTOCOLS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from vendorpack.formats._shared.git.pack import read_pack
from vendorpack.formats._shared.git.repository import commit_of
from vendorpack.formats._shared.git.submodules import read_submodules, submodule_address
from vendorpack.model import Artifact, Packed, Variable
from vendorpack.room import Workshop

Commit = TypeVar("Commit", bound=Artifact)

ALLOWED_PROTOCOLS: Final = Variable("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
"""git's own default, and files."""


def new_submodules(
    packed: Sequence[Packed],
    remote_of: Callable[[Artifact], tuple[Commit, str] | None],
    make: Callable[[Commit, str, str, str], Commit],
    workshop: Workshop,
) -> Iterator[Commit]:
    """An artifact for each submodule of the packed commits that is not packed yet.

    remote_of: the artifact and its repository's address, None if it is no commit.
    make: from the parent and the submodule's path, address and commit.
    """
    known = {one.artifact.url for one in packed}
    for one in packed:
        commit = remote_of(one.artifact)
        if commit is None:
            continue
        parent, remote = commit
        for path, url, oid in _submodules_of(one, remote, workshop):
            artifact = make(parent, path, url, oid)
            if artifact.url not in known:
                known.add(artifact.url)
                yield artifact


def _submodules_of(one: Packed, remote: str, workshop: Workshop) -> Iterator[tuple[str, str, str]]:
    """Path, address and commit of each submodule of a packed commit.

    remote: the repository's address, which relative ones count from. Raises
    `UnsupportedError`.
    """
    with workshop.open(one.blob) as file:
        pack = read_pack(file, len(commit_of(one.artifact)))
        submodules = read_submodules(pack, file)
    for submodule in submodules:
        url = submodule_address(remote, submodule.url)
        yield submodule.path, url, submodule.commit.hex()
