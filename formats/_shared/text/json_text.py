"""Strict JSON: what lockfiles and registries send us, with clear errors and line numbers.

Stricter than `json.loads`: a key may not come twice (clients differ in which one they take),
`NaN` is no number, a lone surrogate is no text. A leading byte order mark is passed over, as
npm does.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from vendorpack.errors import LockfileError

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_TOKEN: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?|[{}]')
_ANEW: Final = "Let the package manager write the lockfile anew."


class _TwiceError(Exception):
    """An object has a key twice."""


def decode_utf8(data: bytes, where: str) -> str:
    """The text of a UTF-8 file. Raises `LockfileError` with the line that is none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LockfileError("the file is not UTF-8 text", where=f"{where}:{line}") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise LockfileError("the file has a NUL character in it", where=f"{where}:{line}")
    return text


def load_json(text: str, where: str) -> Any:
    """Parse JSON. Raises `LockfileError`; `where` names the file (the line is added)."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        if text.startswith("<<<<<<<", text.rfind("\n", 0, error.pos) + 1):
            raise LockfileError(
                "the file has a merge conflict in it",
                where=f"{where}:{error.lineno}",
                fix="Settle the conflict and let the package manager write the lockfile anew.",
            ) from None
        raise LockfileError(
            f"the file is not valid JSON: {error.msg}", where=f"{where}:{error.lineno}"
        ) from None
    except RecursionError:
        raise LockfileError("the file is nested too deeply", where=where) from None
    except UnicodeEncodeError:
        raise LockfileError("the file has half a character in it", where=where) from None
    except ValueError as error:  # an integer of more digits than Python will read, or ours
        raise LockfileError(f"the file is not sensible JSON: {error}", where=where) from None
    except _TwiceError as error:
        line = _line_of_second(text)
        raise LockfileError(str(error), where=f"{where}:{line}", fix=_ANEW) from None
    return value


def key_lines(text: str, section: str) -> dict[str, int]:
    """Line numbers of the keys in the top-level object `section`, for error messages.

    Reads the layout that package managers write, one key a line; empty for any other.
    """
    start = re.search(rf'^(?P<indent>[ \t]+)"{re.escape(section)}": \{{\r?\n', text, re.MULTILINE)
    if start is None:
        return {}
    indent = re.escape(start["indent"] * 2)
    end = re.compile(rf"^{re.escape(start['indent'])}\}}", re.MULTILINE).search(text, start.end())
    stop = end.start() if end else len(text)
    lines: dict[str, int] = {}
    line, at = text.count("\n", 0, start.end()) + 1, start.end()
    for match in re.compile(rf'^{indent}"([^"\\\n]*)":', re.MULTILINE).finditer(
        text, start.end(), stop
    ):
        line += text.count("\n", at, match.start())
        at = match.start()
        lines[match[1]] = line
    return lines


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _TwiceError(f"the key {twice[:100]!r} comes twice")
    return found


def _line_of_second(text: str) -> int:
    """The line of the first key that its object has already."""
    objects: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        if token[0] == "{":
            objects.append(set())
        elif token[0] == "}":
            objects.pop()
        elif token[2] is not None:
            key = json.loads(f'"{token[1]}"')
            if key in objects[-1]:
                return text.count("\n", 0, token.start()) + 1
            objects[-1].add(key)
    return 1


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
