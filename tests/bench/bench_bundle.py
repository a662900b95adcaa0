"""How packing and unpacking compare with `tar` and `zstd` on the same tree.

    python -m tests.bench.bench_bundle [--folder DIR] [--rounds N] [--jobs N] [--scale F]

Two trees, both made here from a seed: `kept` is like a folder of downloaded archives (few,
incompressible), `opened` like a store of unpacked packages (many small source files). All
ways write to the same folder (a tmpfs by default) in turns; the figures are medians, and each
is a process of its own, its start included.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def kept_tree(folder: Path, scale: float) -> None:
    """About 260 MB in 4000 incompressible files, most of them small."""
    rng = random.Random(1)
    for number in range(int(4000 * scale)):
        size = min(int(rng.lognormvariate(9.2, 2.0)), 40 << 20)
        path = folder / f"{number % 256:02x}" / f"{number:06x}.tgz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size))


def opened_tree(folder: Path, scale: float) -> None:
    """About 360 MB in 34,000 files cut from Python's own sources."""
    rng = random.Random(2)
    sources = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    text = b"".join(path.read_bytes() for path in sources)
    for number in range(int(34_000 * scale)):
        size = min(int(rng.lognormvariate(8.3, 1.4)), 1 << 20)
        start = rng.randrange(max(len(text) - size, 1))
        path = folder / f"package-{number // 20:04d}" / "lib" / f"module-{number % 20}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"# %d\n" % number + text[start : start + size])


def index_of(tree: Path) -> list[tuple[str, int, str]]:
    """Path, size and sha256 of every file: what a store knows before packing."""
    rows = []
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        data = path.read_bytes()
        rows.append((str(path.relative_to(tree)), len(data), hashlib.sha256(data).hexdigest()))
    return rows


def timed(action: Callable[[], object], clean: Path) -> tuple[float, float]:
    """Wall and processor seconds of an action that writes to `clean`."""
    if clean.is_dir():
        shutil.rmtree(clean)
    clean.unlink(missing_ok=True)
    before = os.times()
    start = time.perf_counter()
    action()
    wall = time.perf_counter() - start
    after = os.times()
    return wall, sum(after[:4]) - sum(before[:4])


def rows(
    ways: dict[str, Callable[[], object]], clean: Path, rounds: int
) -> dict[str, tuple[float, float]]:
    """The median of each way, taken in turns."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, action in ways.items():
            found[name].append(timed(action, clean))
    return {
        name: (
            statistics.median(wall for wall, _ in seconds),
            statistics.median(cpu for _, cpu in seconds),
        )
        for name, seconds in found.items()
    }


def show(title: str, found: dict[str, tuple[float, float]]) -> None:
    base_wall, base_cpu = next(iter(found.values()))
    print(f"\n{title:<38}{'wall s':>8}{'ratio':>7}{'cpu s':>8}{'ratio':>7}")
    for name, (wall, cpu) in found.items():
        print(f"  {name:<36}{wall:8.2f}{wall / base_wall:7.2f}{cpu:8.2f}{cpu / base_cpu:7.2f}")


def child(*words: str) -> Callable[[], object]:
    """One step of this module in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.bundle_steps", *words]
    return lambda: subprocess.run(command, check=True)


def shell(script: str) -> Callable[[], object]:
    return lambda: subprocess.run(["sh", "-ec", script], check=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        compare(Path(folder), arguments.rounds, arguments.jobs, arguments.scale)


def compare(folder: Path, rounds: int, jobs: int, scale: float) -> None:
    for make, long in ((kept_tree, ""), (opened_tree, "long")):
        tree = folder / make.__name__
        make(tree, scale)
        bundle, target = folder / "bundle.tar.zst", folder / "out"
        index = folder / "index.json"
        listed = index_of(tree)
        index.write_text(json.dumps(listed))
        size = sum(row[1] for row in listed) / 1e6
        load = os.getloadavg()[0]
        print(f"\n== {make.__name__}: {len(listed)} files, {size:.0f} MB; load {load:.1f}")
        tar = f"tar -C {folder} -c {tree.name} | zstd -q -3"
        ways = {
            "tar | zstd -3": shell(f"{tar} -o {bundle}"),
            "tar | zstd -3 -T0": shell(f"{tar} -T0 -o {bundle}"),
        }
        for count in sorted({1, jobs}):
            words = ("pack", str(tree), str(index), str(bundle), long, str(count))
            ways[f"vendorpack, {count} jobs"] = child(*words)
        show("pack", rows(ways, bundle, rounds))
        print(f"  bundle: {bundle.stat().st_size / 1e6:.1f} MB", end="; ")
        subprocess.run(["sh", "-c", f"{tar} | wc -c"], check=True)
        ways = {"tar --zstd -xf": shell(f"mkdir {target}; tar --zstd -xf {bundle} -C {target}")}
        for count in sorted({1, jobs}):
            ways[f"vendorpack, {count} jobs, verified"] = child(
                "unpack", str(bundle), str(target), str(count)
            )
        show("unpack", rows(ways, target, rounds))
        shutil.rmtree(tree)
        shutil.rmtree(target)


if __name__ == "__main__":
    main()
