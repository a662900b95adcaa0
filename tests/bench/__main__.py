"""How long packing takes next to the native clients, and what it needs at scale.

    VENDORPACK_CLIENTS=… [VENDORPACK_CORPUS=…] python -m tests.bench [ROOM…]
        [--rounds N] [--scale F] [--cache DIR] [--write FILE]

Every room's pack runs against its client's own download, in turns, from one mirror on the loopback
(`mirror`); so do unpacking against tar, and the commands that should take no time. `--scale 1` goes
on with 50,000 artifacts, 400,000 files and one artifact of 3 GB (`scale`), 0.1 with a tenth of
each. `--cache` keeps what the mirror was asked for, so that the registries are asked once.
`--write docs/performance.md` writes the tables there. Needs root, for the mirror's port and names.
`python -m tests.bench.kills` kills a cold pack at random moments, and runs it again.
`python -m tests.bench.bench_bundle` compares the container alone with tar and zstd.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.bench import report, scale
from tests.bench.gems import GEM_HOSTS, make_gems
from tests.bench.mirror import mirror
from tests.bench.rooms import ROOMS, results
from tests.world import Reply, Request
from tests.world.gems import GemSource


def main() -> None:
    """Measure what is asked for."""
    names = [room.name for room in ROOMS]
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=0)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    if unknown := set(asked.rooms) - set(names):
        parser.error(f"no such room: {', '.join(sorted(unknown))}")
    rooms = {room.name: room for room in ROOMS if room.name in (asked.rooms or names)}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        made: dict[str, Callable[[Request], Reply]] = {}
        if "bundler" in rooms:
            project, source = make_gems(work / "gems")
            rooms["bundler"] = replace(rooms["bundler"], project=project)
            made = dict.fromkeys(GEM_HOSTS, partial(_gems, source))
        with mirror((asked.cache or work / "mirror").resolve(), made) as served:
            found, failed = results(rooms, served, work / "rooms", asked.rounds, print)
        scaled = scale.measure(work, asked.scale, print) if asked.scale else []
    text = report.page(found, failed, scaled, asked.rounds)
    if asked.write:
        asked.write.write_text(text)
    else:
        print(text)


def _gems(source: GemSource, request: Request) -> Reply:
    return source.answer(request.path.lstrip("/"), request)


if __name__ == "__main__":
    main()
