"""The licence in a package.json: https://docs.npmjs.com/cli/v11/configuring-npm/package-json#license.

`license` is an SPDX expression, or says where the licence is to be read (`SEE LICENSE IN <file>`),
or that there is none (`UNLICENSED`). Old packages have an object there, or a list of such objects
in `licenses`, of which one may be chosen.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, BinaryIO, Final

from vendorpack.formats._shared.archives.opened import Opening
from vendorpack.formats._shared.archives.tarball import first_file, package_path, unpack
from vendorpack.formats._shared.git.license import commit_reader
from vendorpack.formats._shared.npm.git_dependencies import Commit
from vendorpack.formats._shared.text.license_names import any_of
from vendorpack.model import Artifact, LicenseReader
from vendorpack.room import Keep

_MANIFEST: Final = "package.json"


def of_manifest(data: bytes) -> str:
    """What a package.json declares."""
    try:
        manifest = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(manifest, dict):
        return ""
    found = manifest.get("license")
    if not found:
        found = manifest.get("licenses")
    several = found if isinstance(found, list) else [found]
    return any_of(map(_text, several))


def _text(value: Any) -> str:
    """A licence as it is now, or as an object `{"type", "url"}`."""
    if isinstance(value, dict):
        value = value.get("type") or value.get("name")
    return value.strip() if isinstance(value, str) else ""


def _read(archive: BinaryIO) -> str:
    data = first_file(archive, _MANIFEST, label=_MANIFEST, wanted=_is_manifest)
    return "" if data is None else of_manifest(data)


def _is_manifest(name: str) -> bool:
    return package_path(name) == _MANIFEST


def keep_license(plain: bytes, keep: Keep) -> None:
    """Give what an unpacked tarball declares to `keep`, after the download."""
    keep(OF_TARBALL.recipe, (_read(io.BytesIO(plain)).encode("utf-8", "replace"),))


def keep_opened(opening: Opening, path: Path, keep: Keep, label: str) -> None:
    """Open a tarball, and ask for its licence, in one reading. Raises `UnsupportedError`."""
    plain = unpack(path.read_bytes(), label=label)
    opening.keep(io.BytesIO(plain), keep, label)
    keep_license(plain, keep)


OF_TARBALL: Final = LicenseReader("npm-license-1", _read)


def of_commit(artifact: Artifact, folder: str = "") -> LicenseReader:
    """The same of a commit; without the field, that of the licence's own text."""
    return commit_reader("npm", artifact, folder, {_MANIFEST: of_manifest})


def reader_of(artifact: Artifact, *tarballs: type[Artifact]) -> LicenseReader | None:
    """Of commits, and of the kinds of artifacts that are tarballs."""
    if isinstance(artifact, Commit):
        return of_commit(artifact, artifact.folder)
    return OF_TARBALL if isinstance(artifact, tarballs) else None
