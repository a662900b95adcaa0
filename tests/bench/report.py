"""The page that `python -m tests.bench` writes."""

from __future__ import annotations

import datetime
import os
import platform
import resource
from collections.abc import Iterable, Mapping, Sequence

from tests.bench.rooms import Result
from tests.bench.scale import Scaled

_PAGE = """\
# Performance

This page is what one run of `python -m tests.bench` wrote on {date}, on {machine}:
what it saw there, and nothing that holds for every project or machine. Medians of {rounds}
round(s), taken in turns. Times are seconds of the clock, CPU seconds those of all cores, peaks MB
of the largest process; none below the measuring process's {floor:.0f} is seen. A command's start is
always included.
{shared}
## Packing next to the native client

Both start with nothing and are served by the same mirror on the loopback, over TLS. The client's
command is its own download, which mostly unpacks too; `pack` also compresses and writes the bundle.
Of a small bundle it is mostly the interpreter's start that is seen. Projects whose name begins with
`hello-` are small samples of this repository; the gems are made up; the others are public projects.

{packing}
{failed}
## What comes after

A warm pack finds everything in the store; a pack again finds that the bundle is the one it would
write. `unpack` verifies every file, and waits until the disk has them all before the folder gets
its name; it is compared with `tar --zstd -xf` of the same bundle, alone and before `sync -f`.

{after}
## The floor

What cannot be left out, measured alone on one core, in CPU seconds: a warm pack has to hash all
that it takes from the store and to compress it; `verify` and `unpack` have to decompress and to
hash it, and `unpack` makes as many files as `tar` does.

{floors}
{scaled}"""
_SCALED = """
## At scale

Made up, and served by a process on the same machine, whose work is not counted.

"""


def page(
    found: Sequence[Result], failed: Mapping[str, str], scaled: Sequence[Scaled], rounds: int
) -> str:
    """The whole page."""
    load = os.getloadavg()[2] / (os.cpu_count() or 1)
    shared = ""
    if load > 1.5:
        shared = (
            f"\nThe machine was shared: others kept it busy ({load:.1f} times what its cores can "
            "do), so only ratios say something.\n"
        )
    return _PAGE.format(
        date=datetime.datetime.now(datetime.UTC).date(),
        machine=_machine(),
        rounds=rounds,
        floor=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        shared=shared,
        packing=_table(
            "format | project | client's command | bundle MB | pack s | client s | ratio"
            " | pack CPU s | client CPU s | ratio | pack peak MB | client peak MB | ratio",
            map(_packing, found),
        ),
        failed="".join(f"\nNot measured: {name} ({why}).\n" for name, why in failed.items()),
        after=_table(
            "format | warm pack s | CPU s | peak MB | pack again s | `key` s | `verify` s"
            " | `unpack` s | `tar` s | ratio | `tar` and `sync -f` s | ratio",
            map(_after, found),
        ),
        floors=_table(
            "format | sha256 | compress | together | warm pack | `key` | decompress and sha256"
            " | `verify` | `unpack`",
            map(_floor, found),
        ),
        scaled=_SCALED + _scaled(scaled) if scaled else "",
    )


def _packing(one: Result) -> tuple[object, ...]:
    ours, theirs = one.pack, one.native
    return (
        one.room.name,
        one.source,
        f"`{one.room.shown.partition(' (')[0]}`",
        f"{one.size:.1f}",
        f"{ours.wall:.2f}",
        f"{theirs.wall:.2f}",
        f"{ours.wall / theirs.wall:.2f}",
        f"{ours.cpu:.2f}",
        f"{theirs.cpu:.2f}",
        f"{ours.cpu / theirs.cpu:.2f}",
        f"{ours.peak:.0f}",
        f"{theirs.peak:.0f}",
        f"{ours.peak / theirs.peak:.2f}",
    )


def _after(one: Result) -> tuple[object, ...]:
    return (
        one.room.name,
        f"{one.warm.wall:.2f}",
        f"{one.warm.cpu:.2f}",
        f"{one.warm.peak:.0f}",
        f"{one.again.wall:.2f}",
        f"{one.key.wall:.2f}",
        f"{one.verify.wall:.2f}",
        f"{one.unpack.wall:.2f}",
        f"{one.tar.wall:.2f}",
        f"{one.unpack.wall / one.tar.wall:.2f}",
        f"{one.synced.wall:.2f}",
        f"{one.unpack.wall / one.synced.wall:.2f}",
    )


def _floor(one: Result) -> tuple[object, ...]:
    least = one.floor
    return (
        one.room.name,
        f"{least.sha256:.2f}",
        f"{least.compress:.2f}",
        f"{least.sha256 + least.compress:.2f}",
        f"{one.warm.cpu:.2f}",
        f"{one.key.cpu:.2f}",
        f"{least.sha256 + least.decompress:.2f}",
        f"{one.verify.cpu:.2f}",
        f"{one.unpack.cpu:.2f}",
    )


def _scaled(scaled: Sequence[Scaled]) -> str:
    head = "what | command | s | CPU s | peak MB"
    return _table(
        head,
        (
            (one.what, f"`{name}`", f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.peak:.0f}")
            for one in scaled
            for name, cost in one.costs.items()
        ),
    )


def _table(head: str, rows: Iterable[Iterable[object]]) -> str:
    columns = head.count("|") + 1
    lines = [f"| {head} |", "|---" * columns + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _machine() -> str:
    """Kind and size, and nothing that names it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{platform.system()} {platform.machine()} with {os.cpu_count()} cores and {memory:.0f} GB "
        f"of memory, Python {platform.python_version()}"
    )
