"""Crates and lockfiles made on the spot."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from vendorpack.formats.cargo.sources import CRATES_IO_GIT_INDEX
from vendorpack.project import Host, Project

CRATES_IO = f"registry+{CRATES_IO_GIT_INDEX}"
OTHER = "sparse+https://crates.example.com/index/"


def crate(name: str, version: str, manifest: str = "", lib: str = "", **more: str) -> bytes:
    """A `.crate` file whose Cargo.toml is a `[package]` table with `manifest` after it."""
    head = f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n'
    return archive(
        {
            f"{name}-{version}/Cargo.toml": (head + manifest).encode(),
            f"{name}-{version}/src/lib.rs": lib.encode(),
            **{f"{name}-{version}/{path}": text.encode() for path, text in more.items()},
        }
    )


def archive(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(out.getvalue(), mtime=0)


def package(name: str, version: str, source: str | None, content: bytes | None = None) -> str:
    """A `[[package]]` table; its checksum is that of `content`."""
    lines = ["[[package]]", f'name = "{name}"', f'version = "{version}"']
    if source is not None:
        lines.append(f'source = "{source}"')
    if content is not None:
        lines.append(f'checksum = "{hashlib.sha256(content).hexdigest()}"')
    return "\n".join(lines) + "\n"


def project(folder: Path, lock: str | bytes, environ: Mapping[str, str] | None = None) -> Project:
    """A project of this lockfile alone, on a machine with an empty home beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    data = lock if isinstance(lock, bytes) else lock.encode()
    (folder / "Cargo.lock").write_bytes(data)
    host = Host(environ=environ or {}, home=folder.parent / "home", os="linux")
    return Project(folder, PurePosixPath("Cargo.lock"), host)
