"""Fleets: many bundles by many processes, here and on a dask cluster, into one store."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cli import Cli
from tests.engine.test_remote_store import Place, place, s3
from tests.formats.samples import SAMPLES
from tests.formats.served import TARGET, internet, written
from tests.world import Registry, World
from tests.world._thread import ThreadedServer
from tests.world.npm import NpmRegistry
from tests.world.repositories import TOKEN, Repositories
from vendorpack.errors import UsageError
from vendorpack.fleet.task import Outcome
from vendorpack.report.page import render_fleet

__all__ = ["place", "s3"]  # the fixtures

HAS_DASK = importlib.util.find_spec("distributed") is not None
COUNT = 12
CHANGED = 5
WORKERS = 4
OF_ONE = 6
"""Artifacts that one repository has at most: what a killed worker was at is asked for again."""
_CLUSTER = f"""
import os, sys
from distributed import Client, LocalCluster
if __name__ == "__main__":
    with LocalCluster(
        n_workers={WORKERS}, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster, Client(cluster) as client:
        pids = sorted(client.run(os.getpid).values())
        print(cluster.scheduler_address, *pids, flush=True)
        sys.stdin.read()
"""


@dataclass(frozen=True)
class Cluster:
    """A dask cluster of this machine: its scheduler's address, and its workers' processes."""

    address: str
    workers: tuple[int, ...]


@contextmanager
def cluster(cli: Cli) -> Iterator[Cluster]:
    """Workers with the environment of `cli`."""
    if not HAS_DASK:
        pytest.skip("distributed is not installed: pip install -e '.[test]'")
    script = cli.folder / "cluster.py"
    script.write_text(_CLUSTER)
    with subprocess.Popen(
        [sys.executable, script],
        env=cli.env(),
        cwd=cli.folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it says that a worker was killed
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            address, *pids = process.stdout.readline().split()
            yield Cluster(address, tuple(map(int, pids)))
        finally:
            process.stdin.close()
            process.wait(60)


class Relay(ThreadedServer):
    """Passes bytes on to an address, and keeps what was sent there."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.sent = bytearray()
        self._to = urlsplit(address)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far, to_far = await asyncio.open_connection(self._to.hostname, self._to.port)

        async def back() -> None:
            while data := await far.read(1 << 16):
                writer.write(data)

        task = asyncio.create_task(back())
        try:
            while data := await reader.read(1 << 16):
                self.sent += data
                to_far.write(data)
        finally:
            task.cancel()
            to_far.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        yield made


def summary(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "fleet.json").read_text())
    return read


def ids(folder: Path) -> dict[str, str]:
    return {Path(one["folder"]).name: one["id"] for one in summary(folder)["bundles"]}


def alone(
    folder: Path, projects: list[Path], environ: Mapping[str, str], *more: str
) -> dict[str, str]:
    """The ids of bundles that are packed one by one, by a machine with a store of its own."""
    folder.mkdir()
    cli = Cli(folder, environ=environ)

    def packed(project: Path) -> tuple[str, str]:
        output = f"{project.name}.tar.zst"
        return project.name, cli.ok("pack", project, *more, "--json", "-o", output).json["id"]

    with ThreadPoolExecutor(3) as pool:
        return dict(pool.map(packed, projects))


# -- here ----------------------------------------------------------------------------------


def test_every_format_is_packed_as_it_is_alone(tmp_path: Path) -> None:
    """What goes with a task is enough, whatever the room reads."""
    with internet(tmp_path, SAMPLES.values()) as cli:
        projects = written(tmp_path / "projects", SAMPLES)
        options = ("--target", TARGET)
        cli.ok("fleet", "projects", "--store", "team", *options)
        assert cli.environ is not None
        assert ids(tmp_path) == alone(tmp_path / "alone", projects, cli.environ, *options)
    cli.ok("exists", summary(tmp_path)["bundles"][-1]["key"], "--store", "team")


