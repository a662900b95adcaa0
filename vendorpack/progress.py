"""How a run is going: a bar with tqdm on a terminal; elsewhere a line a phase, and now and then."""

from __future__ import annotations

import time
from typing import Any, Final

from vendorpack.console import Console

_BEAT: Final = 20.0
"""Seconds; CI services end a job that says nothing for some minutes."""


class Progress:
    """One phase after another. Its methods are called from the main thread."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Any = None
        self._title = ""
        self._unit = ""
        self._bytes = 0
        self._done = 0
        self._started = 0.0
        self._shown = 0.0
        self._total = 0
        self._told = True

    def start(self, title: str, total: int, unit: str, *, told: bool = True) -> None:
        """Begin a phase of `total` units ("artifact", or "byte"); ends the one before.

        told: whether a log gets a line when it ends.
        """
        self.finish()
        self._title, self._unit, self._total, self._told = title, unit, total, told
        scaled = unit == "byte"
        self._bytes = self._done = 0
        self._started = self._shown = time.monotonic()
        if self._console.interactive and not self._console.quiet:
            from tqdm import tqdm  # noqa: PLC0415 - only a terminal needs it

            tqdm.monitor_interval = 0  # a thread of its own would keep unpacking from forking
            self._bar = tqdm(
                total=total,
                desc=title,
                unit="B" if scaled else f" {unit}s",
                unit_scale=scaled,
                file=self._console.err,
                leave=False,
                dynamic_ncols=True,
                disable=None,
            )

    def add_bytes(self, count: int) -> None:
        """So many bytes went by."""
        self._bytes += count
        now = time.monotonic()
        if self._bar is not None and self._unit == "byte":
            self._bar.update(count)
        elif self._bar is not None and now - self._shown > 0.1:
            self._shown = now
            rate = self._bytes / max(now - self._started, 1e-6)
            self._bar.set_postfix_str(f"{human(self._bytes)}, {human(rate)}/s")
        self._beat(now)

    def done(self, count: int = 1) -> None:
        """So many units are finished."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        self._beat(time.monotonic())

    def tick(self) -> None:
        """To be called now and then where nothing happens: whoever listens may give up on us."""
        self._beat(time.monotonic())

    def _beat(self, now: float) -> None:
        """Where no bar shows it, say from time to time that it goes on."""
        if not self._title or self._bar is not None or now - self._shown < _BEAT:
            return
        self._shown = now
        if self._unit == "byte":
            so_far = f"{human(self._bytes)} of {human(self._total)}, "
        else:
            size = f"{human(self._bytes)}, " if self._bytes else ""
            so_far = f"{self._done} of {self._total} {self._unit}s, {size}"
        self._console.say(f"{self._title}: {so_far}{now - self._started:.0f} s so far")

    def finish(self) -> None:
        """End the phase; a log gets its one line."""
        if not self._title:
            return
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        elif self._done and self._told:
            seconds = time.monotonic() - self._started
            count = counted(self._done, self._unit)
            size = f", {human(self._bytes)}" if self._bytes else ""
            self._console.say(f"{self._title}: {count}{size} in {seconds:.1f} s")
        self._title = ""


def counted(number: int, noun: str) -> str:
    """1 file, 2 files."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def human(size: float) -> str:
    """Bytes for people: 1.5 MB (decimal units, as disks and registries count)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
