"""`h1`, the hash of go.sum: over the names and contents of files, not over an archive's bytes.

base64 of sha256 of one line `<hex sha256 of the file>␣␣<name>\\n` a file, sorted by name. A
module's zip has its members' names as they are, `<path>@<version>/…`; a `.mod` file is one file
named `go.mod`. (`golang.org/x/mod/sumdb/dirhash`, Hash1.)

As the container is not hashed, zips are rewritten stored, sorted and with a fixed date. The
bundle then depends on go.sum alone, and its own compression sees the sources.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final, cast

from vendorpack.errors import IntegrityError
from vendorpack.formats.gomod.modules import Module

MAX_ZIP: Final = 500 << 20
"""Bytes that a module's zip, and all that is in it, may have (`golang.org/x/mod/zip`)."""
MAX_MOD: Final = 16 << 20
"""Bytes that a go.mod may have."""

_DATE: Final = (1980, 1, 1, 0, 0, 0)
_ATTRIBUTES: Final = 0o644 << 16
_UTF8: Final = 0x800
UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


def mod_hash(data: bytes) -> bytes:
    """The h1 of a `.mod` file."""
    return _hash1([("go.mod", data)])


def zip_hash(file: BinaryIO, module: Module) -> bytes:
    """The h1 of a module's zip. Raises `IntegrityError` if it is none."""
    return _hash1(_members(file, module))


def stored_zip(data: bytes, module: Module) -> bytes:
    """The same module's zip in its one form. Raises `IntegrityError`."""
    return b"".join(one_form(_members(io.BytesIO(data), module)))


def hashed_and_stored(
    file: BinaryIO, module: Module, keep: Callable[[Iterable[bytes]], None]
) -> bytes:
    """The h1 of a module's zip; `keep` takes its one form, in the same reading.

    Raises `IntegrityError`.
    """
    hashes = []

    def hashed() -> Iterator[tuple[str, bytes]]:
        for name, content in _members(file, module):
            hashes.append((name.encode(), hashlib.sha256(content).hexdigest()))
            yield name, content

    keep(one_form(hashed()))
    return _hash_of_hashes(hashes)


def one_form(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """A zip of files that come by name, a file at a time: it may have half a gigabyte.

    Names are whole, `<path>@<version>/…`.
    """
    out = _Window()
    with zipfile.ZipFile(cast("BinaryIO", out), "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = 3
            info.external_attr = _ATTRIBUTES
            archive.writestr(info, content)
            yield out.take()
    yield out.take()


class _Window:
    """The file that a `ZipFile` writes, from the member at hand on."""

    def __init__(self) -> None:
        self._start = 0
        self._buffer = io.BytesIO()

    def take(self) -> bytes:
        """What was written since."""
        data = self._buffer.getvalue()
        self._start += len(data)
        self._buffer = io.BytesIO()
        return data

    def write(self, data: bytes) -> int:
        return self._buffer.write(data)

    def tell(self) -> int:
        return self._start + self._buffer.tell()

    def seek(self, offset: int) -> int:
        """A member's header is written once more when it ends."""
        return self._start + self._buffer.seek(offset - self._start)

    def flush(self) -> None:
        pass


def _hash1(files: Iterable[tuple[str, bytes]]) -> bytes:
    return _hash_of_hashes(
        (name.encode(), hashlib.sha256(data).hexdigest()) for name, data in files
    )


def _hash_of_hashes(files: Iterable[tuple[bytes, str]]) -> bytes:
    lines = sorted(files)
    whole = hashlib.sha256()
    for name, digest in lines:
        whole.update(digest.encode() + b"  " + name + b"\n")
    return whole.digest()


def _members(file: BinaryIO, module: Module) -> Iterator[tuple[str, bytes]]:
    """Names and contents, by name."""
    try:
        with zipfile.ZipFile(file) as archive:
            for name, info in sorted(_checked(archive.infolist(), module).items()):
                yield name, archive.read(info)
    except UNREADABLE as error:
        raise _refused(module, str(error)) from None


def _checked(infos: Iterable[zipfile.ZipInfo], module: Module) -> dict[str, zipfile.ZipInfo]:
    prefix = f"{module.path}@{module.version}/"
    found: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for info in infos:
        # go takes names as bytes; Python reads those without the flag as code page 437.
        raw = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
        name = raw.decode()
        parts = name.removeprefix(prefix).removesuffix("/").split("/")
        if not name.startswith(prefix) or {"", ".", ".."} & set(parts):
            raise _refused(module, f"it has a file named {name!r}")
        if "\n" in name or "\0" in name or "\\" in name:
            raise _refused(module, f"it has a file named {name!r}")
        if name in found:
            raise _refused(module, f"it has {name!r} twice")
        total += info.file_size
        if total > MAX_ZIP:
            raise _refused(module, f"it unpacks to more than {MAX_ZIP >> 20} MiB")
        found[name] = info
    return found


def _refused(module: Module, why: str) -> IntegrityError:
    return IntegrityError(
        f"not the zip of a Go module: {why}", where=f"{module.path} {module.version}"
    )
