"""Which proxy a request goes through: the project's own configuration, else the environment.

`https_proxy`, `http_proxy`, `all_proxy` and `no_proxy` in either case, lower case first.
`no_proxy` is a list parted by commas or white space of: `*`; a host name, which stands for its
subdomains too, with or without a leading dot; an IP address or a network (`10.0.0.0/8`); each
but the network optionally with `:port`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import field

from vendorpack.dataclass import dataclass
from vendorpack.errors import UsageError
from vendorpack.fetch.address import Address, AddressError, parse_address


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's address without userinfo, and the Proxy-Authorization it asks for."""

    url: str
    authorization: str | None = field(default=None, repr=False)


class Proxies:
    """The proxies that are configured, and the rule for choosing one."""

    def __init__(self, environ: Mapping[str, str], configured: Mapping[str, str]) -> None:
        """`configured` maps a scheme to a proxy and goes over `environ`; "" means none."""
        self._addresses = {
            scheme: configured.get(scheme, _variable(environ, f"{scheme}_proxy", "all_proxy"))
            for scheme in ("http", "https")
        }
        if "REQUEST_METHOD" in environ and "http" not in configured:
            # A CGI server puts the client's `Proxy:` header into HTTP_PROXY.
            self._addresses["http"] = environ.get("http_proxy", "")
        self._exempt = _variable(environ, "no_proxy").replace(",", " ").split()

    def choose(self, address: Address) -> Proxy | None:
        """The proxy for an address, or None. Raises `UsageError` for one that is not http(s)."""
        configured = self._addresses[address.scheme]
        if not configured or any(_exempts(rule, address) for rule in self._exempt):
            return None
        try:
            proxy = parse_address(configured if "://" in configured else f"http://{configured}")
        except AddressError as error:
            raise UsageError(
                f"the proxy for {address.scheme} addresses cannot be used: {error}",
                fix=f"Set {address.scheme}_proxy to an http:// or https:// address "
                "(SOCKS is not supported), or name the host in no_proxy.",
            ) from None
        return Proxy(proxy.origin, proxy.authorization)


def _variable(environ: Mapping[str, str], *names: str) -> str:
    """The first of the variables that is set to something, lower case before upper."""
    spellings = (spelling for name in names for spelling in (name, name.upper()))
    return next((environ[name].strip() for name in spellings if environ.get(name)), "")


def _exempts(rule: str, address: Address) -> bool:
    if rule == "*":
        return True
    host, port = _split_port(rule.lower())
    if port is not None and port != address.port:
        return False
    try:
        ip = ipaddress.ip_address(address.host)
    except ValueError:
        host = host.removeprefix("*").removeprefix(".")
        return address.host == host or address.host.endswith(f".{host}")
    try:
        return ip in ipaddress.ip_network(host, strict=False)
    except ValueError:
        return False


def _split_port(rule: str) -> tuple[str, int | None]:
    host, colon, port = rule.rpartition(":")
    if colon and port.isascii() and port.isdigit() and (":" not in host or host.endswith("]")):
        return host.strip("[]"), int(port)
    return rule.strip("[]"), None
