"""The container around the tar: zstd frames, the trailer and the seek table.

`vendorpack.bundle` describes them. Everything here is about bytes; what is inside the frames
is the writer's and the reader's business.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import re
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Self, TypeAlias

import zstandard

from vendorpack.dataclass import dataclass
from vendorpack.errors import BundleError

Buffer: TypeAlias = bytes | bytearray | memoryview

ZSTD_MAGIC: Final = 0xFD2FB528
TRAILER_MAGIC: Final = 0x184D2A5D
TABLE_MAGIC: Final = 0x184D2A5E
SEEKABLE_MAGIC: Final = 0x8F92EAB1

MAX_FRAME: Final = 32 << 20
"""Bytes of tar in a frame, at most: the memory a reader needs."""
MAX_MANIFEST_FRAME: Final = 256 << 20
"""The same for the first frame."""

_MANIFEST_RATIO: Final = 50
_MANIFEST_START: Final = 16 << 20
_NODE: Final = 32
"""Bytes of a manifest to each list and object in it, at least, but for the first few thousand: a
file's row has 84, an artifact's object and its two lists have over 200."""
_NODES_START: Final = 4096
_PIECE: Final = 1 << 20

_LONG_WINDOW_LOG: Final = 25
_MAX_BLOCK: Final = 128 << 10
_SKIPPABLE = struct.Struct("<II")
_ENTRY = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")
_HEX256 = re.compile(r"[0-9a-f]{64}")


# -- zstd ----------------------------------------------------------------------------------


class Compressor:
    """One-shot compression in any number of threads; the bytes do not depend on how many."""

    def __init__(self, level: int) -> None:
        self._level = level
        self._local = threading.local()

    def compress(self, tar: Buffer, *, long: bool = False) -> bytes:
        """One frame, with content size and checksum. `long`: find matches all over it."""
        return self._made(long=long).compress(tar)

    def compress_pieces(self, pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
        """The same of what is `size` bytes in all, without holding it; other bytes, maybe."""
        frame = self._made(long=False).compressobj(size=size)
        yield from map(frame.compress, pieces)
        yield frame.flush()

    def _made(self, *, long: bool) -> zstandard.ZstdCompressor:
        name = "long" if long else "short"
        compressor: zstandard.ZstdCompressor | None = getattr(self._local, name, None)
        if compressor is None:
            compressor = zstandard.ZstdCompressor(
                compression_params=zstandard.ZstdCompressionParameters(
                    compression_level=self._level,
                    window_log=_LONG_WINDOW_LOG if long else 0,
                    enable_ldm=long,
                    write_content_size=True,
                    write_checksum=True,
                    write_dict_id=False,
                    threads=0,
                )
            )
            setattr(self._local, name, compressor)
        return compressor


def blank(size: int) -> memoryview:
    """`size` zeros to write a frame's tar into, from the system and given back to it at once.

    The C library keeps such large pieces once they are freed, scattered: twice what is in use.
    """
    return memoryview(mmap.mmap(-1, size))


def max_compressed(size: int) -> int:
    """The most bytes that a frame of `size` bytes may take: libzstd's bound, and a little."""
    return size + (size >> 8) + (64 << 10)


def max_manifest(stored: int) -> int:
    """The most bytes that a manifest's frame of `stored` bytes may be decompressed to.

    Half of a file's row is a sha256, which does not compress, so honest ones are below 10 to 1,
    unless hardly any file has a content.
    """
    return min(MAX_MANIFEST_FRAME, _MANIFEST_START + _MANIFEST_RATIO * stored)


def is_sparse(manifest: Buffer) -> bool:
    """Whether reading a manifest as JSON takes memory in proportion to its size.

    Of lists and objects that hold next to nothing it would take fifty times as much.
    """
    view = memoryview(manifest)
    pieces = (bytes(view[start : start + _PIECE]) for start in range(0, len(view), _PIECE))
    return few_nodes(sum(map(nodes_in, pieces)), len(view))


def nodes_in(piece: bytes) -> int:
    """How many lists and objects begin in a piece of a manifest, at most."""
    return piece.count(b"{") + piece.count(b"[")


def few_nodes(nodes: int, size: int) -> bool:
    """Whether a manifest of so many nodes and bytes `is_sparse`."""
    return nodes <= _NODES_START + size // _NODE


def max_trailer(count: int) -> int:
    """The most bytes that a trailer for `count` frames may take."""
    return 4096 + 80 * count


