"""Who reached for what: written by the listeners, read when the command has ended."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import field
from pathlib import Path, PurePath
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.redact import redact_url

_SHOWN_WORDS: Final = 4
_OPTION: Final = re.compile(r"-(?!m$)")  # `python -m pip` says what runs, others hide things


@dataclass(frozen=True, slots=True, order=True)
class Process:
    """A program, as far as it may be shown (no options: they can hold secrets), and its folder."""

    command: str
    folder: str


@dataclass(frozen=True, slots=True)
class Reached:
    """An address that was reached for: whole (`https://host/path`) or as far as it was seen.

    times: how often. by: who, as far as they were still there to be asked.
    """

    address: str
    times: int
    by: tuple[Process, ...]


@dataclass(slots=True)
class _Line:
    times: int = 0
    by: dict[Process, None] = field(default_factory=dict)


class Ledger:
    """What was reached for, in the order of the first time. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}
        self._asked: dict[str, _Line] = {}
        self._connected: set[str] = set()

    def asked(self, name: str, by: Process | None) -> None:
        """Somebody asked for the address of a name."""
        with self._lock:
            _add(self._asked, name, by)

    def connected(self, name: str, address: str, by: Process | None) -> None:
        """Somebody connected to an address.

        name: what they had asked for to get there, or a bare IP address.
        """
        with self._lock:
            self._connected.add(name)
            if by is None and name in self._asked:
                by = next(iter(self._asked[name].by), None)
            _add(self._lines, redact_url(address), by)

    def reached(self) -> tuple[Reached, ...]:
        """All of it; a name on its own only if nobody connected to it."""
        with self._lock:
            names = {n: a for n, a in self._asked.items() if n not in self._connected}
            return tuple(
                Reached(address, line.times, tuple(line.by))
                for address, line in [*self._lines.items(), *names.items()]
            )


def _add(lines: dict[str, _Line], key: str, by: Process | None) -> None:
    line = lines.setdefault(key, _Line())
    line.times += 1
    if by is not None:
        line.by[by] = None


def owner(table: str, port: int) -> Process | None:
    """The process that has this local port, by /proc; None if it is gone.

    table: `tcp` or `udp`; both families are looked at.
    """
    inodes = set(_inodes(table, port))
    if not inodes:
        return None
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                for number in Path(entry.path, "fd").iterdir():
                    if str(number.readlink()) in inodes:
                        return _process(Path(entry.path))
    return None


def _inodes(table: str, port: int) -> Iterator[str]:
    for family in (table, f"{table}6"):
        with contextlib.suppress(OSError), open(f"/proc/thread-self/net/{family}") as rows:
            for row in rows:
                fields = row.split()
                if fields[1].endswith(f":{port:04X}") and fields[9] != "0":
                    yield f"socket:[{fields[9]}]"


def _process(folder: Path) -> Process:
    words = (folder / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    return Process(command_shown(words), str((folder / "cwd").readlink()))


def command_shown(words: Sequence[str]) -> str:
    """A command line up to its first option, with names in place of paths."""
    shown: list[str] = []
    for word in words[:_SHOWN_WORDS]:
        if _OPTION.match(word) or "://" in word or "=" in word:
            break
        shown.append(PurePath(word).name or word)
    return " ".join(shown)
