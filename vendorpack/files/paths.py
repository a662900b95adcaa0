"""Which paths a bundle may hold: those that every target can write, and only where they say.

A path is relative, with `/` between its parts. Refused are: empty, `.` and `..` parts (so also
absolute paths and a trailing `/`), backslashes, control characters, what is not UTF-8, parts
beginning `.wh.` (whiteouts: in a container layer they delete files), parts over 255 bytes and
paths over 3840 (PATH_MAX is 4096, the prefix needs some of it).

Among themselves no two paths may be equal after case folding and NFC, and none may be both a
file and the folder of another: such a tree has no single form on every file system.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_PART: Final = 255
MAX_PATH: Final = 4096 - 256

_UNSAFE: Final = re.compile(
    r"""
    [\x00-\x1f\x7f-\x9f]               # control characters
  | \\
  | (?:^|/) (?: \.{0,2} | \.wh\.[^/]* ) (?:/|$)
    """,
    re.VERBOSE,
)
_WINDOWS_CHARACTER: Final = re.compile(r'[<>:"|?*]')
_WINDOWS_DEVICE: Final = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\..*)?", re.IGNORECASE
)


class PathError(ValueError):
    """A path that no bundle may hold. The message says why, without the path."""


def check_path(path: str) -> None:
    """Raise `PathError` unless `path` may stand in a bundle."""
    # The search is slow, and most paths can be seen to be good without it.
    if (
        not path.isprintable()
        or "\\" in path
        or "//" in path
        or "/." in path
        or path[:1] in {"", ".", "/"}
        or path[-1] == "/"
    ):
        unsafe = _UNSAFE.search(path)
        if unsafe is not None:
            raise PathError(_why_unsafe(path, unsafe[0]))
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        raise PathError("it is not valid Unicode") from None
    if len(encoded) > MAX_PART:
        if len(encoded) > MAX_PATH:
            raise PathError(f"it is longer than {MAX_PATH} bytes")
        if max(map(len, encoded.split(b"/"))) > MAX_PART:
            raise PathError(f"a part of it is longer than {MAX_PART} bytes")


def fold(path: str) -> str:
    """The form that is equal for paths which some file system takes for one."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def windows_problem(path: str) -> str | None:
    """Why Windows cannot write `path` (a good path elsewhere); None if it can."""
    for part in path.split("/"):
        if _WINDOWS_CHARACTER.search(part):
            return f"{part!r} has a character that Windows does not allow"
        if part[-1:] in {".", " "}:
            return f"{part!r} ends with a dot or a space"
        if _WINDOWS_DEVICE.fullmatch(part):
            return f"{part!r} is the name of a device on Windows"
    return None


class Tree:
    """The paths of one bundle, added one by one and checked against each other.

    A folder is only added (like a file) if nothing lies below it.
    """

    def __init__(self) -> None:
        self._leaves: dict[str, str] = {}
        self._folders: set[str] = {""}

    def add(self, path: str) -> None:
        """Take a path. Raises `PathError` if it is unfit or in the way of an earlier one."""
        check_path(path)
        folded = fold(path)
        twin = self._leaves.get(folded)
        if twin is not None:
            raise PathError(
                "it is there twice"
                if twin == path
                else f"{twin!r} is the same path to some systems"
            )
        if folded in self._folders:
            raise PathError("other files lie below it")
        above = []
        folder = folded.rpartition("/")[0]
        while folder not in self._folders:
            leaf = self._leaves.get(folder)
            if leaf is not None:
                raise PathError(f"{leaf!r}, above it, is not a folder of other files")
            above.append(folder)
            folder = folder.rpartition("/")[0]
        self._folders.update(above)
        self._leaves[folded] = path

    def __len__(self) -> int:
        return len(self._leaves)


def _why_unsafe(path: str, found: str) -> str:
    if found == "\\":
        return "it has a backslash"
    if len(found) == 1 and found not in {"/", "."}:
        return "it has a control character"
    if not path:
        return "it is empty"
    if path.startswith("/"):
        return "it is absolute"
    if ".wh." in found:
        return "a part of it begins with .wh., which deletes files in a container layer"
    return "it has an empty part, or one that is . or .."
