"""`python -m vendorpack` and the console script."""

from __future__ import annotations

import signal
from types import FrameType


def main() -> None:
    """Run the command line. SIGTERM ends a run as Ctrl-C does: cleanly, and resumable."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            raise KeyboardInterrupt  # a script's job in the background, where Ctrl-C is not meant
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, interrupt)
    from vendorpack.cli import app  # noqa: PLC0415 - after the handler: imports take a while

    app(prog_name="vendorpack")


if __name__ == "__main__":
    main()
