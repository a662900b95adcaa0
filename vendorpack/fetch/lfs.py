"""Files that a git commit has in git-lfs: it holds a pointer, and another server the content.

A pointer is a small file of text (git-lfs' specification, version 1). In the canonical pack that
`vendorpack.fetch.git` writes, it is a blob of one stored block, so it can be seen without reading
trees.
"""

from __future__ import annotations

import re
from typing import BinaryIO, Final

_POINTER: Final = re.compile(
    rb"\x78\x01\x01(?s:(..)..)"
    rb"(version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]{1,200}\n){0,4}"
    rb"oid sha256:[0-9a-f]{64}\nsize (\d{1,18})\n)"
)
_LONGEST: Final = 2048
_CHUNK: Final = 1 << 20


def pointed_sizes(pack: BinaryIO) -> list[int]:
    """The sizes, in bytes, of the files that a canonical pack has pointers to."""
    sizes, data = [], b""
    while chunk := pack.read(_CHUNK):
        data += chunk
        done = 0
        for match in _POINTER.finditer(data):
            done = match.end()
            if int.from_bytes(match[1], "little") == len(match[2]):
                sizes.append(int(match[3]))
        data = data[max(done, len(data) - _LONGEST) :]
    return sizes
