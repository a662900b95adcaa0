"""The syntax that go.mod and go.work share, as far as their directives are needed here.

`verb argument …`, or `verb (` with one line an argument list and `)`. `//` begins a comment.
Arguments may be in double quotes or backquotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from vendorpack.errors import LockfileError

_TOKEN: Final = re.compile(r'//.*|"(?:[^"\\]|\\.)*"|`[^`]*`|[()]|(?:(?!//)[^\s"`()])+|\s+|(.)')


def directives(data: bytes, path: str) -> Iterator[tuple[str, list[str], str]]:
    """Verb, arguments and `path:line` of every directive. Raises `LockfileError`."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise LockfileError("the file is not UTF-8", where=path) from None
    block = None
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{path}:{number}"
        words = _words(line, where)
        if not words:
            continue
        if words == [")"]:
            if block is None:
                raise LockfileError("')' without '('", where=where)
            block = None
        elif words[1:] == ["("] and block is None:
            block = words[0]
        elif words[1:] == ["(", ")"] and block is None:
            continue
        elif "(" in words or ")" in words:
            raise LockfileError("a parenthesis in the middle of a line", where=where)
        elif block is not None:
            yield block, words, where
        else:
            yield words[0], words[1:], where


def _words(line: str, where: str) -> list[str]:
    words = []
    for match in _TOKEN.finditer(line):
        token = match[0]
        if match[1] is not None:
            raise LockfileError(f"the line cannot be read at {token!r}", where=where)
        if token.startswith('"'):
            try:
                token = str(json.loads(token))
            except ValueError:
                raise LockfileError("a badly quoted word", where=where) from None
        elif token.startswith("`"):
            token = token[1:-1]
        elif token.isspace() or token.startswith("//"):
            continue
        words.append(token)
    return words
