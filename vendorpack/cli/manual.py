"""The manual page: made of the command line's own help, so that it cannot say anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from vendorpack import __version__
from vendorpack.cli.app import app as program
from vendorpack.cli.app import part
from vendorpack.cli.guard import guarded
from vendorpack.console import Console

app = part()


@app.command("man")
@guarded
def man() -> None:
    """Print the manual page: vendorpack man | man -l -."""
    Console().answer_lines(page(typer.main.get_command(program)))


def page(root: Any) -> Iterator[str]:
    """Lines of roff, with the macros of man(7)."""
    yield f'.TH VENDORPACK 1 "" "vendorpack {__version__}" "User Commands"'
    yield ".SH NAME"
    yield f"vendorpack \\- {_text(_first(root.help))}"
    yield ".SH SYNOPSIS"
    yield ".B vendorpack\n.I COMMAND\n[OPTIONS] ..."
    yield ".SH COMMANDS"
    for words, command in _commands(root, "vendorpack"):
        context = command.make_context(words, [], resilient_parsing=True)
        shown = " ".join(part for part in command.collect_usage_pieces(context))
        yield f".SS {_text(words)} {_text(shown)}"
        for paragraph in (command.help or "").split("\n\n"):
            yield _text(" ".join(paragraph.split()))
            yield ".PP"
        for param in command.params:
            record = param.get_help_record(context)
            if record is not None:
                yield ".TP"
                yield f".B {_text(record[0])}"
                yield _text(record[1]) or "."
        if command.epilog:
            yield f".PP\n{_text(command.epilog)}"
    yield ".SH EXIT STATUS"
    from vendorpack.errors import VendorpackError  # noqa: PLC0415

    classes = sorted(VendorpackError.__subclasses__(), key=lambda one: one.exit_code)
    rows = [("0", "It is done."), ("1", "A defect in vendorpack.")]
    rows += [(str(one.exit_code), one.__doc__ or "") for one in classes]
    rows += [("130", "Interrupted; the next run goes on from what was verified.")]
    for code, meaning in rows:
        yield f".TP\n.B {code}\n{_text(_first(meaning))}"


def _commands(group: TyperGroup, words: str) -> Iterator[tuple[str, Any]]:
    context = group.make_context(words, [], resilient_parsing=True)
    for name in sorted(group.list_commands(context)):
        command = group.get_command(context, name)
        if isinstance(command, TyperGroup):
            yield from _commands(command, f"{words} {name}")
        else:
            yield f"{words} {name}", command


def _first(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())


def _text(text: str | None) -> str:
    """A line of roff that is only text: no request, no escape."""
    plain = re.sub(r"\s+", " ", text or "").strip().replace("…", "...")
    escaped = plain.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    escaped = "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in escaped)
    return f"\\&{escaped}" if escaped.startswith(".") else escaped
