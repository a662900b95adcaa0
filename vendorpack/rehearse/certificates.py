"""A certificate authority for the length of one rehearsal, so that whole https addresses are seen.

It takes trustme (the extra `vendorpack[rehearse]`). Without it, and from clients that do not heed
the variables here, only the name of the host is seen, which TLS sends in the clear.
"""

from __future__ import annotations

import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import trustme

VARIABLES: Final = (
    "SSL_CERT_FILE",  # OpenSSL, and Go, Ruby, Rust and Python programs that use its rules
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "npm_config_cafile",  # of npm's own requests, where a configuration file sets one
    "YARN_HTTPS_CA_FILE_PATH",
    "DENO_CERT",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
)
"""Each names a file of certificates to trust."""


class Authority:
    """Issues a certificate for any name. Safe to use from several threads."""

    def __init__(self, root: trustme.CA) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}

    def write(self, path: Path) -> None:
        """Write the certificate that clients are to trust."""
        self._root.cert_pem.write_to_path(str(path))

    def context(self, name: str) -> ssl.SSLContext:
        """What a server of this name has."""
        with self._lock:
            if name not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.set_alpn_protocols(["http/1.1"])
                self._root.issue_cert(name).configure_cert(context)
                self._contexts[name] = context
            return self._contexts[name]


def authority() -> Authority | None:
    """A new one; None if trustme is not installed."""
    try:
        import trustme  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return Authority(trustme.CA())
