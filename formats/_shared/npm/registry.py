"""What every client of the npm registry has in common: addresses, names, platforms, packuments.

Facts: names are checked as `validate-npm-package-name` 6 checks those of old packages; platforms
as `npm-install-checks` 7 (npm 10 to 12) compares them; addresses and packuments as `pacote` 20
builds and reads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, DigestError, Integrity
from vendorpack.errors import FetchError, IntegrityError, LockfileError
from vendorpack.formats._shared.text.json_text import decode_utf8, load_json
from vendorpack.model import Artifact, Need, Packed, Target, Trust, Wanted
from vendorpack.redact import redact_url
from vendorpack.room import Index

A = TypeVar("A", bound=Artifact)

DEFAULT_REGISTRY: Final = "https://registry.npmjs.org/"
"""npm's public registry: what every client asks unless it is configured otherwise."""

ALIAS_REGISTRY: Final = "https://registry.yarnpkg.com/"
"""The same registry by the name that Yarn 1 writes into lockfiles, which npm then takes over."""

CORGI: Final = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*"
"""Accept header of the abbreviated packument, byte for byte as npm 10 to 12 send it."""

DOWNLOADERS: Final[Mapping[str, tuple[str, str]]] = {
    "@sentry/cli": ("SENTRYCLI_SKIP_DOWNLOAD=1", "sentry-cli-*"),
    "chromedriver": ("CHROMEDRIVER_SKIP_DOWNLOAD=true", "chromedriver-*.zip"),
    "cypress": ("CYPRESS_INSTALL_BINARY=0", "cypress.zip"),
    "edgedriver": ("EDGEDRIVER_SKIP_DOWNLOAD=true", "edgedriver*"),
    "electron": ("ELECTRON_SKIP_BINARY_DOWNLOAD=1", "electron-v*.zip"),
    "ffmpeg-static": ("FFMPEG_BIN=/path/to/ffmpeg", "ffmpeg-*.gz"),
    "geckodriver": ("GECKODRIVER_SKIP_DOWNLOAD=true", "geckodriver*"),
    "node-sass": ("SASS_SKIP_DOWNLOAD_BINARY_FOR_CI=1", "node-v*-headers.tar.gz"),
    "playwright": ("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1", "chrom*-linux*.zip"),
    "playwright-chromium": ("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1", "chrom*.zip"),
    "playwright-firefox": ("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1", "firefox*.zip"),
    "playwright-webkit": ("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1", "webkit*.zip"),
    "puppeteer": ("PUPPETEER_SKIP_DOWNLOAD=1", "chrome*.zip"),
}
"""Packages whose install script downloads what no lockfile names: what stops it, and the file that
serves it (its name, as fnmatch has it)."""

_SCOPED: Final = re.compile(r"@([^/@]+)/([^/@]+)")
# What JavaScript's encodeURIComponent leaves alone.
_URL_SAFE: Final = re.compile(r"[A-Za-z0-9._~!*'()-]+")
_VERSION: Final = re.compile(r"v?[0-9][0-9A-Za-z.+-]{0,255}")

_NODE_OS: Final = {"macos": "darwin", "windows": "win32"}
_NODE_CPU: Final = {
    "x86_64": "x64",
    "aarch64": "arm64",
    "i686": "ia32",
    "armv7l": "arm",
    "ppc64le": "ppc64",
}
_NODE_LIBC: Final = {"gnu": "glibc"}


def check_name(name: str, where: str) -> str:
    """The name itself, if it is a package name that may stand in a path and in an address.

    Raises `LockfileError`: `..`, slashes (but for a scope's), control characters, leading dots.
    """
    scoped = _SCOPED.fullmatch(name)
    parts = (scoped[1], scoped[2]) if scoped else (name,)
    if (
        len(name) <= 214
        and all(_URL_SAFE.fullmatch(part) for part in parts)
        and not any(part.startswith((".", "-")) for part in parts)
        and parts[-1].lower() not in ("node_modules", "favicon.ico")
    ):
        return name
    raise LockfileError(f"{name[:100]!r} is not a package name", where=where)


def check_version(version: str, where: str) -> str:
    """The version itself, if it has a version's shape. Raises `LockfileError`."""
    if _VERSION.fullmatch(version) and ".." not in version:
        return version
    raise LockfileError(f"{version[:100]!r} is not a version", where=where)


