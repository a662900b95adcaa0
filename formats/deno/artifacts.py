"""Pinned modules to artifacts: which ones, and from where."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, DigestError, Integrity
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.npm.npmrc import Npmrc
from vendorpack.formats._shared.npm.registry import (
    DEFAULT_REGISTRY,
    chosen,
    purl,
    tarball_url,
)
from vendorpack.formats.deno.graph import graph_of
from vendorpack.formats.deno.lockfile import DenoLock, JsrPin, NpmPin, RemotePin
from vendorpack.model import Artifact, Graph, Options, Warning
from vendorpack.redact import redact_url

JSR: Final = "https://jsr.io/"
"""JSR's public registry: what Deno asks unless `JSR_URL` says otherwise."""
DENO_LAND: Final = "https://deno.land/"
"""Where Deno's own modules lay before JSR."""

_MAX_DESCRIPTION: Final = 16 << 20
_SHOWN_DIGITS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class NpmPackage(Artifact):
    """A package of the npm registry's.

    folder: of its registry, below `npm/`. has_document: whether Deno wants the registry's word
        on it too (before 2.3).
    """

    folder: str
    has_document: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Module(Artifact):
    """A file that Deno caches by its address, `url`. aliases: addresses that lead to it."""

    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JsrDescription(Module):
    """`<version>_meta.json` of a package on JSR: its files and their hashes.

    mirror: the registry to ask in place of JSR's own; empty if none.
    """

    mirror: str


def choose(
    lock: DenoLock, options: Options, npmrc: Npmrc, at_target: Npmrc, jsr: str
) -> tuple[tuple[Artifact, ...], Graph, tuple[Warning, ...]]:
    """The artifacts that Deno needs on the targets, each once, sorted; graph, and warnings.

    npmrc: all of the user's configuration. at_target: the project's alone, which is there where
    Deno runs, and decides what folders are called. jsr: the registry for JSR's packages.
    """
    found: dict[str, Artifact] = {}
    warnings: dict[Warning, None] = {}
    purls: dict[str, str] = {}
    for key, pin in zip(lock.npm_entries, lock.npm, strict=True):
        if lock.knows_platforms and not chosen(options.targets, os=pin.os, cpu=pin.cpu):
            continue
        package = _package(pin, npmrc, at_target, not lock.knows_platforms)
        found.setdefault(package.url or "", package)
        purls[f"npm:{key}"] = package.purl
    for description in lock.jsr:
        made = _description(description, jsr)
        found.setdefault(made.url or "", made)
        purls[f"jsr:{made.name}@{made.version}"] = made.purl
    aliases = _aliases(lock.redirects)
    for module in lock.remote:
        found.setdefault(module.url, _remote(module, aliases.get(module.url, ())))
    return tuple(sorted(found.values(), key=order)), graph_of(lock, purls), tuple(warnings)


def order(artifact: Artifact) -> tuple[str, str, str]:
    """What artifacts are sorted by."""
    return artifact.name, artifact.version, artifact.url or ""


def files_of(description: JsrDescription, data: bytes) -> Iterator[Module]:
    """The files of a package on JSR, from its description, which was verified.

    Raises `UnsupportedError` for a description that makes no sense.
    """
    name, version = description.name, description.version
    try:
        manifest = json.loads(data[:_MAX_DESCRIPTION])["manifest"]
        listed = sorted(manifest.items())
        for path, file in listed:
            yield _file(description, path, file)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UnsupportedError(
            f"JSR's description of {name} {version} makes no sense",
            where=description.where,
            fix="It was published like this and matches its hash; Deno could not use it.",
        ) from None


def _file(description: JsrDescription, path: str, file: Any) -> Module:
    algorithm, _, value = file["checksum"].partition("-")
    parts = path.split("/")
    if algorithm != "sha256" or parts[0] or not all(parts[1:]) or {".", ".."} & {*parts}:
        raise ValueError(path)
    address = f"{description.name}/{description.version}{quote(path, safe='/@!$&()*+,;=:~')}"
    try:
        integrity = Integrity.of([Digest.from_hex("sha256", value)])
    except DigestError:
        raise ValueError(path) from None
    return Module(
        name=description.name,
        version=description.version,
        purl=_purl(description.name, description.version, JSR + address),
        url=JSR + address,
        fetch_from=(description.mirror + address,) if description.mirror else (),
        integrity=integrity,
        size=int(file["size"]),
        where=description.where,
    )


def _package(pin: NpmPin, npmrc: Npmrc, at_target: Npmrc, has_document: bool) -> NpmPackage:
    registry = npmrc.registry_for(pin.name)
    scoped = pin.name.partition("/")[0] in npmrc.scopes
    url = pin.tarball or tarball_url(
        registry if scoped else DEFAULT_REGISTRY, pin.name, pin.version
    )
    asked = pin.tarball or tarball_url(registry, pin.name, pin.version)
    return NpmPackage(
        name=pin.name,
        version=pin.version,
        purl=purl(pin.name, pin.version),
        url=url,
        fetch_from=(asked,) if asked != url else (),
        integrity=pin.integrity,
        where=pin.where,
        folder=registry_folder(at_target.registry_for(pin.name)),
        has_document=has_document,
    )


def registry_folder(registry: str) -> str:
    """What Deno calls a registry: host, port and path; an IP address is left out.

    Seen with registries on loopback addresses and names, Deno 2.2.15 and 2.9.6.
    """
    parts = urlsplit(registry)
    host, port = parts.hostname or "", str(parts.port or "")
    try:
        ipaddress.ip_address(host)
        host = ""
    except ValueError:
        pass
    return "_".join(filter(None, (host, port))) + parts.path.rstrip("/")


def _description(pin: JsrPin, jsr: str) -> JsrDescription:
    address = f"{pin.name}/{pin.version}_meta.json"
    return JsrDescription(
        name=pin.name,
        version=pin.version,
        purl=_purl(pin.name, pin.version, JSR + address),
        url=JSR + address,
        fetch_from=(jsr + address,) if jsr != JSR else (),
        integrity=pin.integrity,
        where=pin.where,
        mirror=jsr if jsr != JSR else "",
    )


def _aliases(redirects: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Address to those that lead there in the end."""
    found: dict[str, list[str]] = {}
    for start in sorted(redirects):
        seen, end = {start}, redirects[start]
        while end in redirects and end not in seen:
            seen.add(end)
            end = redirects[end]
        found.setdefault(end, []).append(start)
    return {end: tuple(starts) for end, starts in found.items()}


def _remote(pin: RemotePin, aliases: tuple[str, ...]) -> Module:
    parts = urlsplit(pin.url)
    name = (parts.hostname or "") + parts.path
    version = pin.integrity.digests[0].hex[:_SHOWN_DIGITS]
    return Module(
        name=name,
        version=version,
        purl=_purl(name, version, pin.url),
        url=pin.url,
        integrity=pin.integrity,
        where=pin.where,
        aliases=aliases,
    )


def _purl(name: str, version: str, url: str) -> str:
    address = quote(redact_url(url), safe="")
    return f"pkg:generic/{quote(name, safe='/')}@{quote(version, safe='')}?download_url={address}"
