"""The files of wheels and source distributions, as uv unpacks them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import BinaryIO, Final

from vendorpack.formats._shared.archives import tarball, zip_archive
from vendorpack.formats._shared.archives.opened import File, Opening
from vendorpack.formats.uv.choose import UvArtifact


def opening_of(artifact: UvArtifact) -> Opening | None:
    """How an artifact's archive is opened; None for what is not opened."""
    if artifact.is_wheel:
        return _WHEEL
    if artifact.is_sdist and artifact.filename.endswith(".zip"):
        return _ZIPPED_SOURCES
    if artifact.is_sdist and artifact.filename.endswith((".tar.gz", ".tgz", ".tar")):
        return _SOURCES
    return None


def _wheel_files(archive: BinaryIO, label: str) -> Iterator[File]:
    """The files of a zip, by path."""
    found = (m for m in zip_archive.members(archive, label=label) if not m.is_directory)
    for member in sorted(found, key=lambda m: m.name):
        chunks = zip_archive.chunks(archive, member, label=label)
        yield File(member.name, member.mode, chunks)


def _zipped_sources(archive: BinaryIO, label: str) -> Iterator[File]:
    """The files of a source distribution below its top folder, by path."""
    members = zip_archive.members(archive, label=label)
    paths = [member.name for member in members if not member.is_directory]
    tops = {path.partition("/")[0] for path in paths}
    # As uv does: a single folder at the top is stepped into.
    cut = len(tops) == 1 and all("/" in path for path in paths)
    for path, mode, chunks in _wheel_files(archive, label):
        yield File(path.partition("/")[2] if cut else path, mode, chunks)


def _sources(archive: BinaryIO, label: str) -> Iterator[File]:
    """The same of a tar."""
    files: dict[str, File] = {}
    links: dict[str, str] = {}
    for member in tarball.members(archive.read(), label=label):
        path = tarball.package_path(member.name)
        if path is None:
            continue
        if member.type == tarball.FILE:
            files[path] = File(path, member.mode, (member.data,))
        elif member.type == tarball.HARDLINK:
            links[path] = tarball.package_path(member.link) or ""
        elif member.type == tarball.SYMLINK:
            links[path] = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.link))
    # A bundle has no links: a link to a file of the archive becomes a copy, others are dropped.
    for path in sorted(links):
        target, steps = links[path], 0
        while target in links and steps < len(links):
            target, steps = links[target], steps + 1
        if target in files:
            files.setdefault(path, files[target]._replace(path=path))
    for path in sorted(files):
        yield files[path]


_WHEEL: Final = Opening("wheel-1", _wheel_files)
_ZIPPED_SOURCES: Final = Opening("uv-zipped-sources-1", _zipped_sources)
_SOURCES: Final = Opening("uv-sources-1", _sources)
