"""What a target is in Python's own words: environment markers (PEP 508).

A target names a minor version of Python, and rarely a patch release; markers may ask for one
(`python_full_version < "3.11.3"`). So a target stands for two environments, its minor
version's first and last patch release, and a marker holds if it holds in either: better a
file too many than one too few.

Values are those of CPython on each system. What no target tells (the kernel's version) is set
to that of a system of today, so that "is it new enough" is answered with yes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from packaging.markers import (
    Environment,
    Marker,
    UndefinedComparison,
    UndefinedEnvironmentName,
)

from vendorpack.errors import LockfileError, UsageError
from vendorpack.model import Target

RUNTIME: Final = "py"
"""The name of Python among a target's runtimes."""
LAST_PATCH: Final = 99
"""Stands for a minor version's last patch release."""

_EXTRA: Final = re.compile(r"\bextra\s*[!=]=\s*(?:'[^']*'|\"[^\"]*\")")
_IN_GROUPS: Final = re.compile(
    r"(?:'[^']*'|\"[^\"]*\")\s+(?:not\s+)?in\s+(?:dependency_groups|extras)\b"
)
_TRUE: Final = "python_version >= '3'"
_VERSION: Final = re.compile(r"3\.(\d+)(?:\.(\d+))?(t?)")
# os: os_name, sys_platform, platform_system, platform_release
_SYSTEMS: Final = {
    "linux": ("posix", "linux", "Linux", "6.1.0"),
    "android": ("posix", "android", "Android", "6.1.0"),
    "macos": ("posix", "darwin", "Darwin", "24.0.0"),
    "windows": ("nt", "win32", "Windows", "10"),
    "freebsd": ("posix", "freebsd14", "FreeBSD", "14.0"),
    "openbsd": ("posix", "openbsd7", "OpenBSD", "7.5"),
    "netbsd": ("posix", "netbsd10", "NetBSD", "10.0"),
    "sunos": ("posix", "sunos5", "SunOS", "5.11"),
    "aix": ("posix", "aix", "AIX", "7"),
}
_MACHINES: Final = {
    "macos": {"aarch64": "arm64"},
    "windows": {"x86_64": "AMD64", "i686": "x86", "aarch64": "ARM64"},
    "freebsd": {"x86_64": "amd64", "aarch64": "arm64", "i686": "i386"},
    "openbsd": {"x86_64": "amd64", "aarch64": "arm64", "i686": "i386"},
    "netbsd": {"x86_64": "amd64", "i686": "i386"},
    "linux": {"loongarch64": "loongarch64"},
}


def python_minor(target: Target) -> tuple[int, int]:
    """Python's (major, minor) version on the target. Raises `UsageError` if it has none."""
    minor, _, _ = _python(target)
    return 3, minor


def is_free_threaded(target: Target) -> bool:
    """Whether the target's Python is a build without the global lock (`py3.14t`)."""
    return _python(target)[2]


@functools.lru_cache(maxsize=64)
def environments(target: Target) -> tuple[Environment, ...]:
    """The marker environments of a target: one if it names a patch release, else two.

    Raises `UsageError` if it names no Python 3, or a system that markers have no words for.
    """
    minor, patch, _ = _python(target)
    if target.os not in _SYSTEMS:
        raise UsageError(f"Python packages cannot be chosen for {target}: unknown system")
    os_name, sys_platform, system, release = _SYSTEMS[target.os]
    patches = (0, LAST_PATCH) if patch is None else (patch,)
    return tuple(
        Environment(
            implementation_name="cpython",
            implementation_version=f"3.{minor}.{number}",
            os_name=os_name,
            platform_machine=_MACHINES.get(target.os, {}).get(target.cpu, target.cpu),
            platform_python_implementation="CPython",
            platform_release=release,
            platform_system=system,
            platform_version="",
            python_full_version=f"3.{minor}.{number}",
            python_version=f"3.{minor}",
            sys_platform=sys_platform,
        )
        for number in patches
    )


def parse_marker(text: str, where: str) -> Marker:
    """Read a marker. Raises `LockfileError`."""
    try:
        return Marker(text)
    except (ValueError, RecursionError) as error:  # also of numbers beyond measure
        reason = str(error).partition("\n")[0]
        raise LockfileError(f"not an environment marker: {reason}", where=where) from None


def holds(marker: Marker | None, target: Target, extras: Iterable[str] = ()) -> bool:
    """Whether a marker holds on the target, with any of the `extras` asked for.

    Raises `LockfileError` for a comparison that has no meaning.
    """
    if marker is None:
        return True
    wanted = ("", *extras)
    try:
        return any(
            marker.evaluate({**cast(Mapping[str, str], environment), "extra": extra})
            for environment in environments(target)
            for extra in wanted
        )
    except (UndefinedComparison, UndefinedEnvironmentName, ValueError) as error:
        raise LockfileError(f"the marker {str(marker)!r} cannot be judged: {error}") from None


def may_hold(marker: str, target: Target, where: str) -> bool:
    """Whether a marker holds on the target if all that it says of extras is taken as true.

    Markers have `and` and `or` but no `not`, so this can only let more in. Raises `LockfileError`.
    """
    return not marker or _judged(marker, target, where)


@functools.lru_cache(maxsize=1 << 16)
def _judged(marker: str, target: Target, where: str) -> bool:
    return holds(parse_marker(_EXTRA.sub(_TRUE, marker), where), target)


def without_groups(marker: str) -> str:
    """A marker with what it says of `dependency_groups` and `extras` (PEP 751) taken as true."""
    return _IN_GROUPS.sub(_TRUE, marker)


def targets_of(
    marker: Marker | None, targets: Sequence[Target], extras: Iterable[str] = ()
) -> tuple[Target, ...]:
    """Those of the targets that a marker holds on, in their order."""
    wanted = tuple(extras)
    return tuple(target for target in targets if holds(marker, target, wanted))


def _python(target: Target) -> tuple[int, int | None, bool]:
    """Minor version, patch release if named, and whether it is free-threaded."""
    text = target.runtime(RUNTIME)
    match = _VERSION.fullmatch(text or "")
    if match is None:
        raise UsageError(
            f"the target {target} names no version of Python 3",
            fix="Write it like linux-x86_64-gnu-py3.12.",
        )
    return int(match[1]), None if match[2] is None else int(match[2]), bool(match[3])
