"""What may be fetched, and what counts as verified.

The defaults are strict: https only; only the hosts of an ecosystem's default registry and of
the user's own configuration; every artifact pinned by sha256 or better. Each exception is
asked for by name on the command line, and the manifest records what it let through.

A redirect may lead to another host, as registries hand downloads to content networks, but
not from https to http, and not from a public host to a private or link-local address.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import PolicyError
from vendorpack.model import Artifact
from vendorpack.redact import redact_url

_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_SHOWN: Final = 10
_NUMBERS: Final = re.compile(r"[0-9a-fx.]+")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def origin_of(url: str) -> str:
    """`scheme://host[:port]`, lower case, without a default port. Raises `PolicyError`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise PolicyError("an address that is not a URL", where=redact_url(url)) from None
    if not host or not parts.scheme:
        raise PolicyError("an address without a host", where=redact_url(url))
    scheme = parts.scheme.lower()
    shown = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS.get(scheme.rpartition("+")[2]):
        shown = f"{shown}:{port}"
    return f"{scheme}://{shown}"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one run.

    origins: allowed without asking: the ecosystems' defaults and the user's configuration.
    allow_hosts: `host`, `host:port` (https) or `http://host[:port]`, as given by name.
    allow_missing_hash, allow_weak_hash: package names (`name` or `name@version`, patterns).
    """

    origins: frozenset[str] = frozenset()
    allow_hosts: frozenset[str] = frozenset()
    allow_missing_hash: tuple[str, ...] = ()
    allow_weak_hash: tuple[str, ...] = ()

    def trusting(self, origins: Iterable[str]) -> Policy:
        """The same rules with these origins, however they are spelled, allowed without asking."""
        return replace(self, origins=self.origins | {origin_of(origin) for origin in origins})

    def check(self, url: str, *, redirected_from: str | None = None) -> None:
        """Whether a request may go to `url`. Raises `PolicyError`."""
        if redirected_from is None:
            if not self._allowed(url):
                raise PolicyError(
                    f"{origin_of(url)} is not an allowed host",
                    where=redact_url(url),
                    fix=f"If you trust it, pass --allow-host {_as_option(url)}.",
                )
            return
        origin, before = origin_of(url), origin_of(redirected_from)
        if origin in self.origins or self._allowed(url):
            return
        scheme = origin.partition("://")[0]
        if scheme != "https" and (scheme != "http" or before.startswith("https://")):
            raise PolicyError(
                f"a redirect from {before} leads to {scheme}, which is not secure",
                where=redact_url(url),
                fix="Tell whoever runs the registry; nothing was fetched from there.",
            )
        if is_private(url) and not is_private(redirected_from):
            raise _leads_inward(url, before)

    def judges_addresses(self, url: str) -> bool:
        """Whether a redirect to `url` counts by what its name resolves to: it is not allowed."""
        return origin_of(url) not in self.origins and not self._allowed(url)

    def check_addresses(
        self, url: str, addresses: Iterable[str], *, redirected_from: str, before: Iterable[str]
    ) -> None:
        """The same as `check`, by the IP addresses of both hosts. Raises `PolicyError`."""
        if any(map(is_private_address, addresses)) and not any(map(is_private_address, before)):
            raise _leads_inward(url, origin_of(redirected_from))

    def check_hosts(self, artifacts: Iterable[Artifact]) -> None:
        """Refuse, before anything is fetched, every artifact that lies on a foreign host."""
        refused = [a for a in artifacts if any(not self._allowed(url) for url in a.sources)]
        if refused:
            urls = [url for a in refused for url in a.sources if not self._allowed(url)]
            hosts = sorted({_as_option(url) for url in urls})
            raise PolicyError(
                f"{_count(refused, 'artifact lies', 'artifacts lie')} on a host that neither "
                f"the ecosystem's default nor your configuration names: {', '.join(hosts)}",
                where=_list(refused),
                fix="If you trust it, pass " + " ".join(f"--allow-host {h}" for h in hosts) + ".",
            )

    def check_hashes(self, artifacts: Iterable[Artifact]) -> None:
        """Refuse every artifact without a hash that counts, unless it is allowed by name."""
        pinned = list(artifacts)
        missing = [a for a in pinned if not a.integrity and not self.may_miss_hash(a)]
        if missing:
            raise PolicyError(
                f"{_count(missing, 'artifact has', 'artifacts have')} no hash to verify with",
                where=_list(missing),
                fix="Lock again with a client that records hashes, or accept what the server "
                "sends now: " + _allowed_by("--allow-missing-hash", missing),
            )
        weak = [
            a
            for a in pinned
            if a.integrity.weak and not named(self.allow_weak_hash, a.name, a.version)
        ]
        if weak:
            raise PolicyError(
                f"{_count(weak, 'artifact has', 'artifacts have')} only a weak hash "
                "(sha1 or md5: collisions can be made)",
                where=_list(weak),
                fix="Lock again with a newer client, or accept it: "
                + _allowed_by("--allow-weak-hash", weak),
            )

    def may_miss_hash(self, artifact: Artifact) -> bool:
        """Whether this artifact was allowed to have no hash."""
        return named(self.allow_missing_hash, artifact.name, artifact.version)

    def _allowed(self, url: str) -> bool:
        origin = origin_of(url)
        scheme, _, host = origin.partition("://")
        transport = scheme.rpartition("+")[2]  # git+https, git+ssh
        if f"{transport}://{host}" in self.origins or origin in self.allow_hosts:
            return True
        if transport == "http":
            return f"http://{host}" in self.allow_hosts
        return transport in ("https", "ssh") and host in self.allow_hosts


def is_private(url: str) -> bool:
    """Whether the host is this machine, or an address that is not public."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        # Also as one number, in octal or hex, or with fewer parts: so do resolvers.
        if _NUMBERS.fullmatch(host):
            import socket  # noqa: PLC0415 - such hosts are rare, and it takes longer than the rest

            host = socket.inet_ntoa(socket.inet_aton(host))
        return is_private_address(host)
    except (ValueError, OSError):
        return False


