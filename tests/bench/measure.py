"""Running a command and seeing what it took."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class FailedError(Exception):
    """A measured command ended with an error; the text has the end of what it said."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of the clock, seconds of all cores, and MB of the largest process."""

    wall: float
    cpu: float
    peak: float


def run(command: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> Cost:
    """What a command took, with all processes that it waited for. Raises `FailedError`.

    What the ones before it wrote is on the disk by then: else it would wait for that too.
    """
    os.sync()
    with (cwd / ".said").open("w+") as said:
        start = time.monotonic()
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            said.seek(0)
            raise FailedError(f"{' '.join(map(str, command[-6:]))}:\n{said.read()[-1500:]}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)


def median(costs: Iterable[Cost]) -> Cost:
    """The median of each figure; the highest peak."""
    rows = list(costs)
    return Cost(
        statistics.median(row.wall for row in rows),
        statistics.median(row.cpu for row in rows),
        max(row.peak for row in rows),
    )
