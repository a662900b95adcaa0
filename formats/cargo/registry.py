"""What has to be asked of a registry's index: where crates are, and missing hashes.

The default registry's address for downloads is known, so a lockfile with checksums needs no
question at all. Any other registry says it in `config.json`, with `auth-required` for one that
wants its token, verbatim in the Authorization header, for downloads too. An index that is a git
repository holds the same files; of its newest commit, which nothing pins, no more is believed.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, DigestError, Integrity
from vendorpack.errors import FetchError, IntegrityError, LockfileError
from vendorpack.formats.cargo.artifacts import (
    CargoLock,
    Crate,
    IndexLine,
    PackageId,
    download_url,
    index_path,
)
from vendorpack.formats.cargo.index import line_of_index
from vendorpack.formats.cargo.needed import needed
from vendorpack.formats.cargo.sources import CRATES_IO_DOWNLOADS, Registry
from vendorpack.model import Access, Artifact, Credential, Lockfile, Target, Trust, Warning
from vendorpack.redact import redact_url
from vendorpack.room import Index

_CONFIG = "config.json"
_SHOWN = 5


class _Listed(NamedTuple):
    """What an index says of a crate."""

    line: bytes
    integrity: Integrity


@dataclass(frozen=True, slots=True)
class _Settings:
    downloads: str
    auth_required: bool


async def locate(
    lockfile: Lockfile, index: Index, *, with_lines: bool, targets: Sequence[Target] = ()
) -> Lockfile:
    """Fill in addresses, missing checksums and, `with_lines`, every crate's index line.

    targets: if there are any, crates that none of them needs are left out, but for their lines.
    """
    import asyncio  # noqa: PLC0415 - dear, and `key` needs none

    crates = [item for item in lockfile.artifacts if isinstance(item, Crate)]
    asked = [crate for crate in crates if with_lines or targets or not crate.integrity]
    wanted: dict[Registry, set[str]] = {}
    for crate in crates:
        if not crate.downloads:
            wanted.setdefault(crate.served_by, set()).add(_CONFIG)
    for crate in asked:
        wanted.setdefault(crate.served_by, set()).add(index_path(crate.name))
    servers = sorted(wanted)
    answers = await asyncio.gather(
        *(_files(server, sorted(wanted[server]), index) for server in servers)
    )
    files = dict(zip(servers, answers, strict=True))
    settings = {
        server: _settings(server, found[_CONFIG])
        for server, found in files.items()
        if _CONFIG in found
    }
    listed = {
        crate.package: _listed(crate, files[crate.served_by][index_path(crate.name)])
        for crate in asked
    }
    located = [_located(crate, settings, listed.get(crate.package), with_lines) for crate in crates]
    if targets:
        lines = {package: found.line for package, found in listed.items()}
        located = _of_targets(located, lines, targets)
    by_package = {crate.package: crate for crate in located}
    artifacts: list[Artifact] = []
    for item in lockfile.artifacts:
        if not isinstance(item, Crate):
            artifacts.append(item)
        elif item.package in by_package:
            artifacts.append(by_package[item.package])
    left_out = sorted({crate.package for crate in crates} - by_package.keys())
    return replace(
        lockfile.with_artifacts(artifacts),
        access=_access(lockfile, settings),
        warnings=(*lockfile.warnings, *_left_out(left_out, lockfile.path)),
    )


def _of_targets(
    crates: Sequence[Crate], lines: Mapping[PackageId, bytes], targets: Sequence[Target]
) -> list[Crate]:
    """The crates that a target may need; of each registry the first has the others' lines."""
    by_package = {crate.package: crate for crate in crates}
    wanted = needed(by_package, lines, targets)
    chosen = []
    for _, group in itertools.groupby(
        sorted(crates, key=lambda crate: (crate.looked_up_as, crate.name, crate.version)),
        key=lambda crate: crate.looked_up_as,
    ):
        registry = list(group)
        kept = [crate for crate in registry if crate.package in wanted]
        if not kept:  # their lines have to go with some crate
            wanted.update(crate.package for crate in registry)
            kept = registry
        others = tuple(
            IndexLine(one.name, one.version, lines[one.package])
            for one in registry
            if one.package not in wanted
        )
        first, *rest = (replace(crate, needs=(), is_asked_for=False) for crate in kept)
        chosen += [replace(first, beside=others), *rest]
    return chosen