def download_needs(packed: Iterable[Packed]) -> Iterator[Need]:
    """What is known to be downloaded by install scripts."""
    for one in packed:
        artifact = one.artifact
        if known := DOWNLOADERS.get(artifact.name):
            remedy, pattern = known
            how = "its install script"
            yield Need(str(artifact), how, artifact.where, (Wanted(pattern),), remedy)


def purl(name: str, version: str) -> str:
    """`pkg:npm/%40scope/name@1.2.3`, as the package URL specification writes it."""
    return f"pkg:npm/{quote(name, safe='/')}@{quote(version, safe='')}"


def tarball_url(registry: str, name: str, version: str) -> str:
    """Where a registry keeps a version: `<registry>/<name>/-/<base name>-<version>.tgz`."""
    return f"{registry.rstrip('/')}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"


def packument_url(registry: str, name: str) -> str:
    """Where a registry answers for a package; the scope's slash is escaped, as npm does it."""
    return f"{registry.rstrip('/')}/{name.replace('/', '%2f')}"


# -- platforms -----------------------------------------------------------------------------


def fits(
    target: Target, *, os: Sequence[str] = (), cpu: Sequence[str] = (), libc: Sequence[str] = ()
) -> bool:
    """Whether a package with these limits is for the target; an empty list is no limit.

    The lists are the package's own: node's words (darwin, x64, glibc), `!x` to leave x out,
    `any`. libc is judged on linux only, where there is a choice.
    """
    return (
        _in_list(_NODE_OS.get(target.os, target.os), os)
        and _in_list(_NODE_CPU.get(target.cpu, target.cpu), cpu)
        and (target.os != "linux" or _in_list(_NODE_LIBC.get(target.libc, target.libc), libc))
    )


def chosen(
    targets: Sequence[Target],
    *,
    os: Sequence[str] = (),
    cpu: Sequence[str] = (),
    libc: Sequence[str] = (),
) -> bool:
    """Whether a package with these limits is for any of the targets; no targets means all."""
    return not targets or any(fits(target, os=os, cpu=cpu, libc=libc) for target in targets)


def node_platform(target: Target) -> tuple[str, str]:
    """A target's system and CPU in Node's words: ("linux", "x64")."""
    return _NODE_OS.get(target.os, target.os), _NODE_CPU.get(target.cpu, target.cpu)


def _in_list(value: str, limits: Sequence[str]) -> bool:
    if list(limits) == ["any"]:
        return True
    if "!" + value in limits:
        return False
    wanted = [limit for limit in limits if not limit.startswith("!")]
    return not wanted or value in wanted


# -- the registry's own word ---------------------------------------------------------------


class Release(NamedTuple):
    """One version of one package at one registry."""

    registry: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Dist:
    """What a registry says of one version's tarball.

    integrity: all the digests it gives (`integrity` and `shasum`); may be empty or weak.
    manifest: all that it says of the version, as parsed.
    """

    tarball: str
    integrity: Integrity
    size: int | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


async def dist_from_packument(index: Index, registry: str, name: str, version: str) -> Dist:
    """Ask for one version. Raises `FetchError` if the registry does not have it."""
    release = Release(registry, name, version)
    found = await dists_from_packuments(index, [release])
    if release not in found:
        raise FetchError(
            f"the registry has no {name} {version}",
            where=redact_url(packument_url(registry, name)),
            fix="It may have been unpublished; lock another version.",
            status=404,
        )
    return found[release]


async def dists_from_packuments(index: Index, releases: Iterable[Release]) -> dict[Release, Dist]:
    """Ask for many versions at once; what the registry does not have is left out.

    Raises `FetchError` for every failure but "not found", and for an answer without sense.
    """
    import asyncio  # noqa: PLC0415 - dear, and `key` needs none

    wanted: dict[tuple[str, str], set[str]] = {}
    for release in releases:
        wanted.setdefault((release.registry, release.name), set()).add(release.version)
    asked = [
        asyncio.ensure_future(_package(index, registry, name, sorted(versions)))
        for (registry, name), versions in sorted(wanted.items())
    ]
    try:
        answers = await asyncio.gather(*asked)
    finally:
        for task in asked:
            task.cancel()
    return {release: dist for answer in answers for release, dist in answer.items()}


