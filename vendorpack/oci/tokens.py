"""What a registry asks for with 401, and the token that answers it.

`WWW-Authenticate: Basic realm="…"` wants the login itself with every request. `Bearer
realm="https://…",service="…",scope="…"` wants a token that the realm gives: to a GET with the
login (or without one, for what is public), or to a POST with an identity token.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from vendorpack.dataclass import dataclass
from vendorpack.errors import FetchError
from vendorpack.fetch.address import AddressError, parse_address
from vendorpack.fetch.http import Client, Response, Upload
from vendorpack.model import Access, Credential
from vendorpack.oci.logins import Login
from vendorpack.policy import Policy, is_private
from vendorpack.redact import redact_url

Connect = Callable[[Access, Policy], Client]
"""Makes a client that goes where the policy lets it."""

_CHALLENGE = re.compile(r"\s*(Basic|Bearer)\s+(.*)", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')
_SENDABLE = re.compile(r"[!-~]+")
_MAX_ANSWER = 1 << 20


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the registry asks for. realm: where a token comes from; None for the login itself."""

    realm: str | None
    service: str | None


def parse_challenge(headers: Mapping[str, str]) -> Challenge | None:
    """Read `WWW-Authenticate`; None if it asks for nothing we know."""
    match = _CHALLENGE.match(headers.get("WWW-Authenticate", ""))
    if match is None:
        return None
    if match[1].lower() == "basic":
        return Challenge(None, None)
    fields = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(match[2])}
    realm = fields.get("realm")
    return Challenge(realm, fields.get("service")) if realm else None


async def fetch_token(
    challenge: Challenge, scope: str, login: Login | None, registry: str, connect: Connect
) -> str:
    """Get a token from the challenge's realm. `registry` is the address that sent us there.

    Raises `FetchError`, and `PolicyError` for a realm that no login may go to.
    """
    assert challenge.realm is not None
    realm = _checked(challenge.realm, registry)
    wanted = {"scope": scope}
    if challenge.service:
        wanted["service"] = challenge.service
    if login is not None and login.identity is not None:
        answer = await _refresh(realm, wanted, login.identity, connect)
    else:
        header = login.basic if login is not None else None
        credentials = (Credential(realm, header),) if header is not None else ()
        async with connect(Access(credentials=credentials), _only(realm)) as client:
            query = urlencode(wanted)
            joint = "&" if "?" in realm else "?"
            answer = (await client.get(f"{realm}{joint}{query}", max_size=_MAX_ANSWER)).body
    token = _token_in(answer)
    if token is None:
        raise FetchError("the registry's token server gives no token", where=redact_url(realm))
    return token


async def _refresh(realm: str, wanted: Mapping[str, str], identity: str, connect: Connect) -> bytes:
    form = urlencode(
        {
            "grant_type": "refresh_token",
            "client_id": "vendorpack",
            "refresh_token": identity,
            **wanted,
        }
    ).encode()

    async def content() -> AsyncIterator[bytes]:
        yield form

    upload = Upload(len(form), content, "application/x-www-form-urlencoded")
    async with connect(Access(), _only(realm)) as client:

        async def attempt() -> Response:
            return await client.exchange(
                "POST", realm, accepted=[200], upload=upload, max_size=_MAX_ANSWER
            )

        return (await client.persist(realm, "", attempt)).body


def _checked(realm: str, registry: str) -> str:
    """The realm's address, if a password may go there. Its query may hold what it needs."""
    try:
        url = parse_address(realm).url
    except AddressError as error:
        raise FetchError(
            f"the registry names a token server that cannot be one: {error}", where=registry
        ) from None
    Policy().check(url, redirected_from=registry)
    if url.startswith("http://") and not is_private(url):
        raise FetchError(
            "the registry wants the login to be sent over plain http", where=redact_url(url)
        )
    return url


def _only(url: str) -> Policy:
    return Policy(origins=frozenset({parse_address(url).origin}))


def _token_in(answer: bytes) -> str | None:
    try:
        value: Any = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    token = value.get("token") or value.get("access_token")
    return token if isinstance(token, str) and _SENDABLE.fullmatch(token) else None