def _left_out(packages: Sequence[PackageId], where: str) -> Iterator[Warning]:
    if packages:
        names = ", ".join(f"{one.name} {one.version}" for one in packages[:_SHOWN])
        more = f" and {len(packages) - _SHOWN} more" if len(packages) > _SHOWN else ""
        yield Warning(
            f"{names}{more}: left out, as no target builds them; cargo fetch and cargo vendor "
            "will miss them",
            where,
        )


async def _files(server: Registry, paths: Sequence[str], index: Index) -> Mapping[str, bytes]:
    """Files of a registry's index, by path; empty ones that a git repository does not have."""
    import asyncio  # noqa: PLC0415 - as above

    if server.sparse_index is None:
        found = await index.head(server.index, paths)
        return {path: found.get(path, b"") for path in paths}
    answers = await asyncio.gather(*(index.get(server.index + path) for path in paths))
    return {path: answer.body for path, answer in zip(paths, answers, strict=True)}


def _settings(server: Registry, text: bytes) -> _Settings:
    try:
        config = json.loads(text)
        downloads = config["dl"]
        if urlsplit(downloads).netloc:
            return _Settings(downloads, config.get("auth-required", False) is True)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    raise FetchError(
        "a registry's config.json names no address for downloads", where=redact_url(server.index)
    )


def _listed(crate: Crate, page: bytes) -> _Listed:
    line, checksum = line_of_index(page, crate.name, crate.version, crate.where)
    try:
        integrity = Integrity.of([Digest.from_hex("sha256", checksum)])
    except DigestError as error:
        raise LockfileError(
            f"the registry's index, {index_path(crate.name)}: {error}",
            where=redact_url(crate.served_by.index),
        ) from None
    if crate.integrity and crate.integrity != integrity:
        raise IntegrityError(
            f"the registry's index has another checksum for {crate} than the lockfile",
            where=crate.where,
            fix="One of the two was tampered with, or the registry replaced a release.",
        )
    return _Listed(line, integrity)


def _located(
    crate: Crate,
    settings: Mapping[Registry, _Settings],
    listed: _Listed | None,
    with_lines: bool,
) -> Crate:
    integrity, trust = crate.integrity, crate.trust
    if listed is not None and not integrity:
        integrity, trust = listed.integrity, Trust.REGISTRY
    known = settings.get(crate.served_by)
    served = known.downloads if known else crate.downloads
    address = download_url(served, crate.name, crate.version, integrity.digests[0].hex)
    return replace(
        crate,
        integrity=integrity,
        trust=trust,
        index_line=listed.line if listed is not None and with_lines else None,
        downloads=served if crate.looked_up_as == crate.served_by else CRATES_IO_DOWNLOADS,
        url=crate.url or address,
        fetch_from=() if crate.url in (None, address) else (address,),
    )


def _access(lockfile: Lockfile, settings: Mapping[Registry, _Settings]) -> Access:
    """Downloads' hosts are as trusted as the registry that names them, and get its token.

    Not so where a registry that is asked safely hands its downloads to plain http: that the
    user has to allow.
    """
    access = lockfile.access
    tokens = lockfile.tokens if isinstance(lockfile, CargoLock) else {}
    origins, credentials = set(access.origins), list(access.credentials)
    for server, found in settings.items():
        prefix = found.downloads.partition("{")[0]
        parts = urlsplit(prefix)
        if parts.scheme != "https" and urlsplit(server.index).scheme != "http":
            continue
        origins.add(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
        if found.auth_required:
            headers = [known.header for known in access.credentials if known.prefix == server.index]
            if server in tokens:
                headers.append(tokens[server])
            credentials.extend(Credential(prefix, header) for header in headers)
    return replace(access, origins=frozenset(origins), credentials=tuple(credentials))
