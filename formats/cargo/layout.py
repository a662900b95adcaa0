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

A registry whose index is a git repository, which the default one is too for cargo up to 1.69, has
a bare repository in place of the `config.json`::

    cargo/registry/index/<registry>/refs/remotes/origin/HEAD   a commit of config.json alone

That commit is made here, and the same in all bundles: the lines are in `.cache` there too, and
cargo believes those that name the newest commit. Seen with cargo 1.65, 1.85 and 1.95.

Of crates that no target needs there are only the index lines: cargo reads those of all locked
crates, and opens the `.crate` of those that it builds. Seen with cargo 1.65, 1.85 and 1.95.

Submodules are repositories in `git/db` as well. Cargo takes them from there since 1.94; older
ones go to the network.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final

from vendorpack.formats._shared.git.made import made_commit, made_repository
from vendorpack.formats._shared.git.repository import bare_repository
from vendorpack.formats.cargo.artifacts import Commit, Crate, index_path
from vendorpack.formats.cargo.index import cache_file, line_of_crate
from vendorpack.formats.cargo.sources import git_folders, index_folder_before_sparse
from vendorpack.model import Entry, Packed
from vendorpack.redact import redact_url
from vendorpack.room import Workshop

GIT_HEAD: Final = "refs/remotes/origin/HEAD"
"""Where cargo looks for the newest commit of a git index."""

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
    registry = first.looked_up_as
    sparse = registry.folders(compat=any(crate.compat for crate, _ in crates))
    by_git: tuple[str, ...] = ()
    if registry.sparse_index is None:
        sparse, by_git = (), sparse
    elif registry.is_crates_io and any(crate.git_index for crate, _ in crates):
        by_git = (index_folder_before_sparse(),)
    config = json.dumps({"dl": redact_url(first.downloads)}).encode()
    made = {"config.json": config}
    index_version = made_commit(made)
    for folder in sparse:
        yield Entry(f"cargo/registry/index/{folder}/config.json", config)

    def line(pair: tuple[Crate, Packed]) -> bytes:
        return _index_line(*pair, workshop)

    lines = workshop.map(line, crates)
    files = {
        name: list(group)
        for name, group in itertools.groupby(crates, key=lambda pair: pair[0].name.lower())
    }
    beside: dict[str, dict[str, bytes]] = {}
    for crate, _ in crates:
        for other in crate.beside:
            beside.setdefault(other.name.lower(), {})[other.version] = other.line
    for name in sorted({*files, *beside}):
        records = beside.get(name, {})
        for crate, item in files.get(name, ()):
            records[crate.version] = next(lines)
            for folder in (*sparse, *by_git):
                yield Entry(
                    f"cargo/registry/cache/{folder}/{crate.name}-{crate.version}.crate",
                    item.blob,
                    artifact=crate,
                )
        listed = sorted(records.items())
        for folder in sparse:
            path = f"cargo/registry/index/{folder}/.cache/{index_path(name)}"
            yield Entry(path, cache_file(listed))
        for folder in by_git:
            path = f"cargo/registry/index/{folder}/.cache/{index_path(name)}"
            yield Entry(path, cache_file(listed, index_version))
    for folder in by_git:
        yield from made_repository(f"cargo/registry/index/{folder}", made, GIT_HEAD, workshop)


def _index_line(crate: Crate, item: Packed, workshop: Workshop) -> bytes:
    if crate.index_line is not None:
        return crate.index_line
    crates_io = crate.registry.is_crates_io
    recipe = LINE_RECIPE if crates_io else f"{LINE_RECIPE}-alternative"

    def make(data: bytes) -> bytes:
        return line_of_crate(data, crates_io=crates_io)

    return workshop.read(workshop.derived(recipe, item.blob, make))
