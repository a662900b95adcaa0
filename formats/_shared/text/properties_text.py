"""Java's properties files, as wrappers of build tools have them: `key=value`, a line each.

As `java.util.Properties` reads them: a line that ends in a backslash goes on in the next, `\\:` is
a colon and `\\u0041` an A, `#` and `!` begin comments; of a key that comes twice the last counts.
"""

from __future__ import annotations

import re
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.formats._shared.text.json_text import decode_utf8

_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_PAIR: Final = re.compile(r"((?:\\.|[^\\=:\s])*)\s*(?:[=:]\s*)?(.*)", re.DOTALL)
_LETTERS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Property:
    """A value, and the number of the line that it begins in."""

    value: str
    line: int


def load_properties(data: bytes, where: str) -> dict[str, Property]:
    """Read a file. Raises `LockfileError` for what is no text."""
    found: dict[str, Property] = {}
    lines = decode_utf8(data, where).splitlines()
    number = 0
    while number < len(lines):
        begin = number
        text = lines[number].lstrip()
        number += 1
        if not text or text[0] in "#!":
            continue
        parts = [text]
        while _goes_on(parts[-1]) and number < len(lines):
            parts[-1] = parts[-1][:-1]
            parts.append(lines[number].lstrip())
            number += 1
        pair = _PAIR.fullmatch("".join(parts))
        if pair is not None:
            found[_unescaped(pair[1])] = Property(_unescaped(pair[2]), begin + 1)
    return found


def _goes_on(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda e: chr(int(e[1], 16)) if e[1] else _LETTERS.get(e[2], e[2]), text)
