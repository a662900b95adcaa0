"""`python -m vendorpack` and the console script."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from types import FrameType

_NOT_HERE = """\
error: vendorpack does not run on Windows yet
  Run it in WSL, in a Linux container or on a CI runner with Linux or macOS: it packs for Windows \
there (--target windows-x86_64).
"""
_NEW_OBJECTS = 50_000
"""Made before Python looks for cycles among them."""
_NO_MEMORY = """\
error: there is too little memory to begin with
  Give it more: a limit of some kind (ulimit -v, a container's) is lower than Python needs.
"""


def main() -> None:
    """Run the command line. SIGTERM ends a run as Ctrl-C does: cleanly, and resumable."""
    if not _is_posix():
        sys.stderr.write(_NOT_HERE)
        sys.exit(2)
    _speak_utf8()
    from vendorpack import streams  # noqa: PLC0415 - as little as can be before this

    streams.prepare()
    # Nearly all objects live as long as the run: they would be walked again and again for nothing.
    gc.set_threshold(_NEW_OBJECTS)
    if "VENDORPACK_DEBUG" not in os.environ:
        _hush()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            raise KeyboardInterrupt  # a script's job in the background, where Ctrl-C is not meant
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, interrupt)
    try:
        try:
            from vendorpack.cli.guard import carried_out  # noqa: PLC0415 - imports take a while
            from vendorpack.console import Console  # noqa: PLC0415
        except (MemoryError, SystemError, ImportError, OSError) as error:
            if not _is_of_memory(error):
                raise
            sys.stderr.write(_NO_MEMORY)
            sys.exit(9)
        sys.exit(carried_out(_run, Console()))
    finally:
        streams.let_go(sys.stdout)
        streams.let_go(sys.stderr)


def _is_of_memory(error: BaseException) -> bool:
    if isinstance(error, ImportError):
        return "failed to map segment" in str(error)
    return not isinstance(error, OSError) or error.errno == errno.ENOMEM


def _run() -> None:
    from vendorpack.cli import app  # noqa: PLC0415
    from vendorpack.cli.guard import misuse  # noqa: PLC0415
    from vendorpack.console import Console  # noqa: PLC0415

    try:
        code = app(prog_name="vendorpack", standalone_mode=False)
    except Exception as error:
        problem = misuse(error)
        if problem is None:
            raise
        words = sys.argv[: sys.argv.index("--")] if "--" in sys.argv else sys.argv
        Console(as_json="--json" in words).fail(problem)
        code = problem.exit_code
    sys.exit(code or 0)


def _hush() -> None:
    """Keep Python's own remarks on what failed at an end from standing around our error."""
    import threading  # noqa: PLC0415
    import warnings  # noqa: PLC0415

    sys.unraisablehook = lambda _: None
    threading.excepthook = lambda _: None
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _is_posix() -> bool:
    """Whether there are the locks, and all else of POSIX, that nothing here works without."""
    try:
        import fcntl  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def _speak_utf8() -> None:
    """Start again where Python takes file names for something other than UTF-8.

    Paths in a bundle are UTF-8 whatever the locale is; in some they could not be written at all.
    """
    if sys.getfilesystemencoding() != "utf-8" and not getattr(sys, "frozen", False):
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606


if __name__ == "__main__":
    main()
