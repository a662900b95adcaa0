"""The files of a package's tarball, as clients unpack them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives.opened import File, Opening
from vendorpack.formats._shared.archives.tarball import FILE, HARDLINK, members, package_path

_EXECUTABLE: Final = 0o111


def entry_mode(stored: int) -> int:
    """The mode that a bundle has for a file that is stored with this one."""
    return 0o755 if stored & _EXECUTABLE else 0o644


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file's content and its permission bits, as stored."""

    data: memoryview
    mode: int


def package_files(archive: bytes, label: str) -> dict[str, PackageFile]:
    """Path below the package's folder to its file.

    An archive's first path component is cut, only files count (a hard link is taken for one),
    and of two with one path the later counts. Raises `UnsupportedError`, as `check_path` does too.
    """
    found: dict[str, PackageFile] = {}
    for member in members(archive, label=label):
        if member.type not in (FILE, HARDLINK):
            continue
        check_path(member.name, label)
        path = package_path(member.name)
        if path is not None:
            found[path] = PackageFile(member.data, member.mode)
    return found


def check_path(path: str, label: str) -> None:
    """Refuse a file with a backslash in its name: what clients make of it differs.

    Raises `UnsupportedError`.
    """
    if "\\" in path:
        raise UnsupportedError(
            f"{label} has a file with a backslash in its name: {path[:200]!r}",
            fix="It is another file on Windows than elsewhere. Tell its author, and leave it out: "
            f"--exclude {label.partition(' ')[0]}.",
        )


def _sorted_files(archive: BinaryIO, label: str) -> Iterator[File]:
    for path, file in sorted(package_files(archive.read(), label).items()):
        yield File(path, file.mode, (file.data,))


PACKAGE: Final = Opening("npm-package-1", _sorted_files)
"""Packages' tarballs, for clients that keep files by their paths."""
HASHED_PACKAGE: Final = Opening("npm-package-1", _sorted_files, sha512=True)
"""The same, for those that keep files by their sha512."""
