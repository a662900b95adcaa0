"""All that vendorpack prints. Answers go to standard output, everything else to standard error.

Names and messages come from lockfiles and servers, so one function, `plain`, escapes control
and direction characters in all of it: nothing that is printed can move the cursor or lie
about its order.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from vendorpack.errors import VendorpackError
from vendorpack.redact import redact_text

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def plain(text: str) -> str:
    """The text with every control, direction and broken character written as an escape."""
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class Console:
    """Where messages go, and how many of them."""

    def __init__(
        self,
        *,
        out: TextIO | None = None,
        err: TextIO | None = None,
        quiet: bool = False,
        as_json: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.quiet = quiet
        self.as_json = as_json
        environ = os.environ if environ is None else environ
        self.interactive = self.err.isatty() and environ.get("TERM") != "dumb"
        self._colour = self.interactive and "NO_COLOR" not in environ

    def answer(self, text: str) -> None:
        """The one thing that was asked for, to standard output."""
        self.out.write(plain(text) + "\n")
        self.out.flush()

    def answer_table(self, rows: Sequence[Sequence[str]]) -> None:
        """The answer in columns; all rows have as many cells."""
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            self.answer("  ".join(map(str.ljust, row, widths)).rstrip())

    def answer_json(self, value: Any) -> None:
        """The answer for machines."""
        self.out.write(json.dumps(value, indent=2, sort_keys=True) + "\n")
        self.out.flush()

    def say(self, text: str) -> None:
        """A line on how it goes; not with --quiet."""
        if not self.quiet:
            self._err(plain(text))

    def warn(self, what: str, where: str = "") -> None:
        """Something to know; shown even with --quiet."""
        self._err(self._paint("33", "warning: ") + plain(f"{where}: {what}" if where else what))

    def fail(self, error: VendorpackError) -> None:
        """What, where, what to do: a line (or more) each."""
        if self.as_json:
            fields = {"error": error.what, "where": error.where, "fix": error.fix}
            cleaned = {k: redact_text(v) for k, v in fields.items() if v}
            self.out.write(json.dumps({**cleaned, "exit_code": error.exit_code}) + "\n")
        self._err(self._paint("31;1", "error: ") + plain(redact_text(error.what)))
        for part in (error.where, error.fix):
            for line in (part or "").splitlines():
                self._err("  " + plain(redact_text(line)))

    def _err(self, text: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.err.write(text + "\n")
            self.err.flush()

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text
