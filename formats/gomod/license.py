"""The licence of a module: known by its text at the root, as nothing declares it in words."""

from __future__ import annotations

import zipfile
from typing import BinaryIO, Final

from vendorpack.formats._shared.text.license_texts import FILE_NAME, MAX_TEXT, agreed
from vendorpack.formats.gomod.modules import ModuleFile
from vendorpack.formats.gomod.zips import UNREADABLE
from vendorpack.model import Artifact, LicenseReader


def reader_of(artifact: Artifact) -> LicenseReader | None:
    """How an artifact is asked: a zip; a go.mod says nothing of it."""
    is_zip = isinstance(artifact, ModuleFile) and artifact.suffix == "zip"
    return _ZIP if is_zip else None


def _at_root(name: str) -> str:
    """A file's own name, in a zip where it lies at `<module>@<version>/`; no module has an `@`."""
    file = name.partition("@")[2].partition("/")[2]
    return "" if "/" in file else file


def _read(archive: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(archive) as opened:
            return agreed(
                opened.read(info).decode("utf-8", "replace")
                for info in opened.infolist()
                if FILE_NAME.fullmatch(_at_root(info.filename)) and info.file_size <= MAX_TEXT
            )
    except UNREADABLE:
        return ""


_ZIP: Final = LicenseReader("go-license-1", _read)
