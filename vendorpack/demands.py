"""What an install from a bundle needs of its machine: said by the rooms, looked for by `doctor`.

A room derives these from a manifest alone, so they are true wherever the bundle has come to. They
are data: the engine looks on the machine, and says of each that it is there or how to get by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from vendorpack.dataclass import dataclass
from vendorpack.errors import UsageError

Record: TypeAlias = Mapping[str, object]
"""An artifact as the manifest has it."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A bundle, as far as one room is concerned.

    artifacts: the room's. paths: of all files. options: of each of its lockfiles, what was asked.
    """

    artifacts: Sequence[Record]
    paths: Sequence[str]
    options: Sequence[Mapping[str, object]] = ()

    def has(self, prefix: str) -> bool:
        """Whether a path begins so."""
        return any(path.startswith(prefix) for path in self.paths)

    def files(self) -> list[tuple[str, str]]:
        """Name and version of each artifact, and the file name that its address ends with."""
        found = []
        for one in self.artifacts:
            url = str(one.get("url") or "").partition("#")[0].partition("?")[0]
            label = f"{one.get('name')} {one.get('version')}"
            found.append((label, url.rstrip("/").rpartition("/")[2]))
        return found


@dataclass(frozen=True, slots=True)
class Client:
    """A program that the bundle serves, in some of its versions.

    programs: names it may have on PATH, of which one is enough. ranges: versions served, each
    (from, up to but not including), empty where there is no end; none: all. seen: versions that
    were tried, for people. otherwise: what to do where there is no such version. arguments: make
    it say its version; environ: so that it does nothing else.
    """

    programs: tuple[str, ...]
    ranges: tuple[tuple[str, str], ...] = ()
    why: str = ""
    seen: str = ""
    otherwise: str = ""
    arguments: tuple[str, ...] = ("--version",)
    environ: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that an install starts, whatever its version. any_of: one is enough.

    is_sure: whether it is known to be needed. why: for what. otherwise: what to do without.
    """

    any_of: tuple[str, ...]
    why: str
    otherwise: str
    is_sure: bool = True


@dataclass(frozen=True, slots=True)
class Library:
    """A library of the system that something is compiled against, with its headers.

    headers: paths that one of them may have below a folder of headers, of which one is enough. They
    may lie where nobody looks, so only the install tells. why: for what. otherwise: what to do
    without.
    """

    headers: tuple[str, ...]
    why: str
    otherwise: str


@dataclass(frozen=True, slots=True)
class Glibc:
    """The oldest glibc that the bundle's files run with, on machines with this CPU."""

    at_least: str
    cpu: str
    why: str
    otherwise: str


@dataclass(frozen=True, slots=True)
class Trap:
    """A setting that has its way over the bundle's environment.

    file: relative to the project's folder, or `~/…`; empty for a variable. name: the variable's.
    pattern: of a line (regular expression) or of the variable's value that gets in the way.
    otherwise: what to do about it.
    """

    file: str
    pattern: str
    why: str
    otherwise: str
    name: str = ""


Demand: TypeAlias = "Client | Tool | Library | Glibc | Trap"


def version_of(text: str) -> tuple[int, ...]:
    """The numbers of a version, as far as it has any. Raises `UsageError` if it has none."""
    numbers = []
    for part in text.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    if not numbers:
        raise UsageError(f"{text!r} is no version")
    return tuple(numbers)


def served(version: str, ranges: Sequence[tuple[str, str]]) -> bool:
    """Whether a version is in one of the ranges; in none, all are served."""
    found = version_of(version)
    return not ranges or any(
        (not low or found >= version_of(low)) and (not high or found < version_of(high))
        for low, high in ranges
    )
