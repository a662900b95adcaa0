"""A Python package index: the simple API in HTML and in JSON."""

from __future__ import annotations

import json

from tests.world.distributions import sha256
from tests.world.pypi_memory import JSON, project_of
from tests.world.server import Reply, Request
from tests.world.site import Service


class PypiIndex(Service):
    """Files by name, their pages below `simple/`.

    speaks_json: whether the index knows JSON (PEP 691) besides HTML.
    """

    def __init__(self, *, speaks_json: bool = True) -> None:
        self.files: dict[str, bytes] = {}
        self._speaks_json = speaks_json

    @property
    def simple(self) -> str:
        """What `index-url` is set to."""
        return f"{self.url}/simple/"

    def publish(self, filename: str, content: bytes) -> bytes:
        """Add a file; returns it."""
        self.files[filename] = content
        return content

    def address(self, filename: str) -> str:
        """Where a file is."""
        return f"{self.url}/files/{filename}"

    def answer(self, path: str, request: Request) -> Reply:
        kind, _, name = path.partition("/")
        if kind == "files" and name in self.files:
            return Reply(self.files[name])
        files = [file for file in self.files if project_of(file) == name.rstrip("/")]
        if kind != "simple" or not files:
            return Reply(b"no such project", 404)
        if self._speaks_json and JSON in request.headers.get("accept", ""):
            return Reply(self._json(name.rstrip("/"), files), headers={"Content-Type": JSON})
        return Reply(self._html(files), headers={"Content-Type": "text/html"})

    def _json(self, name: str, files: list[str]) -> bytes:
        listed = [
            {
                "filename": file,
                "url": self.address(file),
                "hashes": {"sha256": sha256(self.files[file])},
                "size": len(self.files[file]),
            }
            for file in files
        ]
        page = {"meta": {"api-version": "1.1"}, "name": name, "files": listed}
        return json.dumps(page).encode()

    def _html(self, files: list[str]) -> bytes:
        links = (
            f'<a href="../../files/{file}#sha256={sha256(self.files[file])}">{file}</a><br>'
            for file in files
        )
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()
