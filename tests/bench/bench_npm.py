"""`vendorpack pack` next to `npm ci`, cold, from one mirror on the loopback.

    VENDORPACK_CLIENTS=… python -m tests.bench.bench_npm [LOCKFILE'S FOLDER]

The mirror serves what the store holds after the project was packed once (which asks the real
registry for what the store lacks). Both clients start with nothing and are pointed at it; npm
also unpacks into node_modules, with scripts off. Prints wall seconds and ratios.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from multiprocessing import Process, Queue
from pathlib import Path
from urllib.parse import urlsplit

from tests.cli import Cli
from tests.world import Reply, Request, Server
from vendorpack.digest import Integrity
from vendorpack.store.local import Store

ROUNDS = 3


def mirror(lockfile: Path, store_folder: Path, address: Queue[str], stop: Queue[bool]) -> None:
    """Serve the lockfile's tarballs, at the paths that its addresses have."""
    store = Store(store_folder)
    files: dict[str, bytes] = {}
    for entry in json.loads(lockfile.read_text())["packages"].values():
        if "resolved" in entry and "integrity" in entry:
            blob = store.find(Integrity.parse_sri(entry["integrity"]))
            if blob is not None:
                files[urlsplit(entry["resolved"]).path] = store.read(blob)

    def answer(request: Request) -> Reply:
        data = files.get(request.path)
        return Reply(status=404) if data is None else Reply(data)

    with Server({}, default=answer) as server:
        address.put(server.url)
        stop.get()


def main() -> None:
    """Run the rounds, interleaved, and print the medians."""
    here = Path(__file__).parents[1] / "real/projects/hello-npm"
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else here
    clients = Path(os.environ["VENDORPACK_CLIENTS"])
    node = clients / "node/bin/node"
    npm = clients / "npm-11/node_modules/npm/bin/npm-cli.js"
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        Cli(work).ok("pack", source, "-o", work / "warm.tar.zst")
        address: Queue[str] = Queue()
        stop: Queue[bool] = Queue()
        lockfile = source / "package-lock.json"
        server = Process(target=mirror, args=(lockfile, work / "store", address, stop))
        server.start()
        registry = address.get() + "/"
        times: dict[str, list[float]] = {"vendorpack pack": [], "npm ci": []}
        for number in range(ROUNDS):
            cli = Cli(work, f"store{number}", environ={"npm_config_registry": registry})
            start = time.monotonic()
            cli.ok("pack", source, "-o", work / f"{number}.tar.zst")
            times["vendorpack pack"].append(time.monotonic() - start)

            project = work / f"project{number}"
            project.mkdir()
            for file in ("package.json", "package-lock.json"):
                shutil.copy(source / file, project)
            environ = {**cli.env(), "npm_config_cache": str(work / f"cache{number}")}
            start = time.monotonic()
            subprocess.run(
                [node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=project,
                env=environ,
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            times["npm ci"].append(time.monotonic() - start)
        stop.put(True)
        server.join()
        medians = {what: sorted(seconds)[ROUNDS // 2] for what, seconds in times.items()}
        for what, seconds in medians.items():
            print(f"{what:<16} {seconds:6.2f} s")
        print(f"ratio            {medians['vendorpack pack'] / medians['npm ci']:6.2f}")


if __name__ == "__main__":
    main()
