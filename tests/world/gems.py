"""Gem servers with a compact index, and their gems."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.world.git import GitHost
from tests.world.server import Reply, Request
from tests.world.site import Service, Site, basic


def gem_file(name: str, version: str, platform: str = "ruby", note: str = "") -> bytes:
    """A `.gem` that is well-formed from afar: a tar with a compressed specification."""
    specification = f"--- !ruby/object:Gem::Specification\nname: {name}\n# {note}\n"
    specification += f"version: {version}\nplatform: {platform}\n"
    data = gzip.compress(specification.encode(), mtime=0)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo("metadata.gz")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Release:
    """A gem as a source lists it. `needs` is as in the index: `rake:>= 1&< 3,other:>= 0`."""

    name: str
    version: str
    data: bytes
    platform: str = "ruby"
    needs: str = ""

    @property
    def full_version(self) -> str:
        return self.version if self.platform == "ruby" else f"{self.version}-{self.platform}"

    @property
    def file_name(self) -> str:
        return f"{self.name}-{self.full_version}.gem"


@dataclass
class GemSource(Service):
    """One gem server with a compact index.

    login: `user:password` that every request must bring.
    checksums: whether the index has any.
    """

    login: str | None = None
    checksums: bool = True
    compact_index: bool = True
    releases: list[Release] = field(default_factory=list)

    def answer(self, path: str, request: Request) -> Reply:
        wanted = None if self.login is None else basic(self.login)
        if wanted is not None and request.headers.get("authorization") != wanted:
            return Reply(b"who are you?", 401, {"WWW-Authenticate": "Basic"})
        if path.startswith("gems/"):
            for release in self.releases:
                if path == f"gems/{release.file_name}":
                    return Reply(release.data)
        if self.compact_index:
            names = sorted({release.name for release in self.releases})
            if path == "versions":
                lines = [
                    f"{name} {','.join(r.full_version for r in self.of(name))} "
                    + hashlib.md5(self.info(name), usedforsecurity=False).hexdigest()
                    for name in names
                ]
                head = ["created_at: 2026-01-01T00:00:00Z", "---"]
                return Reply("\n".join([*head, *lines, ""]).encode())
            if path.startswith("info/") and path[5:] in names:
                return Reply(self.info(path[5:]))
        return Reply(b"not here", 404)

    def of(self, name: str) -> list[Release]:
        return [release for release in self.releases if release.name == name]

    def info(self, name: str) -> bytes:
        lines = ["---"]
        for release in self.of(name):
            checksum = f"checksum:{sha256(release.data)}," if self.checksums else ""
            lines.append(f"{release.full_version} {release.needs}|{checksum}ruby:>= 2.5")
        return "\n".join([*lines, ""]).encode()


@dataclass
class GemWorld:
    """Sources by path (`main`), and bare git repositories below `repositories`."""

    server: Site
    repositories: Path
    sources: dict[str, GemSource]

    def url(self, source: str) -> str:
        """A source's address as a Gemfile names it."""
        return f"{self.server.url}/{source}/"

    def allow(self) -> list[str]:
        """The option that lets vendorpack go there."""
        return ["--allow-host", self.server.url]


def gem_world(folder: Path, sources: Iterable[str] = ("main",)) -> GemWorld:
    """A world whose server runs while `GemWorld.server` is entered."""
    site = Site()
    site.mount("git", GitHost(folder))
    return GemWorld(site, folder, {name: site.mount(name, GemSource()) for name in sources})


def lock_text(
    sources: dict[str, list[Release]],
    *,
    checksums: bool = True,
    platforms: Iterable[str] = ("ruby",),
    git: str = "",
) -> str:
    """A lockfile of these releases, each source's address to its own."""
    lines = [git] if git else []
    for address, releases in sources.items():
        lines += ["GEM", f"  remote: {address}", "  specs:"]
        for release in releases:
            lines.append(f"    {release.name} ({release.full_version})")
        lines.append("")
    lines += ["PLATFORMS", *(f"  {name}" for name in platforms), "", "DEPENDENCIES"]
    every = [release for releases in sources.values() for release in releases]
    lines += [f"  {name}" for name in sorted({release.name for release in every})]
    if checksums:
        lines += ["", "CHECKSUMS"]
        lines += [f"  {r.name} ({r.full_version}) sha256={sha256(r.data)}" for r in every]
    return "\n".join([*lines, "", "BUNDLED WITH", "   2.6.7", ""])
