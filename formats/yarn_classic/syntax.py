r"""Yarn 1's own file syntax, in which yarn.lock and .yarnrc are written.

::

    # a comment
    registry "https://registry.example/"        a setting: name and value

    "@scope/name@^1.0.0", name@~2.0.0:          a section: names, then two spaces deeper
      version "1.2.3"                           what it holds
      dependencies:
        other "^1.0.0"

A name or text stands bare if it begins with a letter, `/`, `.` or `-` and has no white space,
colon or comma in it; else it is a JSON string. Numbers, `true` and `false` are values too. Seen
with Yarn 1.22.22, which is laxer: it also takes YAML and settles merge conflicts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import field
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.text.json_text import decode_utf8

_MAX_DEPTH: Final = 4
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_NAME: Final = rf"(?:{_QUOTED}|[A-Za-z/.\-][^:\s,]*)"
# A bare value runs to the end of its word: Yarn would read on after a colon or comma in it as
# if it were a name, so there is none.
_VALUE: Final = rf"(?:{_NAME}|true|false|[0-9]+)"
_LINE: Final = re.compile(
    rf"(?P<indent> *)(?P<names>{_NAME}(?: *, *{_NAME})*)"
    rf"(?::(?:[ ]+(?P<after_colon>{_VALUE}))?|[ ]+(?P<value>{_VALUE})) *(?:#.*)?"
)
_EACH_NAME: Final = re.compile(_NAME)


@dataclass(frozen=True, slots=True)
class Setting:
    """A name and its value, as text."""

    name: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """One or several names and what they all hold."""

    names: tuple[str, ...]
    line: int
    settings: dict[str, str] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)


def parse(data: bytes, where: str) -> Iterator[Setting | Section]:
    """The settings and sections of a file, in order. `where` names the file in errors.

    Raises `LockfileError` with the line that is wrong; also for a name that comes twice in a
    section.
    """
    path: list[Section] = []
    for number, raw in enumerate(re.split(r"\r?\n", decode_utf8(data, where)), start=1):
        if not raw.strip() or raw.lstrip(" ").startswith("#"):
            continue
        match = _LINE.fullmatch(raw)
        if match is None:
            raise _wrong(raw, where, number)
        depth, odd = divmod(len(match["indent"]), 2)
        if odd or depth > min(len(path), _MAX_DEPTH):
            raise LockfileError("the line is indented wrongly", where=f"{where}:{number}")
        if depth == 0 and path:
            yield path[0]
        del path[depth:]
        names = tuple(_text(name, where, number) for name in _EACH_NAME.findall(match["names"]))
        value = match["value"] or match["after_colon"]
        if value is None:
            section = Section(names, number)
            if path:
                path[-1].sections.append(section)
            path.append(section)
        elif path:
            _set(path[-1], names, _text(value, where, number), f"{where}:{number}")
        else:
            yield from (Setting(name, _text(value, where, number), number) for name in names)
    if path:
        yield path[0]


def _set(section: Section, names: tuple[str, ...], value: str, where: str) -> None:
    for name in names:
        if name in section.settings:
            raise LockfileError(f"{name[:100]!r} comes twice", where=where)
        section.settings[name] = value


def _text(raw: str, where: str, line: int) -> str:
    if not raw.startswith('"'):
        return raw
    try:
        value = json.loads(raw)
        value.encode()
    except ValueError:  # also a UnicodeEncodeError: half a character
        raise LockfileError("the text is not a JSON string", where=f"{where}:{line}") from None
    assert isinstance(value, str)
    return value


def _wrong(raw: str, where: str, line: int) -> LockfileError:
    if raw.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||")):
        return LockfileError(
            "the file has a merge conflict in it",
            where=f"{where}:{line}",
            fix="Run `yarn install` once, which settles it.",
        )
    return LockfileError(f"the line makes no sense: {raw[:100]!r}", where=f"{where}:{line}")
