"""A git commit as a download: fetched by git into a part file, and hashed like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

from vendorpack.digest import Hashers
from vendorpack.fetch.address import AddressError, parse_address
from vendorpack.fetch.auth import Logins, Netrc
from vendorpack.fetch.git import PROTOCOLS, GitAddress, fetch_commit
from vendorpack.fetch.part import Download
from vendorpack.model import Access
from vendorpack.redact import redact_url

_CHUNK = 1 << 20


async def download_commit(
    url: str,
    part: Path,
    *,
    algorithms: Iterable[str],
    access: Access,
    environ: Mapping[str, str],
    keep_config: bool,
    plain_http: bool,
) -> Download:
    """Fill `part` with the commit's canonical pack. The caller proves that it is the commit.

    The policy has judged the address already: plain http is only spoken where that let it
    through. keep_config: let git read the user's own configuration. plain_http: whether that may
    lead to plain http. Raises what `fetch_commit` does.
    """
    address = GitAddress.parse(url)
    http = address.url.startswith("http:") or (keep_config and plain_http)
    protocols = (*PROTOCOLS, "http") if http else PROTOCOLS
    await fetch_commit(
        address,
        part,
        environ=environ,
        protocols=protocols,
        authorization=_authorization(address.url, access),
        keep_config=keep_config,
    )
    return await asyncio.to_thread(_read, part, url, algorithms)


def _authorization(url: str, access: Access) -> str | None:
    try:
        address = parse_address(url)
    except AddressError:
        return None  # ssh has its own keys
    login = Logins(access.credentials, Netrc()).choose(address, address)
    return None if login is None else login.header


def _read(part: Path, url: str, algorithms: Iterable[str]) -> Download:
    hashers = Hashers(algorithms)
    head = b""
    with part.open("rb") as file:
        while chunk := file.read(_CHUNK):
            head = head or chunk[:64]
            hashers.update(chunk)
    return Download(
        values=hashers.values(),
        size=hashers.size,
        url=redact_url(url),
        fetched=hashers.size,
        head=head,
        mirror=0,
    )
