"""A registry of JSR's kind: packages of plain modules, each with its hash in a description."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from tests.world.server import Reply, Request
from tests.world.site import Service


class JsrRegistry(Service):
    """Packages by `publish`, and any other files by `files` (path to content)."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def answer(self, path: str, request: Request) -> Reply:
        data = self.files.get(path)
        if data is None:
            return Reply(b"not here", 404)
        kind = "application/json" if path.endswith(".json") else "application/typescript"
        return Reply(data, headers={"Content-Type": kind})

    def publish(self, name: str, version: str, files: Mapping[str, bytes]) -> str:
        """Add a version of `@scope/name`; returns what a lockfile pins it to."""
        scope, _, base = name.removeprefix("@").partition("/")
        manifest = {
            f"/{path}": {
                "size": len(data),
                "checksum": f"sha256-{hashlib.sha256(data).hexdigest()}",
            }
            for path, data in files.items()
        }
        description = json.dumps({"manifest": manifest, "exports": {".": "./mod.ts"}}).encode()
        known = {"scope": scope, "name": base, "latest": version, "versions": {version: {}}}
        self.files |= {f"{name}/{version}/{path}": data for path, data in files.items()}
        self.files[f"{name}/{version}_meta.json"] = description
        self.files[f"{name}/meta.json"] = json.dumps(known).encode()
        return hashlib.sha256(description).hexdigest()
