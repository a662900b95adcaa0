"""The part of `CARGO_HOME` that makes `cargo build --frozen` work without a network.

::

    cargo/registry/index/<registry>/config.json            {"dl": …}: must be there, is not used
    cargo/registry/index/<registry>/.cache/<prefix>/<name>  index lines, one file a crate name
    cargo/registry/cache/<registry>/<Name>-<version>.crate  as downloaded
    cargo/git/db/<repository>/                              a bare repository with the commits

`<registry>` and `<repository>` are the hashed names of `sources`. Cargo unpacks crates to
`registry/src` and checks commits out to `git/checkouts` by itself, so `CARGO_HOME` must be
writable. It does not hash a `.crate` of its cache again. Seen with cargo 1.85 and 1.95.

Cargo up to 1.84 names the folders by another hash. With `compat` each is there under both
names: bundles hold no links, so twice.

Submodules are repositories in `git/db` as well. Cargo takes them from there since 1.94; older
ones go to the network.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final

from vendorpack.formats._shared.git.repository import bare_repository
from vendorpack.formats.cargo.artifacts import Commit, Crate, index_path
from vendorpack.formats.cargo.index import cache_file, line_of_crate
from vendorpack.formats.cargo.sources import git_folders
from vendorpack.model import Entry, Packed, Workshop
from vendorpack.redact import redact_url

LINE_RECIPE: Final = "cargo-index-line-1"
"""Raised whenever `line_of_crate` makes another line of the same crate."""


def layout(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """All entries: registries by folder, crates by name and version; then repositories."""
    crates = [(item.artifact, item) for item in packed if isinstance(item.artifact, Crate)]
    crates.sort(key=lambda pair: (pair[0].looked_up_as, pair[0].name.lower()))
    for _, group in itertools.groupby(crates, key=lambda pair: pair[0].looked_up_as):
        yield from _registry(list(group), workshop)
    commits = [(item.artifact, item) for item in packed if isinstance(item.artifact, Commit)]
    named = sorted(
        (
            (folder, item)
            for commit, item in commits
            for folder in git_folders(commit.repository, compat=commit.compat)
        ),
        key=lambda pair: (pair[0], pair[1].artifact.version),
    )
    for folder, pairs in itertools.groupby(named, key=itemgetter(0)):
        unique = {item.artifact.version: item for _, item in pairs}
        yield from bare_repository(f"cargo/git/db/{folder}", list(unique.values()), workshop)


def _registry(crates: Sequence[tuple[Crate, Packed]], workshop: Workshop) -> Iterator[Entry]:
    """The index and the crates of one registry."""
    first = crates[0][0]
    folders = first.looked_up_as.folders(compat=any(crate.compat for crate, _ in crates))
    config = json.dumps({"dl": redact_url(first.downloads)}).encode()
    for folder in folders:
        yield Entry(f"cargo/registry/index/{folder}/config.json", config)

    def line(pair: tuple[Crate, Packed]) -> bytes:
        return _index_line(*pair, workshop)

    lines = zip(crates, workshop.map(line, crates), strict=True)
    for name, group in itertools.groupby(lines, key=lambda item: item[0][0].name.lower()):
        records = []
        for (crate, item), record in group:
            records.append((crate.version, record))
            for folder in folders:
                yield Entry(
                    f"cargo/registry/cache/{folder}/{crate.name}-{crate.version}.crate",
                    item.blob,
                    artifact=crate,
                )
        for folder in folders:
            path = f"cargo/registry/index/{folder}/.cache/{index_path(name)}"
            yield Entry(path, cache_file(records))


def _index_line(crate: Crate, item: Packed, workshop: Workshop) -> bytes:
    if crate.index_line is not None:
        return crate.index_line
    crates_io = crate.registry.is_crates_io
    recipe = LINE_RECIPE if crates_io else f"{LINE_RECIPE}-alternative"

    def make(data: bytes) -> bytes:
        return line_of_crate(data, crates_io=crates_io)

    return workshop.read(workshop.derived(recipe, item.blob, make))
