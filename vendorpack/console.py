"""All that vendorpack prints. Answers go to standard output, everything else to standard error.

Names and messages come from lockfiles and servers, so one function, `plain`, escapes what is not
printable in all of it: nothing that is printed can move the cursor, lie about its order or hide,
nor be taken for an order by the CI service that reads along.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from vendorpack.errors import StoreError, VendorpackError
from vendorpack.redact import redact_text
from vendorpack.streams import ClosedStream

_ORDER = re.compile(r"^(\s*):(?=:)|#(?=#\w*\[)", re.MULTILINE)
"""What begins an order to GitHub (`::error …`) or Azure Pipelines (`##vso[…]`)."""

_WIDEST = 32
"""Columns of a terminal that a column of a table takes, but for longer cells."""


def plain(text: str) -> str:
    """The text with every character that is not printable written as an escape; lines are kept."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c in "\n\t" else _escape(c) for c in text)
    return _ORDER.sub(
        lambda match: match[1] + _escape(":") if match[1] is not None else _escape("#"), text
    )


def _width(text: str) -> int:
    """How many columns of a terminal printable text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _escape(character: str) -> str:
    escaped = character.encode("unicode_escape").decode()
    return escaped if escaped != character else f"\\x{ord(character):02x}"


class Console:
    """Where messages go, and how many of them."""

    def __init__(
        self,
        *,
        out: TextIO | None = None,
        err: TextIO | None = None,
        quiet: bool = False,
        verbose: bool = False,
        as_json: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self.quiet = quiet
        self.verbose = verbose
        self.as_json = as_json
        environ = os.environ if environ is None else environ
        self.interactive = self.err.isatty() and environ.get("TERM") != "dumb"
        self._colour = self.interactive and not environ.get("NO_COLOR")  # as no-color.org has it

    def answer(self, text: str) -> None:
        """The one thing that was asked for, to standard output."""
        self._out(plain(text))

    def report(self, text: str) -> None:
        """The name of what was made, to standard output; it is made, whoever wants to know."""
        if not isinstance(self.out, ClosedStream):
            self.answer(text)

    def answer_table(self, rows: Sequence[Sequence[str]]) -> None:
        """The answer in columns; all rows have as many cells.

        A cell is shown whole, however long it is: then its row alone is longer.
        """
        shown = [[plain(cell) for cell in row] for row in rows]
        widths = [
            max((width for width in map(_width, column) if width <= _WIDEST), default=0)
            for column in zip(*shown, strict=True)
        ]
        for row in shown:
            padded = (
                cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
            )
            self.answer("  ".join(padded).rstrip())

    def answer_lines(self, lines: Iterable[str]) -> None:
        """The answer for another program: the very characters in UTF-8, unless people read it."""
        if self.out.isatty():
            for line in lines:
                self.answer(line)
            return
        if isinstance(self.out, io.TextIOWrapper):
            self.out.reconfigure(encoding="utf-8")
        self._out("\n".join(lines))

    def answer_json(self, value: Any) -> None:
        """The answer for machines."""
        self._out(json.dumps(value, indent=2, sort_keys=True))

    def answer_json_lines(self, values: Iterable[Any]) -> None:
        """The same with a value a line."""
        for value in values:
            self._out(json.dumps(value, sort_keys=True, separators=(",", ":")))

    def say(self, text: str) -> None:
        """A line on how it goes; not with --quiet."""
        if not self.quiet:
            self._err(plain(redact_text(text)))

    def detail(self, text: str) -> None:
        """A line on each single thing; only with --verbose."""
        if self.verbose:
            self.say(text)

    def warn(self, what: str, where: str = "") -> None:
        """Something to know; shown even with --quiet."""
        text = redact_text(f"{where}: {what}" if where else what)
        self._err(self._paint("33", "warning: ") + plain(text))

    def fail(self, error: VendorpackError) -> None:
        """What, where, what to do: a line (or more) each."""
        if self.as_json:
            fields = {"error": error.what, "where": error.where, "fix": error.fix}
            cleaned = {k: redact_text(v) for k, v in fields.items() if v}
            with contextlib.suppress(StoreError):  # standard error still has it
                self._out(json.dumps({**cleaned, "exit_code": error.exit_code}))
        self._err(self._paint("31;1", "error: ") + _one_line(error.what))
        for part in (error.where, error.fix):
            for line in (part or "").splitlines():
                self._err("  " + _one_line(line))

    def _out(self, text: str) -> None:
        try:
            self.out.write(text + "\n")
            self.out.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StoreError(
                f"the answer cannot be written: {error.strerror}",
                fix="Send standard output to a file with room for it, or to a program.",
            ) from None

    def _err(self, text: str) -> None:
        if self.interactive:
            text = "\r\x1b[K" + text  # there may be a progress bar in this line
        with contextlib.suppress(OSError):  # that nobody hears of it is no reason to stop
            self.err.write(text + "\n")
            self.err.flush()

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def _one_line(text: str) -> str:
    return plain(redact_text(text)).replace("\n", "\\n")
