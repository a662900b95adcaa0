"""Projects with a pnpm lockfile, archives to unpack, and what the room makes of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from tests.memory import MemoryWorkshop
from vendorpack.digest import Digest, Integrity
from vendorpack.formats.pnpm import FORMAT
from vendorpack.formats.pnpm.artifacts import PnpmArtifact
from vendorpack.model import Lockfile, Options, Packed
from vendorpack.project import Host, Project
from vendorpack.target import parse_target

LINUX = Options(targets=(parse_target("linux-x86_64-gnu"),))
EVERYWHERE = Options()


def sri(text: str, algorithm: str = "sha512") -> str:
    return str(Digest(algorithm, hashlib.new(algorithm, text.encode()).digest()))


def project(folder: Path, lock: str | bytes, **beside: str) -> Project:
    """`beside`: files in the same folder, `package_json` for package.json."""
    folder.mkdir(parents=True, exist_ok=True)
    data = lock if isinstance(lock, bytes) else lock.encode()
    (folder / "pnpm-lock.yaml").write_bytes(data)
    names = {"package_json": "package.json", "workspace": "pnpm-workspace.yaml", "npmrc": ".npmrc"}
    for key, text in beside.items():
        (folder / names[key]).write_text(text)
    host = Host(environ={}, home=folder / "home", os="linux")
    return Project(root=folder, lockfile=PurePosixPath("pnpm-lock.yaml"), host=host)


def read(folder: Path, lock: str | bytes, options: Options = LINUX, **beside: str) -> Lockfile:
    return FORMAT.read(project(folder, lock, **beside), options)


def names(lockfile: Lockfile) -> list[str]:
    return [str(artifact) for artifact in lockfile.artifacts]


def artifact(
    name: str = "a",
    version: str = "1.0.0",
    *,
    id: str = "",
    integrity: str | None = None,
    git_hosted: bool = False,
    stores: Sequence[str] = ("v3", "v10", "v11"),
) -> PnpmArtifact:
    text = sri(f"{name}@{version}") if integrity is None else integrity
    return PnpmArtifact(
        name=name,
        version=version,
        purl="",
        url="https://registry.example/x.tgz",
        integrity=Integrity.parse_sri(text) if text else Integrity(),
        where="",
        id=id or f"{name}@{version}",
        sri=text,
        git_hosted=git_hosted,
        stores=tuple(stores),
    )


def archive(files: Mapping[str, bytes | tuple[bytes, int]], folder: str = "package") -> bytes:
    """A .tgz; a value may be content and mode."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, value in files.items():
            data, mode = value if isinstance(value, tuple) else (value, 0o644)
            member = tarfile.TarInfo(f"{folder}/{path}")
            member.size, member.mode = len(data), mode
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


def package(name: str = "a", version: str = "1.0.0", **manifest: object) -> bytes:
    """An archive of a package.json and an index.js."""
    text = json.dumps({"name": name, "version": version, **manifest})
    return archive({"package.json": text.encode(), "index.js": name.encode()})


def tree(*packages: tuple[PnpmArtifact, bytes]) -> dict[str, bytes]:
    """Path below the store folder to content; where there is one again, it is the same."""
    shop = MemoryWorkshop()
    packed = [Packed(artifact, shop.add(data)) for artifact, data in packages]
    found: dict[str, bytes] = {}
    for entry in FORMAT.layout(packed, shop):
        if entry.content is not None:
            path = entry.path.removeprefix("pnpm/store/")
            assert entry.mode == (0o755 if path.endswith("-exec") else 0o644)
            content = shop.content(entry)
            assert found.setdefault(path, content) == content
    return found
