"""RubyGems' platforms (`x86_64-linux-gnu`, `arm64-darwin-23`, `java`) and the targets they fit.

As `Gem::Platform` (RubyGems 3.7) reads and compares them: `x86_64-linux` fits any libc,
`-gnu` and `-musl` their own. A target knows no system version and no Ruby, so a gem for any
version of the system fits, and one too many may be chosen: what does not fit lies unused.
JRuby's gems (`java`) are chosen for no target, only for all.
"""

from __future__ import annotations

import re
from typing import Final

from vendorpack.formats.bundler.lockfile import RUBY
from vendorpack.model import Target

_PLATFORM: Final = re.compile(r"([a-z0-9_]+)-([a-z]+)(?:32|64)?(?:-?([a-z0-9_.]+))?", re.ASCII)
_X86: Final = re.compile(r"i\d86")
_SYSTEMS: Final = {
    "darwin": "macos",
    "mingw": "windows",
    "mswin": "windows",
    "solaris": "sunos",
}
_CPUS: Final = {
    "x86_64": ("x86_64", "x64", "amd64"),
    "aarch64": ("aarch64", "arm64"),
    "i686": ("x86",),
    "armv7l": ("arm", "armv7", "armv7l"),
    "ppc64le": ("powerpc64le", "ppc64le"),
}
_OWN_SYSTEM: Final = {"macos": "darwin", "windows": "mingw-ucrt"}
_OWN_CPU: Final = {("macos", "aarch64"): "arm64", ("windows", "x86_64"): "x64"}


def fits(platform: str, target: Target) -> bool:
    """Whether a gem for `platform` may be the one that is installed on `target`."""
    if platform == RUBY:
        return True
    match = _PLATFORM.fullmatch(platform.lower())
    if match is None:
        return False
    cpu, system, rest = match[1], match[2], match[3] or ""
    if _SYSTEMS.get(system, system) != target.os:
        return False
    if _X86.fullmatch(cpu):
        cpu = "x86"
    if cpu != "universal" and cpu not in _CPUS.get(target.cpu, (target.cpu,)):
        return False
    return target.os != "linux" or not rest or rest.startswith((target.libc, "eabi"))


def platform_of(target: Target) -> str:
    """What `bundle lock --add-platform` calls a target."""
    cpu = _OWN_CPU.get((target.os, target.cpu), target.cpu)
    if target.os == "linux":
        return f"{cpu}-linux-musl" if target.libc == "musl" else f"{cpu}-linux"
    return f"{cpu}-{_OWN_SYSTEM.get(target.os, target.os)}"
