"""The licence of a commit: what a file at its root says, else the licence's own text there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import BinaryIO

from vendorpack.formats._shared.git.checkout import file_at
from vendorpack.formats._shared.git.pack import BLOB, TREE, Pack, read_blob, read_pack
from vendorpack.formats._shared.git.repository import commit_of
from vendorpack.formats._shared.text.license_texts import FILE_NAME, agreed
from vendorpack.model import Artifact, LicenseReader


def commit_reader(
    kind: str,
    artifact: Artifact,
    folder: str = "",
    manifests: Mapping[str, Callable[[bytes], str]] | None = None,
) -> LicenseReader:
    """How a git artifact is asked.

    kind: a word for what is in `manifests`: names of files to what reads each; with a version.
    folder: where in the commit the package lies.
    """
    place = folder.strip("/")
    below = f"-{hashlib.sha256(place.encode()).hexdigest()[:16]}" if place else ""
    id_size = len(commit_of(artifact))
    return LicenseReader(
        f"{kind}-commit-license-1{below}", partial(_read, id_size, place, dict(manifests or {}))
    )


def _read(
    id_size: int, folder: str, manifests: Mapping[str, Callable[[bytes], str]], file: BinaryIO
) -> str:
    pack = read_pack(file, id_size)
    for name, read in manifests.items():
        data = file_at(pack, file, f"{folder}/{name}" if folder else name)
        text = "" if data is None else read(data)
        if text:
            return text
    return agreed(_texts(pack, file, folder))


def _texts(pack: Pack, file: BinaryIO, folder: str) -> list[str]:
    """The files in a folder that are called as licences are."""
    tree = pack.root
    for part in folder.encode().split(b"/") if folder else ():
        inner = [e.oid for e in pack.entries(tree) if e.name == part and e.kind == TREE]
        if not inner:
            return []
        tree = inner[0]
    return [
        read_blob(file, pack.objects[entry.oid]).decode("utf-8", "replace")
        for entry in pack.entries(tree)
        if entry.kind == BLOB and FILE_NAME.fullmatch(entry.name.decode("utf-8", "replace"))
    ]
