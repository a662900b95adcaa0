"""A strict, capped reader of the .tgz archives that registries serve.

The standard library's `tarfile` is an order of magnitude dearer for our use, and lenient where
two readers could see two archives. This one walks the headers of an archive held in memory and
hands out views of it. It reads what registries hold: v7 and ustar headers, pax extended headers
(`path`, `linkpath`, `size`), GNU long names (`L`, `K`) and GNU base-256 numbers, gzipped (several
members too) or plain, which every client takes as well.

Nothing is written and no name is trusted: `Member.name` is what the archive says, and
`package_path` makes it a path below a package's folder, or None.

An archive passed its hash before it gets here, so damage means that it was published so, and
no client could install it: `UnsupportedError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives.inflate import InflateError, decompressobj

FILE: Final = "0"
HARDLINK: Final = "1"
SYMLINK: Final = "2"
DIRECTORY: Final = "5"

MIN_UNPACKED_LIMIT: Final = 512 * 1024 * 1024
"""Bytes: an archive may always unpack to this many."""
MAX_RATIO: Final = 20
"""An archive may unpack to this many times its own size, if that is more (as cargo has it)."""

MAX_GZIP_MEMBERS: Final = 64
"""Registries' archives have one; bgzip and pigz would make one of 64 KiB or more each."""

_BLOCK: Final = 512
_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WBITS: Final = 31
_ZEROS: Final = bytes(_BLOCK)
_PAX: Final = "x"
_PAX_GLOBAL: Final = "g"
_GNU_LONG_NAME: Final = "L"
_GNU_LONG_LINK: Final = "K"
_EXTENDED: Final = frozenset({_PAX, _PAX_GLOBAL, _GNU_LONG_NAME, _GNU_LONG_LINK})
_FILES: Final = {FILE: FILE, "7": FILE}
"""`7` (contiguous) is a plain file wherever storage has no such notion."""
_MAX_EXTENDED_HEADER: Final = 1024 * 1024
_MAX_FIRST_FILE: Final = 4 << 20
_MAX_PASSED: Final = 256 << 20
_CHUNK: Final = 64 << 10
"""Bytes that are inflated at a time where it ends early: what is sought is mostly in the first."""


@dataclass(frozen=True, slots=True)
class Member:
    """One member, as the archive has it.

    name: raw, with `/`; bytes that are not UTF-8 became U+FFFD, as every JavaScript client
        reads them.
    type: `FILE`, `HARDLINK`, `SYMLINK`, `DIRECTORY`, or another ustar type flag.
    mode: permission bits, as stored.
    data: the content, a view of the unpacked archive. Usually empty for other types.
    link: what a hard or symbolic link points to, raw.
    """

    name: str
    type: str
    mode: int
    data: memoryview
    link: str = ""


def members(data: bytes, *, label: str, max_size: int | None = None) -> Iterator[Member]:
    """The members of an archive, in order.

    Args:
        data: the archive, gzipped or plain.
        label: names the archive in errors.
        max_size: bytes it may unpack to; None is `unpacked_limit(len(data))`.

    Raises:
        UnsupportedError: it is not an archive, is damaged, or unpacks to too much.
    """
    return _walk(unpack(data, label=label, max_size=max_size), label)


def unpacked_limit(size: int) -> int:
    """How many bytes an archive of `size` bytes may unpack to."""
    return max(MIN_UNPACKED_LIMIT, MAX_RATIO * size)


def unpack(data: bytes, *, label: str, max_size: int | None = None) -> bytes:
    """The plain tar stream of an archive, gzipped or plain. Raises as `members` does."""
    limit = unpacked_limit(len(data)) if max_size is None else max_size
    if not data.startswith(_GZIP_MAGIC):
        if len(data) > limit:
            raise _too_large(label, limit)
        return data
    parts: list[bytes] = []
    rest = data
    room = limit
    # Zeros or rubbish after the last gzip member are passed over, as gzip and Node.js do.
    while rest.startswith(_GZIP_MAGIC):
        if len(parts) == MAX_GZIP_MEMBERS:
            # Each costs a copy of what follows it.
            raise _damaged(label, f"gzip: more than {MAX_GZIP_MEMBERS} members")
        inflater = decompressobj(_GZIP_WBITS)
        try:
            parts.append(inflater.decompress(rest, room + 1))
        except InflateError as error:
            raise _damaged(label, f"gzip: {error}") from None
        room -= len(parts[-1])
        if room < 0:
            raise _too_large(label, limit)
        if not inflater.eof:
            raise _damaged(label, "gzip: cut short")
        rest = inflater.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


