"""References: `[http[s]://]HOST[:PORT]/REPOSITORY[:TAG][@sha256:…]`, as container tools write them.

The registry is always named. One on this machine (`localhost`, `127.0.0.0/8`, `[::1]`) is asked
over plain http, as Docker does, unless `https://` is written; any other over https. With
`http://` written, a private address or a name that only a private network can have is asked
without TLS too; a public one never is.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import UsageError
from vendorpack.fetch.address import AddressError, parse_address
from vendorpack.oci.image import is_digest
from vendorpack.policy import is_private

HUB: Final = "docker.io"
"""The one registry whose name is not its address."""
_HUB_HOST: Final = "registry-1.docker.io"

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_PRIVATE_NAMES: Final = (".local", ".internal", ".localhost")


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in a registry. host: with its port, as it was written. digest: `sha256:<hex>`."""

    scheme: str
    host: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def origin(self) -> str:
        """Where requests go: `scheme://host[:port]`."""
        return f"{self.scheme}://{_HUB_HOST if self.host == HUB else self.host}"

    @property
    def base(self) -> str:
        """The address below which the repository lies, without a slash behind."""
        return f"{self.origin}/v2/{self.repository}"

    @property
    def is_local(self) -> bool:
        """Whether the registry is on this machine."""
        return _is_loopback(self.host)

    def at(self, *, tag: str | None = None, digest: str | None = None) -> Reference:
        """The same repository at another tag or digest."""
        return replace(self, tag=tag, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.host}/{self.repository}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """Read a reference. Raises `UsageError`, which quotes nothing that may be a secret."""
    scheme, separator, rest = text.rpartition("://")
    host, slash, path = rest.partition("/")
    if "@" in host:
        raise _bad("it has a login in it", "Log in with `docker login` or the like instead.")
    if separator and scheme not in ("http", "https"):
        raise _bad("it begins with neither http:// nor https://")
    if not slash or not (separator or host == "localhost" or "." in host or ":" in host):
        raise _bad(
            f"{text!r} names no registry",
            f"Write HOST/REPOSITORY; for Docker Hub, {HUB}/USER/NAME.",
        )
    path, at, digest = path.partition("@")
    name, colon, tag = path.partition(":")
    if at and not is_digest(digest):
        raise _bad(f"{digest!r} is not a sha256 digest")
    if colon and not _TAG.fullmatch(tag):
        raise _bad(f"{tag!r} is not a tag")
    if len(name) > 255 or not _REPOSITORY.fullmatch(name):
        raise _bad(f"{name!r} is not a repository (lower-case letters, digits, . _ - and /)")
    scheme = scheme or ("http" if _is_loopback(host) else "https")
    origin = f"{scheme}://{host}"
    try:
        address = parse_address(origin)
    except AddressError as error:
        raise _bad(f"{host!r}: {error}") from None
    if urlsplit(origin).query or urlsplit(origin).fragment:
        raise _bad(f"{host!r} is not a host")
    if scheme == "http" and not _may_be_plain(address.host):
        raise _bad(
            f"{host} is a public host, and plain http could be changed on its way",
            "Use https, or a registry on a private address.",
        )
    if host == HUB and "/" not in name:
        name = f"library/{name}"
    return Reference(scheme, host, name, tag or None, digest or None)


def _is_loopback(host: str) -> bool:
    """`host` has its port."""
    name = urlsplit(f"//{host}").hostname if host.count("[") == host.count("]") else None
    if name == "localhost":
        return True
    try:
        return name is not None and ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _may_be_plain(name: str) -> bool:
    url = f"http://[{name}]/" if ":" in name else f"http://{name}/"
    # A name without a dot is only known to the network it is in.
    single = "." not in name and ":" not in name
    return is_private(url) or single or name.endswith(_PRIVATE_NAMES)


def _bad(why: str, fix: str | None = None) -> UsageError:
    return UsageError(
        f"not a reference to a registry: {why}",
        fix=fix or "Write HOST/REPOSITORY, HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:….",
    )
