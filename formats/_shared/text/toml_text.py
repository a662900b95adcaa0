"""TOML lockfiles and configuration: read strictly, with errors that name the line.

`tomllib` keeps no positions. Errors of syntax carry their own; tables of an array of tables
are found again by counting their headers, which tools that write lockfiles put at the start
of a line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

from vendorpack.errors import LockfileError

Table: TypeAlias = Mapping[str, Any]

_AT_LINE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


def load_toml(data: bytes, path: str) -> Table:
    """Parse a TOML document. `path` is how errors name the file.

    Raises `LockfileError` with `path:line` for whatever is not TOML: bytes that are not
    UTF-8, bad syntax, nesting or integers without measure.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LockfileError("the file is not UTF-8", where=f"{path}:{line}") from None
    if text.startswith("\ufeff"):
        raise LockfileError(
            "the file begins with a byte order mark, which TOML does not allow",
            where=f"{path}:1",
            fix="Save it as UTF-8 without one.",
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        match = _AT_LINE.search(message)
        line = int(match[1]) if match and match[1] else text.count("\n") + 1
        raise LockfileError(
            f"the file is not valid TOML: {_AT_LINE.sub('', message)}", where=f"{path}:{line}"
        ) from None
    except RecursionError:
        raise LockfileError("the file is nested too deeply", where=path) from None
    except ValueError as error:  # an integer or date beyond what Python holds
        raise LockfileError(f"the file has a value out of range: {error}", where=path) from None


def table_lines(data: bytes, header: str) -> list[int]:
    """Line numbers, from 1, of every `[[header]]`, in order."""
    pattern = re.compile(rb"^[ \t]*\[\[[ \t]*" + re.escape(header.encode()) + rb"[ \t]*\]\]", re.M)
    lines, line, seen = [], 1, 0
    for match in pattern.finditer(data):
        line += data.count(b"\n", seen, match.start())
        seen = match.start()
        lines.append(line)
    return lines


def tables(document: Table, data: bytes, header: str, path: str) -> list[tuple[Table, str]]:
    """The tables of array `header` (dotted keys go deeper), each with its `path:line`.

    The line is left out if a header hides where counting cannot find it.
    """
    value: Any = document
    for key in header.split("."):
        value = value.get(key, []) if isinstance(value, Mapping) else []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise LockfileError(f"{header!r} is not an array of tables", where=path)
    lines = table_lines(data, header)
    if len(lines) != len(value):
        return [(item, path) for item in value]
    return [(item, f"{path}:{line}") for item, line in zip(value, lines, strict=True)]


def optional_text(table: Table, key: str, where: str) -> str | None:
    """A string, or None if the key is missing. Raises `LockfileError` for another type."""
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise LockfileError(f"{key!r} is not a string", where=where)
    return value


def text(table: Table, key: str, where: str) -> str:
    """A string that must be there. Raises `LockfileError`."""
    value = optional_text(table, key, where)
    if value is None:
        raise LockfileError(f"{key!r} is missing", where=where)
    return value


def subtable(table: Table, key: str, where: str) -> Table:
    """A table, empty if the key is missing. Raises `LockfileError` for another type."""
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise LockfileError(f"{key!r} is not a table", where=where)
    return value


def text_list(table: Table, key: str, where: str) -> Sequence[str]:
    """An array of strings, empty if the key is missing. Raises `LockfileError`."""
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise LockfileError(f"{key!r} is not an array of strings", where=where)
    return cast(Sequence[str], value)
