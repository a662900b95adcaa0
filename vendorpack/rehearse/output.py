"""What a command writes, passed on as it comes, and its end kept.

A client that is kept offline asks for nothing, and says itself what it lacks.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_CHUNK: Final = 1 << 16
_KEPT: Final = 1 << 20
"""Bytes of its end that are kept."""
_TIMEOUT: Final = 5.0
"""Seconds for what is written already to be read."""


class Output:
    """Standard output and error of one command; what it wrote is in `text` afterwards."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept = bytearray()

    @property
    def text(self) -> str:
        """The end of all that was written to either, with line feeds alone."""
        with self._lock:
            return self._kept.decode("utf-8", "replace").replace("\r\n", "\n")

    @contextmanager
    def passed_on(self, out: int, err: int) -> Iterator[tuple[int, int]]:
        """Descriptors for the command, from which all goes on to `out` and `err`.

        A terminal stays one for the command. What has the same file has the same descriptor, so
        that the order stays as it is.
        """
        channels = [self._channel(out)]
        if not os.path.sameopenfile(out, err):
            channels.append(self._channel(err))
        ends = [end for end, _ in channels]
        try:
            yield ends[0], ends[-1]
        finally:
            for end in ends:
                os.close(end)
            for _, thread in channels:
                thread.join(_TIMEOUT)

    def _channel(self, to: int) -> tuple[int, threading.Thread]:
        if os.isatty(to):
            ours, theirs = pty.openpty()
            tty.setraw(theirs)
            size = fcntl.ioctl(to, termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
        else:
            ours, theirs = os.pipe()
        thread = threading.Thread(target=self._pass_on, args=(ours, to), daemon=True)
        thread.start()
        return theirs, thread

    def _pass_on(self, ours: int, to: int) -> None:
        with contextlib.suppress(OSError):  # a terminal ends with an error
            while data := os.read(ours, _CHUNK):
                with self._lock:
                    self._kept += data
                    del self._kept[:-_KEPT]
                while data:
                    data = data[os.write(to, data) :]
        os.close(ours)
