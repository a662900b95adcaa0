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
        if path == "config.json":
            config: dict[str, object] = {"dl": f"{self._downloads.url}/{{crate}}/{{version}}.crate"}
            if self._auth_required:
                config["auth-required"] = True
            return Reply(json.dumps(config).encode())
        lines = [
            line_of_crate(content, crates_io=False)
            for (name, _), content in self._downloads.crates.items()
            if index_path(name) == path
        ]
        return Reply(b"\n".join(lines)) if lines else Reply(b"no such crate", 404)
