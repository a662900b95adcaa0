"""Which credentials go with a request: at most one, and only where it belongs.

The first of these that fits the address is sent:

1. a `Credential` of the project's own configuration whose prefix the address lies below:
   same scheme, host and port, path on segment boundaries, the longest prefix first;
2. the userinfo of the address the download began with, to that address' own origin;
3. the netrc file's entry for `host:port`, else for the host: `$NETRC`, else `~/.netrc`, else
   `~/_netrc`. Not so for the origins that the project's own configuration keeps it from.

The choice is made anew for every hop of a redirect. A netrc `default` entry is passed over:
the addresses come from a lockfile, and a password for "any host" would go wherever it points.
"""

from __future__ import annotations

import netrc
import re
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path

from vendorpack.dataclass import dataclass
from vendorpack.errors import UsageError
from vendorpack.fetch.address import Address, AddressError, basic, parse_address, shown_unread
from vendorpack.model import Credential

_DOT_SEGMENT = re.compile(r"(?:^|/|\\|%2f|%5c)(?:\.|%2e){1,2}(?:/|\\|%2f|%5c|$)", re.IGNORECASE)
_HEADER_VALUE = re.compile(r"[\t -~]*")


@dataclass(frozen=True, slots=True)
class Netrc:
    """A netrc file as it was found. `problem` says why it could not be used."""

    path: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Host to Authorization header."""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A header and where it came from, in words."""

    header: str = field(repr=False)
    source: str
    name: str = "Authorization"


class Logins:
    """All the credentials there are, and the rule for choosing one."""

    def __init__(
        self,
        credentials: Iterable[Credential],
        netrc_file: Netrc,
        without_netrc: Iterable[str] = (),
    ) -> None:
        """Raises `UsageError` for a credential that cannot be sent."""
        found = [(_prefix(credential), credential) for credential in credentials]
        self._credentials = sorted(found, key=lambda pair: len(pair[0].path), reverse=True)
        self._netrc = netrc_file
        self._without_netrc = frozenset(without_netrc)

    def choose(self, address: Address, began: Address) -> Login | None:
        """What to send to `address`, on the way from the address the download `began` with."""
        for prefix, credential in self._credentials:
            if _is_below(address, prefix):
                source = f"the credentials configured for {prefix.shown}"
                return Login(credential.header, source, credential.name)
        if began.authorization is not None and address.origin == began.origin:
            return Login(began.authorization, "the login in the address itself")
        if address.origin in self._without_netrc:
            return None
        # Some clients (Go) name a port that is not the usual one.
        headers = self._netrc.headers
        host_and_port = address.origin.partition("://")[2]
        header_of_host = headers.get(host_and_port) or headers.get(address.host)
        if header_of_host is not None:
            return Login(header_of_host, f"the netrc file {self._netrc.path}")
        return None

    def explain_absence(self, address: Address) -> str:
        """Where credentials were looked for, for an answer that asks for some."""
        if address.origin in self._without_netrc:
            where = "the netrc file is not to be read for it"
        elif self._netrc.problem is not None:
            where = f"the netrc file {self._netrc.path} cannot be used: {self._netrc.problem}"
        elif self._netrc.path is not None:
            where = f"the netrc file {self._netrc.path} has no entry for {address.host}"
        else:
            where = "there is no netrc file"
        return (
            "No credentials were sent: the project's configuration has none for "
            f"{address.origin}/, and {where}."
        )


def read_netrc(environ: Mapping[str, str], home: Path) -> Netrc:
    """Find and read the netrc file. A malformed one is no error until a login is missing."""
    named = environ.get("NETRC")
    candidates = [Path(named)] if named else [home / ".netrc", home / "_netrc"]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        return Netrc()
    try:
        hosts = netrc.netrc(str(path)).hosts
    except netrc.NetrcParseError as error:
        # The parser's own words quote the token it tripped over, which may be the password.
        return Netrc(path, problem=f"line {error.lineno} is not understood")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        return Netrc(path, problem=str(reason))
    headers = {
        host.lower(): basic(login or "", password or "")
        for host, (login, _, password) in hosts.items()
        if host != "default"
    }
    return Netrc(path, headers)


def _prefix(credential: Credential) -> Address:
    try:
        prefix = parse_address(credential.prefix)
    except AddressError as error:
        raise UsageError(
            f"credentials are configured for an address that cannot be one: {error}",
            where=shown_unread(credential.prefix),
        ) from None
    if not _HEADER_VALUE.fullmatch(credential.header):
        raise UsageError(
            "the configured credentials hold a line break or what else cannot be sent",
            where=prefix.shown,
            fix="Check the variable or file that the token is read from.",
        )
    return prefix


def _is_below(address: Address, prefix: Address) -> bool:
    if address.origin != prefix.origin:
        return False
    folder = prefix.path.rstrip("/")
    if not folder:
        return True
    # `/ours/../theirs` starts with `/ours`, and a server may well see `/theirs`.
    if _DOT_SEGMENT.search(address.path):
        return False
    return address.path == folder or address.path.startswith(folder + "/")
