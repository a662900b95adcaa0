"""The files of a package's tarball, as clients unpack them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vendorpack.formats._shared.archives.tarball import FILE, HARDLINK, members, package_path

_EXECUTABLE: Final = 0o111


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file's content and its permission bits, as stored."""

    data: memoryview
    mode: int

    @property
    def entry_mode(self) -> int:
        """The mode that a bundle has for it."""
        return 0o755 if self.mode & _EXECUTABLE else 0o644


def package_files(archive: bytes, label: str) -> dict[str, PackageFile]:
    """Path below the package's folder to its file.

    An archive's first path component is cut, only files count (a hard link is taken for one),
    and of two with one path the later counts. Raises `UnsupportedError`.
    """
    found: dict[str, PackageFile] = {}
    for member in members(archive, label=label):
        path = package_path(member.name)
        if member.type in (FILE, HARDLINK) and path is not None:
            found[path] = PackageFile(member.data, member.mode)
    return found