def package_path(name: str) -> str | None:
    """Where a member of a package's archive belongs below the package's folder.

    The first component (`package/`, whatever it is called) is cut, as all clients do; empty
    and `.` components go. None if nothing is left, or if the name is absolute, climbs with
    `..` or has a NUL, a backslash or a drive letter's colon at its start: no honest package has
    such a name, and what clients make of them differs.
    """
    if name.startswith("/") or "\\" in name or "\0" in name or name[1:2] == ":":
        return None
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if len(parts) < 2 or ".." in parts:
        return None
    return "/".join(parts[1:])


def first_file(
    file: BinaryIO, name: str, *, label: str, wanted: Callable[[str], bool] | None = None
) -> bytes | None:
    """The first small file of this name; None if there is none in the first 256 MiB.

    The archive is inflated no further than that takes, so what is behind it is not checked.

    Args:
        file: the archive, gzipped or plain.
        name: what the file's own begins after its last folder; all of it without `wanted`.
        wanted: is asked for whole names, as the archive has them.

    Raises:
        UnsupportedError: it is not an archive, or is damaged before that file.
    """
    gzipped = file.read(2) == _GZIP_MAGIC
    file.seek(0)
    source = _Inflated(file, label) if gzipped else _Plain(file)
    suffix = name.encode()
    plain = extended = _Extended()
    offset = 0
    while offset < _MAX_PASSED:
        header = source.read(_BLOCK)
        if len(header) < _BLOCK or header == _ZEROS:
            break
        flag = chr(header[156] or ord(FILE))
        digits = header[124:136].rstrip(b" \0")
        octal = digits and not digits.translate(None, b"01234567")
        size = int(digits, 8) if octal else _number(header[124:136], label, offset)
        passed = 0
        if flag in _EXTENDED:
            _check_sum(header, label, offset)
            if size > _MAX_EXTENDED_HEADER:
                raise _damaged(label, f"the extended header at {offset} is too long")
            extended = extended.with_header(flag, source.read(size), label, offset)
            passed = size
        else:
            if extended.size is not None:
                size = extended.size
            own = header[:100].partition(b"\0")[0]
            if flag in _FILES and (own.endswith(suffix) or extended.name is not None):
                full = _name(header) if extended.name is None else extended.name
                good = full == name if wanted is None else wanted(full)
                if good and size <= _MAX_FIRST_FILE:
                    _check_sum(header, label, offset)
                    return source.read(size)
            extended = plain
        end = -(-size // _BLOCK) * _BLOCK
        source.skip(min(end - passed, _MAX_PASSED))
        offset += _BLOCK + end
    return None


class _Plain:
    """An archive that is not compressed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.read = file.read

    def skip(self, size: int) -> None:
        self._file.seek(size, 1)


class _Inflated:
    """A gzipped archive, inflated a piece at a time."""

    def __init__(self, file: BinaryIO, label: str) -> None:
        self._file, self._label = file, label
        self._inflater = decompressobj(_GZIP_WBITS)
        self._members = 1
        self._held, self._at = b"", 0

    def read(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        parts = []
        while size:
            part = self._held[self._at : self._at + size]
            if not part and not self._more():
                break
            self._at += len(part)
            size -= len(part)
            parts.append(part)
        return b"".join(parts)

    def skip(self, size: int) -> None:
        """Pass over them."""
        while size:
            passed = min(size, len(self._held) - self._at)
            if not passed and not self._more():
                break
            self._at += passed
            size -= passed

    def _more(self) -> bool:
        """Take the next piece; False at the end."""
        self._held, self._at = b"", 0
        while not self._held:
            data = self._inflater.unconsumed_tail
            if self._inflater.eof:
                data = self._inflater.unused_data or self._file.read(_CHUNK)
                if not data.startswith(_GZIP_MAGIC) or self._members == MAX_GZIP_MEMBERS:
                    return False
                self._members += 1
                self._inflater = decompressobj(_GZIP_WBITS)
            data = data or self._file.read(_CHUNK)
            if not data:
                return False
            try:
                self._held = self._inflater.decompress(data, 8 * _CHUNK)
            except InflateError as error:
                raise _damaged(self._label, f"gzip: {error}") from None
        return True


def _walk(tar: bytes, label: str) -> Iterator[Member]:
    view = memoryview(tar)
    offset = 0
    extended = _Extended()
    while offset < len(tar):
        header = tar[offset : offset + _BLOCK]
        if header == _ZEROS[: len(header)]:
            break
        if len(header) < _BLOCK:
            raise _damaged(label, "the last header is cut short")
        _check_sum(header, label, offset)
        flag = chr(header[156] or ord(FILE))
        start = offset + _BLOCK

        size = _number(header[124:136], label, offset)
        if flag in _EXTENDED:
            if size > _MAX_EXTENDED_HEADER or start + size > len(tar):
                raise _damaged(label, f"the extended header at {offset} is too long")
            extended = extended.with_header(flag, tar[start : start + size], label, offset)
        else:
            if extended.size is not None:
                size = extended.size
            if start + size > len(tar):
                raise _damaged(label, f"the member at {offset} is cut short")
            name = _name(header) if extended.name is None else extended.name
            yield Member(
                name,
                DIRECTORY if flag in _FILES and name.endswith("/") else _FILES.get(flag, flag),
                _number(header[100:108], label, offset) & 0o7777,
                view[start : start + size],
                _text(header[157:257]) if extended.link is None else extended.link,
            )
            extended = _Extended()
        offset = start + -(-size // _BLOCK) * _BLOCK
    if extended != _Extended():
        raise _damaged(label, "the last extended header belongs to no member")


@dataclass(frozen=True, slots=True)
class _Extended:
    """What extended headers say of the member that follows, over its own header."""

    name: str | None = None
    link: str | None = None
    size: int | None = None

    def with_header(self, flag: str, body: bytes, label: str, offset: int) -> _Extended:
        name: str | None = None
        link: str | None = None
        size: int | None = None
        if flag == _GNU_LONG_NAME:
            name = _text(body)
        elif flag == _GNU_LONG_LINK:
            link = _text(body)
        else:
            records = _pax_records(body, label, offset)
            if flag == _PAX_GLOBAL and not records.keys().isdisjoint(("path", "linkpath", "size")):
                raise _damaged(label, "a global extended header gives a name or a size")
            if "path" in records:
                name = _text(records["path"])
            if "linkpath" in records:
                link = _text(records["linkpath"])
            if "size" in records:
                size = _decimal(records["size"], label, offset)
        if None not in (name, self.name) or None not in (link, self.link):
            raise _damaged(label, f"the member after {offset} is given two names")
        return _Extended(
            self.name if name is None else name,
            self.link if link is None else link,
            self.size if size is None else size,
        )


def _check_sum(header: bytes, label: str, offset: int) -> None:
    # The sum counts its own field as eight spaces.
    actual = sum(header) - sum(header[148:156]) + 8 * 0x20
    if _number(header[148:156], label, offset) != actual:
        raise _damaged(label, f"the header at {offset} has a wrong checksum")


def _number(field: bytes, label: str, offset: int) -> int:
    """A number of a header: padded octal, or base-256 as GNU writes large ones."""
    if field[0] & 0x80:
        if field[0] != 0x80:
            raise _damaged(label, f"the header at {offset} has a negative or huge number")
        return int.from_bytes(field[1:])
    digits = field.lstrip(b" ").partition(b"\0")[0].rstrip(b" ")
    if not digits:
        return 0
    if digits.translate(None, b"01234567"):
        raise _damaged(label, f"the header at {offset} has no octal number: {field!r}")
    return int(digits, 8)


def _name(header: bytes) -> str:
    name = _text(header[:100])
    # In GNU's own headers ("ustar  ") the prefix field holds times.
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")


def _pax_records(body: bytes, label: str, offset: int) -> dict[str, bytes]:
    """Records `<length> <key>=<value>\\n`, the length counting the whole record."""
    records: dict[str, bytes] = {}
    position = 0
    while position < len(body) and body[position]:
        digits, space, _ = body[position : position + 20].partition(b" ")
        length = _decimal(digits, label, offset) if space else 0
        record = body[position + len(digits) + 1 : position + length]
        key, equals, value = record.partition(b"=")
        if position + length > len(body) or not equals or not value.endswith(b"\n"):
            raise _damaged(label, f"the extended header at {offset} has a broken record")
        records[key.decode("utf-8", "replace")] = value[:-1]
        position += length
    return records


def _decimal(digits: bytes, label: str, offset: int) -> int:
    if not digits.isdigit() or len(digits) > 19:
        raise _damaged(label, f"the extended header at {offset} has a broken number")
    return int(digits)


def _damaged(label: str, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"the archive of {label} cannot be read: {what}",
        where=label,
        fix="It was published like this and matches its hash; no client could install it.",
    )


def _too_large(label: str, limit: int) -> UnsupportedError:
    return UnsupportedError(
        f"the archive of {label} unpacks to more than {limit >> 20} MiB",
        where=label,
        fix="An archive that swells like this is a bomb or a mistake; it is not opened.",
    )
