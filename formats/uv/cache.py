"""The byte formats of uv's cache: names, pointers and cache policies (uv 0.6 to 0.13).

uv changes the shape of a bucket by raising its number, so every generation is a row of
`WHEEL_BUCKETS` or `SDIST_BUCKETS`, and they lie side by side: a pointer has half a kilobyte.

A **pointer** is MessagePack, followed by the HTTP cache policy that it is served under:

- `Encoding.MAP`: the fields as a map, then the policy, then its length (u64);
- `Encoding.ARRAY`: the fields as an array, zeros up to a multiple of 16, an entry id of 16
  characters, the policy, crc32 of everything from the zeros on with the payload's length
  added, that length (u64).

All numbers are little-endian. The **policy** is an rkyv 0.8 archive, which uv checks when it
reads it: the address, zeros up to `root`, and a struct that is all zeros but for a relative
string pointer, three time stamps, the status and an empty `Vary`. uv compares the address for
source distributions and looks at nothing else while it is offline.

Names are `digest`s: SeaHash, with its default seeds, over the text and a byte 0xFF.

Seen with uv 0.6.17, 0.7.22, 0.8.24, 0.9.30, 0.10.12, 0.11.33, 0.12.24, 0.13.0 and 0.13.9.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from vendorpack.dataclass import dataclass

_MASK: Final = (1 << 64) - 1
_MULTIPLIER: Final = 0x6EED0E9DA4D94A4F
_SEEDS: Final = (
    0x16F11FE89B0D677C,
    0xB480A793D8E6C86C,
    0x6FE2E5AAF078EBC9,
    0x14F994A4C5259381,
)
_TIMESTAMP: Final = 1
"""Of every response; offline, uv asks nobody whether it is stale."""
_LONGEST_KEY: Final = 64
_LONGEST_VERSION: Final = 47
_GIT_SUFFIX: Final = re.compile(r"\.git(?=@[^/@]*$|$)", re.IGNORECASE)
# The one address with a rule of its own in uv's names.
_CASELESS_HOST: Final = "github.com"


class Encoding(enum.Enum):
    """How a generation writes pointers."""

    MAP = enum.auto()
    ARRAY = enum.auto()


@dataclass(frozen=True, slots=True)
class Bucket:
    """A folder of the cache and how its pointers are written."""

    name: str
    encoding: Encoding


WHEEL_BUCKETS: Final = (
    Bucket("wheels-v5", Encoding.MAP),  # uv 0.6 to 0.9
    Bucket("wheels-v6", Encoding.MAP),  # uv 0.10 to 0.12
    Bucket("wheels-v7", Encoding.ARRAY),  # uv 0.13.0
    Bucket("wheels-v8", Encoding.ARRAY),  # uv 0.13.9
)
SDIST_BUCKETS: Final = (
    Bucket("sdists-v9", Encoding.MAP),  # uv 0.6 to 0.12
    Bucket("sdists-v10", Encoding.ARRAY),  # uv 0.13.0
    Bucket("sdists-v11", Encoding.ARRAY),  # uv 0.13.9
)
READERS: Final = {
    "wheels-v5": ("0.6", "0.10"),
    "wheels-v6": ("0.10", "0.13"),
    "wheels-v7": ("0.13", "0.13.9"),
    "wheels-v8": ("0.13.9", ""),
}
"""Bucket to the versions of uv that read it, from and up to."""
ARCHIVE_BUCKET: Final = "archive-v0"
"""Unpacked wheels; the same in all versions."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Offsets in the root struct of a policy."""

    size: int
    timestamps: tuple[int, ...]
    status: int
    flag: tuple[int, int]
    vary: int


_LAYOUTS: Final[Mapping[Encoding, _Layout]] = {
    Encoding.MAP: _Layout(312, (0x70, 0xF0, 0x128), 0x78, (0xE8, 1), 0x130),
    Encoding.ARRAY: _Layout(192, (0x40, 0x80, 0xB0), 0x48, (0x98, 2), 0xB8),
}


def seahash(data: bytes) -> int:
    """SeaHash of `data` with the default seeds, an unsigned number of 64 bits."""
    a, b, c, d = _SEEDS
    for start in range(0, len(data), 8):
        word = int.from_bytes(data[start : start + 8], "little")
        a, b, c, d = b, c, d, _diffuse(a ^ word)
    return _diffuse(a ^ b ^ c ^ d ^ len(data))


def digest(text: str) -> str:
    """uv's name for a text: 16 hex digits."""
    return seahash(text.encode() + b"\xff").to_bytes(8, "little").hex()


def canonical_url(url: str) -> str:
    """The form of an address that uv names it by.

    Without userinfo, a slash or `.git` at the end, and percent-encoding that is not needed.
    """
    parts = urlsplit(url)
    path = parts.path.removesuffix("/")
    if parts.hostname == _CASELESS_HOST:
        path = path.lower()
    path = _GIT_SUFFIX.sub("", path)
    if "%" in path:
        path = "/".join(quote(unquote(part), safe=_UNQUOTED) for part in path.split("/"))
    netloc = parts.netloc.rpartition("@")[2].lower()
    return urlunsplit((parts.scheme.lower(), netloc, path or "/", parts.query, parts.fragment))


