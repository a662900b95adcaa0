"""What a recipe is: where a file that an install fetches by itself must lie, and who looks there.

The path of an address says what a file is; the host does not count, so that a company's mirror
serves as well as the public place. Paths of entries are relative to the bundle's root.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.model import Artifact, Blob, Entry, Variable
from vendorpack.project import Host
from vendorpack.room import Workshop

ROOT: Final = "extras"


@dataclass(frozen=True, slots=True)
class Source:
    """A verified file, and what its address says.

    path: the address's path, percent-decoded. match: the recipe's pattern in it.
    place: the file name, with folders before it if the lockfile has some.
    """

    artifact: Artifact
    blob: Blob
    path: str
    match: re.Match[str]
    place: str

    @property
    def url(self) -> str:
        """The file's address."""
        return self.artifact.url or ""

    @property
    def file_name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def __getitem__(self, group: str) -> str:
        """A named group of the pattern; empty where it has no part in the match."""
        return self.match[group] or ""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How files of one kind are laid out.

    name: for people. pattern: searched for in the path; its group `version`, if there is one, is
        the artifact's version.
    public: origins that such files come from by default: they need no --allow-host.
    folder: what `variables` name or lead to; `native` is where the client keeps it itself.
    lay: the entries of one file. opens: whether that unpacks it, and does not keep it as it came.
    is_found: whether `vendorpack extras` reads the addresses of such files in packages.
    """

    name: str
    pattern: re.Pattern[str]
    public: tuple[str, ...]
    folder: str
    variables: tuple[Variable, ...]
    native: Callable[[Host], Path]
    lay: Callable[[Source, Workshop], Iterator[Entry]]
    opens: bool = False
    is_found: bool = False

    def version(self, match: re.Match[str]) -> str:
        """The version that a path names; empty if it names none."""
        return match.groupdict().get("version") or ""


def folder_variable(name: str, folder: str, scheme: str = "") -> Variable:
    """A variable that is a folder, or a file, of the bundle."""
    return Variable(name, folder, is_path=True, scheme=scheme)
