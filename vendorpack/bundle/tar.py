"""Tar members as a bundle has them: the bytes are a pure function of path, size and mode.

Only the writing direction exists. A reader knows every path, size and mode from the manifest
and compares what it finds with what this module gives, so there is no tar to parse and no
field to be read in two ways.

Header: POSIX ustar, owner and group 0 without names, type `0` or (path ending `/`) `5`. What
ustar cannot hold goes into a PAX header before it that has nothing but `path` (longer than
ustar's name and prefix fields, or not ASCII) and `size` (8 GiB and more).

A bundle that is a plain tar begins with a global PAX header that has nothing but a `comment`: its
manifest's sha256. Every tar passes over it, as over git archive's, which is made alike.
"""

from __future__ import annotations

import functools
from typing import Final

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
"""What a tar ends with."""
COMMENT_NAME: Final = b"pax_global_header"
COMMENT_SIZE: Final = 2 * BLOCK
MAX_MTIME: Final = 8**11 - 1
"""Seconds; what eleven octal digits hold."""

_MAX_SIZE: Final = 8**11 - 1
_NAME: Final = 100
_PREFIX: Final = 155
_FILE, _FOLDER, _PAX, _GLOBAL = b"0", b"5", b"x", b"g"
_PADDING: Final = tuple(bytes(length) for length in range(BLOCK))


def padding(size: int) -> bytes:
    """The zeros after `size` bytes of content, up to a whole block."""
    return _PADDING[-size % BLOCK]


def member_size(path: str, size: int) -> int:
    """How many bytes of tar a member takes: header, content and padding."""
    return header_size(path, size) + size + (-size % BLOCK)


def header_size(path: str, size: int) -> int:
    """`len(header(path, size, …))`, without making it."""
    if _is_plain(path, size):
        return BLOCK
    extended = len(_extended(path.encode(), size)[2])
    return BLOCK + (BLOCK + extended + (-extended % BLOCK) if extended else 0)


def header(path: str, size: int, mode: int, mtime: int) -> bytes:
    """All header blocks of a member. `path` ends with `/` for a folder (then size is 0)."""
    kind = _FOLDER if path.endswith("/") else _FILE
    if _is_plain(path, size):
        return _ustar(path.encode(), b"", size, mode, mtime, kind)
    prefix, name, extended = _extended(path.encode(), size)
    own = _ustar(name, prefix, size if size <= _MAX_SIZE else 0, mode, mtime, kind)
    if not extended:
        return own
    before = _ustar(b"././@PaxHeader", b"", len(extended), 0o644, mtime, _PAX)
    return before + extended + padding(len(extended)) + own


def _is_plain(path: str, size: int) -> bool:
    return len(path) <= _NAME and size <= _MAX_SIZE and path.isascii()


def _extended(name: bytes, size: int) -> tuple[bytes, bytes, bytes]:
    """ustar's prefix and name, and the body of the PAX header for what they cannot hold."""
    split = _split(name) if name.isascii() else None
    body = b""
    if split is None:
        body = _pax_field(b"path", name)
        # Only a reader that knows no PAX sees this. No slash: some take it for a folder then.
        leaf = name.decode().rstrip("/").rpartition("/")[2]
        split = b"", leaf.encode("ascii", "replace")[:_NAME]
    if size > _MAX_SIZE:
        body += _pax_field(b"size", b"%d" % size)
    return *split, body


def comment(text: str, mtime: int) -> bytes:
    """What a tar says of itself, ahead of its members: `COMMENT_SIZE` bytes. text: short, ASCII."""
    body = _pax_field(b"comment", text.encode())
    return _ustar(COMMENT_NAME, b"", len(body), 0o644, mtime, _GLOBAL) + body + padding(len(body))


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """Cut a long name at a slash into ustar's prefix and name, as far right as they allow."""
    cut = name.rfind(b"/", 0, min(_PREFIX + 1, len(name) - 1))
    if cut <= 0 or len(name) - cut - 1 > _NAME:
        return None
    return name[:cut], name[cut + 1 :]


def _pax_field(key: bytes, value: bytes) -> bytes:
    """`<length> <key>=<value>` and a line feed, where the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _ustar(name: bytes, prefix: bytes, size: int, mode: int, mtime: int, kind: bytes) -> bytes:
    attributes, before, after, fixed = _constant(mode, mtime, kind)
    digits = b"%011o" % size
    checksum = sum(name) + sum(prefix) + sum(digits) + fixed
    return b"".join(
        (
            name.ljust(_NAME, b"\0"),
            attributes,
            digits,
            before,
            b"%06o\0 " % checksum,
            after,
            prefix.ljust(_PREFIX + 12, b"\0"),
        )
    )


@functools.lru_cache(64)
def _constant(mode: int, mtime: int, kind: bytes) -> tuple[bytes, bytes, bytes, int]:
    """The fields that most headers share, and the sum of their bytes."""
    attributes = b"%07o\0" % mode + b"0000000\0" * 2
    before = b"\0%011o\0" % mtime
    after = kind + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2
    # The checksum counts its own field as eight spaces.
    return attributes, before, after, sum(attributes) + sum(before) + sum(after) + 8 * ord(" ")
