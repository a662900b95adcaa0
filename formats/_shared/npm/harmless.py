"""Install scripts that plainly fetch nothing, as far as their own text shows it.

Such a script prints, ends, or runs a file of its package that works with files alone. Whatever is
not understood is not harmless.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator
from typing import Final

from vendorpack.formats._shared.archives.package_files import Files

_SILENT: Final = frozenset({"echo", "exit", "true", "false", ":", "test", "[", "husky"})
_BUILTINS: Final = frozenset(
    {"assert", "events", "fs", "fs/promises", "module", "os", "path", "process", "url", "util"}
)
"""Node's modules that reach neither the network nor another program."""
_ENDINGS: Final = ("", ".js", ".cjs", ".mjs", ".json", "/index.js")
_IMPORT: Final = re.compile(
    r"""(?:\brequire\s*\(|\bfrom\b|\bimport\b\s*\(?)\s*(?P<quote>["'`])(?P<name>[^"'`]*)(?P=quote)"""
)
_UNSEEN: Final = re.compile(
    r"\b(?:require|import)\s*\(\s*[^\s\"'`]|\b(?:fetch|eval|Function|createRequire)\s*\("
    r"|\bWebSocket\b|\bprocess\.(?:binding|dlopen|getBuiltinModule)\b"
)
"""What loads, runs or asks for something that the text does not name."""


def is_harmless(script: str, files: Files) -> bool:
    """Whether none of the commands of a script fetches or runs what could."""
    if "`" in script or "$(" in script:
        return False
    return all(_command_is_harmless(words, files) for words in _commands(script))


def _commands(script: str) -> Iterator[list[str]]:
    """The words of each command; an empty list for what is no proper text of a shell."""
    lexer = shlex.shlex(script, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    try:
        for word in lexer:
            if word and not word.strip(";&|"):
                yield words
                words = []
            else:
                words.append(word)
    except ValueError:
        words = []
    yield words


def _command_is_harmless(words: list[str], files: Files) -> bool:
    if not words:
        return False
    if words[0] != "node":
        return words[0] in _SILENT
    if words[1:2] in (["-e"], ["--eval"]) and len(words) == 3:
        return _code_is_harmless(words[2], "", files, set())
    return len(words) > 1 and _file_is_harmless(words[1], files, set())


def _file_is_harmless(path: str, files: Files, seen: set[str]) -> bool:
    """Whether a file, and what it loads, is harmless. seen: files that are judged already."""
    normal = posixpath.normpath(path)
    found = next((normal + end for end in _ENDINGS if normal + end in files), None)
    if found is None:
        return False
    if found in seen or found.endswith(".json"):
        return True
    seen.add(found)
    code = files[found]().decode("utf-8", "replace")
    return _code_is_harmless(code, posixpath.dirname(found), files, seen)


def _code_is_harmless(code: str, folder: str, files: Files, seen: set[str]) -> bool:
    if _UNSEEN.search(code):
        return False
    for name in (match["name"] for match in _IMPORT.finditer(code)):
        if name.startswith("."):
            if not _file_is_harmless(posixpath.join(folder, name), files, seen):
                return False
        elif name.removeprefix("node:") not in _BUILTINS:
            return False
    return True
