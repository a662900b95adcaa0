"""Some files of a bundle, wherever its bytes are: in the file, in another, or unpacked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from vendorpack.bundle.reader import Bundle
from vendorpack.bundle.table import File

_CHUNK: Final = 1 << 20


class Pieces(Protocol):
    """Where the bytes of files are: a bundle or a folder."""

    def __call__(self, wanted: Mapping[str, File]) -> Iterator[tuple[File, Any]]:
        """The files of these paths that are there, in pieces, each file's in order."""
        ...


def in_bundle(bundle: Bundle) -> Pieces:
    """The files of an open bundle."""

    def pieces(wanted: Mapping[str, File]) -> Iterator[tuple[File, Any]]:
        for group in bundle.groups():
            reader = bundle.reader()
            for frame in group:
                held = bundle.files[frame.span.first : frame.span.stop]
                if any(file.path in wanted for file in held):
                    for file, content, _ in reader.files(frame):
                        if file.path in wanted:
                            yield file, content

    return pieces


def either(*places: Pieces) -> Pieces:
    """The files of several places, none of which is in two."""

    def pieces(wanted: Mapping[str, File]) -> Iterator[tuple[File, Any]]:
        for place in places:
            yield from place(wanted)

    return pieces


def in_folder(folder: Path) -> Pieces:
    """The files of an unpacked bundle, which were compared with its manifest."""

    def pieces(wanted: Mapping[str, File]) -> Iterator[tuple[File, Any]]:
        for path, wanted_file in wanted.items():
            with (folder / path).open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    yield wanted_file, chunk
                if not wanted_file.size:
                    yield wanted_file, b""

    return pieces