def is_private_address(text: str) -> bool:
    """Whether an IP address is not public, or holds an IPv4 one that is not.

    Such are IPv4-mapped ones, NAT64 and 6to4. Raises `ValueError` for what is no address.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        number = int(address)
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64 or not number >> 32:
            inner = ipaddress.IPv4Address(number & 0xFFFFFFFF)
        if inner is not None:
            return not inner.is_global or inner.is_multicast
    return not address.is_global or address.is_multicast


def _leads_inward(url: str, before: str) -> PolicyError:
    return PolicyError(
        f"a redirect from the public host {before} leads to a private address",
        where=redact_url(url),
        fix=f"If that is meant, pass --allow-host {_as_option(url)}.",
    )


def named(patterns: Sequence[str], name: str, version: str) -> bool:
    """Whether a pattern means this package: by `name` or by `name@version`."""
    return any(fnmatchcase(text, p) for text in (name, f"{name}@{version}") for p in patterns)


def _as_option(url: str) -> str:
    scheme, _, host = origin_of(url).partition("://")
    return f"http://{host}" if scheme.rpartition("+")[2] == "http" else host


def _allowed_by(option: str, artifacts: Sequence[Artifact]) -> str:
    """What to type to let them all in: each by name, if they are not too many for a line."""
    names = sorted({a.name for a in artifacts})
    if len(names) > _SHOWN:
        return f"{option} NAME for each, or {option} '*'"
    return " ".join(f"{option} {name}" for name in names)


def _count(artifacts: Sequence[Artifact], one: str, many: str) -> str:
    return f"1 {one}" if len(artifacts) == 1 else f"{len(artifacts)} {many}"


def _list(artifacts: Sequence[Artifact]) -> str:
    lines = [f"{a.where}: {a}" for a in artifacts[:_SHOWN]]
    if len(artifacts) > _SHOWN:
        lines.append(f"… and {len(artifacts) - _SHOWN} more")
    return "\n".join(lines)
