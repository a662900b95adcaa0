"""SPDX licence expressions: whether a text is one, and what may be chosen by it.

https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/. Which ids there are is the word of
`packaging`. The ids of GNU licences that do not say whether later versions may be chosen are
deprecated: they are taken for those that say it in the same sense.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Final

_MAX_LENGTH: Final = 2000
_MAX_DEPTH: Final = 50
_GNU: Final = re.compile(r"((?:A|L)?GPL|GFDL)-([0-9]\.[0-9])(\+?)")
_TOKEN: Final = re.compile(r"[()]|[^\s()]+")


@functools.lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The expression in its one form; empty if the text is none."""
    from packaging.licenses import canonicalize_license_expression  # noqa: PLC0415 - seldom needed

    if not text or len(text) > _MAX_LENGTH or text.count("(") > _MAX_DEPTH:
        return ""
    try:
        found = canonicalize_license_expression(text)
    except ValueError:
        return ""
    return " ".join(map(_current, _TOKEN.findall(found))).replace("( ", "(").replace(" )", ")")


def parts(text: str) -> tuple[str, ...]:
    """What a text lists, in canonical form: an expression, or several with commas between.

    Empty if it is none of both.
    """
    found = tuple(canonical(part.strip()) for part in text.split(","))
    return found if all(found) else ()


def satisfied(expression: str, accepts: Callable[[str], bool]) -> bool:
    """Whether one may use what is under a canonical expression.

    accepts: whether a licence is acceptable: an id, with `+` and `WITH …` behind it if it has them.
    Of OR one side has to be, of AND both.
    """
    tokens = _TOKEN.findall(expression)
    tokens.reverse()
    return _either(tokens, accepts)


def _either(tokens: list[str], accepts: Callable[[str], bool]) -> bool:
    good = _both(tokens, accepts)
    while tokens and tokens[-1] == "OR":
        tokens.pop()
        good = _both(tokens, accepts) or good
    return good


def _both(tokens: list[str], accepts: Callable[[str], bool]) -> bool:
    good = _one(tokens, accepts)
    while tokens and tokens[-1] == "AND":
        tokens.pop()
        good = _one(tokens, accepts) and good
    return good


def _one(tokens: list[str], accepts: Callable[[str], bool]) -> bool:
    licence = tokens.pop()
    if licence == "(":
        good = _either(tokens, accepts)
        tokens.pop()
        return good
    if tokens and tokens[-1] == "WITH":
        tokens.pop()
        licence = f"{licence} WITH {tokens.pop()}"
    return accepts(licence)


def _current(token: str) -> str:
    match = _GNU.fullmatch(token)
    if match is None:
        return token
    return f"{match[1]}-{match[2]}-{'or-later' if match[3] else 'only'}"
