"""An http(s) address taken apart once, so that what is checked is what is asked for.

Two URL parsers that disagree are how a host check is walked around. So an address is read
here, written out again in one plain form, and only that form is shown to the policy and put
on the wire. Userinfo is a secret: it never stays in the address.
"""

from __future__ import annotations

import base64
import ipaddress
import re
import string
from dataclasses import field
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.redact import redact_url

PORTS: Final = {"http": 80, "https": 443}
_IMPOSSIBLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_NAME = re.compile(r"[a-z0-9._-]+")
_PLAIN = re.compile(r"[!-~]*")
_PRINTABLE = string.ascii_letters + string.digits + string.punctuation


class AddressError(ValueError):
    """A text that is not an http or https address. The message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Address:
    """What is asked for, and the secret that came with it.

    url: scheme, host, port if it is not the default one, path and query; percent-encoded.
    authorization: the Authorization header that the userinfo stands for.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str
    authorization: str | None = field(default=None, repr=False)

    @property
    def origin(self) -> str:
        """`scheme://host[:port]`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def url(self) -> str:
        """The address in its one form, without userinfo and fragment."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.origin}{self.path}{query}"

    @property
    def shown(self) -> str:
        """The address as it may be printed."""
        return redact_url(self.url)

    def join(self, location: str) -> Address:
        """The address that a redirect from here names. Raises `AddressError`."""
        _refuse_impossible(location)  # urljoin would drop some without a word
        try:
            joined = urljoin(self.url, location)
        except ValueError:
            raise AddressError("not a URL") from None
        return parse_address(joined)


@dataclass(frozen=True, slots=True)
class Landing:
    """Where an address led to in the end.

    judged: the IP addresses by which that was found to be no private place: whoever goes there
        goes to these. None if the host was allowed by its name.
    """

    url: str
    judged: tuple[str, ...] = ()


def parse_address(text: str) -> Address:
    """Take an address apart. Raises `AddressError`."""
    _refuse_impossible(text)
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
        path, query = _quoted(parts.path) or "/", _quoted(parts.query)
    except ValueError:
        raise AddressError("not a URL") from None
    if "\\" in parts.netloc:
        raise AddressError("a backslash is in its host")
    if scheme not in PORTS:
        raise AddressError("neither http nor https")
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise AddressError("not a host name") from None
    if not (_is_ipv6(host) if "[" in parts.netloc else _NAME.fullmatch(host)):
        raise AddressError("not a host name")
    userinfo, at, _ = parts.netloc.rpartition("@")
    return Address(
        scheme=scheme,
        host=host,
        port=PORTS[scheme] if port is None else port,
        path=path,
        query=query,
        authorization=_basic_of(userinfo) if at and userinfo else None,
    )


def shown_unread(text: str) -> str:
    """As much of what is no address as may be printed: there is no telling where a secret ends."""
    return ascii(text.rpartition("@")[2].partition("?")[0])


def basic(login: str, password: str) -> str:
    """The value of an Authorization header for a login and a password."""
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode("ascii")


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.IPv6Address(host).scope_id is None
    except ValueError:
        return False


def _quoted(text: str) -> str:
    """Percent-encode what cannot stand in a request; what is encoded stays as it is."""
    return text if _PLAIN.fullmatch(text) else quote(text, safe=_PRINTABLE)


def _refuse_impossible(text: str) -> None:
    if _IMPOSSIBLE.search(text):
        raise AddressError("a control character is in it, or what is no character at all")


def _basic_of(userinfo: str) -> str:
    login, _, password = userinfo.partition(":")
    return basic(unquote(login), unquote(password))
