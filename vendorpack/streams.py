"""Standard streams that can always be written to: closed ones, and ones that speak only ASCII.

A descriptor 0, 1 or 2 that was closed goes to the next file that is opened: a child's messages
would end up in the middle of a bundle. So all three are filled before anything else happens.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import TextIO


class ClosedStream(io.StringIO):
    """In place of a standard stream that was closed when we began: nothing can be written."""

    def write(self, text: str, /) -> int:
        """Raise `OSError`, as writing to a closed descriptor does."""
        raise OSError(errno.EBADF, "standard output is closed")


def prepare() -> None:
    """Fill what is closed, and let no character be impossible to write."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    if sys.stdout is None:
        sys.stdout = ClosedStream()
    if sys.stderr is None:
        sys.stderr = ClosedStream()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def let_go(stream: TextIO) -> None:
    """Take what is still to be written to nowhere if it cannot be written.

    Python would try once more at its end, complain, and change the exit code.
    """
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
