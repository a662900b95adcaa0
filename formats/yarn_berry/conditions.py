"""Yarn's `conditions` and `supportedArchitectures`: which packages a machine needs.

`conditions: os=linux & cpu=x64 & libc=glibc` is a formula over `os=`, `cpu=` and `libc=` with
`&`, `|`, `^` (exclusive or), `!` and parentheses. The operators have no precedence: they apply
from left to right (the package tinylogic, in Yarn 3 and 4).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.registry import fits
from vendorpack.model import Target

CURRENT: Final = "current"
"""In `supportedArchitectures`: what the machine itself is."""

KINDS: Final = ("os", "cpu", "libc")

Architectures = Mapping[str, "tuple[str, ...] | None"]
"""The setting `supportedArchitectures`: for each of `KINDS` the values that are wanted; None
for no limit."""

_TOKEN: Final = re.compile(r"\s*(?:(os|cpu|libc)=([a-z0-9_-]+)|([()!|&^]))")
_OPERATORS: Final[Mapping[str, Callable[[bool, bool], bool]]] = {
    "|": lambda left, right: left or right,
    "&": lambda left, right: left and right,
    "^": lambda left, right: left is not right,
}


def needed(
    conditions: str, targets: Sequence[Target], architectures: Architectures, where: str
) -> bool:
    """Whether Yarn fetches a package with these conditions on any of the targets.

    No targets means all of them. Raises `LockfileError` if the formula is none.
    """
    if not targets:
        evaluate(conditions, lambda _kind, _value: True, where)
        return True
    return any(
        evaluate(conditions, partial(_wanted, target, architectures), where) for target in targets
    )


def evaluate(conditions: str, holds: Callable[[str, str], bool], where: str) -> bool:
    """The formula's value; `holds(kind, value)` says whether `kind=value` is true.

    Raises `LockfileError` if the formula is none.
    """
    # Open parentheses: what stands to the left of them (None: nothing), the operator that
    # waits for them, and whether they are negated.
    outer: list[tuple[bool | None, str, bool]] = []
    left: bool | None = None
    operator = ""
    negated = False
    position, end = 0, len(conditions.rstrip())
    while position < end:
        match = _TOKEN.match(conditions, position, end)
        if match is None:
            raise _nonsense(conditions, where)
        position = match.end()
        kind, value, symbol = match.groups()
        expects_term = left is None or bool(operator)
        if symbol in ("|", "&", "^"):
            if expects_term or negated:
                raise _nonsense(conditions, where)
            operator = symbol
            continue
        if symbol == ")":
            if expects_term or not outer:
                raise _nonsense(conditions, where)
            term = bool(left)
            left, operator, negated = outer.pop()
        elif not expects_term:
            raise _nonsense(conditions, where)
        elif symbol == "!":
            negated = not negated
            continue
        elif symbol == "(":
            outer.append((left, operator, negated))
            left, operator, negated = None, "", False
            continue
        else:
            term = holds(kind, value)
        term = term is not negated
        left = term if left is None else _OPERATORS[operator](left, term)
        operator, negated = "", False
    if left is None or operator or negated or outer:
        raise _nonsense(conditions, where)
    return left


def _wanted(target: Target, architectures: Architectures, kind: str, value: str) -> bool:
    listed = architectures.get(kind, (CURRENT,))
    if listed is None or value in listed:
        return True
    return CURRENT in listed and _is_current(target, kind, value)


def _is_current(target: Target, kind: str, value: str) -> bool:
    if kind == "os":
        return fits(target, os=[value])
    if kind == "cpu":
        return fits(target, cpu=[value])
    # Only linux has a choice of libc; elsewhere Yarn finds none to be there.
    return target.os == "linux" and fits(target, libc=[value])


def _nonsense(conditions: str, where: str) -> LockfileError:
    return LockfileError(
        f"the conditions make no sense: {conditions[:200]!r}",
        where=where,
        fix="Let Yarn write the lockfile anew.",
    )
