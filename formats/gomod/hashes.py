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
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final

from vendorpack.formats.gomod.modules import Module
from vendorpack.formats.gomod.zips import members, one_form

MAX_MOD: Final = 16 << 20
"""Bytes that a go.mod may have."""


def mod_hash(data: bytes) -> bytes:
    """The h1 of a `.mod` file."""
    return _hash1([("go.mod", data)])


def zip_hash(file: BinaryIO, module: Module) -> bytes:
    """The h1 of a module's zip. Raises `IntegrityError` if it is none."""
    return _hash1(members(file, module))


def stored_zip(data: bytes, module: Module) -> bytes:
    """The same module's zip in its one form. Raises `IntegrityError`."""
    return b"".join(one_form(members(io.BytesIO(data), module)))


def hashed_and_stored(
    file: BinaryIO, module: Module, keep: Callable[[Iterable[bytes]], None]
) -> bytes:
    """The h1 of a module's zip; `keep` takes its one form, in the same reading.

    Raises `IntegrityError`.
    """
    hashes = []

    def hashed() -> Iterator[tuple[str, bytes]]:
        for name, content in members(file, module):
            hashes.append((name.encode(), hashlib.sha256(content).hexdigest()))
            yield name, content

    keep(one_form(hashed()))
    return _hash_of_hashes(hashes)


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
