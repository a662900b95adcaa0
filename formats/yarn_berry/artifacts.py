"""Pinned packages to artifacts: which ones, and from where.

=====================  ==================================================================
reference              what is done
=====================  ==================================================================
`npm:1.2.3`            the registry's tarball, or `__archiveUrl` if the lockfile has one
`https://….tgz`        that tarball
`patch:…`              nothing: Yarn makes it from its base, which is always taken
`workspace:`, `link:`, nothing: lies in the project
`portal:`, `file:`
`exec:`                nothing, with a warning: a script of the project's makes it
git, anything else     refused: Yarn packs the checkout with the package's own scripts
=====================  ==================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.npm.registry import check_name, purl, tarball_url
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats.yarn_berry.archive import CacheKey
from vendorpack.formats.yarn_berry.conditions import needed
from vendorpack.formats.yarn_berry.graph import LOCAL, graph_of
from vendorpack.formats.yarn_berry.locator import Locator, Reference, plain_version
from vendorpack.formats.yarn_berry.lockfile import Pin, YarnLock
from vendorpack.formats.yarn_berry.yarnrc import Yarnrc, without_alias
from vendorpack.model import Artifact, Graph, Options, Warning
from vendorpack.redact import redact_url

DIGEST_PREFIX: Final = "berry-zip-"
"""Begins the name of the derived digest, sha512 of the converted zip: `berry-zip-10c0`. A tarball
that is no registry's may go by several names, so there the name follows: `berry-zip-10c0-as-a`."""

