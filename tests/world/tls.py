"""A certificate authority for the loopback."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

import trustme


class Authority:
    """Signs certificates for 127.0.0.1 and localhost."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def server(self, *names: str, not_after: datetime | None = None) -> ssl.SSLContext:
        """A server's context; `names` in place of 127.0.0.1 and localhost."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = self._ca.issue_cert(
            *(names or ("127.0.0.1", "localhost")), not_after=not_after
        )
        certificate.configure_cert(context)
        return context

    def write_pem(self, path: Path) -> Path:
        """Write what a client needs in order to trust it."""
        self._ca.cert_pem.write_to_path(str(path))
        return path
