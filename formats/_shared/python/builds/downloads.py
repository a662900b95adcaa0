"""What builds with CMake and Meson fetch by themselves, as far as it is written down.

CMake has `FetchContent_Declare`, `ExternalProject_Add`, `file(DOWNLOAD …)` and CPM's
`CPMAddPackage`; Meson a `subprojects/NAME.wrap` for each project that may be fetched to
`subprojects/DIRECTORY`. Projects mostly do so only where the system has no such library.
"""

from __future__ import annotations

import configparser
import re
from collections.abc import Collection, Iterator
from typing import Final

from vendorpack.formats._shared.python.builds.files import Files

_CMAKE: Final = frozenset({"cmake", "py-build-cmake", "scikit-build", "scikit-build-core"})
_MESON: Final = frozenset({"meson", "meson-python"})
_LISTS: Final = re.compile(r"(?:(?!extern|test|third|vendor)[^/]+/)?CMakeLists\.txt")
"""The project's own and those of its folders; what is vendored is mostly built otherwise."""
_SUBPROJECT: Final = re.compile(r"subprojects/([^/]+)/(?:meson\.build|CMakeLists\.txt)")
_WRAP: Final = re.compile(r"subprojects/([^/]+)\.wrap")
_WRAPS: Final = frozenset({"wrap-file", "wrap-git", "wrap-hg", "wrap-svn"})
_QUOTED_OR_COMMENT: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|#\[(=*)\[|#[^\n]*', re.DOTALL)
_CALL: Final = re.compile(
    r"\b(FetchContent_Declare|ExternalProject_Add|CPMAddPackage|file)\s*\(([^()]*)\)", re.IGNORECASE
)
_SOURCE: Final = re.compile(
    r"\b(?:GIT_REPOSITORY|URL|SVN_REPOSITORY|HG_REPOSITORY)\s+\"?([^\s\"]+)"
)
_LOCAL: Final = re.compile(r"[./]|\$\{\w*(?:SOURCE|BINARY|CURRENT_LIST)_DIR\}")
_SHOWN: Final = 100
"""Characters of a name."""


def says_downloads(path: str) -> bool:
    """Whether `downloads_of` reads this file."""
    return any(pattern.fullmatch(path) for pattern in (_LISTS, _SUBPROJECT, _WRAP))


def downloads_of(files: Files, tools: Collection[str]) -> Iterator[str]:
    """The name of each, and where that is written.

    tools: normalised names of what the project is built with.
    """
    if not _CMAKE.isdisjoint(tools):
        for path in sorted(files):
            if _LISTS.fullmatch(path):
                yield from _in_cmake(path, files[path])
    if not _MESON.isdisjoint(tools):
        here = {found[1] for path in files if (found := _SUBPROJECT.fullmatch(path))}
        for path in sorted(files):
            wrap = _WRAP.fullmatch(path)
            folder = _fetched_to(files[path], wrap[1]) if wrap else None
            if wrap and folder is not None and folder not in here:
                yield f"{wrap[1]} ({path})"


def _in_cmake(path: str, content: bytes) -> Iterator[str]:
    text = _without_comments(content.decode("utf-8", "replace"))
    line, counted = 1, 0
    for call in _CALL.finditer(text):
        line += text.count("\n", counted, call.start())
        counted = call.start()
        name = _fetched(call[1].lower(), call[2])
        if name:
            yield f"{name[:_SHOWN]} ({path}:{line})"


def _without_comments(text: str) -> str:
    """The same, with nothing but the line ends of its comments."""
    parts: list[str] = []
    done = 0
    while found := _QUOTED_OR_COMMENT.search(text, done):
        start, end = found.span()
        parts.append(text[done:start])
        if found[1] is not None:
            closing = text.find(f"]{found[1]}]", end)
            end = len(text) if closing < 0 else closing + len(found[1]) + 2
        quoted = found[0].startswith('"')
        parts.append(found[0] if quoted else "\n" * text.count("\n", start, end))
        done = end
    return "".join((*parts, text[done:]))


def _fetched(command: str, arguments: str) -> str:
    """What a call fetches; empty for nothing."""
    words = arguments.replace('"', " ").split()
    if command == "file":
        return words[1] if len(words) > 1 and words[0] == "DOWNLOAD" else ""
    if command == "cpmaddpackage":
        return words[words.index("NAME") + 1] if "NAME" in words[:-1] else "".join(words[:1])
    source = _SOURCE.search(arguments)
    return words[0] if source and not _LOCAL.match(source[1]) else ""


def _fetched_to(content: bytes, name: str) -> str | None:
    """The folder that a wrap is for; None for one that fetches nothing, as `[wrap-redirect]`."""
    wrap = configparser.RawConfigParser(strict=False)
    try:
        wrap.read_string(content.decode("utf-8", "replace"))
    except configparser.Error:
        return None
    kinds = [kind for kind in wrap.sections() if kind in _WRAPS]
    return wrap.get(kinds[0], "directory", fallback=name) if kinds else None
