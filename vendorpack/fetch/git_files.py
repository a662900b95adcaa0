"""Single files of a repository's newest commit: an index that is kept in git.

Nothing pins that commit: what is read of it is for the caller to verify, as any index's word.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Unpack

from vendorpack.errors import FetchError
from vendorpack.fetch.git_client import (
    Git,
    GitAddress,
    GitSettings,
    MovedError,
    OutOfReach,
    scratch,
)

MAX_FILE_SIZE: Final = 64 << 20
"""Bytes of one file."""

_NEWEST: Final = "FETCH_HEAD"


async def read_head(
    address: GitAddress, paths: Sequence[str], beside: Path, **settings: Unpack[GitSettings]
) -> dict[str, bytes]:
    """The files at `paths` of the address' ref, by path; those that are not there are left out.

    Work files lie beside `beside`. Raises `PolicyError` for a protocol or URL that is not allowed,
    `MovedError`, `FetchError`.
    """
    assert address.ref is not None
    async with scratch(address, beside, **settings) as git:
        await git.init(40)
        try:
            await git.fetch("--depth=1", "--", git.url, address.ref)
        except (MovedError, OutOfReach):
            raise
        except FetchError:  # a server that knows nothing of git hands out all or nothing
            await git.fetch("--", git.url, address.ref)
        return await _files(git, paths)


async def _files(git: Git, paths: Sequence[str]) -> dict[str, bytes]:
    found = {}
    with tempfile.TemporaryFile(dir=git.work) as wanted:
        wanted.write("".join(f"{_NEWEST}:{path}\n" for path in paths).encode())
        wanted.seek(0)
        async with git.start("cat-file", "--batch", stdin=wanted) as process:
            stream = process.stdout
            assert stream is not None
            try:
                for path in paths:
                    header = (await stream.readline()).split()
                    if header[-1:] == [b"missing"]:
                        continue
                    if len(header) != 3 or header[1] != b"blob":
                        raise FetchError(f"git did not hand out {path}", where=git.shown)
                    size = int(header[2])
                    if size > MAX_FILE_SIZE:
                        raise FetchError(
                            f"{path} is larger than {MAX_FILE_SIZE >> 20} MiB", where=git.shown
                        )
                    found[path] = await stream.readexactly(size)
                    await stream.readexactly(1)
            except asyncio.IncompleteReadError:
                raise FetchError("git stopped handing out files", where=git.shown) from None
    return found