def test_what_lacks_and_what_fails(npm: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    for name in "abc":
        npm.lock(tmp_path / "root" / name, {name: "1.0.0", "common": "1.0.0"})
    del npm.packages[npm.path("b", "1.0.0")]
    options = ("--store", "team", "--html", "fleet.html")
    (tmp_path / "root/two").mkdir()
    for name in ("package-lock.json", "yarn.lock"):
        (tmp_path / "root/two" / name).write_text("# yarn lockfile v1\n")
    npm.lock(tmp_path / "root/odd", {"a": "1.0.0"})
    (tmp_path / "root/odd/vendorpack.toml").write_text("none = 1\n")
    done = cli("fleet", "root", *options)
    assert done.code == 18 and "3 of 5 bundles were not packed" in done.err
    said = [one["error"]["exit_code"] for one in summary(tmp_path)["bundles"] if one["error"]]
    assert sorted(said) == [2, 3, 7]
    shutil.rmtree(tmp_path / "root/two")
    shutil.rmtree(tmp_path / "root/odd")
    shutil.rmtree(tmp_path / "team")
    done = cli("fleet", "root", *options)
    assert done.code == 18 and "1 of 3 bundles were not packed" in done.err
    told = summary(tmp_path)
    assert (told["packed"], told["there"], told["failed"]) == (2, 0, 1)
    (bad,) = [one for one in told["bundles"] if one["state"] == "failed"]
    assert bad["folder"] == "root/b" and bad["error"]["exit_code"] == 7
    assert "package-lock.json" in bad["error"]["where"]
    page = (tmp_path / "fleet.html").read_text()
    assert bad["error"]["error"] in page and "root/b" in page and "2</b> packed" in page
    npm.publish("b", "1.0.0")
    npm.server.requests.clear()
    cli.ok("fleet", "root", *options, "--resume")
    told = summary(tmp_path)
    assert (told["packed"], told["there"], told["failed"]) == (1, 2, 0)
    assert npm.server.paths == [npm.path("b", "1.0.0")]


def test_a_plan(npm: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    for name in "ab":
        npm.lock(tmp_path / name, {name: "1.0.0"})
    plan = cli.ok("plan", "-r", "--no-dev", ".").out
    (tmp_path / "plan.jsonl").write_text(plan)
    cli.ok("fleet", "plan.jsonl", "--store", "team", "-v")
    keys = {json.loads(line)["key"] for line in plan.splitlines()}
    assert {one["key"] for one in summary(tmp_path)["bundles"]} == keys
    npm.lock(tmp_path / "a", {"a": "2.0.0"})
    done = cli("fleet", "plan.jsonl", "--store", "team")
    assert done.code == 18 and "Plan again" in (tmp_path / "fleet.json").read_text()
    assert summary(tmp_path)["packed"] == 1
    (tmp_path / "no-plan").write_text('{"key": 1}\n')
    for typed, code in (
        (("fleet", "no-plan", "--store", "team"), 2),
        (("fleet", "."), 2),
        (("fleet", ".", "--store", "team", "--dask", "tcp://127.0.0.1:9"), 7 if HAS_DASK else 2),
    ):
        assert cli(*typed).code == code, typed


def test_a_store_that_takes_nothing(npm: NpmRegistry, tmp_path: Path) -> None:
    """Each pack only warns of that; a fleet whose bundles are nowhere has failed."""
    npm.lock(tmp_path / "root", {"a": "1.0.0"})
    (tmp_path / "team/bundles").mkdir(parents=True)
    (tmp_path / "team/bundles/v1").symlink_to("nowhere")
    done = Cli(tmp_path)("fleet", "root", "--store", "team")
    assert done.code == 18
    (one,) = summary(tmp_path)["bundles"]
    assert one["state"] == "failed" and one["warnings"]


def test_pushed_too(npm: NpmRegistry, tmp_path: Path) -> None:
    npm.lock(tmp_path / "root", {"a": "1.0.0"})
    registry = Registry()
    with registry.server:
        cli = Cli(tmp_path)
        to = f"{registry.host}/team/deps"
        cli.ok("fleet", "root", "--store", "team", "--push", to)
        (one,) = summary(tmp_path)["bundles"]
        assert one["pushed"].startswith(f"{to}:{one['key']}@sha256:")
        cli.ok("exists", one["key"], "--from", to)
        cli.ok("fleet", "root", "--store", "team", "--push", to, "--resume")
        assert summary(tmp_path)["there"] == 1


# -- on a cluster --------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["s3"], indirect=True)
def test_a_worker_is_killed(world: World, place: Place, tmp_path: Path) -> None:
    """All bundles are there, as each is alone; twice is asked only for what was lost."""
    repositories = Repositories(world, tmp_path / "root")
    projects = [repositories.write(number) for number in range(COUNT)]
    planner = Cli(tmp_path, environ={**repositories.environ, **place.environ})
    with cluster(planner) as dask:
        run = planner.start("fleet", "root", "--store", place.url, "--dask", dask.address)
        moment = random.randrange(1, COUNT)
        while len(repositories.fetched()) < moment and run.poll() is None:
            time.sleep(0.01)
        os.kill(dask.workers[moment % WORKERS], signal.SIGKILL)
        _, said = run.communicate(timeout=600)
        assert run.returncode == 0, said
        told = summary(tmp_path)
        assert (told["packed"], told["failed"]) == (COUNT, 0)
        again = {name for name, count in repositories.fetched().items() if count > 1}
        assert len(again) <= OF_ONE
        repositories.site.requests.clear()
        assert ids(tmp_path) == alone(tmp_path / "alone", projects, repositories.environ)
        repositories.site.requests.clear()
        for number in range(CHANGED):
            repositories.write(number, "2.0.0")
        planner.ok("fleet", "root", "--store", place.url, "--dask", dask.address, "--resume")
        told = summary(tmp_path)
        assert (told["packed"], told["there"], told["failed"]) == (CHANGED, COUNT - CHANGED, 0)
        assert {n for n, count in repositories.fetched().items() if count > 1} == set()


def test_a_huge_lockfile_is_fetched_by_several(npm: NpmRegistry, tmp_path: Path) -> None:
    """Each artifact is asked for once in all, and the bundle is the one that one machine makes."""
    packages = {f"p{number}": "1.0.0" for number in range(1_200)}
    npm.lock(tmp_path / "root", packages)
    npm.lock(tmp_path / "root/small", {"q": "1.0.0"})
    planner = Cli(tmp_path)
    with cluster(planner) as dask, Relay(dask.address) as relay:
        address = f"tcp://127.0.0.1:{relay.port}"
        planner.ok("fleet", "root", "--store", tmp_path / "team", "--dask", address)
        assert b"warm_up" in relay.sent
    told = {one["folder"]: one["downloaded"] for one in summary(tmp_path)["bundles"]}
    assert told == {"root": len(packages), "root/small": 1}
    assert len(npm.server.paths) == len(set(npm.server.paths)) == len(packages) + 1
    projects = [tmp_path / "root", tmp_path / "root/small"]
    assert ids(tmp_path) == alone(tmp_path / "alone", projects, {})


def test_no_login_goes_to_the_scheduler(world: World, tmp_path: Path) -> None:
    """The workers have it themselves; of the project only the variable's name is sent."""
    repositories = Repositories(world, tmp_path / "root")
    project = repositories.write(0)
    worker = tmp_path / "worker"
    worker.mkdir()
    with (
        cluster(Cli(worker, environ=repositories.environ)) as dask,
        Relay(dask.address) as relay,
    ):
        options = ("root", "--store", tmp_path / "team", "--dask", f"tcp://127.0.0.1:{relay.port}")
        without = {n: v for n, v in repositories.environ.items() if n != "NPM_TOKEN"}
        planner = Cli(tmp_path, environ={**without, "OTHER": "canary-variable"})
        planner.ok("fleet", *options)
        assert b"${NPM_TOKEN}" in relay.sent and b"canary" not in relay.sent
        npmrc = project / ".npmrc"
        npmrc.write_text(npmrc.read_text().replace("${NPM_TOKEN}", TOKEN))
        done = planner("fleet", *options)
        assert done.code == 18 and "a login stands in a file" in done.err
        assert b"canary" not in relay.sent
    assert "canary" not in (tmp_path / "fleet.json").read_text()
    planner.ok("fleet", "root", "--store", "team")  # it leaves no machine
    shutil.rmtree(tmp_path / "team")


def test_a_page_of_an_error_that_says_little() -> None:
    bad = Outcome("a", "b", "c", "packed").failed(UsageError("<odd>"))
    counts = dict.fromkeys(("packed", "there", "size", "downloaded", "bytes_downloaded"), 0)
    told = {**counts, "failed": 1, "seconds": 1.0, "vendorpack": "1", "store": "s", "push": None}
    assert "&lt;odd&gt;" in render_fleet({**told, "bundles": [asdict(bad)]})
