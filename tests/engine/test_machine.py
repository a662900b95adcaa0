"""What of the machine is ours: affinity, and the limits that a container's control groups set."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vendorpack import machine
from vendorpack.machine import cores

_V1 = Path("/sys/fs/cgroup/cpu")


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 64 cores and 512 GiB."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)), raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1 << 27, "SC_PAGE_SIZE": 4096}.get)


def _tree(root: Path, group: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": group, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_without_limits(tmp_path: Path) -> None:
    """More than 16 jobs take memory and gain nothing."""
    assert cores(tmp_path) == 16
    tree = _tree(tmp_path, "0::/\n", {"sys/fs/cgroup/cpu.max": "max 100000\n"})
    assert cores(tree) == 16


def test_affinity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {3, 5})
    assert cores(tmp_path) == 2


def test_the_machine_s_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1 << 17, "SC_PAGE_SIZE": 4096}.get)
    assert cores(tmp_path) == 4  # of 512 MiB


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "200000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "250000 100000"}, 3),
        ({"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        ({"a/cpu.max": "300000 100000", "a/b/cpu.max": "200000 100000"}, 2),
        ({"memory.max": str(512 << 20)}, 4),
        ({"memory.max": "max", "a/b/memory.max": str(100 << 20)}, 1),
        ({"cpu.max": "400000 100000", "a/memory.max": str(300 << 20)}, 2),
        ({"cpu.max": "no numbers"}, 16),
        ({"cpu.max": "100000 0", "memory.max": ""}, 16),
        ({"other/cpu.max": "100000 100000"}, 16),
    ],
)
def test_version_2(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    """What is set for a group above ours holds too, and nothing that is set for another one."""
    paths = {f"sys/fs/cgroup/{name}": f"{text}\n" for name, text in files.items()}
    assert cores(_tree(tmp_path, "0::/a/b\n", paths)) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 16),
        ({"cpu/cpu.cfs_quota_us": "150000", "cpu/cpu.cfs_period_us": "100000"}, 2),
        ({"cpu/docker/1/cpu.cfs_quota_us": "300000", "cpu/docker/1/cpu.cfs_period_us": "1000"}, 16),
        ({"memory/memory.limit_in_bytes": str(768 << 20)}, 6),
        ({"memory/memory.limit_in_bytes": str((1 << 63) - 4096)}, 16),
    ],
)
def test_version_1(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    """The container's own group is the root of what is mounted, whatever the host calls it."""
    group = "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n1:name=systemd:/\n0::/\n"
    paths = {f"sys/fs/cgroup/{name}": f"{text}\n" for name, text in files.items()}
    assert cores(_tree(tmp_path, group, paths)) == expected


def test_an_unreadable_tree(tmp_path: Path) -> None:
    """What cannot be read limits nothing."""
    _tree(tmp_path, "nonsense\n", {})
    assert cores(tmp_path) == 16
    (tmp_path / "proc/self/cgroup").write_bytes(b"0::/\xff\n")
    assert cores(tmp_path) == 16


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of our own, of version 1 or 2, with one processor."""
    own = f"vendorpack-test-{os.getpid()}"
    v2 = Path("/sys/fs/cgroup")
    try:
        if (_V1 / "cpu.cfs_quota_us").exists() or (_V1 / "cpu.shares").exists():
            folder = _V1 / own
            folder.mkdir()
            (folder / "cpu.cfs_quota_us").write_text("100000")
        else:
            folder = v2 / own
            folder.mkdir()
            (folder / "cpu.max").write_text("100000 100000")
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    try:
        yield folder
    finally:
        folder.rmdir()


def test_a_real_group(group: Path) -> None:
    """A process in it sees one processor, whatever the machine has."""
    asked = f"from {machine.__name__} import cores; print(cores())"
    script = 'echo $$ > "$0" && exec "$@"'
    argv = ("sh", "-c", script, str(group / "cgroup.procs"), sys.executable, "-c", asked)
    assert subprocess.run(argv, check=True, capture_output=True, text=True).stdout == "1\n"
