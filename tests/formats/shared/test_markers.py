"""Environment markers for targets: what holds where."""

from __future__ import annotations

import pytest

from vendorpack.errors import LockfileError, UsageError
from vendorpack.formats._shared.python.markers import (
    environments,
    holds,
    parse_marker,
    targets_of,
    without_groups,
)
from vendorpack.target import parse_target


@pytest.mark.parametrize(
    ("marker", "target", "expected"),
    [
        ("sys_platform == 'win32'", "windows-x86_64-py3.12", True),
        ("sys_platform == 'win32'", "linux-x86_64-gnu-py3.12", False),
        ("sys_platform == 'darwin' and platform_machine == 'arm64'", "macos-aarch64-py3.12", True),
        ("platform_machine == 'AMD64'", "windows-x86_64-py3.12", True),
        ("platform_machine == 'aarch64'", "linux-aarch64-musl-py3.12", True),
        ("python_version >= '3.10'", "linux-x86_64-gnu-py3.9", False),
        ("python_version >= '3.10'", "linux-x86_64-gnu-py3.13t", True),
        ("platform_python_implementation == 'PyPy'", "linux-x86_64-gnu-py3.12", False),
        # A target without a patch release stands for all of them.
        ("python_full_version < '3.11.3'", "linux-x86_64-gnu-py3.11", True),
        ("python_full_version >= '3.11.3'", "linux-x86_64-gnu-py3.11", True),
        ("python_full_version < '3.11.3'", "linux-x86_64-gnu-py3.11.9", False),
        ("platform_release >= '20'", "macos-aarch64-py3.12", True),
        ("extra == 'socks'", "linux-x86_64-gnu-py3.12", False),
    ],
)
def test_holds(marker: str, target: str, expected: bool) -> None:
    assert holds(parse_marker(marker, "here"), parse_target(target)) is expected


def test_extras() -> None:
    marker = parse_marker("extra == 'Socks_v5' and os_name == 'posix'", "here")
    target = parse_target("linux-x86_64-gnu-py3.12")
    assert holds(marker, target, ["socks-v5"])
    assert not holds(marker, target, ["http"])


def test_targets_keep_their_order() -> None:
    targets = [parse_target(t) for t in ("windows-x86_64-py3.12", "macos-aarch64-py3.12")]
    assert targets_of(None, targets) == tuple(targets)
    assert targets_of(parse_marker("os_name == 'nt'", "here"), targets) == tuple(targets[:1])


def test_nothing_of_this_machine_gets_in() -> None:
    (environment,) = environments(parse_target("windows-aarch64-py3.10.4"))
    assert environment == {
        "implementation_name": "cpython",
        "implementation_version": "3.10.4",
        "os_name": "nt",
        "platform_machine": "ARM64",
        "platform_python_implementation": "CPython",
        "platform_release": "10",
        "platform_system": "Windows",
        "platform_version": "",
        "python_full_version": "3.10.4",
        "python_version": "3.10",
        "sys_platform": "win32",
    }


def test_a_python_is_found_or_refused() -> None:
    bare = parse_target("linux-x86_64-gnu")
    with pytest.raises(UsageError, match="names no version of Python 3"):
        environments(bare)
    with pytest.raises(UsageError, match="names no version of Python 3"):
        environments(parse_target("linux-x86_64-gnu-py2.7"))


@pytest.mark.parametrize("text", ["python_version", "=", "a == 'b'", "(" * 5000])
def test_bad_markers(text: str) -> None:
    with pytest.raises(LockfileError, match="not an environment marker") as caught:
        parse_marker(text, "lock:3")
    assert caught.value.where == "lock:3"


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        ("'dev' in dependency_groups and python_version >= '3.8'", True),
        ("'dev' in dependency_groups and python_version < '3.8'", False),
        ("'a' not in extras or python_version < '3.8'", True),
        ('"a" in extras', True),
        ("'linux' in sys_platform", True),
    ],
)
def test_groups_that_a_client_cannot_judge(marker: str, expected: bool) -> None:
    target = parse_target("linux-x86_64-gnu-py3.12")
    assert holds(parse_marker(without_groups(marker), "x"), target) is expected
