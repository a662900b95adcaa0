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
import os
import random
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from vendorpack.bundle.manifest import Head
from vendorpack.bundle.plan import Section
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.writer import write_bundle
from vendorpack.model import Blob, Entry, Environment

HEAD = Head("0" * 64, (), {}, {}, (), Environment())


def kept_tree(folder: Path, scale: float) -> None:
    """About 160 MB in 1600 incompressible files, most of them small."""
    rng = random.Random(1)
    for number in range(int(1600 * scale)):
        size = min(int(rng.lognormvariate(9.2, 2.0)), 40 << 20)
        path = folder / f"{number % 256:02x}" / f"{number:06x}.tgz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size))


def opened_tree(folder: Path, scale: float) -> None:
    """About 220 MB in 20,000 files cut from Python's own sources."""
    rng = random.Random(2)
    sources = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    text = b"".join(path.read_bytes() for path in sources)
    for number in range(int(20_000 * scale)):
        size = min(int(rng.lognormvariate(8.3, 1.4)), 1 << 20)
        start = rng.randrange(max(len(text) - size, 1))
        path = folder / f"package-{number // 20:04d}" / "lib" / f"module-{number % 20}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"# %d\n" % number + text[start : start + size])


def pack(tree: Path, output: Path, long: bool, jobs: int) -> None:
    """Pack a tree as `vendorpack pack` does: every file is a blob, verified when it is read."""
    paths: dict[str, Path] = {}

    def entries() -> Iterator[tuple[Entry, int | None]]:
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                name = path.relative_to(tree).as_posix()
                if long:
                    yield Entry(f"{tree.name}/{name}", data), None
                else:
                    blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
                    paths[blob.sha256] = path
                    yield Entry(f"{tree.name}/{name}", blob), None

    def read(blob: Blob) -> Iterable[bytes]:
        digest = hashlib.sha256()
        with paths[blob.sha256].open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                yield chunk
        assert digest.hexdigest() == blob.sha256

    sections = [Section(tree.name, long, entries())]
    write_bundle(output, HEAD, sections, read_blob=read, jobs=jobs)


def unpack(bundle: Path, target: Path, jobs: int) -> None:
    from vendorpack.unpack import unpack_to_prefix  # noqa: PLC0415 - part of what is measured

    with open_bundle(bundle) as opened:
        unpack_to_prefix(opened, target, jobs=jobs)


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
    command = [sys.executable, "-m", "tests.bench.bench_bundle", *words]
    return lambda: subprocess.run(command, check=True)


def shell(script: str) -> Callable[[], object]:
    return lambda: subprocess.run(["sh", "-ec", script], check=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("step", nargs="*")
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()
    match arguments.step:
        case ["pack", tree, output, long, jobs]:
            pack(Path(tree), Path(output), long == "long", int(jobs))
        case ["unpack", bundle, target, jobs]:
            unpack(Path(bundle), Path(target), int(jobs))
        case _:
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                compare(Path(folder), arguments.rounds, arguments.jobs, arguments.scale)


def compare(folder: Path, rounds: int, jobs: int, scale: float) -> None:
    for make, long in ((kept_tree, ""), (opened_tree, "long")):
        tree = folder / make.__name__
        make(tree, scale)
        bundle, target = folder / "bundle.tar.zst", folder / "out"
        files = [path for path in tree.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        print(
            f"\n== {make.__name__}: {len(files)} files, {size:.0f} MB, {jobs} jobs, load "
            f"{os.getloadavg()[0]:.1f}"
        )
        tar = f"tar -C {folder} -c {tree.name} | zstd -q -3"
        ways = {
            "tar | zstd -3": shell(f"{tar} -o {bundle}"),
            "tar | zstd -3 -T0": shell(f"{tar} -T0 -o {bundle}"),
        }
        for count in sorted({1, jobs}):
            words = ("pack", str(tree), str(bundle), long, str(count))
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
