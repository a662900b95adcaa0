"""What can go wrong with a request, in words, and whether trying again can help."""

from __future__ import annotations

import email.utils
import errno
import os
import socket
import ssl
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import aiohttp

from vendorpack.fetch.address import Address
from vendorpack.fetch.auth import Login, Logins
from vendorpack.fetch.proxy import Proxy
from vendorpack.files.disk import advice
from vendorpack.redact import PROXY_EXAMPLE

RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses that may be gone a moment later."""
_PROXY_VARIABLES: Final = "https_proxy, http_proxy, all_proxy and no_proxy"


class Fault(Exception):
    """One attempt failed.

    Attributes:
        reason: a clause that follows the name of what was to be fetched.
        where: the address, redacted.
        fix: what to do about it.
        status: HTTP status, if there was an answer.
        again: whether another attempt at the same address can help.
        wait: seconds that the server asks to wait before it.
    """

    def __init__(
        self,
        reason: str,
        *,
        where: str,
        fix: str | None = None,
        status: int | None = None,
        again: bool = False,
        wait: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.where = where
        self.fix = fix
        self.status = status
        self.again = again
        self.wait = wait


def of_status(
    response: aiohttp.ClientResponse, address: Address, login: Login | None, logins: Logins
) -> Fault:
    """The fault that an HTTP status other than success stands for."""
    status = response.status
    return Fault(
        f"the server answers {_status_text(status)}",
        where=address.shown,
        fix=_status_fix(status, address, login, logins),
        status=status,
        again=status in RETRIED,
        wait=_seconds_to_wait(response),
    )


def of_error(error: Exception, address: Address, proxy: Proxy | None) -> Fault:
    """The fault that an error of the connection stands for."""
    where = address.shown
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _of_proxy_status(error.status, where, proxy)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _of_certificate(error.certificate_error, where)
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error, where)
    host = address.origin.partition("://")[2] if proxy is None else f"the proxy {proxy.url}"
    hint = f"Check the network and the proxy settings ({_PROXY_VARIABLES})."
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        temporary = getattr(error.os_error, "errno", None) == socket.EAI_AGAIN
        reason = f"the name of {host} cannot be resolved"
        return Fault(reason, where=where, fix=hint, again=temporary)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        reason = f"no connection to {host} in time"
        return Fault(reason, where=where, fix=hint, again=True)
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0  # its text names every address that was tried
        detail = os.strerror(number) if number > 0 else "TLS handshake failed"
        reason = f"cannot connect to {host}: {detail}"
        if number in (errno.EMFILE, errno.ENFILE):
            return Fault(reason, where=where, fix=advice(number))
        return Fault(reason, where=where, fix=hint, again=True)
    if isinstance(error, TimeoutError):
        reason = "the server sends nothing, or hardly anything"
    elif isinstance(error, aiohttp.ClientPayloadError):
        reason = "the answer was cut short"
    elif isinstance(error, aiohttp.ClientResponseError):
        reason = "the answer is not well-formed HTTP"
    else:
        reason = "the connection was lost"
    return Fault(reason, where=where, again=True)


def _status_text(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _status_fix(status: int, address: Address, login: Login | None, logins: Logins) -> str | None:
    if status in (401, 403):
        if login is None:
            return logins.explain_absence(address)
        return f"It was sent {login.source}: check that they are valid and may read this."
    if status in (404, 410):
        if login is not None:
            return f"Check the address; it was asked with {login.source}."
        return (
            "Check the address. Some private registries answer so when credentials are missing. "
            + logins.explain_absence(address)
        )
    if status == 407:
        return _PROXY_FIX
    return None


_PROXY_FIX: Final = (
    f"Put the login into the proxy's address ({PROXY_EXAMPLE}) in "
    f"{_PROXY_VARIABLES.rpartition(',')[0]}."
)


def _of_proxy_status(status: int, where: str, proxy: Proxy | None) -> Fault:
    name = proxy.url if proxy is not None else ""
    return Fault(
        f"the proxy {name} answers {_status_text(status)}",
        where=where,
        fix=_PROXY_FIX if status == 407 else f"Check the proxy settings ({_PROXY_VARIABLES}).",
        status=status,
        again=status in RETRIED,
    )


def _of_certificate(error: Exception, where: str) -> Fault:
    why = getattr(error, "verify_message", "") or "verification failed"
    return Fault(
        f"the server's certificate is not trusted: {why}",
        where=where,
        fix="If a company authority signed it, name its PEM file in SSL_CERT_FILE; "
        "if the system has no certificate authorities, install its ca-certificates package.",
    )


def _seconds_to_wait(response: aiohttp.ClientResponse) -> float | None:
    headers = response.headers
    return seconds_to_wait(headers.get("Retry-After", ""), headers.get("Date", ""))


def seconds_to_wait(retry_after: str, date: str) -> float | None:
    """What `Retry-After` asks for: seconds, or an HTTP date by the clock that `date` shows.

    None if it asks for nothing that can be understood.
    """
    value = retry_after.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    until = _http_date(value)
    if until is None:
        return None
    now = _http_date(date) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def _http_date(value: str) -> datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError, TypeError, LookupError):
        return None  # the standard library raises each of these over some nonsense
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
