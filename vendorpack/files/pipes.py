"""Streams where a file is expected: `-`, a pipe, a fifo, a device, `/dev/stdout`.

A bundle appears whole or not at all, and is read from its end; a stream can do neither. So
what is meant for a stream is made as a file first and then copied to it, and what comes from
one is copied to a file without a name. Nothing that is no regular file is ever replaced.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vendorpack.errors import UsageError
from vendorpack.files import temporary
from vendorpack.files.disk import real_path, storage_error
from vendorpack.streams import ClosedStream

STANDARD: Final = Path("-")
"""Standard input, or standard output."""
_STDIN, _STDOUT = 0, 1
_DESCRIPTORS: Final = re.compile(r"/dev/fd|/proc/(?:self|[0-9]+)(?:/task/[0-9]+)?/fd")
_MAX_LINKS: Final = 40
_COPY: Final = 1 << 20


# -- output ----------------------------------------------------------------------------------


def is_stdout(path: Path) -> bool:
    """Whether an output is standard output, so that messages have to go elsewhere."""
    return path == STANDARD or _descriptor(path) == _STDOUT


def is_stream(path: Path) -> bool:
    """Whether an output is written to as it is, and not replaced by a file."""
    if path == STANDARD or _descriptor(path) is not None:
        return True
    mode = _mode(path)
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def check_output(path: Path) -> None:
    """Refuse an output that is neither a file, a new name nor a stream.

    To be asked before anything is downloaded. Raises `UsageError`.
    """
    mode = _mode(path)
    if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
        kind = "disk" if stat.S_ISBLK(mode) else "socket"
        raise UsageError(
            f"the output is a {kind}", where=str(path), fix="Name a file, or - for a pipe."
        )
    if not is_stream(path):
        return
    if is_stdout(path) and isinstance(sys.stdout, ClosedStream):
        raise UsageError("standard output is closed", where=str(path))
    try:
        # A fifo would wait for its reader here; what it is was seen already.
        descriptor = None if stat.S_ISFIFO(mode) else _open(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"the output cannot be written: {reason}", where=str(path)) from None
    if descriptor is None:
        return
    try:
        if os.isatty(descriptor):
            raise UsageError(
                "a bundle is not written to a terminal",
                where=str(path),
                fix="Send it down a pipe, as in `vendorpack pack -o - | ssh HOST vendorpack "
                "unpack -`, or name a file.",
            )
    finally:
        os.close(descriptor)


@contextmanager
def placed(output: Path, name: str) -> Iterator[Path]:
    """Where to write what is meant for `output`: it is there when the block ends well.

    For a file or a new name that is the file itself, links followed. For a stream it is a file
    called `name` in a temporary folder, which is copied to the stream. Raises `StoreError`;
    `BrokenPipeError` if nobody reads any more.
    """
    if not is_stream(output):
        yield real_path(output) if output.is_symlink() else output
        return
    holder = Path(tempfile.gettempdir())
    try:
        temporary.sweep(holder, name)
        folder, lock = temporary.create_folder(holder, name)
    except OSError as error:
        raise storage_error(error, holder) from None
    try:
        yield folder / name
        with (folder / name).open("rb") as source:
            _pour(source.fileno(), output)
    finally:
        temporary.remove(folder)
        os.close(lock)


def write_small(output: Path, content: bytes) -> None:
    """Write what is no bundle, and small, as `placed` has it. Raises `StoreError`."""
    with placed(output, "content") as place:
        try:
            temporary.write_file(place, content)
        except OSError as error:
            raise storage_error(error, output) from None


def _pour(source: int, output: Path) -> None:
    try:
        descriptor = _open(output)
        with open(descriptor, "wb") as stream, open(source, "rb", closefd=False) as file:
            os.set_blocking(descriptor, True)
            shutil.copyfileobj(file, stream, _COPY)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise storage_error(error, output) from None


def _open(output: Path) -> int:
    """A stream, open for writing. One that is open already is the same one, at its position."""
    number = _STDOUT if output == STANDARD else _descriptor(output)
    if number is not None:
        return os.dup(number)
    return os.open(output, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)


def _mode(path: Path) -> int:
    """The kind of what a path leads to; 0 if there is nothing yet."""
    if path == STANDARD:
        return 0
    try:
        return path.stat().st_mode
    except OSError:
        return 0  # what is wrong with it, writing will tell


def _descriptor(path: Path) -> int | None:
    """The number of this process's open file that a path leads to, as /dev/stdout does to 1."""
    for _ in range(_MAX_LINKS):
        if path.name.isdecimal() and _DESCRIPTORS.fullmatch(str(path.parent)):
            return int(path.name) if _is_own(path.parent) else None
        try:
            path = path.parent / path.readlink()
        except OSError:
            return None
    return None


def _is_own(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return folder.samefile("/dev/fd")
    return False


# -- input -----------------------------------------------------------------------------------


def read_text(path: Path, what: str) -> str:
    """A text file, or standard input. what: for the error. Raises `UsageError`."""
    try:
        return sys.stdin.read() if path == STANDARD else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the {what}: {error}", where=str(path)) from None


def open_input(path: Path) -> int | None:
    """The whole of a stream, as a file without a name, open for reading. None: it is no stream.

    The file is gone with the last process that has it open. Raises `OSError`, `StoreError`,
    `UsageError`.
    """
    if path == STANDARD:
        source = os.dup(_STDIN)
        if os.isatty(source):
            os.close(source)
            raise UsageError(
                "a bundle is not read from a terminal",
                fix="Send one down a pipe, as in `curl URL | vendorpack unpack -`, or name a file.",
            )
    elif stat.S_ISFIFO(_mode(path)):
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    else:
        return None
    if stat.S_ISREG(os.fstat(source).st_mode) and not os.lseek(source, 0, os.SEEK_CUR):
        return source
    try:
        with open(source, "rb") as stream, tempfile.TemporaryFile() as file:
            shutil.copyfileobj(stream, file, _COPY)
            file.flush()
            return os.dup(file.fileno())
    except OSError as error:
        raise storage_error(error, Path(tempfile.gettempdir())) from None
