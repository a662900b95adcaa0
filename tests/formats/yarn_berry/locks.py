"""Projects with a lockfile of Yarn 2 or newer, and what the room makes of them."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from vendorpack.formats.yarn_berry import FORMAT
from vendorpack.formats.yarn_berry.artifacts import BerryArtifact
from vendorpack.model import Lockfile, Options
from vendorpack.project import Host, Project
from vendorpack.target import parse_target

LINUX = parse_target("linux-x86_64-gnu")
MUSL = parse_target("linux-x86_64-musl")
MAC = parse_target("macos-aarch64")
WINDOWS = parse_target("windows-x86_64")

Member = tuple[str, str, int, bytes]
"""Type (F, D, L: symbolic link, H: hard link), name, mode, content or what is linked to."""

_TYPES = {"F": tarfile.REGTYPE, "D": tarfile.DIRTYPE, "L": tarfile.SYMTYPE, "H": tarfile.LNKTYPE}


def tgz(members: Sequence[Member]) -> bytes:
    """A package's tarball."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for kind, name, mode, data in members:
            info = tarfile.TarInfo(name)
            info.mode, info.type = mode, _TYPES[kind]
            if kind == "F":
                info.size = len(data)
            elif kind in "LH":
                info.linkname = data.decode()
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


def package(name: str, text: bytes = b"hello\n") -> bytes:
    """A small tarball."""
    manifest = f'{{"name":"{name}"}}'.encode()
    return tgz([("F", "package/package.json", 0o644, manifest), ("F", "package/x", 0o644, text)])


def entry(resolution: str, *, version: str = "1.0.0", **more: str) -> str:
    """An entry of the lockfile; the key is not read."""
    lines = [f'"{resolution}":', f"  version: {version}", f'  resolution: "{resolution}"']
    lines += [f"  {key}: {value}" for key, value in more.items()]
    return "\n".join([*lines, "  languageName: node", "  linkType: hard", ""])


def lock(*entries: str, version: str = "8", key: str = "10c0") -> str:
    """A whole lockfile."""
    head = "# This file is generated\n\n__metadata:\n"
    return f"{head}  version: {version}\n  cacheKey: {key}\n\n" + "\n".join(entries)


def project(
    folder: Path,
    text: str | bytes,
    *,
    yarnrc: str | None = None,
    home_yarnrc: str | None = None,
    environ: Mapping[str, str] | None = None,
    system: str = "linux",
) -> Project:
    """A project on disk, with nothing of this machine's configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "yarn.lock").write_bytes(text if isinstance(text, bytes) else text.encode())
    home = folder / "home"
    home.mkdir(exist_ok=True)
    for place, content in ((folder, yarnrc), (home, home_yarnrc)):
        if content is not None:
            (place / ".yarnrc.yml").write_text(content)
    return Project(folder, PurePosixPath("yarn.lock"), Host(environ or {}, home, system))


def read(project: Project, options: Options | None = None) -> Lockfile:
    return FORMAT.read(project, options or Options())


def artifacts(project: Project, options: Options | None = None) -> list[BerryArtifact]:
    found = []
    for artifact in read(project, options).artifacts:
        assert isinstance(artifact, BerryArtifact)
        found.append(artifact)
    return found