_UNQUOTED: Final = "!$&'()*+,-.:;=@[]^_|~"
"""What a path segment may hold as it is, by the URL standard."""


def entry_id(*parts: str) -> str:
    """A name of 16 characters for what uv names at random."""
    data = hashlib.sha256("\0".join(parts).encode()).digest()
    return base64.urlsafe_b64encode(data)[:16].decode()


def wheel_key(filename: str) -> str:
    """A wheel's name below its package's folder: version and tags, shortened if too long."""
    from packaging.version import Version  # noqa: PLC0415 - dear, and only needed here

    written, tags = filename.removesuffix(".whl").split("-", 2)[1:]
    version = str(Version(written))
    key = f"{version}-{tags}"
    if len(key) <= _LONGEST_KEY:
        return key
    return f"{version[:_LONGEST_VERSION].rstrip('.+')}-{digest(tags)}"


def wheel_pointer(
    encoding: Encoding,
    *,
    archive: str,
    hashes: Mapping[str, str],
    filename: str,
    size: int,
    url: str,
) -> bytes:
    """The pointer to an unpacked wheel.

    archive: its id. hashes, size: of the wheel file; uv's name of an algorithm to hex, bytes.
    """
    fields = {
        "id": archive,
        "hashes": _hashes(encoding, hashes),
        "filename": filename,
        "version": 0,
        "size": size,
    }
    return _pointer(encoding, fields, url)


def revision_pointer(
    encoding: Encoding, *, revision: str, hashes: Mapping[str, str], size: int, url: str
) -> bytes:
    """The pointer to an unpacked source distribution, `revision.http`."""
    fields = {"id": revision, "hashes": _hashes(encoding, hashes), "size": size}
    return _pointer(encoding, fields, url)


def _diffuse(word: int) -> int:
    word = word * _MULTIPLIER & _MASK
    word ^= (word >> 32) >> (word >> 60)
    return word * _MULTIPLIER & _MASK


def _hashes(encoding: Encoding, hashes: Mapping[str, str]) -> list[Any]:
    pairs = sorted(hashes.items())
    return [[*pair] if encoding is Encoding.MAP else dict([pair]) for pair in pairs]


def _pointer(encoding: Encoding, fields: Mapping[str, Any], url: str) -> bytes:
    policy = _policy(url, _LAYOUTS[encoding])
    if encoding is Encoding.MAP:
        return _pack(fields) + policy + struct.pack("<Q", len(policy))
    payload = _pack(list(fields.values()))
    tail = bytes(-len(payload) % 16) + entry_id("entry", url).encode() + policy
    length = struct.pack("<Q", len(payload))
    return payload + tail + struct.pack("<I", zlib.crc32(tail + length)) + length


def _policy(url: str, layout: _Layout) -> bytes:
    text = url.encode()
    size = len(text)
    assert size > 8, "shorter strings are stored in place"
    root = _round_up(size, 8) + 8
    struct_ = bytearray(layout.size)
    # Out-of-line strings are marked by the bits 10 above the lowest six of their length.
    length_code = (size & ~63) << 2 | size & 63 | 0x80
    struct.pack_into("<Ii", struct_, 0, length_code, -root)
    for offset in layout.timestamps:
        struct.pack_into("<Q", struct_, offset, _TIMESTAMP)
    struct.pack_into("<H", struct_, layout.status, 200)
    struct_[layout.flag[0]] = layout.flag[1]
    vary = _round_up(size, 4) - (root + layout.vary)
    struct.pack_into("<iI", struct_, layout.vary, vary, 0)
    return text.ljust(root, b"\0") + struct_


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _pack(value: str | int | Sequence[Any] | Mapping[str, Any]) -> bytes:
    """MessagePack of the few types that pointers hold."""
    if isinstance(value, str):
        text = value.encode()
        return _head(len(text), 0xA0, 31, b"\xd9", b"\xda") + text
    if isinstance(value, int):
        if value < 0x80:
            return bytes([value])
        for code, form in ((0xCC, ">B"), (0xCD, ">H"), (0xCE, ">I"), (0xCF, ">Q")):
            if value < 1 << 8 * struct.calcsize(form):
                return bytes([code]) + struct.pack(form, value)
        raise ValueError("an integer of more than 64 bits")
    if isinstance(value, Mapping):
        items = b"".join(_pack(key) + _pack(item) for key, item in value.items())
        return _head(len(value), 0x80, 15, None, b"\xde") + items
    return _head(len(value), 0x90, 15, None, b"\xdc") + b"".join(map(_pack, value))


def _head(length: int, fixed: int, most: int, short: bytes | None, long: bytes) -> bytes:
    if length <= most:
        return bytes([fixed | length])
    if short is not None and length <= 0xFF:
        return short + bytes([length])
    return long + struct.pack(">H", length)
