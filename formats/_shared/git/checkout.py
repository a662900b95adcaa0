"""The files that checking out a commit would write, read from its pack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.git.pack import BLOB, TREE, Pack, read_blob

_MAX_DEPTH: Final = 256
_EXECUTABLE: Final = 0o111


@dataclass(frozen=True, slots=True)
class CheckedOut:
    """A file of a commit's tree.

    path: relative, with `/`; bytes that are not UTF-8 became U+FFFD.
    is_link: whether `data` is what a symbolic link points to.
    """

    path: str
    data: bytes
    is_executable: bool = False
    is_link: bool = False


def checked_out(pack: Pack, file: BinaryIO) -> Iterator[CheckedOut]:
    """Every file and link of a commit, in the trees' order; submodules are left out.

    file: the pack file that `pack` was read from.
    """
    yield from _below(pack, file, pack.root, "", 0)


def file_at(pack: Pack, file: BinaryIO, path: str) -> bytes | None:
    """One file's content, by its path with `/`; None if there is none."""
    tree = pack.root
    *folders, name = path.encode().split(b"/")
    for folder in folders:
        found = [e.oid for e in pack.entries(tree) if e.name == folder and e.kind == TREE]
        if not found:
            return None
        tree = found[0]
    for entry in pack.entries(tree):
        if entry.name == name and entry.kind == BLOB:
            return read_blob(file, pack.objects[entry.oid])
    return None


def _below(
    pack: Pack, file: BinaryIO, tree: bytes, folder: str, depth: int
) -> Iterator[CheckedOut]:
    if depth > _MAX_DEPTH:
        raise UnsupportedError("a git commit has folders nested too deeply")
    for entry in pack.entries(tree):
        path = folder + entry.name.decode("utf-8", "replace")
        if entry.kind == TREE:
            yield from _below(pack, file, entry.oid, path + "/", depth + 1)
        elif entry.kind == BLOB:
            yield CheckedOut(
                path,
                read_blob(file, pack.objects[entry.oid]),
                is_executable=bool(entry.mode & _EXECUTABLE),
                is_link=entry.is_link,
            )
