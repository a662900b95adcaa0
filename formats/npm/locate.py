"""What the lockfile leaves to the registry: hashes, and a private registry's addresses.

Also what a lockfile of version 1 makes npm read in the packument (`NpmArtifact.manifest`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from vendorpack.errors import FetchError
from vendorpack.formats._shared.npm.registry import (
    DEFAULT_REGISTRY,
    Dist,
    Release,
    dists_from_packuments,
    packument_url,
    with_registry_hashes,
)
from vendorpack.formats.npm.artifacts import NpmArtifact
from vendorpack.model import Artifact
from vendorpack.redact import redact_url
from vendorpack.room import Index

_MANIFEST: Final = (
    "bin",
    "bundleDependencies",
    "cpu",
    "dependencies",
    "engines",
    "hasInstallScript",
    "libc",
    "optionalDependencies",
    "os",
    "peerDependencies",
    "peerDependenciesMeta",
)
"""What decides npm's tree, and never changes once it is published."""


async def locate(artifacts: Sequence[Artifact], index: Index) -> tuple[Artifact, ...]:
    """The same artifacts, with what the registry knows of those that lack something.

    Raises `IntegrityError` if the registry contradicts the lockfile, and `FetchError`. What
    the registry does not know stays as it is, for the policy to judge.
    """
    releases = {
        artifact: release
        for artifact in artifacts
        if isinstance(artifact, NpmArtifact) and (release := _question(artifact)) is not None
    }
    if not releases:
        return tuple(artifacts)
    dists = await dists_from_packuments(index, releases.values())
    answered = {
        artifact: _answered(artifact, dists.get(release)) for artifact, release in releases.items()
    }
    return tuple(answered.get(a, a) if isinstance(a, NpmArtifact) else a for a in artifacts)


def _question(artifact: NpmArtifact) -> Release | None:
    """What to ask for, if anything: a hash that counts, or where a private registry has it."""
    if artifact.registry is None:
        return None
    no_hash = not artifact.integrity or artifact.integrity.weak
    no_address = not artifact.address_locked and artifact.registry != DEFAULT_REGISTRY
    if not no_hash and not no_address and artifact.manifest is not None:
        return None
    return Release(artifact.registry, artifact.name, artifact.version)


def _answered(artifact: NpmArtifact, dist: Dist | None) -> NpmArtifact:
    asked = redact_url(packument_url(artifact.registry or "", artifact.name))
    if dist is None:
        if artifact.address_locked:
            return replace(artifact, packuments=(), manifest="{}")
        if artifact.manifest is not None:
            return artifact
        raise FetchError(
            f"the registry does not have {artifact}, and the lockfile does not say where it is",
            where=f"{artifact.where}, {asked}",
            fix="Lock again with npm 7 or newer.",
            status=404,
        )
    artifact = with_registry_hashes(artifact, dist, artifact.registry or "")
    if not artifact.address_locked:
        artifact = replace(artifact, url=dist.tarball)
    if artifact.manifest is None:
        artifact = replace(artifact, manifest=_manifest(dist))
    return artifact


def _manifest(dist: Dist) -> str:
    known = {name: dist.manifest[name] for name in _MANIFEST if name in dist.manifest}
    return json.dumps(known, sort_keys=True)
