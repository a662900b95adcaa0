"""Strict YAML: what package managers write into lockfiles, with clear errors and line numbers.

Lockfiles use a small part of YAML, and this reads no more of it. Anchors, aliases, tags and
merge keys are refused (nobody writes them, and they are how a small file becomes a large one),
and so is a key that comes twice.

Of plain scalars only `true`, `false` and `null` (or nothing) have a type; all others stay the
text they are, so that a version `1.10`, a `lockfileVersion: 5.4` and a date keep their digits.

It walks libyaml's events instead of building nodes: twice as fast, not recursive, and every key's
line is at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import yaml

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.text.json_text import decode_utf8

Yaml: TypeAlias = "str | bool | list[Yaml] | dict[str, Yaml] | None"

MAX_DEPTH: Final = 64
"""Mappings and sequences within each other; lockfiles have about six."""

_TOO_DEEP: Final = "the file is nested too deeply"
_ANEW: Final = "Let the package manager write the lockfile anew."
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN: Final[dict[str, Yaml]] = {
    "true": True,
    "false": False,
    "null": None,
    "~": None,
    "": None,
}


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a YAML file.

    lines: the line of every key of the top-level mapping, by `(key,)`, and of the mappings
        in it, by `(key, key)`; counted from 1 at the start of the file.
    """

    value: Yaml
    lines: dict[tuple[str, ...], int]


def load_yaml(data: bytes, where: str) -> Document:
    """Read a file of one document; an empty file is None. `where` names the file in errors.

    Raises `LockfileError` with the line, as `load_documents` does, and if there are several.
    """
    documents = load_documents(data, where)
    if len(documents) > 1:
        raise LockfileError("the file has more than one YAML document in it", where=where)
    return documents[0] if documents else Document(None, {})


def load_documents(data: bytes, where: str) -> list[Document]:
    """Read all documents of a file. Raises `LockfileError` with the line that is wrong."""
    text = decode_utf8(data, where)
    try:
        return list(_documents(yaml.parse(text, Loader=_LOADER), where))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        marks = (row.startswith("<<<<<<<") for row in text.split("\n")[:line])
        conflict = next((number for number, found in enumerate(marks, start=1) if found), None)
        if conflict is not None:
            raise LockfileError(
                "the file has a merge conflict in it",
                where=f"{where}:{conflict}",
                fix=f"Settle the conflict. {_ANEW}",
            ) from None
        if _opened(text[: mark.index] if mark else text) > MAX_DEPTH:
            # libyaml has a limit of its own, and in some versions reaches it before ours.
            raise LockfileError(_TOO_DEEP, where=f"{where}:{line}", fix=_ANEW) from None
        what = error.problem or error.context or "syntax error"
        raise LockfileError(
            f"the file is not valid YAML: {what}", where=f"{where}:{line}"
        ) from None
    except yaml.YAMLError as error:  # a character that YAML has no place for
        what = str(error).partition("\n")[0]
        raise LockfileError(f"the file is not valid YAML: {what}", where=where) from None


def _documents(events: Iterator[Any], where: str) -> Iterator[Document]:
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            lines: dict[tuple[str, ...], int] = {}
            yield Document(_value(next(events), events, lines, where), lines)


def _value(
    event: Any, events: Iterator[Any], lines: dict[tuple[str, ...], int], where: str
) -> Yaml:
    """Build the value that begins with `event`; takes the events up to its end."""
    root: list[Yaml] = []
    # Open collections, outermost first, each with the key that waits for its value.
    stack: list[list[Yaml] | dict[str, Yaml]] = [root]
    keys: list[str | None] = [None]
    while True:
        if isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            stack.pop()
            keys.pop()
            keys[-1] = None
        else:
            value = _begin(event, where)
            top, key = stack[-1], keys[-1]
            if isinstance(top, list):
                top.append(value)
            elif key is None:
                key = _key(event, where)
                if key in top:
                    raise _refused(event, f"the key {key[:100]!r} comes twice", where)
                path = (*(k for k in keys[1:-1] if k is not None), key)
                if len(path) == len(stack) - 1 <= 2:
                    lines[path] = _line(event)
                keys[-1] = key
                # An entry at once, so that a key twice is seen whatever its values are.
                top[key] = None
                event = next(events)
                continue
            else:
                top[key] = value
            if isinstance(value, (list, dict)):
                if len(stack) > MAX_DEPTH:
                    raise _refused(event, _TOO_DEEP, where)
                stack.append(value)
                keys.append(None)
            else:
                keys[-1] = None
        if len(stack) == 1:
            return root[0]
        event = next(events)


def _begin(event: Any, where: str) -> Yaml:
    """The value of a scalar, or the still empty collection that an event opens."""
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise _refused(event, "the file has YAML anchors or aliases in it", where)
    if event.tag is not None:
        raise _refused(event, "the file has YAML tags in it", where)
    if isinstance(event, yaml.ScalarEvent):
        text: str = event.value
        return _PLAIN.get(text, text) if event.implicit[0] else text
    return [] if isinstance(event, yaml.SequenceStartEvent) else {}


def _key(event: Any, where: str) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        raise _refused(event, "a key is not a text", where)
    if event.value == "<<" and event.implicit[0]:
        raise _refused(event, "the file has YAML merge keys in it", where)
    key: str = event.value
    return key


def _line(event: Any) -> int:
    line: int = event.start_mark.line + 1
    return line


def _refused(event: Any, what: str, where: str) -> LockfileError:
    return LockfileError(what, where=f"{where}:{_line(event)}", fix=_ANEW)


def _opened(text: str) -> int:
    """How many flow collections stand open at the end of a text that is not YAML.

    A guess, as brackets may be within quotes.
    """
    return sum(text.count(c) for c in "[{") - sum(text.count(c) for c in "]}")