def check_frame(data: memoryview, size: int) -> None:
    """Raise `ValueError` unless `data` is exactly one frame as `Compressor` makes them.

    The decoder alone would accept a frame that lacks its checksum and bytes that follow it.
    """
    try:
        head = zstandard.get_frame_parameters(data)
        position = zstandard.frame_header_size(data)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    if int.from_bytes(data[:4], "little") != ZSTD_MAGIC or data[4] & 0x18:
        raise ValueError("not a zstd frame")
    if head.content_size != size:
        raise ValueError("another size than declared")
    if not head.has_checksum or head.dict_id or head.window_size > max(MAX_FRAME, size):
        raise ValueError("unusual compression parameters")
    last = False
    while not last:
        word = int.from_bytes(data[position : position + 3], "little")
        last = bool(word & 1)
        kind, length = word >> 1 & 3, word >> 3
        if position + 3 > len(data) or kind == 3 or length > _MAX_BLOCK:
            raise ValueError("bad block")
        position += 3 + (1 if kind == 1 else length)
    if position + 4 != len(data):
        raise ValueError("the frame ends elsewhere")


def decompress_into(
    decompressor: zstandard.ZstdDecompressor, data: memoryview, out: memoryview
) -> None:
    """Fill `out` from a frame that `check_frame` passed. Raises `ValueError`."""
    done = 0
    try:
        with decompressor.stream_reader(data) as stream:
            while done < len(out):
                count = stream.readinto(out[done:])
                if not count:
                    raise ValueError("the frame ends early")
                done += count
            if stream.read(1):
                raise ValueError("the frame is longer than it says")
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None


# -- trailer and seek table ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trailer:
    """What is known of the compressed file: it may differ between two of the same id.

    id: hex sha256 of the manifest.
    frames: hex sha256 of every zstd frame's compressed bytes.
    level: of compression; vendorpack, zstd: versions that wrote the file.
    """

    id: str
    frames: tuple[str, ...]
    level: int
    vendorpack: str
    zstd: str

    def dump(self) -> bytes:
        """The whole skippable frame."""
        body = _canonical(
            {
                "frames": list(self.frames),
                "id": self.id,
                "level": self.level,
                "vendorpack": self.vendorpack,
                "zstd": self.zstd,
            }
        )
        payload = hashlib.sha256(body).digest() + body
        return _SKIPPABLE.pack(TRAILER_MAGIC, len(payload)) + payload

    @classmethod
    def parse(cls, frame: bytes) -> Trailer:
        """Read a skippable frame back. Raises `BundleError`."""
        head, digest, body = frame[:8], frame[8:40], frame[40:]
        expected = _SKIPPABLE.pack(TRAILER_MAGIC, max(len(frame) - 8, 0))
        if head != expected or hashlib.sha256(body).digest() != digest:
            raise BundleError("the bundle is damaged: its trailer does not match its hash")
        try:
            trailer = cls._of(json.loads(body))
            canonical = trailer.dump() == frame
        except (ValueError, TypeError, KeyError, RecursionError):
            raise BundleError("the bundle is damaged: its trailer makes no sense") from None
        if not canonical:
            raise BundleError("the bundle is damaged: its trailer is not in the canonical form")
        return trailer

    @classmethod
    def _of(cls, value: Any) -> Self:
        """From JSON; raises all kinds of errors if it is not a trailer's."""
        trailer = cls(
            id=value["id"],
            frames=tuple(value["frames"]),
            level=value["level"],
            vendorpack=value["vendorpack"],
            zstd=value["zstd"],
        )
        for sha256 in (trailer.id, *trailer.frames):
            if not _HEX256.fullmatch(sha256):
                raise ValueError("not a sha256")
        versions = (trailer.vendorpack, trailer.zstd)
        if type(trailer.level) is not int or not all(type(text) is str for text in versions):
            raise TypeError("not a level, or not a version")
        return trailer


def dump_table(entries: Sequence[tuple[int, int]]) -> bytes:
    """The seek table over (compressed size, size) of every frame before it."""
    body = b"".join(_ENTRY.pack(*entry) for entry in entries)
    body += _FOOTER.pack(len(entries), 0, SEEKABLE_MAGIC)
    return _SKIPPABLE.pack(TABLE_MAGIC, len(body)) + body


def read_table(
    pread: Callable[[int, int], bytes], file_size: int
) -> tuple[tuple[tuple[int, int], ...], int] | None:
    """Find the seek table at a file's end: its entries and its own size; None if there is none.

    `pread(size, offset)` gives bytes of the file. The entries fit the file exactly.
    """
    if file_size < _FOOTER.size:
        return None
    footer = pread(_FOOTER.size, file_size - _FOOTER.size)
    if len(footer) != _FOOTER.size:
        return None
    count, descriptor, magic = _FOOTER.unpack(footer)
    table_size = _SKIPPABLE.size + count * _ENTRY.size + _FOOTER.size
    if magic != SEEKABLE_MAGIC or descriptor != 0 or table_size > file_size:
        return None
    table = pread(table_size, file_size - table_size)
    body = table[_SKIPPABLE.size : -_FOOTER.size]
    entries = tuple(_ENTRY.iter_unpack(body)) if len(table) == table_size else ()
    if len(entries) != count or dump_table(entries) != table:
        return None
    if sum(entry[0] for entry in entries) + table_size != file_size:
        return None
    return entries, table_size


def _canonical(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()
