"""The download half of go's module cache.

::

    go/cache/download/<escaped path>/@v/<escaped version>.mod    for every `/go.mod` line
    go/cache/download/<escaped path>/@v/<escaped version>.zip    rewritten: see `hashes`
    go/cache/download/<escaped path>/@v/<escaped version>.info   {"Version":"v1.2.3"}, made up

`.info` is asked for by `go mod download` and `go list -m all` only. `.ziphash` is left out on
purpose: go trusts it in place of the zip, and without it hashes the zip and compares it with
go.sum. (`go mod verify` then complains of a "missing ziphash" for zips that were never used.)
`list`, `lock` and the unpacked folders are made by go, so the cache must be writable.
Seen with go 1.26 and 1.27.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, cast

from vendorpack.formats.gomod.hashes import stored_zip
from vendorpack.formats.gomod.modules import ModuleFile
from vendorpack.model import Blob, Entry, Packed
from vendorpack.room import Workshop

ZIP_RECIPE: Final = "go-zip-stored-1"
"""Raised whenever `stored_zip` writes other bytes."""


def layout(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """All entries, module by module."""
    files = [(cast(ModuleFile, item.artifact), item.blob) for item in packed]
    files.sort(key=lambda pair: (pair[0].module, pair[0].suffix))

    def content(pair: tuple[ModuleFile, Blob]) -> Blob:
        file, blob = pair
        if file.suffix == "mod":
            return blob
        module = file.module
        return workshop.derived(ZIP_RECIPE, blob, lambda data: stored_zip(data, module))

    made = zip(files, workshop.map(content, files), strict=True)
    for module, group in groupby(made, key=lambda item: item[0][0].module):
        base = f"go/cache/download/{module.escaped}"
        info = json.dumps({"Version": module.version}, separators=(",", ":")).encode()
        yield Entry(f"{base}.info", info)
        for (file, _), blob in group:
            yield Entry(f"{base}.{file.suffix}", blob, artifact=file)
