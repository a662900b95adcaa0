"""Files of an unpacked bundle over http, for clients that take an address and no folder.

On the loopback alone, at a port that the system chooses, for as long as the process lives. A path
means the file whose name has most of its end: clients put what they are told to ask before paths of
their own. There is no listing.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from vendorpack.errors import StoreError

_ADDRESS: Final = "127.0.0.1"
_TIMEOUT: Final = 60.0
"""Seconds that a client may be silent in the middle of a request."""


def serve(files: Mapping[str, Path]) -> str:
    """Offer files by name; the address, without a slash behind it.

    files: name, with folders before it if it has some, to where it lies. Raises `StoreError`.
    """
    try:
        server = _Server((_ADDRESS, 0), _Handler)
    except OSError as error:
        raise StoreError(
            f"nothing can be served on the loopback: {error.strerror}",
            fix="Is it up? `ip link set lo up` (after `unshare -n` it is not).",
        ) from None
    server.files = files
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://{_ADDRESS}:{server.server_port}"


def best_match(path: str, names: Mapping[str, Path]) -> Path | None:
    """The file whose name has most of the path's last parts, the file name at least."""
    asked = path.strip("/").split("/")
    found = {name: _common_end(asked, name.split("/")) for name in names}
    best = max(found, key=lambda name: found[name], default=None)
    return names[best] if best is not None and found[best] else None


def _common_end(one: list[str], other: list[str]) -> int:
    count = 0
    for mine, theirs in zip(reversed(one), reversed(other), strict=False):
        if mine != theirs:
            break
        count += 1
    return count


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    files: Mapping[str, Path]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _TIMEOUT
    server_version = "vendorpack"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the command's own output is what counts."""

    def _answer(self, *, with_body: bool) -> None:
        found = best_match(unquote(urlsplit(self.path).path), self.server.files)
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with suppress(OSError), found.open("rb") as file:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(found.stat().st_size))
            self.end_headers()
            if with_body:
                shutil.copyfileobj(file, self.wfile)
