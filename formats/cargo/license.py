"""The licence in a crate's Cargo.toml: https://doc.rust-lang.org/cargo/reference/manifest.html.

`license` is an SPDX expression, in which `/` once stood for OR; `license-file` names a text.
"""

from __future__ import annotations

import tomllib
from functools import partial
from typing import Any, BinaryIO, Final

from vendorpack.formats._shared.archives.tarball import first_file, package_path
from vendorpack.formats._shared.git.license import commit_reader
from vendorpack.formats._shared.text.license_texts import recognised
from vendorpack.formats.cargo.artifacts import Commit, Crate
from vendorpack.model import Artifact, LicenseReader

_MANIFEST: Final = "Cargo.toml"


def reader_of(artifact: Artifact) -> LicenseReader | None:
    """How an artifact is asked."""
    if isinstance(artifact, Commit):
        return commit_reader("crate", artifact, "", {_MANIFEST: of_manifest})
    return _CRATE if isinstance(artifact, Crate) else None


def of_manifest(data: bytes) -> str:
    """The expression that a Cargo.toml declares, also one for all crates of a workspace."""
    document = _loaded(data)
    for place in (("package",), ("workspace", "package")):
        table: Any = document
        for key in place:
            table = table.get(key) if isinstance(table, dict) else None
        text = table.get("license") if isinstance(table, dict) else None
        if isinstance(text, str) and text:
            return " OR ".join(part.strip() for part in text.split("/"))
    return ""


def _file(data: bytes) -> str:
    package = _loaded(data).get("package")
    name = package.get("license-file") if isinstance(package, dict) else None
    return name.removeprefix("./") if isinstance(name, str) else ""


def _loaded(data: bytes) -> dict[str, Any]:
    # As published the table stands alone, and before long lists of features.
    start = data.find(b"[package]")
    end = data.find(b"\n[", start + 1)
    for part in (data[start : end if end > 0 else None] if start >= 0 else b"", data):
        try:
            document = tomllib.loads(part.decode())
        except (ValueError, RecursionError):
            continue
        if "package" in document or part is data:
            return document
    return {}


def _read(archive: BinaryIO) -> str:
    data = first_file(archive, _MANIFEST, label="crate", wanted=partial(_is, _MANIFEST))
    declared = of_manifest(data or b"")
    named = "" if declared else _file(data or b"")
    if not named:
        return declared
    archive.seek(0)
    text = first_file(archive, named, label="crate", wanted=partial(_is, named))
    return recognised((text or b"").decode("utf-8", "replace")) or f"SEE LICENSE IN {named}"


def _is(path: str, name: str) -> bool:
    return package_path(name) == path


_CRATE: Final = LicenseReader("crate-license-1", _read)
