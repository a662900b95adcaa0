"""Ways in which a file gets into the tree: whole, uncompressed, or unpacked.

Archives are opened by the strict readers of `_shared.archives`; a large member passes in chunks.
Bundles hold regular files only, so an archive with links in it is refused by name.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Final

from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives import tarball, zip_archive
from vendorpack.formats._shared.archives.inflate import InflateError, decompressobj
from vendorpack.formats.extras.recipe import Source
from vendorpack.model import Blob, Entry
from vendorpack.room import Workshop

_GZIP_WBITS: Final = 31
_CHUNK: Final = 1 << 20
_EXECUTABLE: Final = 0o111


def whole(source: Source, path: str) -> Iterator[Entry]:
    """The file as it came."""
    yield Entry(path, source.blob, artifact=source.artifact)


def gunzipped(source: Source, path: str, workshop: Workshop) -> Iterator[Entry]:
    """The program that a .gz file holds."""
    content = workshop.keep(_inflated(source, workshop))
    yield Entry(path, content, 0o755, artifact=source.artifact)


def unzipped(source: Source, folder: str, workshop: Workshop, *, cut: int = 0) -> Iterator[Entry]:
    """The files of a zip below `folder`; cut: how many leading parts of their names go."""
    label = str(source.artifact)
    with workshop.open(source.blob) as file:
        for member in zip_archive.members(file, label=label):
            path = _without_leading(member.name, cut)
            if member.is_directory or path is None:
                continue
            if stat.S_ISLNK(member.mode):
                raise _link(source, member.name)
            data = zip_archive.chunks(file, member, label=label)
            content: bytes | Blob = b"".join(data) if member.size <= _CHUNK else workshop.keep(data)
            yield Entry(f"{folder}/{path}", content, _mode(member.mode), artifact=source.artifact)


def untarred(source: Source, folder: str, workshop: Workshop, *, only: str = "") -> Iterator[Entry]:
    """The files of a .tar.gz below `folder`, its first folder cut; only: those below this path."""
    for member in tarball.members(workshop.read(source.blob), label=str(source.artifact)):
        path = tarball.package_path(member.name)
        if path is None or not path.startswith(only) or member.type == tarball.DIRECTORY:
            continue
        if member.type != tarball.FILE:
            raise _link(source, member.name)
        yield Entry(
            f"{folder}/{path}", bytes(member.data), _mode(member.mode), artifact=source.artifact
        )


def _mode(stored: int) -> int:
    return 0o755 if stored & _EXECUTABLE else 0o644


def _without_leading(name: str, parts: int) -> str | None:
    """The name without so many leading parts; None if nothing is left."""
    split = name.split("/", parts)
    return split[parts] if len(split) > parts and split[parts] else None


def _inflated(source: Source, workshop: Workshop) -> Iterator[bytes]:
    left = tarball.unpacked_limit(source.blob.size)
    inflater = decompressobj(_GZIP_WBITS)
    with workshop.open(source.blob) as file:
        try:
            while not inflater.eof:
                data = inflater.unconsumed_tail or file.read(_CHUNK)
                if not data:
                    raise _refused(source, "the gzip data is cut short")
                made = inflater.decompress(data, _CHUNK)
                left -= len(made)
                if left < 0:
                    raise _refused(source, "it swells like a bomb")
                yield made
        except InflateError as error:
            raise _refused(source, str(error)) from None


def _link(source: Source, name: str) -> UnsupportedError:
    return _refused(source, f"{name[:200]!r} is a link, and bundles hold plain files only")


def _refused(source: Source, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"{source.file_name} cannot be unpacked: {what}",
        where=source.artifact.where,
        fix="It is what the checksum pins: check that the address means the right file.",
    )