async def with_all_hashes(
    artifacts: Sequence[Artifact], index: Index, registry_of: Callable[[Artifact], str | None]
) -> tuple[Artifact, ...]:
    """The same artifacts; those without a hash that counts get the registry's.

    registry_of: whom to ask about an artifact, None if it is no release of a registry's. What a
    registry does not know stays as it is, for the policy to judge. Raises `IntegrityError` if
    it contradicts the lockfile, and `FetchError`.
    """
    questions = {
        artifact: Release(registry, artifact.name, artifact.version)
        for artifact in artifacts
        if (not artifact.integrity or artifact.integrity.weak)
        and (registry := registry_of(artifact)) is not None
    }
    dists = await dists_from_packuments(index, questions.values()) if questions else {}
    answered = {
        artifact: with_registry_hashes(artifact, dists[release], release.registry)
        for artifact, release in questions.items()
        if release in dists
    }
    return tuple(answered.get(artifact, artifact) for artifact in artifacts)


def with_registry_hashes(artifact: A, dist: Dist, registry: str) -> A:
    """An artifact whose lockfile has no hash that counts, with those that the registry has.

    Raises `IntegrityError` if the registry contradicts the lockfile.
    """
    locked = artifact.integrity
    for algorithm in sorted({*locked.algorithms} & {*dist.integrity.algorithms}):
        if not _of(locked, algorithm) & _of(dist.integrity, algorithm):
            raise IntegrityError(
                f"the registry's {algorithm} of {artifact} is not the one that is locked",
                where=f"{artifact.where}, {redact_url(packument_url(registry, artifact.name))}",
                fix="The package was replaced, or the registry is another one than at the time "
                "of locking; find out which before you lock again.",
            )
    missing = [d for d in dist.integrity.digests if d.algorithm not in locked.algorithms]
    if (locked and not locked.weak) or not missing:
        return artifact
    return replace(artifact, integrity=locked | Integrity.of(missing), trust=Trust.REGISTRY)


def _of(integrity: Integrity, algorithm: str) -> set[bytes]:
    return {d.value for d in integrity.digests if d.algorithm == algorithm}


async def _package(
    index: Index, registry: str, name: str, versions: Sequence[str]
) -> dict[Release, Dist]:
    packument = packument_url(registry, name)
    found: dict[str, Any] = {}
    if registry == DEFAULT_REGISTRY:
        # A version's own document is some KB where a packument can be 10 MB. Not every
        # registry has them, and mirrors of the default one may not.
        for version in versions:
            document = await _document(index, f"{packument}/{quote(version)}", name)
            if isinstance(document, dict) and document.get("version") == version:
                found[version] = document
    if len(found) < len(versions):
        document = await _document(index, packument, name)
        if document is not None:
            try:
                found = {v: document["versions"][v] for v in versions if v in document["versions"]}
            except (KeyError, TypeError):
                raise _nonsense(name, packument) from None
    try:
        return {Release(registry, name, v): _dist(found[v]) for v in found}
    except (DigestError, AttributeError, KeyError, TypeError):
        raise _nonsense(name, packument) from None


async def _document(index: Index, url: str, name: str) -> Any:
    """A JSON document, None if the registry does not have it."""
    try:
        answer = await index.get(url, accept=CORGI)
    except FetchError as error:
        if error.status == 404:
            return None
        raise
    try:
        return load_json(decode_utf8(answer.body, name), name)
    except LockfileError:
        raise _nonsense(name, url) from None


def _nonsense(name: str, url: str) -> FetchError:
    return FetchError(
        f"the registry's answer for {name} makes no sense",
        where=redact_url(url),
        fix="Check that what is configured as registry is one.",
    )


def _dist(manifest: Any) -> Dist:
    dist = manifest["dist"]
    integrity = Integrity()
    if dist.get("integrity"):
        integrity |= Integrity.parse_sri(dist["integrity"])
    if dist.get("shasum"):
        integrity |= Integrity.of([Digest.from_hex("sha1", dist["shasum"])])
    tarball = dist["tarball"]
    if not isinstance(tarball, str):
        raise TypeError
    return Dist(tarball, integrity, manifest=manifest)
