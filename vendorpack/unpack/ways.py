"""Unpack: a bundle, or entries straight from the layouts, to a prefix or to native caches.

All four ways in are the same three steps: write the tree to a stage (every byte verified),
then, only if all of it is good, give it its place (`prefix`, `merge`), then remove the stage.
Whatever goes wrong, and whenever, the target is as it was, or, if the last step was under way,
holds only whole files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from vendorpack.bundle.manifest import Head, Manifest, check_head, manifest_id
from vendorpack.bundle.plan import DEFAULT_LIMITS, Limits, ReadBlob, Section, Tally, cut, members
from vendorpack.bundle.reader import Bundle
from vendorpack.bundle.table import MANIFEST_PATH
from vendorpack.dataclass import dataclass
from vendorpack.files.disk import real_path, target_error
from vendorpack.parallel import Progress
from vendorpack.unpack.delta import fill_from_base, fill_from_prefix
from vendorpack.unpack.merge import Caches, Merge, MergeResult
from vendorpack.unpack.prefix import FolderCheck, Successor, check_folder, holds, look, publish
from vendorpack.unpack.stage import (
    Filler,
    Stage,
    fill_from_bundle,
    fill_from_entries,
    refuse_file,
    room_for,
    sweep,
)

__all__ = [
    "FolderCheck",
    "MergeResult",
    "Unpacked",
    "check_folder",
    "entries_to_prefix",
    "merge_entries",
    "merge_into",
    "unpack_to_prefix",
]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a prefix holds now.

    changed: False if it held the very same before. replaced: the other bundle that it held.
    """

    id: str
    manifest: Manifest
    prefix: Path
    changed: bool
    replaced: Manifest | None = None

    def __str__(self) -> str:
        if not self.changed:
            return f"{self.prefix} already holds this bundle: nothing to do"
        return f"{len(self.manifest.files)} files unpacked to {self.prefix}"


# -- to a prefix ---------------------------------------------------------------------------


def unpack_to_prefix(
    bundle: Bundle,
    prefix: Path,
    *,
    jobs: int,
    base: Bundle | None = None,
    progress: Progress | None = None,
    replace: bool = False,
) -> Unpacked:
    """Make `prefix` hold exactly this bundle.

    A prefix that is absent, empty or holds an unpacked bundle of the same lockfiles (or, with
    `replace`, of any) is filled; one that holds this bundle in full is not touched. What a delta
    lacks comes from `base`, or, without one, from what `prefix` holds. Raises `BundleError`,
    `StoreError` (no space), and `TargetError` for anything else that is in the way.
    """
    prefix = real_path(prefix)
    refuse_file(prefix)
    there = look(prefix)
    if holds(prefix, there, bundle.manifest_bytes, jobs=jobs):
        sweep(prefix)
        return Unpacked(bundle.id, bundle.manifest, prefix, changed=False)
    extends = bundle.delta.base if bundle.delta is not None and base is None else None
    check = Successor(bundle.manifest.head, extends, replace)
    check(prefix, there)
    with Stage(prefix, room_for(bundle.manifest.files)) as stage:
        filler = Filler(stage, bundle.manifest.mtime)

        def route(path: str) -> tuple[Filler, str]:
            return filler, path

        if base is not None:
            fill_from_base(bundle, base, route, jobs=jobs, progress=progress)
        elif bundle.delta is not None:
            fill_from_prefix(bundle, prefix, there.manifest, filler, jobs=jobs, progress=progress)
        fill_from_bundle(bundle, route, jobs=jobs, progress=progress)
        changed = _publish(stage, filler, bundle.manifest_bytes, jobs, check)
    return Unpacked(bundle.id, bundle.manifest, prefix, changed, check.replaced(there))


def entries_to_prefix(
    head: Head,
    sections: Iterable[Section],
    prefix: Path,
    *,
    read_blob: ReadBlob,
    jobs: int,
    mtime: int = 0,
    progress: Progress | None = None,
    limits: Limits = DEFAULT_LIMITS,
    replace: bool = False,
) -> Unpacked:
    """Make `prefix` hold what unpacking a bundle of these entries would, without a bundle.

    Even the id is the same. replace: as for `unpack_to_prefix`. Raises as
    `unpack_to_prefix` and `write_bundle` do.
    """
    check_head(head, mtime)
    prefix = real_path(prefix)
    refuse_file(prefix)
    there = look(prefix)
    check = Successor(head, None, replace)
    check(prefix, there)
    tally = Tally()
    batches = tally.watch(cut(members(sections, tally.files), limits))
    with Stage(prefix, 0) as stage:
        filler = Filler(stage, mtime)
        fill_from_entries(
            batches, read_blob, lambda path: (filler, path), jobs=jobs, progress=progress
        )
        manifest = tally.manifest(head, mtime)
        data = manifest.dump()
        changed = _publish(stage, filler, data, jobs, check)
    return Unpacked(manifest_id(data), manifest, prefix, changed, check.replaced(there))


def _publish(stage: Stage, filler: Filler, manifest: bytes, jobs: int, check: Successor) -> bool:
    try:
        filler.write(MANIFEST_PATH, 0o644, manifest)
    except OSError as error:
        raise target_error(error, stage.target, stage.needed) from None
    return publish(stage, manifest, check, jobs=jobs)


# -- into native caches --------------------------------------------------------------------


def merge_into(
    bundle: Bundle,
    roots: Mapping[str, Path],
    merge: Merge,
    *,
    jobs: int,
    base: Bundle | None = None,
    progress: Progress | None = None,
) -> MergeResult:
    """Add a bundle's files to folders that hold other things too.

    roots: path in the bundle to the folder that holds what is below it; the longest that
    fits decides. The bundle's own two files are left out. merge: what to write where there
    is a file with another content. base: what a delta, and only a delta, needs.

    All is verified and staged before the first file is published, in the bundle's order.
    Raises `BundleError`, `StoreError` (no space), `TargetError` (something is in the way; a
    path that no root is for).
    """
    with Caches(roots, bundle.manifest.files, bundle.manifest.mtime) as caches:
        if base is not None:
            fill_from_base(bundle, base, caches.route, jobs=jobs, progress=progress)
        fill_from_bundle(bundle, caches.route, jobs=jobs, progress=progress)
        return caches.publish(bundle.manifest.files, merge)


def merge_entries(
    sections: Iterable[Section],
    roots: Mapping[str, Path],
    merge: Merge,
    *,
    read_blob: ReadBlob,
    jobs: int,
    mtime: int = 0,
    progress: Progress | None = None,
) -> MergeResult:
    """Do what `merge_into` does, with entries that come straight from the layouts.

    Raises as `merge_into` and `write_bundle` do.
    """
    tally = Tally()
    batches = tally.watch(cut(members(sections, tally.files)))
    with Caches(roots, (), mtime) as caches:
        fill_from_entries(batches, read_blob, caches.route, jobs=jobs, progress=progress)
        return caches.publish(tally.files, merge)
