"""A strict, capped reader of the zip archives that registries serve: wheels and sdists.

A zip says everything twice, in the local headers before the data and in the central directory
at the end, and readers differ in which of the two they believe. The standard library's
`zipfile` is lenient. Here an archive has to be one that all readers see alike:

- the records lie one behind the other from the first byte to the last: local headers with
  their data, central directory, zip64 records, end record; nothing before, between or after;
- local header and central directory agree on name, method, flags, sizes and checksum;
- no name comes twice, none is a file here and a folder there, each is UTF-8 and stays below
  the folder that it is unpacked to;
- stored or deflated, unencrypted, on one disk; sizes and CRC-32 are those of the data.

Nothing is written. Large members pass in chunks, so memory stays flat.

An archive passed its hash before it gets here, so damage means that it was published so, and
a careful client would not install it: `UnsupportedError`.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO, Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives.inflate import InflateError, crc32, decompressobj
from vendorpack.formats._shared.archives.tarball import unpacked_limit
from vendorpack.formats._shared.archives.zip_records import (
    CENTRAL,
    CENTRAL_MAGIC,
    END,
    END_64,
    END_64_MAGIC,
    END_MAGIC,
    LOCAL,
    LOCAL_MAGIC,
    LOCATOR_64,
    LOCATOR_64_MAGIC,
)

_DESCRIPTOR_MAGIC: Final = b"PK\x07\x08"
_ANY_MAGIC: Final = b"PK"

_STORED: Final = 0
_DEFLATED: Final = 8
_ENCRYPTED: Final = 0x2041
"""Flags of encryption: traditional, strong, of the central directory."""
_PATCHED: Final = 0x0020
_DESCRIPTOR: Final = 0x0008
"""Flag: sizes and checksum stand behind the data."""
_ZIP64_EXTRA: Final = 0x0001
_UNICODE_PATH_EXTRA: Final = 0x7075
_MAX_16: Final = 0xFFFF
_MAX_32: Final = 0xFFFFFFFF
_MAX_NAME: Final = 4096
"""Characters: no file system takes a longer path, and each of its folders is looked at."""
_MAX_COMMENT: Final = 0xFFFF
_MAX_DIRECTORY_SIZE: Final = 256 * 1024 * 1024
_LONGEST_DESCRIPTOR: Final = 24
_CHUNK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Member:
    """One member that was found consistent, all but its data.

    name: relative, with `/`, without one at the end; safe to join to a folder.
    mode: Unix file mode as stored, with the type bits; 0 if the archive has none.
    size, compressed_size: bytes.
    offset: where its data begins.
    """

    name: str
    is_directory: bool
    mode: int
    size: int
    compressed_size: int
    crc32: int
    deflated: bool
    offset: int


def members(file: BinaryIO, *, label: str, max_size: int | None = None) -> tuple[Member, ...]:
    """The members of an archive, in the order of the central directory.

    Args:
        file: seekable.
        label: names the archive in errors.
        max_size: bytes that it may unpack to; None is `unpacked_limit` of its size.

    Raises:
        UnsupportedError: it is not an archive that all readers see alike, or it unpacks to
            too much.
    """
    return _Reader(file, label).members(max_size)


def chunks(file: BinaryIO, member: Member, *, label: str) -> Iterator[bytes]:
    """A member's data, unpacked, in chunks; verified once the last one was taken.

    Raises:
        UnsupportedError: the data is damaged, or has another size or checksum.
    """
    file.seek(member.offset)
    left = member.compressed_size

    def compressed() -> Iterator[bytes]:
        nonlocal left
        while left:
            data = file.read(min(left, _CHUNK))
            if not data:
                raise _refusal(label, f"{member.name} is cut short")
            left -= len(data)
            yield data

    return _checked(compressed(), member, label)


def unpack(data: bytes, member: Member, *, label: str) -> bytes:
    """A member's content from its compressed bytes. Raises `UnsupportedError` as `chunks`."""
    return b"".join(_checked(iter((data,)), member, label))


