"""A sparse cargo registry, whose downloads may lie on another host."""

from __future__ import annotations

import json

from tests.world.server import Reply, Request
from tests.world.site import Service
from vendorpack.formats.cargo.artifacts import index_path
from vendorpack.formats.cargo.index import line_of_crate


class CrateDownloads(Service):
    """Crates at `NAME/VERSION.crate`."""

    def __init__(self) -> None:
        self.crates: dict[tuple[str, str], bytes] = {}

    def answer(self, path: str, request: Request) -> Reply:
        name, _, file = path.partition("/")
        content = self.crates.get((name, file.removesuffix(".crate")))
        return Reply(b"no such crate", 404) if content is None else Reply(content)


class CargoRegistry(Service):
    """The index of what `downloads` has, which must be mounted too."""

    def __init__(self, downloads: CrateDownloads, *, auth_required: bool = False) -> None:
        self._downloads, self._auth_required = downloads, auth_required

    @property
    def source(self) -> str:
        """What a lockfile calls it."""
        return f"sparse+{self.url}/"

    def publish(self, name: str, version: str, content: bytes) -> bytes:
        """Add a release; returns its crate."""
        self._downloads.crates[name, version] = content
        return content

    def answer(self, path: str, request: Request) -> Reply:
        files = index_files(self._downloads, auth_required=self._auth_required)
        return Reply(files[path]) if path in files else Reply(b"no such crate", 404)


def index_files(downloads: CrateDownloads, *, auth_required: bool = False) -> dict[str, bytes]:
    """The files of an index of what `downloads` has, by path: also of one kept in git."""
    config: dict[str, object] = {"dl": f"{downloads.url}/{{crate}}/{{version}}.crate"}
    if auth_required:
        config["auth-required"] = True
    files = {"config.json": json.dumps(config).encode()}
    for (name, _), content in downloads.crates.items():
        line = line_of_crate(content, crates_io=False)
        files[index_path(name)] = files.get(index_path(name), b"") + line + b"\n"
    return files
