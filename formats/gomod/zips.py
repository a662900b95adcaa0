"""A module's zip: read as go reads it, and written in one form.

The one form is stored, sorted by name, with a fixed date and mode, byte for byte what Python's
`zipfile` makes of the same files (3.11, `ZIP_STORED`)::

    local header, name, content                       of each file
    record, name                                      of each file: the central directory
    zip64 end record, zip64 locator                   if there are 65,536 files or more
    end record
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from vendorpack.errors import IntegrityError
from vendorpack.formats._shared.archives.inflate import InflateError, crc32, decompressobj
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
from vendorpack.formats.gomod.modules import Module

MAX_ZIP: Final = 500 << 20
"""Bytes that a module's zip, and all that is in it, may have (`golang.org/x/mod/zip`)."""

_VERSION, _VERSION_64 = 20, 45
_MADE_BY: Final = 3 << 8 | _VERSION
"""On Unix."""
_DATE: Final = 1 << 5 | 1
"""1980-01-01, in the way of MS-DOS."""
_ATTRIBUTES: Final = 0o644 << 16
_UTF8: Final = 0x800
_ENCRYPTED: Final = 1
_MAX_COUNT: Final = 0xFFFF
UNREADABLE: Final = (
    zipfile.BadZipFile,
    InflateError,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


def members(file: BinaryIO, module: Module) -> Iterator[tuple[str, bytes]]:
    """Names and contents, by name. Raises `IntegrityError` for what is no module's zip."""
    try:
        with zipfile.ZipFile(file) as archive:
            for name, info in sorted(_checked(archive.infolist(), module).items()):
                yield name, _content(file, info)
    except UNREADABLE as error:
        raise _refused(module, str(error)) from None


def one_form(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """A zip of files that come by name, a file at a time: it may have half a gigabyte.

    Names are whole, `<path>@<version>/…`.
    """
    records: list[bytes] = []
    offset = 0
    for name, content in files:
        raw = name.encode()
        flags = 0 if name.isascii() else _UTF8
        size = len(content)
        # Of local header and record alike: flags, stored, time, date, checksum, sizes, lengths.
        own = (flags, 0, 0, _DATE, crc32(content), size, size, len(raw), 0)
        head = LOCAL.pack(LOCAL_MAGIC, _VERSION, *own) + raw
        yield head
        yield content
        ends = (0, 0, 0, _ATTRIBUTES, offset)
        records.append(CENTRAL.pack(CENTRAL_MAGIC, _MADE_BY, _VERSION, *own, *ends) + raw)
        offset += len(head) + size
    directory = b"".join(records)
    yield directory
    count, size = len(records), len(directory)
    if count > _MAX_COUNT:
        versions = (_VERSION_64, _VERSION_64)
        yield END_64.pack(END_64_MAGIC, 44, *versions, 0, 0, count, count, size, offset)
        yield LOCATOR_64.pack(LOCATOR_64_MAGIC, 0, offset + size, 1)
        count = _MAX_COUNT
    yield END.pack(END_MAGIC, 0, 0, count, count, size, offset, 0)


def _content(file: BinaryIO, info: zipfile.ZipInfo) -> bytes:
    """A file's content, verified. Raises one of `UNREADABLE`."""
    file.seek(info.header_offset)
    head = LOCAL.unpack(file.read(LOCAL.size))
    name = file.read(head[-2])
    if head[0] != LOCAL_MAGIC or name.decode(_encoding(info)) != info.orig_filename:
        raise ValueError(f"its directory and {info.filename!r} do not agree")
    if info.flag_bits & _ENCRYPTED:
        raise ValueError(f"{info.filename!r} is encrypted")
    file.seek(head[-1], 1)
    data = file.read(info.compress_size)
    if info.compress_type == zipfile.ZIP_DEFLATED:
        inflater = decompressobj(-zlib.MAX_WBITS)
        data = inflater.decompress(data, info.file_size + 1)
        if not inflater.eof:
            raise ValueError(f"{info.filename!r} is cut short, or longer than it says")
    elif info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename!r} is compressed in a way that go does not know")
    if len(data) != info.file_size or crc32(data) != info.CRC:
        raise ValueError(f"{info.filename!r} has another size or checksum than it says")
    return data


def _encoding(info: zipfile.ZipInfo) -> str:
    """Go takes names as bytes; Python reads those without the flag as code page 437."""
    return "utf-8" if info.flag_bits & _UTF8 else "cp437"


def _checked(infos: Iterable[zipfile.ZipInfo], module: Module) -> dict[str, zipfile.ZipInfo]:
    prefix = f"{module.path}@{module.version}/"
    found: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for info in infos:
        name = info.orig_filename.encode(_encoding(info)).decode()
        parts = name.removeprefix(prefix).removesuffix("/").split("/")
        if not name.startswith(prefix) or {"", ".", ".."} & set(parts):
            raise _refused(module, f"it has a file named {name!r}")
        if "\n" in name or "\0" in name or "\\" in name:
            raise _refused(module, f"it has a file named {name!r}")
        if name in found:
            raise _refused(module, f"it has {name!r} twice")
        total += info.file_size
        if total > MAX_ZIP or info.compress_size > MAX_ZIP:
            raise _refused(module, f"it unpacks to more than {MAX_ZIP >> 20} MiB")
        found[name] = info
    return found


def _refused(module: Module, why: str) -> IntegrityError:
    return IntegrityError(
        f"not the zip of a Go module: {why}", where=f"{module.path} {module.version}"
    )
