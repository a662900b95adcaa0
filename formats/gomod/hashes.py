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
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from vendorpack.errors import IntegrityError
from vendorpack.formats.gomod.modules import Module

MAX_ZIP: Final = 500 << 20
"""Bytes that a module's zip, and all that is in it, may have (`golang.org/x/mod/zip`)."""
MAX_MOD: Final = 16 << 20
"""Bytes that a go.mod may have."""

_DATE: Final = (1980, 1, 1, 0, 0, 0)
_ATTRIBUTES: Final = 0o644 << 16
_UTF8: Final = 0x800
_UNREADABLE: Final = (
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
    return bytes(hashed_and_stored(io.BytesIO(data), module)[1])


def hashed_and_stored(file: BinaryIO, module: Module) -> tuple[bytes, memoryview]:
    """The h1 of a module's zip, and its one form, in one reading. Raises `IntegrityError`."""
    out = io.BytesIO()
    hashes = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in _members(file, module):
            hashes.append((name.encode(), hashlib.sha256(content).hexdigest()))
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = 3
            info.external_attr = _ATTRIBUTES
            archive.writestr(info, content)
    return _hash_of_hashes(hashes), out.getbuffer()


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
    except _UNREADABLE as error:
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
