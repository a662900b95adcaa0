"""Conditions of the machine and the network that belong to no other file: the clock, IPv6."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.world import Server
from tests.world.npm import NpmRegistry, npm_registry, sri, tarball

CLOCK = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static time_t fake(void) { return (time_t)atoll(getenv("FAKE_NOW")); }
time_t time(time_t *out) { if (out) *out = fake(); return fake(); }
int gettimeofday(struct timeval *now, void *zone) {
    now->tv_sec = fake(); now->tv_usec = 0; return 0;
}
#include <sys/syscall.h>
#include <unistd.h>
int clock_gettime(clockid_t which, struct timespec *now) {
    if (which != CLOCK_REALTIME) return syscall(SYS_clock_gettime, which, now);
    now->tv_sec = fake(); now->tv_nsec = 0; return 0;
}
"""
"""A library that, loaded first, tells every program what time it is."""


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("no gcc")
    (tmp_path / "clock.c").write_text(CLOCK)
    library = tmp_path / "clock.so"
    command = ["gcc", "-shared", "-fPIC", "-w", "-o", str(library), str(tmp_path / "clock.c")]
    subprocess.run(command, check=True)
    return library


@pytest.fixture
def npm(tmp_path: Path) -> Iterator[NpmRegistry]:
    npm = npm_registry()
    with npm.server:
        npm.lock(tmp_path / "project", {"a": "1.0.0", "b": "2.0.0"})
        yield npm


def test_the_clock_is_in_no_bundle(npm: NpmRegistry, clock: Path, tmp_path: Path) -> None:
    """In 1970, today and in 2040: the same bytes, each verified and unpacked there."""
    made = set()
    for number, now in enumerate(("1", "", "2208988800")):
        environ = {"LD_PRELOAD": str(clock), "FAKE_NOW": now} if now else {}
        cli = Cli(tmp_path, f"store{number}", environ)
        if now:
            program = "import time; print(int(time.time()))"
            told = subprocess.run(["python3", "-c", program], env=cli.env(), capture_output=True)
            assert told.stdout.decode().strip() == now, "the clock is not the faked one"
        output = f"{number}.tar.zst"
        cli.ok("pack", "project", "-o", output)
        cli.ok("verify", output)
        cli.ok("unpack", output, "--prefix", tmp_path / f"p{number}")
        made.add((tmp_path / output).read_bytes())
    assert len(made) == 1


def test_a_registry_that_is_reached_by_ipv6(tmp_path: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    data = tarball("a", "1.0.0")
    with Server({"/a/-/a-1.0.0.tgz": data}, host="::1") as server:
        url = server.url
        (tmp_path / "project").mkdir()
        (tmp_path / "project/package-lock.json").write_text(
            '{"lockfileVersion": 3, "packages": {"": {}, "node_modules/a": {"version": "1.0.0", '
            f'"resolved": "{url}/a/-/a-1.0.0.tgz", "integrity": "{sri(data)}"}}}}}}'
        )
        cli = Cli(tmp_path)
        refused = cli("pack", "project")
        assert refused.code == 6 and server.requests == []
        cli.ok("pack", "project", "--allow-host", url)
        cli.ok("verify", "deps.tar.zst")
        assert server.paths == ["/a/-/a-1.0.0.tgz"]
