"""A commit's files as a tar archive, byte for byte the same everywhere: as `git archive` makes it.

Unlike a host's own archive it is proven by the commit's id, and does not change with the years.
Submodules are left out, and `.gitattributes` leaves nothing out (`export-ignore`).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Final

from vendorpack.formats._shared.git.checkout import checked_out
from vendorpack.formats._shared.git.pack import read_pack

_BLOCK: Final = 512
_TIME: Final = 315_619_200
"""2 January 1980, as all files of a bundle."""


def tar_of_commit(file: BinaryIO, id_size: int, folder: str) -> Iterator[bytes]:
    """The chunks of an uncompressed archive (ustar, with pax headers where a name needs one).

    file: the canonical pack of the commit. folder: what all its files lie in; empty for nothing.
    Raises what `read_pack` does.
    """
    start = f"{folder}/" if folder else ""
    for item in checked_out(read_pack(file, id_size), file):
        member = tarfile.TarInfo(start + item.path)
        member.mtime = _TIME
        member.mode = 0o755 if item.is_executable else 0o644
        data = item.data
        if item.is_link:
            member.type, member.linkname = tarfile.SYMTYPE, data.decode("utf-8", "replace")
            data = b""
        member.size = len(data)
        yield member.tobuf(tarfile.PAX_FORMAT)
        yield data
        yield bytes(-len(data) % _BLOCK)
    yield bytes(2 * _BLOCK)
