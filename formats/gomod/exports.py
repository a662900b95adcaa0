"""A module's go.mod and zip, made of the commit that its version names: as go makes them.

The zip has the files below the module's folder as `git archive` writes them, without modules that
lie in it, links, and what is in a vendor folder; a module below the repository's root that has no
LICENSE gets the root's. go.mod and that LICENSE are taken as they are in the repository. A module
of version 2 and up is in the folder `v2`, or where its go.mod says `/v2` (a branch); one without a
go.mod gets one. (cmd/go of 1.26: internal/modfetch/coderepo.go; golang.org/x/mod/zip.)

What go would refuse is not looked for: go.sum has no hash for that.
"""

from __future__ import annotations

import contextlib
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from vendorpack.errors import IntegrityError, LockfileError
from vendorpack.formats.gomod.graph import ModFile, read_mod
from vendorpack.formats.gomod.modules import Module, Repository, go_order, split_major
from vendorpack.formats.gomod.zips import one_form

_TREE: Final = "tree/"
_RAW: Final = "raw/"
_STRICT_VENDOR: Final = (1, 24)
"""The language version since which a vendor folder is left out wherever it is, and whole."""


def exported_mod(module: Module, repository: Repository, export: Path) -> bytes:
    """The module's go.mod. Raises `IntegrityError` if the commit does not have the module."""
    with _opened(export, module) as files:
        return _found(module, repository, files)[1]


def exported_zip(module: Module, repository: Repository, export: Path) -> Iterator[bytes]:
    """The module's zip in its one form, in pieces. Raises as `exported_mod` does."""
    with _opened(export, module) as files:
        folder, _ = _found(module, repository, files)
        prefix = f"{_TREE}{folder}/" if folder else _TREE
        below = sorted(name[len(prefix) :] for name in files.members if name.startswith(prefix))
        kept = {name: prefix + name for name in _kept(below, prefix, files)}
        if folder and "LICENSE" not in below and f"{_RAW}LICENSE" in files.members:
            kept["LICENSE"] = f"{_RAW}LICENSE"
        inside = f"{module.path}@{module.version}/"
        yield from one_form((inside + name, files.blob(kept[name])) for name in sorted(kept))


class _Files:
    """The files and links of an export."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.members: Mapping[str, tarfile.TarInfo] = {
            info.name: info for info in archive if info.isreg() or info.issym()
        }

    def is_file(self, name: str) -> bool:
        """Whether it is there, and no link."""
        return name in self.members and self.members[name].isreg()

    def blob(self, name: str) -> bytes:
        """What git keeps for it: of a link, where that leads."""
        info = self.members[name]
        if info.issym():
            return info.linkname.encode()
        content = self._archive.extractfile(info)
        assert content is not None, "it is a regular file"
        return content.read()


@contextlib.contextmanager
def _opened(export: Path, module: Module) -> Iterator[_Files]:
    try:
        # Zeros end each of the two.
        with tarfile.open(export, "r:", ignore_zeros=True, encoding="utf-8") as archive:
            yield _Files(archive)
    except (tarfile.TarError, UnicodeError, OSError) as error:
        raise _refused(module, f"its commit cannot be read: {error}") from None


def _found(module: Module, repository: Repository, files: _Files) -> tuple[str, bytes]:
    """The folder that the module is in, without a slash behind, and its go.mod."""
    _, major = split_major(module.path)
    folder = repository.folder_of(module)
    own, mod = _mod(folder, files)
    if major.startswith("/") and module.path != repository.root:
        inner = f"{folder}/{major[1:]}".lstrip("/")
        its, inner_mod = _mod(inner, files)
        if inner_mod is not None and _is_major(its.path, major):
            return inner, inner_mod
    if mod is not None:
        if _is_major(own.path, major) or (not major and own.path.startswith("gopkg.in/")):
            return folder, mod
        raise _refused(module, f"its commit has the module {own.path[:200]!r} there")
    if folder or major.startswith("/"):
        raise _refused(module, f"its commit has no go.mod in {folder or 'the root'!r}")
    return folder, f"module {module.path}\n".encode()


def _mod(folder: str, files: _Files) -> tuple[ModFile, bytes | None]:
    """What the go.mod of a folder says, and its bytes if there is one."""
    name = f"{_RAW}{folder}/go.mod" if folder else f"{_RAW}go.mod"
    if name not in files.members:
        return ModFile(), None
    data = files.blob(name)
    return _read(data), data


def _read(data: bytes) -> ModFile:
    try:
        return read_mod(data, "go.mod")
    except LockfileError:
        return ModFile()  # go's own to complain of


def _is_major(path: str, major: str) -> bool:
    """Whether a go.mod that says it is the module `path` may be of this major version."""
    _, its = split_major(path)
    if not path or not major:
        return bool(path) and its[1:] in ("", "v0", "v1")
    return its[1:] == major[1:]


def _kept(names: list[str], prefix: str, files: _Files) -> Iterator[str]:
    """Those of the files below a module's folder that are in its zip."""
    modules = {
        name[: -len("go.mod")]
        for name in names
        if name.lower().endswith("/go.mod") and files.is_file(prefix + name)
    }
    strict = "go.mod" in names and _is_strict(files.blob(f"{prefix}go.mod"))
    for name in names:
        parents = (name[: at + 1] for at, letter in enumerate(name) if letter == "/")
        if (
            files.is_file(prefix + name)
            and name != ".hg_archival.txt"
            and not _is_vendored(name, strict=strict)
            and modules.isdisjoint(parents)
        ):
            yield name


def _is_strict(mod: bytes) -> bool:
    return go_order(_read(mod).go) >= _STRICT_VENDOR


def _is_vendored(name: str, *, strict: bool) -> bool:
    """Whether a file is in a vendored package. Before go 1.24 that was counted wrongly."""
    if strict and name == "vendor/modules.txt":
        return True
    mark = "vendor/"
    if name.startswith(mark):
        return "/" in name[len(mark) :]
    at = name.find(f"/{mark}")
    if at < 0:
        return False
    return "/" in name[(at if strict else 0) + len(mark) + 1 :]


def _refused(module: Module, why: str) -> IntegrityError:
    return IntegrityError(
        f"the repository does not have the module: {why}",
        where=f"{module.path} {module.version}",
        fix="The repository was changed since: lock again, and look at what changed.",
    )
