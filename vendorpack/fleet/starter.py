"""A process that has everything imported, and becomes one command after another.

To start Python and import what packing takes costs more than to pack a small project. So this does
it once: a line of JSON names a command's words and the files for its output; a fork, which is the
command from then on, runs it; a line with its exit code is the answer.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final, NoReturn

_TAKEN: Final = (
    "vendorpack.cli.packing",
    "vendorpack.cli.sharing",
    "vendorpack.commands.packing",
    "vendorpack.commands.planning",
    "vendorpack.commands.pushing",
    "vendorpack.fetch.artifacts",
    "vendorpack.fetch.http",
    "vendorpack.store.team",
)
"""What a pack and a push import, but for the rooms."""


def serve() -> None:
    """Run what is asked for on standard input, until that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command's to answer
    for name in _TAKEN:
        importlib.import_module(name)
    for line in sys.stdin:
        words, out, err = json.loads(line)
        pid = os.fork()
        if not pid:
            _become(words, out, err)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        sys.stdout.write(f"{status}\n")
        sys.stdout.flush()


def _become(words: Sequence[str], out: str, err: str) -> NoReturn:
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, path in ((0, os.devnull), (1, out), (2, err)):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.dup2(descriptor, number)
            os.close(descriptor)
        from vendorpack.__main__ import main  # noqa: PLC0415 - it is what the fork is

        sys.argv = ["vendorpack", *words]
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
