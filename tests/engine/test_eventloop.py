"""An interrupt in the middle of the event loop's own work."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from vendorpack import eventloop

# Tasks that come up and wait for each other all the time, as downloads do.
BUSY = """
import asyncio, signal, sys
from vendorpack import eventloop

def terminate(number, frame):
    raise KeyboardInterrupt

async def one():
    await asyncio.to_thread(len, "")

async def work():
    print("begun", flush=True)
    while True:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(one())

signal.signal(signal.SIGTERM, terminate)
try:
    eventloop.run(work())
except KeyboardInterrupt:
    assert signal.getsignal(signal.SIGTERM) is terminate
    sys.exit(130)
"""


@pytest.mark.parametrize("in_background", [False, True])
def test_sigterm_ends_it_without_a_word(in_background: bool) -> None:
    """In the background of a script, a process is started with SIGINT ignored."""
    ignored = signal.SIG_IGN if in_background else signal.default_int_handler
    before = signal.signal(signal.SIGINT, ignored)
    try:
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", BUSY],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(6)
        ]
    finally:
        signal.signal(signal.SIGINT, before)
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGTERM)
    ends = [(process.communicate(timeout=60), process.returncode) for process in processes]
    assert ends == [(("", ""), 130)] * 6


def test_what_it_returns_and_raises() -> None:
    async def answer() -> int:
        return 42

    async def fail() -> None:
        raise LookupError

    assert eventloop.run(answer()) == 42
    with pytest.raises(LookupError):
        eventloop.run(fail())


def test_a_result_is_not_put_into_words() -> None:
    """Those of fifty thousand artifacts take seconds, and as much memory as all else."""

    said = []

    class Huge:
        def __repr__(self) -> str:
            said.append(self)
            return "very long"

    async def work() -> Huge:
        return Huge()

    assert isinstance(eventloop.run(work()), Huge)
    assert not said