def _checked(compressed: Iterator[bytes], member: Member, label: str) -> Iterator[bytes]:
    size = checksum = 0
    for chunk in _inflated(compressed, member, label) if member.deflated else compressed:
        size += len(chunk)
        if size > member.size:
            break
        checksum = crc32(chunk, checksum)
        yield chunk
    if size != member.size:
        raise _refusal(label, f"{member.name} has another size than the archive says")
    if checksum != member.crc32:
        raise _refusal(label, f"{member.name} has a wrong checksum")


def _inflated(compressed: Iterator[bytes], member: Member, label: str) -> Iterator[bytes]:
    inflater = decompressobj(-zlib.MAX_WBITS)
    try:
        for data in compressed:
            if inflater.eof:
                raise _refusal(label, f"{member.name} has something behind its data")
            rest = data
            while rest:
                chunk = inflater.decompress(rest, _CHUNK)
                rest = inflater.unconsumed_tail
                if chunk:
                    yield chunk
        while chunk := inflater.decompress(b"", _CHUNK):
            yield chunk
    except InflateError as error:
        raise _refusal(label, f"{member.name}: {error}") from None
    if not inflater.eof or inflater.unused_data:
        raise _refusal(label, f"{member.name} has data that does not end where the archive says")


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the central directory lies and how many records it has."""

    offset: int
    size: int
    count: int


@dataclass(frozen=True, slots=True)
class _Record:
    """A record of the central directory, and what its local header has to repeat."""

    member: Member
    raw_name: bytes
    flags: int
    method: int
    local_offset: int


class _Reader:
    """Reads the structure of one archive."""

    def __init__(self, file: BinaryIO, label: str) -> None:
        self._file = file
        self._label = label
        self._size = file.seek(0, 2)

    def members(self, max_size: int | None) -> tuple[Member, ...]:
        directory = self._directory()
        records = self._records(directory)
        limit = unpacked_limit(self._size) if max_size is None else max_size
        if sum(record.member.size for record in records) > limit:
            raise UnsupportedError(
                f"the archive of {self._label} unpacks to more than {limit >> 20} MiB",
                where=self._label,
                fix="An archive that swells like this is a bomb or a mistake; it is not opened.",
            )
        self._check_names([record.member for record in records])
        offsets = self._check_local_headers(records, directory.offset)
        return tuple(replace(r.member, offset=offsets[r.local_offset]) for r in records)

    def _read(self, offset: int, size: int) -> bytes:
        if offset < 0 or offset + size > self._size:
            raise self._refusal("a record lies outside of it")
        self._file.seek(offset)
        data = self._file.read(size)
        if len(data) != size:
            raise self._refusal("it is cut short")
        return data

    def _refusal(self, what: str) -> UnsupportedError:
        return _refusal(self._label, what)

    # -- the end ---------------------------------------------------------------------------

    def _directory(self) -> _Directory:
        start = max(0, self._size - END.size - _MAX_COMMENT)
        tail = self._read(start, self._size - start)
        ends = [
            m.start() for m in re.finditer(re.escape(END_MAGIC), tail) if _ends_at(tail, m.start())
        ]
        if len(ends) != 1:
            raise self._refusal(f"it ends with {len(ends)} end records")
        at = ends[0]
        _, disk, first_disk, here, count, size, offset, _ = END.unpack_from(tail, at)
        end = start + at
        if _MAX_16 in (disk, first_disk, here, count) or _MAX_32 in (size, offset):
            disk, first_disk, here, count, size, offset, end = self._directory_64(end)
        if disk or first_disk or here != count:
            raise self._refusal("it is spread over several disks")
        if offset + size != end:
            raise self._refusal("its central directory does not end where its end record begins")
        if size > _MAX_DIRECTORY_SIZE:
            raise self._refusal("its central directory is too large")
        return _Directory(offset, size, count)

    def _directory_64(self, end: int) -> tuple[int, int, int, int, int, int, int]:
        magic, disk, record, disks = LOCATOR_64.unpack(
            self._read(end - LOCATOR_64.size, LOCATOR_64.size)
        )
        if magic != LOCATOR_64_MAGIC or disk or disks != 1:
            raise self._refusal("its zip64 locator is missing or wrong")
        fields = END_64.unpack(self._read(record, END_64.size))
        magic, length, _, _, disk, first_disk, here, count, size, offset = fields
        if magic != END_64_MAGIC or record + 12 + length != end - LOCATOR_64.size:
            raise self._refusal("its zip64 end record is wrong")
        return disk, first_disk, here, count, size, offset, record

    # -- the central directory -------------------------------------------------------------

    def _records(self, directory: _Directory) -> Sequence[_Record]:
        data = self._read(directory.offset, directory.size)
        records = []
        position = 0
        while position < len(data):
            if len(data) - position < CENTRAL.size:
                raise self._refusal("its central directory is cut short")
            fields = CENTRAL.unpack_from(data, position)
            lengths: tuple[int, int, int] = fields[10:13]
            start = position + CENTRAL.size
            position = start + sum(lengths)
            if fields[0] != CENTRAL_MAGIC or position > len(data):
                raise self._refusal("its central directory is damaged")
            name_end = start + lengths[0]
            records.append(
                self._record(fields, data[start:name_end], data[name_end : name_end + lengths[1]])
            )
        if len(records) != directory.count:
            raise self._refusal("its central directory has another number of members than it says")
        return records

    def _record(self, fields: tuple[int, ...], raw_name: bytes, extra: bytes) -> _Record:
        (_, made_by, _, flags, method, _, _, crc32, compressed, size) = fields[:10]
        disk, _, attributes, offset = fields[13:]
        sizes = self._zip64(extra, raw_name, size=size, compressed=compressed, offset=offset)
        name = self._name(raw_name)
        if flags & (_ENCRYPTED | _PATCHED):
            raise self._refusal(f"{name} is encrypted or a patch")
        if method not in {_STORED, _DEFLATED}:
            raise self._refusal(
                f"{name} is compressed by a method that not all clients have ({method})"
            )
        if disk:
            raise self._refusal("it is spread over several disks")
        is_directory = name.endswith("/")
        if is_directory and sizes.size:
            raise self._refusal(f"{name} is a folder with content")
        if method == _STORED and sizes.size != sizes.compressed:
            raise self._refusal(f"{name} is stored and has two sizes")
        # Only a Unix system's attributes have a file mode in them.
        mode = attributes >> 16 if made_by >> 8 == 3 else 0
        member = Member(
            self._checked_path(name.removesuffix("/")),
            is_directory,
            mode,
            sizes.size,
            sizes.compressed,
            crc32,
            method == _DEFLATED,
            0,
        )
        return _Record(member, raw_name, flags, method, sizes.offset)

    def _zip64(
        self, extra: bytes, name: bytes, *, size: int, compressed: int, offset: int
    ) -> _Sizes:
        """Sizes and offset, taken from the zip64 field where the record has no room."""
        fields = self._extra(extra, name)
        wide = fields.get(_ZIP64_EXTRA, b"")
        values = [size, compressed, offset]
        position = 0
        for index, value in enumerate(values):
            if value == _MAX_32 and _ZIP64_EXTRA in fields:
                if len(wide) < position + 8:
                    raise self._refusal("a zip64 field is cut short")
                values[index] = int.from_bytes(wide[position : position + 8], "little")
                position += 8
        return _Sizes(*values)

    def _extra(self, extra: bytes, name: bytes) -> dict[int, bytes]:
        fields: dict[int, bytes] = {}
        position = 0
        while position + 4 <= len(extra):
            key, length = struct.unpack_from("<HH", extra, position)
            value = extra[position + 4 : position + 4 + length]
            if len(value) != length or key in fields:
                raise self._refusal("an extra field is damaged or comes twice")
            fields[key] = value
            position += 4 + length
        if extra[position:].strip(b"\0"):
            raise self._refusal("an extra field is damaged")
        if fields.get(_UNICODE_PATH_EXTRA, b"\0" * 5 + name)[5:] != name:
            raise self._refusal("a member has two names")
        return fields

    def _name(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self._refusal(f"a name is not UTF-8: {raw!r}") from None

    def _checked_path(self, name: str) -> str:
        parts = name.split("/")
        if (
            "\\" in name
            or "\0" in name
            or name[1:2] == ":"
            or not {"", ".", ".."}.isdisjoint(parts)
        ):
            raise self._refusal(f"{name!r} is not a name that stays in its folder")
        return name

    def _check_names(self, found: Sequence[Member]) -> None:
        kinds: dict[str, bool] = {}
        for member in found:
            if member.name in kinds:
                raise self._refusal(f"{member.name} is in it twice")
            if len(member.name) > _MAX_NAME:
                raise self._refusal(f"{member.name[:80]}… has more than {_MAX_NAME} characters")
            kinds[member.name] = member.is_directory
        folders: set[str] = set()
        for name in kinds:
            parent = name.rpartition("/")[0]
            while parent and parent not in folders:
                if not kinds.get(parent, True):
                    raise self._refusal(f"{parent} is a file and a folder")
                folders.add(parent)
                parent = parent.rpartition("/")[0]

    # -- the local headers -----------------------------------------------------------------

    def _check_local_headers(self, records: Sequence[_Record], end: int) -> dict[int, int]:
        """Offsets of the data by those of the local headers, which leave no gap up to `end`."""
        offsets = {}
        position = 0
        for record in sorted(records, key=lambda r: r.local_offset):
            if record.local_offset != position:
                raise self._refusal(f"something lies before {record.member.name}")
            data, position = self._check_local_header(record)
            offsets[record.local_offset] = data
        if position != end:
            raise self._refusal("something lies before its central directory")
        return offsets

    def _check_local_header(self, record: _Record) -> tuple[int, int]:
        """Where the data of a member begins and where the next header does."""
        member = record.member
        header = self._read(record.local_offset, LOCAL.size)
        magic, _, flags, method, _, _, crc32, compressed, size, name_length, extra_length = (
            LOCAL.unpack(header)
        )
        if magic != LOCAL_MAGIC:
            raise self._refusal(f"{member.name} has no local header")
        rest = self._read(record.local_offset + LOCAL.size, name_length + extra_length)
        name, extra = rest[:name_length], rest[name_length:]
        sizes = self._zip64(extra, name, size=size, compressed=compressed, offset=0)
        local = (crc32, sizes.compressed, sizes.size)
        central = (member.crc32, member.compressed_size, member.size)
        streamed = bool(flags & _DESCRIPTOR)
        if (
            (name, flags, method) != (record.raw_name, record.flags, record.method)
            or (local != central and not (streamed and not any(local)))
        ):  # fmt: skip
            raise self._refusal(f"{member.name} is not the same in its two headers")
        start = record.local_offset + LOCAL.size + name_length + extra_length
        end = start + member.compressed_size
        if streamed:
            end += self._descriptor_size(end, member)
        return start, end

    def _descriptor_size(self, offset: int, member: Member) -> int:
        """Bytes of the data descriptor: with or without a signature, narrow or wide."""
        data = self._read(offset, min(_LONGEST_DESCRIPTOR + 2, self._size - offset))
        narrow = struct.pack(
            "<III", member.crc32, member.compressed_size & _MAX_32, member.size & _MAX_32
        )
        wide = struct.pack("<IQQ", member.crc32, member.compressed_size, member.size)
        for values in (narrow, wide):
            for expected in (_DESCRIPTOR_MAGIC + values, values):
                # An empty member's zeros begin the wide form too: another record has to follow.
                if data.startswith(expected + _ANY_MAGIC):
                    return len(expected)
        raise self._refusal(f"{member.name} is not the same in its data descriptor")


def _ends_at(tail: bytes, at: int) -> bool:
    """Whether an end record at `at`, with its comment, reaches exactly to the end."""
    return len(tail) - at >= END.size and at + END.size + END.unpack_from(tail, at)[7] == len(tail)


@dataclass(frozen=True, slots=True)
class _Sizes:
    size: int
    compressed: int
    offset: int


def _refusal(label: str, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"the archive of {label} is not opened: {what}",
        where=label,
        fix="It was published like this and matches its hash; clients differ in how they read it.",
    )
