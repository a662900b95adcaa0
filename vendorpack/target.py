"""Targets: read from the command line, printed, and detected on this machine.

A target is `<os>-<cpu>[-<libc>][-<runtime><version>…]`, such as `linux-x86_64-gnu`,
`linux-aarch64-musl-py3.12`, `macos-aarch64`, `windows-x86_64-py3.13`. The version of the libc, or
of macOS, may follow its name: `linux-x86_64-gnu2.36`, `macos14-aarch64`. Common other names of
the parts (darwin, arm64, amd64, x64, glibc …) are understood and printed in the one form.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from typing import Final

from vendorpack.errors import UsageError
from vendorpack.model import Target

_OS: Final = {
    "linux": "linux",
    "macos": "macos",
    "darwin": "macos",
    "osx": "macos",
    "windows": "windows",
    "win32": "windows",
    "win": "windows",
    "freebsd": "freebsd",
    "openbsd": "openbsd",
    "netbsd": "netbsd",
    "sunos": "sunos",
    "aix": "aix",
    "android": "android",
}
_CPU: Final = {
    "x86_64": "x86_64",
    "x64": "x86_64",
    "amd64": "x86_64",
    "aarch64": "aarch64",
    "arm64": "aarch64",
    "i686": "i686",
    "i386": "i686",
    "x86": "i686",
    "ia32": "i686",
    "armv7l": "armv7l",
    "arm": "armv7l",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "loong64": "loong64",
    "loongarch64": "loong64",
}
_LIBC: Final = {"gnu": "gnu", "glibc": "gnu", "musl": "musl"}
_RELEASE: Final = {"gnu": r"2\.\d{1,3}", "musl": r"1\.\d{1,3}", "macos": r"[1-9]\d(?:\.\d{1,2})?"}
_VERSIONED: Final = re.compile(r"([a-z]+)(\d[\d.]*)?")
_RUNTIME: Final = re.compile(r"([a-z]+?)(\d+(?:\.\d+)*t?)")


def parse_target(text: str) -> Target:
    """Read a target. Raises `UsageError` that names the part which is not understood."""
    parts = text.strip().lower().split("-")
    system, release = _with_release(parts[0], _OS)
    cpu = _CPU.get(parts[1]) if len(parts) > 1 else None
    if system is None or cpu is None:
        raise _bad(text, f"{parts[0]!r} is no system" if system is None else "the CPU is missing")
    if release and system != "macos":
        raise _bad(text, f"{system} has no version here")
    rest = parts[2:]
    libc = ""
    found, version = _with_release(rest[0], _LIBC) if rest else (None, "")
    if found is not None:
        libc, release = found, version
        rest.pop(0)
    if system == "linux":
        libc = libc or "gnu"
    elif libc:
        raise _bad(text, f"{system} has no choice of libc")
    runtimes = []
    for part in rest:
        match = _RUNTIME.fullmatch(part)
        if match is None:
            raise _bad(text, f"{part!r} is neither a libc nor a runtime")
        runtimes.append((match[1], match[2]))
    if release and not re.fullmatch(_RELEASE.get(libc or system, ""), release):
        raise _bad(text, f"{release!r} is no version of {libc or system}")
    return Target(system, cpu, libc, tuple(sorted(runtimes)), release)


def _with_release(part: str, names: Mapping[str, str]) -> tuple[str | None, str]:
    """A name in its one form, None if it is not known, and the version behind it."""
    if part in names:
        return names[part], ""
    match = _VERSIONED.fullmatch(part)
    return (names.get(match[1]), match[2] or "") if match else (None, "")


def this_machine() -> Target:
    """The target this process runs on, without runtimes."""
    system = _OS.get(platform.system().lower(), platform.system().lower())
    cpu = _CPU.get(platform.machine().lower(), platform.machine().lower())
    return Target(system, cpu, _libc() if system == "linux" else "")


def this_python() -> tuple[str, str]:
    """The runtime of the interpreter this process runs in: ("py", "3.12")."""
    return ("py", f"{sys.version_info.major}.{sys.version_info.minor}")


def _libc() -> str:
    # musl knows the name too, and has no value for it.
    try:
        version = os.confstr("CS_GNU_LIBC_VERSION")
    except (AttributeError, ValueError, OSError):
        version = None
    return "gnu" if version else "musl"


def _bad(text: str, why: str) -> UsageError:
    return UsageError(
        f"{text!r} is not a target: {why}",
        fix="Write <os>-<cpu>[-<libc>][-py<version>], such as linux-x86_64-gnu, "
        "linux-x86_64-gnu2.36-py3.12 or macos14-aarch64-py3.12.",
    )
