"""Kill a cold pack again and again: the next run ends with the same bytes.

    VENDORPACK_CLIENTS=… [VENDORPACK_CORPUS=…] python -m tests.bench.kills [ROOM]
        [--times N] [--cache DIR] [--seed N]

Each time with an empty store, from the mirror on the loopback, `kill -9` of all its processes at a
random moment. Then every blob that the store has must be what its name says, and the next run's
bundle, byte for byte, that of a run that nobody killed. Needs root, as `tests.bench` does.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.mirror import Mirror, mirror
from tests.bench.rooms import ROOMS
from tests.cli import Cli


def main() -> None:
    """Kill as often as is asked for."""
    rooms = {room.name: room for room in ROOMS}
    parser = argparse.ArgumentParser(prog="python -m tests.bench.kills")
    parser.add_argument("room", nargs="?", default="yarn 4", choices=rooms)
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    moments = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        shutil.copytree(rooms[asked.room].source(), work / "project")
        with mirror((asked.cache or work / "mirror").resolve(), {}) as served:
            _finish(served, work)  # fills the mirror
            shutil.rmtree(work / "store")
            start = time.monotonic()
            whole = _finish(served, work)
            took = time.monotonic() - start
            shutil.rmtree(work / "store")
            for number in range(asked.times):
                after = moments.uniform(0, took)
                blobs = _killed(served, work, after)
                if _finish(served, work) != whole:
                    sys.exit(f"killed after {after:.2f} s, the next run made another bundle")
                shutil.rmtree(work / "store")
                print(f"{number + 1}: killed after {after:.2f} s of {took:.2f}, {blobs} blobs kept")
    print(f"{asked.times} kills, each followed by the same bundle: {whole}")


def _start(served: Mirror, work: Path) -> subprocess.Popen[bytes]:
    trusted = {"SSL_CERT_FILE": str(served.ca_file), "SSL_CERT_DIR": "/nonexistent"}
    cli = Cli(work, environ=trusted)
    return subprocess.Popen(
        [*served.enter, *map(str, cli.argv("pack", work / "project", "-o", work / "b.tar.zst"))],
        cwd=work,
        env={**cli.env(), "VENDORPACK_STORE_DIR": str(work / "store")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _finish(served: Mirror, work: Path) -> str:
    """Pack to the end; sha256 of the bundle, which is gone then."""
    process = _start(served, work)
    _, said = process.communicate()
    if process.returncode:
        sys.exit(f"the pack failed:\n{said.decode()}")
    bundle = work / "b.tar.zst"
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    bundle.unlink()
    return digest


def _killed(served: Mirror, work: Path, after: float) -> int:
    """Kill a pack after so many seconds; how many blobs it leaves, all of them as they must be."""
    process = _start(served, work)
    time.sleep(after)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (work / "b.tar.zst").unlink(missing_ok=True)
    blobs = 0
    for path in (work / "store/v1/blobs").glob("*/*"):
        blobs += 1
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.parent.name + path.name:
            sys.exit(f"after {after:.2f} s the store had a blob that is not what it says")
    return blobs


if __name__ == "__main__":
    main()
