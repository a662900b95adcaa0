"""What `git submodule update` will ask for: for clients that run the git program.

They follow every submodule of a commit, and those in turn. The bundle serves all of them by
insteadOf; git then reads folders, which it does for submodules only if it is told that files
are an allowed protocol: `ALLOWED_PROTOCOLS`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urljoin

from vendorpack.formats._shared.git_pack import read_pack
from vendorpack.formats._shared.git_repo import commit_of
from vendorpack.formats._shared.git_submodules import read_submodules
from vendorpack.model import Packed, Variable, Workshop

ALLOWED_PROTOCOLS: Final = Variable("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
"""git's own default, and files."""


def submodule_sources(
    one: Packed, remote: str, workshop: Workshop
) -> Iterator[tuple[str, str, str]]:
    """Path, address and commit of each submodule of a packed commit.

    remote: the repository's address, which relative ones count from. Raises
    `UnsupportedError`.
    """
    with workshop.open(one.blob) as file:
        pack = read_pack(file, len(commit_of(one.artifact)))
        submodules = read_submodules(pack, file)
    for submodule in submodules:
        url = submodule.url
        if url.startswith(("./", "../")):
            url = urljoin(remote.rstrip("/") + "/", url)
        yield submodule.path, url, submodule.commit.hex()
