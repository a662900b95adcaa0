"""The commands of the local store."""

from __future__ import annotations

import time
from pathlib import Path

from vendorpack.console import Console
from vendorpack.model import Host
from vendorpack.progress import counted, human
from vendorpack.store.local import Store, default_folder


def store_folder(named: Path | None, host: Host) -> Path:
    """Where the store is, or would be."""
    return named if named is not None else default_folder(host)


def store_size(folder: Path, console: Console) -> None:
    """Say how much there is."""
    usage = Store(folder).usage()
    if console.as_json:
        console.answer_json({"path": str(folder), "artifacts": usage.blobs, "size": usage.size})
    else:
        console.answer(f"{counted(usage.blobs, 'artifact')}, {human(usage.size)} in {folder}")


def store_prune(folder: Path, unused_days: int, console: Console) -> None:
    """Remove what was not used for so long."""
    removed = Store(folder).prune(unused_days * 24 * 3600, time.time())
    if removed.shared:
        console.say("others are using the store: what was used within the last hour is kept")
    if console.as_json:
        console.answer_json(
            {"removed": removed.blobs, "size": removed.size, "spared_recent": removed.shared}
        )
    else:
        console.answer(f"removed {counted(removed.blobs, 'artifact')}, {human(removed.size)}")