_TARBALL: Final = re.compile(r"https?://[^?#]*\.(?:tar\.gz|tgz)(?:\?[^#]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class BerryArtifact(Artifact):
    """A tarball and the zip that Yarn wants to have of it.

    slug: what the zip's name begins with.
    key: cache key that the zip is made for.
    name_key: cache key at the end of the zip's name; the one that the lockfile is for.
    registry: whom to ask for a hash; None if it is no release of a registry's.
    """

    slug: str
    key: CacheKey
    name_key: CacheKey
    registry: str | None

    @property
    def file_name(self) -> str:
        """The zip's name in Yarn's global cache."""
        return f"{self.slug}-{self.name_key}.zip"


def choose(
    lock: YarnLock, options: Options, yarnrc: Yarnrc
) -> tuple[tuple[BerryArtifact, ...], Graph, tuple[Warning, ...]]:
    """The artifacts that Yarn fetches on the targets, sorted; graph, and warnings.

    Raises `LockfileError`, `UnsupportedError`.
    """
    bases = _patch_bases(lock)
    based_on = frozenset(bases.values())
    chosen: list[BerryArtifact] = []
    purls: dict[Locator, str] = {}
    warnings: list[Warning] = []
    for pin in lock.pins:
        fits = not pin.conditions or needed(
            pin.conditions, options.targets, yarnrc.architectures, pin.where
        )
        # Yarn fetches the base of a patch even where its own conditions leave it out.
        if not fits and pin.locator not in based_on:
            continue
        artifact = _artifact(pin, lock.key, yarnrc)
        if artifact is not None:
            chosen.append(artifact)
            purls[pin.locator] = artifact.purl
        warnings += _warnings(pin)
    _check_names(chosen)
    chosen.sort(key=lambda a: (a.name, a.version, a.slug))
    for patched in bases:
        base = _base_of_all(patched, bases)
        if base in purls:
            purls[patched] = purls[base]
    return tuple(chosen), graph_of(lock, purls), tuple(warnings)


def _base_of_all(patched: Locator, bases: Mapping[Locator, Locator]) -> Locator:
    """What a patch of a patch is one of in the end."""
    seen = {patched}
    while (base := bases.get(patched)) is not None and base not in seen:
        seen.add(base)
        patched = base
    return patched


def _patch_bases(lock: YarnLock) -> dict[Locator, Locator]:
    """Each patched package to what it is made from."""
    found: dict[Locator, Locator] = {}
    for pin in lock.pins:
        if not pin.locator.reference.startswith("patch:"):
            continue
        base = Locator.parse(Reference.parse(pin.locator.reference).source)
        if base is None:
            raise LockfileError(f"{pin.locator.name} is a patch of nothing", where=pin.where)
        if ":" not in base.reference:  # npm: goes without saying in Yarn 2
            base = Locator(base.scope, base.base_name, f"npm:{base.reference}")
        found[pin.locator] = base
    return found


def _artifact(pin: Pin, name_key: CacheKey, yarnrc: Yarnrc) -> BerryArtifact | None:
    """None for what Yarn needs no download for."""
    text = pin.locator.reference
    if text.startswith((*LOCAL, "patch:")):
        return None  # a name of the project's own may be no package name: `$utils@link:./utils`
    name = check_name(pin.locator.name, pin.where)
    reference = Reference.parse(text)
    if reference.protocol == "npm:":
        version = plain_version(reference.selector)
        if version is None:
            raise LockfileError(
                f"{name} is locked to {reference.selector[:100]!r}, which is no version",
                where=pin.where,
            )
        registry = yarnrc.asked.of(name)
        archive = reference.parameters.get("__archiveUrl")
        if archive is None:
            url = tarball_url(yarnrc.pinned.of(name), name, version)
            asked = tarball_url(registry, name, version)
        else:
            url, asked = _address(archive, pin), without_alias(archive)
        package_url = purl(name, version)
    elif _TARBALL.fullmatch(text.partition("#")[0]) and "#commit=" not in text:
        url, version, registry = _address(text.partition("#")[0], pin), pin.version, None
        asked = url
        package_url = f"{purl(name, version)}?download_url={quote(redact_url(url), safe='')}"
    else:
        raise UnsupportedError(
            f"{name} comes from git or from a place that Yarn packs itself: "
            f"{redact_url(text)[:200]}",
            where=pin.where,
            fix="Yarn runs the package's own scripts to pack it, so its cache cannot be made "
            "without running code. Depend on a published version or a tarball's https address.",
        )
    checksum = pin.checksum
    return BerryArtifact(
        name=name,
        version=version,
        purl=package_url,
        url=url,
        fetch_from=(asked,) if asked != url else (),
        integrity=Integrity.of(
            [Digest.from_hex(_algorithm(checksum.key, name, registry), checksum.digits)]
            if checksum
            else []
        ),
        where=pin.where,
        why=("platform",) if pin.conditions else (),
        slug=pin.locator.slug,
        # Nothing pins a zip without checksum, and a stored one is the same everywhere.
        key=checksum.key if checksum else name_key.stored(),
        name_key=name_key,
        registry=registry,
    )


def _algorithm(key: CacheKey, name: str, registry: str | None) -> str:
    if registry is not None:
        return f"{DIGEST_PREFIX}{key}"
    return f"{DIGEST_PREFIX}{key}-as-{path_name(name)}"


def path_name(name: str) -> str:
    """The name with `+` for its slash, which no name has in it."""
    return name.replace("/", "+")


def _address(url: str, pin: Pin) -> str:
    if not is_http(url):
        raise LockfileError(
            f"{pin.locator.name} has no usable address: {redact_url(url)[:200]}", where=pin.where
        )
    return url


def _check_names(artifacts: list[BerryArtifact]) -> None:
    by_name: dict[str, BerryArtifact] = {}
    for artifact in artifacts:
        other = by_name.setdefault(artifact.file_name.lower(), artifact)
        if other is not artifact:
            raise UnsupportedError(
                f"{other} and {artifact} would be the same file of Yarn's cache, "
                f"{artifact.file_name}",
                where=f"{other.where} and {artifact.where}",
            )


def _warnings(pin: Pin) -> Iterator[Warning]:
    name = pin.locator.name
    if pin.locator.reference.startswith("exec:"):
        yield Warning(
            f"{name} is made by a script of the project's (exec:); if that downloads anything, "
            "it will fail offline",
            pin.where,
        )
