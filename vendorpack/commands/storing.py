"""The commands of the local store, and of what `run` keeps beside it."""

from __future__ import annotations

import time
from pathlib import Path

from vendorpack.console import Console
from vendorpack.model import Json
from vendorpack.progress import counted, human
from vendorpack.project import Host
from vendorpack.store.local import Store, default_folder
from vendorpack.store.trees import RunTrees, TreeUsage


def store_folder(named: Path | None, host: Host) -> Path:
    """Where the store is, or would be."""
    return named if named is not None else default_folder(host)


def run_trees(host: Host) -> RunTrees:
    """Where `run` has unpacked bundles."""
    return RunTrees.of(host)


def store_size(folder: Path, trees: RunTrees, console: Console) -> None:
    """Say how much there is, and how much `run` has unpacked."""
    usage = Store(folder).usage()
    unpacked = trees.usage()
    if console.as_json:
        answer: dict[str, Json] = {
            "path": str(folder),
            "artifacts": usage.blobs,
            "size": usage.size,
            "run_path": str(trees.folder),
            "run_trees": unpacked.trees,
            "run_size": unpacked.size,
        }
        console.answer_json(answer)
    else:
        console.answer(f"{counted(usage.blobs, 'artifact')}, {human(usage.size)} in {folder}")
        if unpacked.trees:
            console.answer(f"{_described(unpacked)} in {trees.folder}")


def _described(unpacked: TreeUsage) -> str:
    return f"{counted(unpacked.trees, 'bundle')} unpacked by run, {human(unpacked.size)}"


def store_prune(folder: Path, trees: RunTrees, unused_days: int, console: Console) -> None:
    """Remove what was not used for so long."""
    unused, now = unused_days * 24 * 3600, time.time()
    unpacked = trees.prune(unused, now)
    removed = Store(folder).prune(unused, now)
    if removed.shared:
        console.say("others are using the store: what was used within the last hour is kept")
    if console.as_json:
        answer: dict[str, Json] = {
            "removed": removed.blobs,
            "size": removed.size,
            "spared_recent": removed.shared,
            "run_trees": unpacked.trees,
            "run_size": unpacked.size,
        }
        console.answer_json(answer)
    else:
        console.answer(f"removed {counted(removed.blobs, 'artifact')}, {human(removed.size)}")
        if unpacked.trees:
            console.answer(f"removed {_described(unpacked)}")
