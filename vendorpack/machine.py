"""How much of the machine is ours: in a container that is less than what the machine has.

A container's limits are those of its control groups, in files below /sys/fs/cgroup:

    version 2   <group>/cpu.max                     "<microseconds or max> <period>"
                <group>/memory.max                  bytes, or "max"
    version 1   cpu/<group>/cpu.cfs_quota_us        -1 for none; cpu.cfs_period_us beside it
                memory/<group>/memory.limit_in_bytes

Which group is ours says /proc/self/cgroup; what is set above it holds too. In a container that
file may name the group as the host has it, where the container's own root is what counts.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MOST: Final = 16
"""Jobs beyond which the disk and the network are what is waited for."""
_MEMORY: Final = 128 << 20
"""Bytes that a job may take: an opened archive, or a frame and what it is compressed to."""


def cores(root: Path = Path("/")) -> int:
    """How many jobs may really run at a time, each with the memory that it needs; at least 1."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = [found or 1, _MOST, *map(math.ceil, _processors(root))]
    limits += [size // _MEMORY for size in _memory(root)]
    return max(1, min(limits))


def _processors(root: Path) -> Iterator[float]:
    """Every limit there is, in processors."""
    for folder in _groups(root, "cpu"):
        words = _words(folder / "cpu.max")
        words += _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
        with contextlib.suppress(ValueError, ZeroDivisionError):
            quota, period = map(int, words)
            if quota > 0:
                yield quota / period


def _memory(root: Path) -> Iterator[int]:
    """Every limit there is, in bytes, with all that the machine has."""
    with contextlib.suppress(ValueError, OSError, AttributeError):
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for folder in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with contextlib.suppress(ValueError):
                yield from map(int, _words(folder / name))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders that may limit us, the innermost first; not all of them need be there."""
    mounted = root / "sys/fs/cgroup"
    with contextlib.suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            top = mounted / controller if controllers else mounted
            own = top / path.lstrip("/")
            yield from (own, *(above for above in own.parents if above.is_relative_to(top)))


def _words(path: Path) -> list[str]:
    """What stands in a file; nothing if it is not there."""
    try:
        return path.read_text("ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
