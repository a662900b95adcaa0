"""The platforms that a dependency is for: `[target.'cfg(…)'.dependencies]` and targets.

A condition is a `cfg(…)` expression over what `rustc --print cfg` says of a platform, or a
platform's own name (`x86_64-pc-windows-gnu`). Of a target some of that is known (its system, CPU
and libc), and some is not: its features, the flags it is built with, which of Windows' C
libraries is meant. What is not known may hold: nothing that might be needed is ruled out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from vendorpack.model import Target

_TOKEN: Final = re.compile(r'\s*(?:(r#)?([A-Za-z_]\w*)|"([^"\\]*)"|([(),=]))')
_MAX_DEPTH: Final = 64

_UNIX: Final = frozenset(
    {"linux", "macos", "freebsd", "openbsd", "netbsd", "sunos", "aix", "android"}
)
_OTHER_OS_NAMES: Final = {"sunos": ("solaris", "illumos")}
_WORDS_OF_OS: Final = {
    "macos": ("darwin", "macos"),
    "sunos": ("solaris", "illumos"),
}
_ARCHES: Final = {
    "i686": "x86",
    "armv7l": "arm",
    "ppc64le": "powerpc64",
    "loong64": "loongarch64",
}
_NAMES_OF_CPU: Final = {
    "i686": ("i386", "i586", "i686"),
    "armv7l": ("arm", "thumb"),
    "ppc64le": ("powerpc64le",),
    "loong64": ("loongarch64",),
    "riscv64": ("riscv64",),
}
_NARROW: Final = frozenset({"i686", "armv7l"})
_BIG_ENDIAN: Final = frozenset({"s390x"})


def may_apply(condition: str | None, target: Target) -> bool:
    """Whether a dependency with this condition may be wanted on a target; None: on each."""
    if condition is None:
        return True
    if not condition.startswith("cfg("):
        return _names(condition, target)
    return _Expression(condition, _facts(target)).holds() is not False


def _facts(target: Target) -> Mapping[str, frozenset[str]]:
    """What a target is known to be: by key the values that it may have."""
    family = "unix" if target.os in _UNIX else target.os
    env = {"linux": (target.libc,), "windows": ("msvc", "gnu")}.get(target.os, ("",))
    values = {
        "target_os": _OTHER_OS_NAMES.get(target.os, (target.os,)),
        "target_family": (family,),
        "target_arch": (_ARCHES.get(target.cpu, target.cpu),),
        "target_env": env,
        "target_pointer_width": ("32" if target.cpu in _NARROW else "64",),
        "target_endian": ("big" if target.cpu in _BIG_ENDIAN else "little",),
    }
    return {key: frozenset(found) for key, found in values.items()}


def _names(platform: str, target: Target) -> bool:
    """Whether a platform's name may be the target's."""
    cpu, _, rest = platform.partition("-")
    words = rest.split("-")
    if not cpu.startswith(_NAMES_OF_CPU.get(target.cpu, (target.cpu,))):
        return False
    systems = _WORDS_OF_OS.get(target.os, (target.os,))
    if not any(word.startswith(systems) for word in words):
        return False
    return target.os != "linux" or words[-1].startswith(target.libc)


class _Expression:
    """A `cfg(…)` expression: true, false, or None where that cannot be told."""

    def __init__(self, text: str, facts: Mapping[str, frozenset[str]]) -> None:
        self._facts = facts
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while match := _TOKEN.match(text, position):
            kind = "name" if match[2] else "mark" if match[4] else "text"
            self._tokens.append((kind, match[2] or match[4] or match[3]))
            position = match.end()
        self._is_whole = not text[position:].strip()
        self._next = 0

    def holds(self) -> bool | None:
        """What `cfg(…)` comes to; None too for what is no such expression."""
        try:
            found = self._predicate(0)
        except (IndexError, ValueError):
            return None
        return found if self._is_whole and self._next == len(self._tokens) else None

    def _take(self, kind: str, text: str | None = None) -> str:
        found = self._tokens[self._next]
        if found[0] != kind or text not in (None, found[1]):
            raise ValueError(f"{found[1]!r} where there is none")
        self._next += 1
        return found[1]

    def _peek(self) -> tuple[str, str] | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _predicate(self, depth: int) -> bool | None:
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
        name = self._take("name")
        if self._peek() == ("mark", "("):
            return self._combined(name, self._arguments(depth))
        if self._peek() == ("mark", "="):
            self._take("mark")
            known = self._facts.get(name)
            value = self._take("text")
            if known is None:
                return None
            return False if value not in known else True if len(known) == 1 else None
        if name in ("unix", "windows"):
            return name in self._facts["target_family"]
        return {"true": True, "false": False}.get(name)

    def _arguments(self, depth: int) -> list[bool | None]:
        self._take("mark", "(")
        found = []
        while self._peek() != ("mark", ")"):
            found.append(self._predicate(depth + 1))
            if self._peek() != ("mark", ")"):
                self._take("mark", ",")
        self._take("mark", ")")
        return found

    def _combined(self, name: str, values: list[bool | None]) -> bool | None:
        if name == "any":
            return True if True in values else None if None in values else False
        if name == "all":
            return False if False in values else None if None in values else True
        if name not in ("cfg", "not") or len(values) != 1:
            raise ValueError(f"{name!r} is no operator")
        (value,) = values
        return value if name == "cfg" or value is None else not value
