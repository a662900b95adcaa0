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
from array import array
from collections.abc import Callable
from typing import Final

MAX_PART: Final = 255
MAX_PATH: Final = 4096 - 256

_SLOTS: Final = 1 << 10

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
        lower = path.lower()
        return path if path == lower else lower  # most are: one object in place of two
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

    path_of: the path that was added as the n-th (from 0), for who keeps them anyway: half a million
    are not kept twice then.
    """

    def __init__(self, path_of: Callable[[int], str] | None = None) -> None:
        self._kept: list[str] = []
        self._keeps = path_of is None
        self._path_of = path_of or self._kept.__getitem__
        # A hash table whose keys are kept elsewhere: of each path, by its number, the hash of its
        # folded form; in the slot that the hash points to, or the next free one, the number + 1.
        self._hashes = array("q")
        self._slots = array("I", [0]) * _SLOTS
        self._folders: set[str] = {""}

    def add(self, path: str) -> None:
        """Take a path. Raises `PathError` if it is unfit or in the way of an earlier one."""
        check_path(path)
        folded = fold(path)
        twin = self._leaf(folded)
        if twin is not None:
            earlier = self._path_of(twin)
            raise PathError(
                "it is there twice"
                if earlier == path
                else f"{earlier!r} is the same path to some systems"
            )
        if folded in self._folders:
            raise PathError("other files lie below it")
        above = []
        folder = folded.rpartition("/")[0]
        while folder not in self._folders:
            leaf = self._leaf(folder)
            if leaf is not None:
                raise PathError(
                    f"{self._path_of(leaf)!r}, above it, is not a folder of other files"
                )
            above.append(folder)
            folder = folder.rpartition("/")[0]
        self._folders.update(above)
        self._hashes.append(hash(folded))
        if self._keeps:
            self._kept.append(path)
        if 2 * len(self._hashes) > len(self._slots):
            self._slots = array("I", [0]) * (2 * len(self._slots))
            for number in range(len(self._hashes)):
                self._place(number)
        else:
            self._place(len(self._hashes) - 1)

    def number(self, path: str) -> int | None:
        """Which one it was (from 0), if exactly this path was added."""
        number = self._leaf(fold(path))
        return number if number is not None and self._path_of(number) == path else None

    def __len__(self) -> int:
        return len(self._hashes)

    def _leaf(self, folded: str) -> int | None:
        """The number of the path with this folded form."""
        wanted, last = hash(folded), len(self._slots) - 1
        slot = wanted & last
        while found := self._slots[slot]:
            number = found - 1
            if self._hashes[number] == wanted and fold(self._path_of(number)) == folded:
                return number
            slot = (slot + 1) & last
        return None

    def _place(self, number: int) -> None:
        last = len(self._slots) - 1
        slot = self._hashes[number] & last
        while self._slots[slot]:
            slot = (slot + 1) & last
        self._slots[slot] = number + 1


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
