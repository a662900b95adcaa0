"""What has to be asked of a registry's sparse index: where crates are, and missing hashes.

The default registry's address for downloads is known, so a lockfile with checksums needs no
question at all. Any other registry says it in `config.json`, with `auth-required` for one that
wants its token, verbatim in the Authorization header, for downloads too.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from vendorpack.digest import Digest, DigestError, Integrity
from vendorpack.errors import FetchError, IntegrityError, LockfileError
from vendorpack.formats.cargo.artifacts import Crate, download_url, index_path
from vendorpack.formats.cargo.index import line_of_index
from vendorpack.formats.cargo.sources import CRATES_IO_DOWNLOADS, Registry
from vendorpack.model import Access, Artifact, Credential, Index, Lockfile, Trust
from vendorpack.redact import redact_url

_MAX_CONFIG = 1 << 20


@dataclass(frozen=True, slots=True)
class _Settings:
    downloads: str
    auth_required: bool


async def locate(lockfile: Lockfile, index: Index, *, with_lines: bool) -> Lockfile:
    """Fill in addresses, missing checksums and, `with_lines`, every crate's index line."""
    crates = [item for item in lockfile.artifacts if isinstance(item, Crate)]
    servers = sorted({item.served_by for item in crates if not item.downloads})
    answers = await asyncio.gather(*(_settings(server, index) for server in servers))
    settings = dict(zip(servers, answers, strict=True))
    located = {
        id(crate): located
        for crate, located in zip(
            crates,
            await asyncio.gather(
                *(_locate_crate(crate, settings, index, with_lines) for crate in crates)
            ),
            strict=True,
        )
    }
    artifacts: Iterable[Artifact] = (located.get(id(a), a) for a in lockfile.artifacts)
    return replace(lockfile.with_artifacts(artifacts), access=_access(lockfile.access, settings))


async def _settings(server: Registry, index: Index) -> _Settings:
    url = f"{server.sparse_index}config.json"
    answer = await index.get(url, max_size=_MAX_CONFIG)
    try:
        config = json.loads(answer.body)
        downloads = config["dl"]
        if urlsplit(downloads).netloc:
            return _Settings(downloads, config.get("auth-required", False) is True)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    raise FetchError(
        "a registry's config.json names no address for downloads", where=redact_url(url)
    )


async def _locate_crate(
    crate: Crate, settings: dict[Registry, _Settings], index: Index, with_lines: bool
) -> Crate:
    integrity, trust, line = crate.integrity, crate.trust, None
    if with_lines or not integrity:
        url = f"{crate.served_by.sparse_index}{index_path(crate.name)}"
        body = (await index.get(url)).body
        line, checksum = line_of_index(body, crate.name, crate.version, crate.where)
        try:
            listed = Integrity.of([Digest.from_hex("sha256", checksum)])
        except DigestError as error:
            raise LockfileError(f"the registry's index: {error}", where=redact_url(url)) from None
        if not integrity:
            integrity, trust = listed, Trust.REGISTRY
        elif integrity != listed:
            raise IntegrityError(
                f"the registry's index has another checksum for {crate} than the lockfile",
                where=crate.where,
                fix="One of the two was tampered with, or the registry replaced a release.",
            )
    known = settings.get(crate.served_by)
    served = known.downloads if known else crate.downloads
    address = download_url(served, crate.name, crate.version, integrity.digests[0].hex)
    return replace(
        crate,
        integrity=integrity,
        trust=trust,
        index_line=line if with_lines else None,
        downloads=served if crate.looked_up_as == crate.served_by else CRATES_IO_DOWNLOADS,
        url=crate.url or address,
        fetch_from=() if crate.url in (None, address) else (address,),
    )


def _access(access: Access, settings: dict[Registry, _Settings]) -> Access:
    """Downloads' hosts are as trusted as the registry that names them, and get its token.

    Not so where a registry that is asked safely hands its downloads to plain http: that the
    user has to allow.
    """
    origins, credentials = set(access.origins), list(access.credentials)
    for server, found in settings.items():
        prefix = found.downloads.partition("{")[0]
        parts = urlsplit(prefix)
        if parts.scheme != "https" and urlsplit(server.sparse_index or "").scheme == "https":
            continue
        origins.add(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
        if found.auth_required:
            credentials.extend(
                Credential(prefix, known.header)
                for known in access.credentials
                if known.prefix == server.sparse_index
            )
    return replace(access, origins=frozenset(origins), credentials=tuple(credentials))
