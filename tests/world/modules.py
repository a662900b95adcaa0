"""Module zips and go.sum lines made on the spot."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from vendorpack.project import Host, Project


def module_zip(
    module: str, version: str, files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """A module's zip as a proxy serves it."""
    return zip_of(
        [(f"{module}@{version}/{name}", data) for name, data in files.items()], compression
    )


def zip_of(members: Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return out.getvalue()


def h1(files: Mapping[str, bytes]) -> str:
    """go.sum's hash, computed apart from the room's own code."""
    lines = [
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())
    ]
    return "h1:" + base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


def project(
    folder: Path, files: Mapping[str, str | bytes], environ: Mapping[str, str] | None = None
) -> Project:
    """A folder with these files, of which the first is the lockfile."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    host = Host(environ=environ or {}, home=folder.parent / "home", os="linux")
    return Project(folder, PurePosixPath(next(iter(files))), host)
