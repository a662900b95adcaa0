"""Files of a source that is not unpacked: an sdist, or a git commit's pack file."""

from __future__ import annotations

import bz2
import io
import lzma
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Final, TypeAlias

from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives import tarball, zip_archive
from vendorpack.formats._shared.git.pack import BLOB, TREE, Pack, read_blob, read_pack

_MAX_FILE: Final = 4 << 20
_MAX_DEPTH: Final = 20

Files: TypeAlias = Mapping[str, bytes]
"""Path below the project's folder to content."""
Wanted: TypeAlias = Callable[[str], bool]
"""Whether the file of that path is read."""


def read_files(
    data: bytes, wanted: Wanted, *, filename: str, id_size: int, subdirectory: str, label: str
) -> Files:
    """The wanted files up to 4 MiB, no links; of an sdist, below the one folder that it holds, if
    it does.

    filename: tells the kind of archive; empty for a git commit, whose id has `id_size` bytes.
    subdirectory: where the project's folder is in there.
    Raises `UnsupportedError` for an archive that cannot be read.
    """
    prefix = subdirectory.strip("/") + "/" if subdirectory.strip("/") else ""

    def is_wanted(path: str) -> bool:
        return path.startswith(prefix) and wanted(path.removeprefix(prefix))

    if filename:
        found = _archive_files(data, filename, label, is_wanted)
    else:
        found = _commit_files(data, id_size, is_wanted)
    return {path.removeprefix(prefix): found[path] for path in found if is_wanted(path)}


def _archive_files(data: bytes, filename: str, label: str, wanted: Wanted) -> Files:
    def may_be_wanted(path: str) -> bool:
        return wanted(path) or wanted(path.partition("/")[2])

    read = _zip_files if filename.endswith(".zip") else _tar_files
    tops: set[str] = set()
    found: dict[str, bytes] = {}
    for name, content in read(data, label, may_be_wanted):
        tops.add(name.partition("/")[0])
        if content is not None:
            found[name] = content
    if len(tops) == 1:
        return {name.partition("/")[2]: content for name, content in found.items()}
    return found


def _zip_files(data: bytes, label: str, wanted: Wanted) -> Iterator[tuple[str, bytes | None]]:
    file = io.BytesIO(data)
    for member in zip_archive.members(file, label=label):
        is_read = not member.is_directory and wanted(member.name) and member.size <= _MAX_FILE
        chunks = zip_archive.chunks(file, member, label=label) if is_read else None
        yield member.name, None if chunks is None else b"".join(chunks)


def _tar_files(data: bytes, label: str, wanted: Wanted) -> Iterator[tuple[str, bytes | None]]:
    for member in tarball.members(_plain(data, label), label=label):
        name = "/".join(part for part in member.name.split("/") if part not in ("", "."))
        is_read = member.type == tarball.FILE and wanted(name) and len(member.data) <= _MAX_FILE
        if name:
            yield name, bytes(member.data) if is_read else None


def _plain(data: bytes, label: str) -> bytes:
    """Undo bzip2 or xz; gzip and plain tar are left to the tar reader."""
    decompressor: bz2.BZ2Decompressor | lzma.LZMADecompressor
    if data.startswith(b"BZh"):
        decompressor = bz2.BZ2Decompressor()
    elif data.startswith(b"\xfd7zXZ\x00"):
        decompressor = lzma.LZMADecompressor(memlimit=1 << 30)
    else:
        return data
    limit = tarball.unpacked_limit(len(data))
    try:
        plain = decompressor.decompress(data, limit + 1)
    except (OSError, lzma.LZMAError) as error:
        raise _unreadable(label, str(error)) from None
    if len(plain) > limit or not decompressor.eof:
        raise _unreadable(label, "it is cut short, or unpacks to too much")
    return plain


def _commit_files(data: bytes, id_size: int, wanted: Wanted) -> Files:
    file = io.BytesIO(data)
    pack = read_pack(file, id_size)
    return dict(_tree_files(pack, pack.root, "", file, wanted))


def _tree_files(
    pack: Pack, tree: bytes, prefix: str, file: BinaryIO, wanted: Wanted
) -> Iterator[tuple[str, bytes]]:
    for entry in pack.entries(tree):
        path = prefix + entry.name.decode("utf-8", "replace")
        if entry.kind == TREE and path.count("/") < _MAX_DEPTH:
            yield from _tree_files(pack, entry.oid, path + "/", file, wanted)
        elif entry.kind == BLOB and not entry.is_link and wanted(path):
            content = read_blob(file, pack.objects[entry.oid])
            if len(content) <= _MAX_FILE:
                yield path, content


def _unreadable(label: str, why: str) -> UnsupportedError:
    return UnsupportedError(
        f"the archive of {label} cannot be read: {why}",
        where=label,
        fix="It was published like this and matches its hash; no client could install it.",
    )
