"""Git commits as downloads: fetched by git into a file, and hashed like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vendorpack.dataclass import dataclass
from vendorpack.digest import Hashers
from vendorpack.fetch.address import AddressError, Landing, parse_address
from vendorpack.fetch.auth import Logins, Netrc
from vendorpack.fetch.git import fetch_commit
from vendorpack.fetch.git_client import PROTOCOLS, GitAddress, GitSettings, MovedError
from vendorpack.fetch.git_export import export_commit
from vendorpack.fetch.git_files import read_head
from vendorpack.fetch.part import Download
from vendorpack.model import Access
from vendorpack.redact import redact_url

_CHUNK = 1 << 20
_FIRST = "/info/refs?service=git-upload-pack"
"""What git asks an http server for first."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How git may go to addresses that the policy has judged already.

    keep_config: let git read the user's own configuration. plain_http: whether that may lead to
        plain http, which else is only spoken where the policy let it through.
    moved: asks where an address of the repository's leads to, and judges each hop: git itself
        follows none, and goes to no other place than was judged.
    """

    access: Access
    environ: Mapping[str, str]
    keep_config: bool
    plain_http: bool
    moved: Callable[[str], Awaitable[Landing]]


async def download_commit(
    url: str, part: Path, *, algorithms: Iterable[str], reach: Reach
) -> Download:
    """Fill `part` with the commit's canonical pack. The caller proves that it is the commit.

    Raises what `fetch_commit` does.
    """

    async def fetch(at: GitAddress, settings: GitSettings) -> None:
        await fetch_commit(at, part, **settings)

    await _followed(url, fetch, reach)
    return await asyncio.to_thread(_read, part, url, algorithms)


async def download_export(url: str, out: Path, *, reach: Reach) -> None:
    """Fill `out` with the commit's export. The caller proves what is made of it.

    Raises what `export_commit` does.
    """

    async def fetch(at: GitAddress, settings: GitSettings) -> None:
        await export_commit(at, out, **settings)

    await _followed(url, fetch, reach)


async def download_files(
    url: str, paths: Sequence[str], beside: Path, *, reach: Reach
) -> dict[str, bytes]:
    """Files of the newest commit of a repository, by path; work files lie beside `beside`.

    Raises what `read_head` does.
    """
    found: dict[str, bytes] = {}

    async def fetch(at: GitAddress, settings: GitSettings) -> None:
        found.update(await read_head(at, paths, beside, **settings))

    await _followed(f"git+{url}?HEAD", fetch, reach)
    return found


async def _followed(
    url: str, fetch: Callable[[GitAddress, GitSettings], Awaitable[None]], reach: Reach
) -> None:
    """Fetch from an address or, if the repository has moved, from where it is."""
    address = GitAddress.parse(url)
    http = address.url.startswith("http:") or (reach.keep_config and reach.plain_http)

    def settings(at: GitAddress, judged: Sequence[str] = ()) -> GitSettings:
        return GitSettings(
            environ=reach.environ,
            protocols=(*PROTOCOLS, "http") if http else PROTOCOLS,
            authorization=_authorization(at.url, reach.access),
            keep_config=reach.keep_config,
            judged=judged,
        )

    try:
        await fetch(address, settings(address))
    except MovedError as failed:
        target = await reach.moved(f"{address.url.rstrip('/')}{_FIRST}")
        if not target.url.endswith(_FIRST) or target.url == f"{address.url}{_FIRST}":
            raise failed from None
        there = replace(address, url=target.url.removesuffix(_FIRST))
        await fetch(there, settings(there, target.judged))


def _authorization(url: str, access: Access) -> str | None:
    try:
        address = parse_address(url)
    except AddressError:
        return None  # ssh has its own keys
    login = Logins(access.credentials, Netrc()).choose(address, address)
    return login.header if login is not None and login.name == "Authorization" else None


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
