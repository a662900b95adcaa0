"""An npm registry, and a project locked against it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from tests.world.server import Reply, Request
from tests.world.site import Service, Site


def tarball(
    name: str, version: str, more: Mapping[str, bytes] | None = None, **package_json: object
) -> bytes:
    """A package as `npm publish` makes it, with a file that is hard to compress; and `more`."""
    manifest = {"name": name, "version": version, "main": "index.js", **package_json}
    noise = hashlib.sha512(f"{name}@{version}".encode()).hexdigest().encode() * 20
    files = {
        "package/package.json": json.dumps(manifest).encode(),
        "package/index.js": f"module.exports = '{name}@{version}'\n".encode(),
        "package/data.txt": noise,
        **{f"package/{path}": data for path, data in (more or {}).items()},
    }
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def sri(data: bytes, algorithm: str = "sha512") -> str:
    """An integrity string."""
    return f"{algorithm}-" + base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


class NpmRegistry(Service):
    """Packages, and, with `packuments`, what the registry says of their releases.

    packages: path below the registry to tarball.
    stalled: paths that are asked for in vain: no answer ever comes.
    """

    def __init__(self, *, packuments: bool = False) -> None:
        self._packuments = packuments
        self.packages: dict[str, bytes] = {}
        self.stalled: set[str] = set()
        self._manifests: dict[str, dict[str, object]] = {}

    def answer(self, path: str, request: Request) -> Reply:
        if f"/{path}" in self.stalled:
            return Reply(silent=True)
        data = self.packages.get(f"/{path}")
        if data is not None:
            return Reply(data)
        packument = self.packument(unquote(path)) if self._packuments else None
        if packument is None:
            return Reply(b"no such package", 404)
        return Reply(packument, headers={"Content-Type": "application/json"})

    def packument(self, name: str) -> bytes | None:
        """What the registry says of all releases of a package."""
        start = f"/{name}/-/{name.rpartition('/')[2]}-"
        releases = {
            path.removeprefix(start).removesuffix(".tgz"): data
            for path, data in self.packages.items()
            if path.startswith(start)
        }
        if not releases:
            return None
        versions = {
            version: {
                **self._manifests.get(self.path(name, version), {}),
                "name": name,
                "version": version,
                "dist": {"tarball": self.address(name, version), "integrity": sri(data)},
            }
            for version, data in releases.items()
        }
        latest = {"latest": list(releases)[-1]}
        return json.dumps({"name": name, "dist-tags": latest, "versions": versions}).encode()

    def publish(
        self,
        name: str,
        version: str,
        more: Mapping[str, bytes] | None = None,
        **package_json: object,
    ) -> bytes:
        """Add a release, with these files too; returns its tarball."""
        data = tarball(name, version, more, **package_json)
        self.packages[self.path(name, version)] = data
        self._manifests[self.path(name, version)] = package_json
        return data

    @staticmethod
    def path(name: str, version: str) -> str:
        """Where a release's tarball is."""
        return f"/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"

    def address(self, name: str, version: str) -> str:
        """Its address."""
        return self.url + self.path(name, version)

    def lock(
        self, folder: Path, packages: Mapping[str, str], **overrides: Mapping[str, object]
    ) -> Path:
        """Write package.json, package-lock.json and .npmrc for these releases.

        `overrides` change fields of a package's entry; None takes a field away.
        """
        folder.mkdir(parents=True, exist_ok=True)
        entries: dict[str, object] = {
            "": {"name": "project", "version": "1.0.0", "dependencies": dict(packages)}
        }
        for name, version in sorted(packages.items()):
            data = self.packages.get(self.path(name, version)) or self.publish(name, version)
            entry = {
                "version": version,
                "resolved": self.address(name, version),
                "integrity": sri(data),
            }
            changed = {**entry, **overrides.get(name, {})}
            entries[f"node_modules/{name}"] = {k: v for k, v in changed.items() if v is not None}
        manifest = {"name": "project", "version": "1.0.0", "dependencies": dict(packages)}
        (folder / "package.json").write_text(json.dumps(manifest, indent=2))
        path = folder / "package-lock.json"
        lock = {"name": "project", "lockfileVersion": 3, "requires": True, "packages": entries}
        path.write_text(json.dumps(lock, indent=2) + "\n")
        (folder / ".npmrc").write_text(f"registry={self.url}/\n")
        return path


def npm_registry() -> NpmRegistry:
    """A registry that has a site for itself, which runs while `server` is entered."""
    return Site().mount("", NpmRegistry())
