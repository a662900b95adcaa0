"""Projects with a bun.lock, and what the room makes of them."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from tests.formats.pnpm.locks import sri
from vendorpack.formats.bun import FORMAT
from vendorpack.formats.bun.artifacts import BunArtifact
from vendorpack.model import Options
from vendorpack.project import Host, Project
from vendorpack.target import parse_target

LINUX = Options(targets=(parse_target("linux-x86_64-gnu"),))
EVERYWHERE = Options()


def release(identity: str, address: str = "", /, **info: Any) -> list[Any]:
    """The tuple of a registry's package."""
    return [identity, address, info, sri(identity)]


def lock(
    packages: Mapping[str, Any], *, version: int = 1, workspaces: Mapping[str, Any] | None = None
) -> str:
    """A lockfile as Bun writes it: a line a package, a comma behind each element."""
    if workspaces is None:
        workspaces = {"": {"name": "app", "dependencies": dict.fromkeys(packages, "*")}}
    lines = ["{", f'  "lockfileVersion": {version},']
    lines.append(f'  "workspaces": {json.dumps(workspaces)},')
    lines.append('  "packages": {')
    for key, entry in packages.items():
        text = json.dumps(entry)
        lines += [f"    {json.dumps(key)}: {text[:-1]}{',' * (text[-2:] == '}]')}{text[-1]},", ""]
    return "\n".join([*lines, "  },", "}", ""])


def project(
    folder: Path,
    text: str | bytes,
    *,
    environ: Mapping[str, str] | None = None,
    name: str = "bun.lock",
    **beside: str,
) -> Project:
    """`beside`: `bunfig` and `npmrc`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    for key, content in beside.items():
        (folder / {"bunfig": "bunfig.toml", "npmrc": ".npmrc"}[key]).write_text(content)
    host = Host(environ=environ or {}, home=folder / "home", os="linux")
    return Project(root=folder, lockfile=PurePosixPath(name), host=host)


def artifacts(made: Project, options: Options = LINUX) -> dict[str, BunArtifact]:
    """What is read, by name and version."""
    found = FORMAT.read(made, options).artifacts
    return {str(a): a for a in found if isinstance(a, BunArtifact)}


def tarball(files: Mapping[str, tuple[bytes, int]], top: str = "package") -> bytes:
    """A gzipped tar of files: path to content and mode."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, (data, mode) in files.items():
            member = tarfile.TarInfo(f"{top}/{path}")
            member.size, member.mode = len(data), mode
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), mtime=0)
