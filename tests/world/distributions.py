"""Wheels, source distributions and projects made on the spot."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from tests.memory import Documents
from vendorpack.errors import FetchError
from vendorpack.model import Options
from vendorpack.project import Host, Project
from vendorpack.room import Answer
from vendorpack.target import parse_target

LINUX = parse_target("linux-x86_64-gnu-py3.12")
WINDOWS = parse_target("windows-x86_64-py3.11")
MAC = parse_target("macos-aarch64-py3.12")


def project(
    folder: Path, lockfile: str, files: Mapping[str, str], environ: Mapping[str, str] | None = None
) -> Project:
    """A project on disk, with an empty home beside it."""
    for name, text in files.items():
        path = folder / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    host = Host(environ or {}, folder / "home", "linux")
    return Project(folder / "project", PurePosixPath(lockfile), host)


def options(*targets: object, dev: bool = True, groups: Sequence[str] = ()) -> Options:
    return Options(
        targets=tuple(parse_target(str(t)) for t in targets), dev=dev, groups=tuple(groups)
    )


def wheel(
    name: str, version: str, files: Mapping[str, bytes], requires: Sequence[str] = ()
) -> bytes:
    """A wheel; names that end in `.so` or begin with `bin/` are executable."""
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: >=3.8\n"
    metadata += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in {**files, f"{info}/METADATA": metadata.encode()}.items():
            member = zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o755 if path.endswith(".so") or path.startswith("bin/") else 0o644
            member.external_attr = (0o100000 | mode) << 16
            archive.writestr(member, data)
    return buffer.getvalue()


def installable_wheel(name: str, version: str, files: Mapping[str, bytes]) -> bytes:
    """A wheel with all that installers insist on."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    tags = b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    whole = {**files, f"{info}/WHEEL": tags}
    names = [*whole, f"{info}/METADATA", f"{info}/RECORD"]
    record = "".join(f"{path},,\n" for path in names)
    return wheel(name, version, {**whole, f"{info}/RECORD": record.encode()})


def sdist(name: str, version: str, files: Mapping[str, bytes]) -> bytes:
    """A .tar.gz; a value that begins with `->` is a symbolic link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            data = b"" if content.startswith(b"->") else content
            if data != content:
                member.type, member.linkname = tarfile.SYMTYPE, content[2:].decode()
            member.size = len(data)
            member.mode = 0o755 if path.endswith(".sh") else 0o600
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Pages(Documents):
    """An `Index` of documents; whatever else is asked for is 404."""

    def __init__(self, answers: Mapping[str, tuple[str, bytes]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def get(self, url: str, *, accept: str = "*/*", max_size: int = 64 << 20) -> Answer:
        self.asked.append(url)
        if url not in self.answers:
            raise FetchError("not found", where=url, status=404)
        content_type, body = self.answers[url]
        return Answer(body, content_type, url)
