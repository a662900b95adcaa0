"""XML as lockfiles, POMs and settings have it: read strictly, with line numbers for errors.

A document type or an entity of its own is refused: nothing that is read here needs one, and they
are how a small file becomes a large one or reads another. Names lose their namespace. HTML's named
entities (`&oslash;`), which old POMs use without declaring them, are taken for their characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from html.entities import name2codepoint
from typing import Final
from xml.parsers import expat

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError

_MAX_DEPTH: Final = 200
_OWN: Final = frozenset({"amp", "lt", "gt", "quot", "apos"})
_ENTITY: Final = re.compile(rb"&([A-Za-z][A-Za-z0-9]*);")


class HostileXml(LockfileError):
    """XML as only an attack has it; a client's own parser may not be as careful."""


@dataclass(slots=True)
class Element:
    """An element. text: what stands directly in it, without white space at its ends."""

    name: str
    attributes: Mapping[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, path: str) -> Iterator[Element]:
        """The elements at a path of names below this one, such as `a/b`."""
        first, _, rest = path.partition("/")
        for child in self.children:
            if child.name == first:
                yield from child.all(rest) if rest else (child,)

    def one(self, path: str) -> Element | None:
        """The first of them."""
        return next(self.all(path), None)

    def get(self, path: str) -> str:
        """Its text; empty if it is not there."""
        found = self.one(path)
        return "" if found is None else found.text


def load_xml(data: bytes, where: str) -> Element:
    """The root element; `where` names the file.

    Raises `LockfileError` with the line, `HostileXml` for a document type or a bottomless nesting.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    open_elements: list[Element] = []
    texts: list[list[str]] = []
    roots: list[Element] = []

    def refuse(what: str) -> HostileXml:
        return HostileXml(what, where=f"{where}:{parser.CurrentLineNumber}")

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_elements) >= _MAX_DEPTH:
            raise refuse("the file is nested too deeply")
        known = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        element = Element(name.rpartition(" ")[2], known, parser.CurrentLineNumber)
        (open_elements[-1].children if open_elements else roots).append(element)
        open_elements.append(element)
        texts.append([])

    def end(_name: str) -> None:
        open_elements.pop().text = "".join(texts.pop()).strip()

    def characters(text: str) -> None:
        texts[-1].append(text)

    def doctype(*_: object) -> None:
        raise refuse("the file has a document type, which nothing here needs")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(_ENTITY.sub(_character, data), True)
    except expat.ExpatError as error:
        what = expat.errors.messages[error.code]
        raise LockfileError(
            f"the file is not valid XML: {what}", where=f"{where}:{error.lineno}"
        ) from None
    except (LookupError, ValueError):
        raise LockfileError("the file has an encoding that is not known", where=where) from None
    return roots[0]


def _character(entity: re.Match[bytes]) -> bytes:
    name = entity[1].decode()
    if name in _OWN or name not in name2codepoint:
        return entity[0]
    return b"&#%d;" % name2codepoint[name]
