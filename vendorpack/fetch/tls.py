"""Whom to believe: the system's certificate authorities, and those the user adds."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path

from vendorpack.errors import UsageError

CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Each names a PEM file, or a folder of hashed ones as `SSL_CERT_DIR` does."""


def trust(environ: Mapping[str, str], ca_files: Iterable[str]) -> ssl.SSLContext:
    """TLS 1.2 or later, host names checked. Raises `UsageError` for an unusable CA file.

    What the variables and `ca_files` name is believed in addition to the system's own.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if environ.get("SSL_CERT_DIR"):
        context.load_verify_locations(capath=environ["SSL_CERT_DIR"])
    # Mostly it is one file that all of them name, and to read it takes a while.
    sources: dict[str, str] = {}
    for variable in CA_VARIABLES:
        if environ.get(variable):
            sources.setdefault(environ[variable], f" (from {variable})")
    for path in ca_files:
        sources.setdefault(path, "")
    for path, source in sources.items():
        _add(context, path, source)
    return context


def _add(context: ssl.SSLContext, path: str, source: str) -> None:
    try:
        if Path(path).is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:
        not_pem = isinstance(error, ssl.SSLError)
        raise UsageError(
            "the file of certificate authorities cannot be used: "
            + (
                "it holds no PEM certificate" if not_pem else getattr(error, "strerror", "bad name")
            ),
            where=path + source,
            fix="Correct the path, or take the setting away.",
        ) from None
