"""A Go module proxy, and the pages that say where modules are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import unquote

from tests.world.modules import h1, module_zip
from tests.world.server import Reply, Request
from tests.world.site import Service


class GoProxy(Service):
    """Modules by path and version."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def publish(self, module: str, version: str, files: Mapping[str, bytes]) -> str:
        """Add a release, whose go.mod is among `files`: its lines of go.sum."""
        base = re.sub("[A-Z]", lambda match: "!" + match[0].lower(), f"{module}/@v/{version}")
        info = {"Version": version, "Time": "2020-01-01T00:00:00Z"}
        self._files[f"{base}.info"] = json.dumps(info).encode()
        self._files[f"{base}.mod"] = files["go.mod"]
        self._files[f"{base}.zip"] = module_zip(module, version, files)
        whole = h1({f"{module}@{version}/{name}": data for name, data in files.items()})
        mod = h1({"go.mod": files["go.mod"]})
        return f"{module} {version} {whole}\n{module} {version}/go.mod {mod}\n"

    def answer(self, path: str, request: Request) -> Reply:
        content = self._files.get(unquote(path))
        return Reply(b"not found", 404) if content is None else Reply(content)


class GoPages(Service):
    """Pages by path, each with what its go-import tag says: `ROOT git URL`."""

    def __init__(self, pages: Mapping[str, str]) -> None:
        self._pages = pages

    def answer(self, path: str, request: Request) -> Reply:
        said = self._pages.get(path)
        if said is None or request.target.partition("?")[2] != "go-get=1":
            return Reply(b"nothing is here", 404)
        page = f'<html><head><meta name="go-import" content="{said}"></head><body>hello</body>'
        return Reply(page.encode())
