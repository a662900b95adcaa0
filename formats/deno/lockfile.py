"""deno.lock, versions 4 and 5: text to pins. Pure.

::

    {
      "version": "5",
      "specifiers": {"npm:name@^1": "1.2.3_peer@4.5.6"},
      "jsr": {"@scope/name@1.2.3": {"integrity": "<sha256 of 1.2.3_meta.json>"}},
      "npm": {"name@1.2.3_peer@4.5.6": {"integrity": "sha512-…", "os": ["linux"], "cpu": ["x64"]}},
      "redirects": {"https://from": "https://to"},
      "remote": {"https://…/mod.ts": "<sha256 of its bytes>"}
    }

Behind a version there may be the peers that it was resolved with: they do not change what is
fetched. Version 4 says of no package which platform it is for.

Seen with Deno 2.2.15 (version 4), 2.4.4 and 2.9.6 (version 5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, DigestError, Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.npm.registry import check_name, check_version
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats._shared.text.json_text import decode_utf8, key_lines, load_json
from vendorpack.project import Project
from vendorpack.redact import redact_url

_VERSIONS: Final = ("4", "5")
_REWRITE: Final = "Let Deno write the lockfile anew (`deno install`)."
_JSR_NAME: Final = re.compile(r"@[a-z0-9-]+/[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class NpmPin:
    """A package of the npm registry's. tarball: its address, if it is not the usual one."""

    name: str
    version: str
    integrity: Integrity
    tarball: str
    os: tuple[str, ...]
    cpu: tuple[str, ...]
    where: str


@dataclass(frozen=True, slots=True)
class JsrPin:
    """A package of JSR's. integrity: of the version's description, which has all files' hashes."""

    name: str
    version: str
    integrity: Integrity
    where: str


@dataclass(frozen=True, slots=True)
class RemotePin:
    """A module by its address."""

    url: str
    integrity: Integrity
    where: str


@dataclass(frozen=True, slots=True)
class DenoLock:
    """A lockfile. redirects: address to address. knows_platforms: false for version 4.

    For the graph, as they are written: npm_entries, jsr_entries (in the order of the pins),
    specifiers, and what `workspace` has.
    """

    npm: tuple[NpmPin, ...]
    jsr: tuple[JsrPin, ...]
    remote: tuple[RemotePin, ...]
    redirects: Mapping[str, str]
    knows_platforms: bool
    npm_entries: Mapping[str, Any]
    jsr_entries: Mapping[str, Any]
    specifiers: Mapping[str, str]
    workspace: Any


def parse_deno_lock(project: Project) -> DenoLock:
    """Read a lockfile. Raises `LockfileError`, `UnsupportedError`."""
    shown = str(project.lockfile)
    text = decode_utf8(project.lock_bytes(), shown)
    lock = load_json(text, shown)
    if not isinstance(lock, dict):
        raise LockfileError("the lockfile is no JSON object", where=shown, fix=_REWRITE)
    version = lock.get("version")
    if version not in _VERSIONS:
        raise UnsupportedError(
            f"version {version!r} of deno.lock is not read",
            where=shown,
            fix="Versions 4 and 5 are. `deno install` of Deno 2.3 or newer writes an older "
            "lockfile anew, as version 5.",
        )

    def section(name: str) -> tuple[Mapping[str, Any], Mapping[str, int]]:
        return _mapping(lock, name, shown), key_lines(text, name)

    npm, npm_lines = section("npm")
    jsr, jsr_lines = section("jsr")
    remote, remote_lines = section("remote")
    redirects, redirect_lines = section("redirects")
    specifiers, _ = section("specifiers")
    return DenoLock(
        npm=tuple(_npm(key, npm[key], project.where(npm_lines.get(key))) for key in npm),
        jsr=tuple(_jsr(key, jsr[key], project.where(jsr_lines.get(key))) for key in jsr),
        remote=tuple(
            RemotePin(
                _address(url, project.where(remote_lines.get(url))),
                _sha256(remote[url], project.where(remote_lines.get(url))),
                project.where(remote_lines.get(url)),
            )
            for url in remote
        ),
        redirects={
            _address(old, project.where(redirect_lines.get(old))): _address(
                new, project.where(redirect_lines.get(old))
            )
            for old, new in redirects.items()
        },
        knows_platforms=version != "4",
        npm_entries=npm,
        jsr_entries=jsr,
        specifiers={text: to for text, to in specifiers.items() if isinstance(to, str)},
        workspace=lock.get("workspace"),
    )


def _npm(key: str, entry: Any, where: str) -> NpmPin:
    name, version = _identity(key, where)
    if not isinstance(entry, dict):
        raise LockfileError(f"{key[:100]!r} has no description", where=where, fix=_REWRITE)
    sri, tarball = entry.get("integrity", ""), entry.get("tarball", "")
    if not isinstance(sri, str) or not isinstance(tarball, str):
        raise LockfileError(f"{key[:100]!r} is not as Deno writes it", where=where, fix=_REWRITE)
    try:
        integrity = Integrity.parse_sri(sri) if sri else Integrity()
    except DigestError as error:
        raise LockfileError(str(error), where=where, fix=_REWRITE) from None
    return NpmPin(
        name=check_name(name, where),
        version=check_version(version, where),
        integrity=integrity,
        tarball=_address(tarball, where) if tarball else "",
        os=_words(entry, "os", where),
        cpu=_words(entry, "cpu", where),
        where=where,
    )


def _jsr(key: str, entry: Any, where: str) -> JsrPin:
    name, version = _identity(key, where)
    if not _JSR_NAME.fullmatch(name):
        raise LockfileError(f"{name[:100]!r} is not the name of a JSR package", where=where)
    value = entry.get("integrity") if isinstance(entry, dict) else None
    return JsrPin(name, check_version(version, where), _sha256(value, where), where)


def _identity(key: str, where: str) -> tuple[str, str]:
    """Name and version of `name@version` or `name@version_peer@version`."""
    name, _, rest = key[1:].partition("@")
    if not rest:
        raise LockfileError(f"{key[:100]!r} names no version", where=where, fix=_REWRITE)
    return key[:1] + name, rest.partition("_")[0]


def _sha256(value: Any, where: str) -> Integrity:
    try:
        return Integrity.of([Digest.from_hex("sha256", value if isinstance(value, str) else "")])
    except DigestError as error:
        raise LockfileError(str(error), where=where, fix=_REWRITE) from None


def _address(url: Any, where: str) -> str:
    if isinstance(url, str) and is_http(url):
        return url
    raise LockfileError(
        f"{redact_url(str(url))[:200]!r} is not an http(s) address", where=where, fix=_REWRITE
    )


def _mapping(owner: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = owner.get(key, {})
    if not isinstance(value, dict):
        raise LockfileError(f"{key} is no object", where=where, fix=_REWRITE)
    return value


def _words(entry: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = entry.get(key, ())
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    if value == ():
        return ()
    raise LockfileError(f"{key} is no list of words", where=where, fix=_REWRITE)
