"""A bundle's provenance: SLSA v1 (https://slsa.dev/spec/v1.0/provenance) as an in-toto statement.

It is unsigned. Whoever signs it, or hands it to a CI service that does, vouches for it.
"""

from __future__ import annotations

from typing import Any, Final

from vendorpack import __version__
from vendorpack.bundle.manifest import BUNDLE_FORMAT, Manifest
from vendorpack.bundle.table import MANIFEST_PATH
from vendorpack.sbom.packages import TOOL, Package, Source, packages_of

_TOOL_PURL: Final = f"pkg:pypi/{TOOL}"


def provenance(manifest: Manifest, bundle_id: str) -> dict[str, Any]:
    """The statement on a bundle, by its id: the sha256 of its manifest, which fixes every file."""
    head = manifest.head
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": MANIFEST_PATH, "digest": {"sha256": bundle_id}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{_TOOL_PURL}#bundle-{BUNDLE_FORMAT}",
                "externalParameters": {
                    "key": head.key,
                    "lockfiles": [
                        {"path": lock.path, "format": lock.format, "sha256": lock.sha256}
                        for lock in head.lockfiles
                    ],
                    "options": dict(head.options),
                },
                "internalParameters": {"layouts": dict(head.layouts)},
                "resolvedDependencies": [
                    *(
                        {"name": lock.path, "digest": {"sha256": lock.sha256}}
                        for lock in head.lockfiles
                    ),
                    *(
                        _dependency(package, source)
                        for package in packages_of(head.artifacts)
                        for source in package.sources
                    ),
                ],
            },
            "runDetails": {
                "builder": {
                    "id": f"{_TOOL_PURL}@{__version__}",
                    "version": {TOOL: __version__},
                },
            },
        },
    }


def _dependency(package: Package, source: Source) -> dict[str, Any]:
    """A ResourceDescriptor (in-toto's attestation framework, v1)."""
    descriptor: dict[str, Any] = {
        "name": f"{package.name} {package.version}",
        "uri": package.purl,
        "digest": dict(source.hashes),
        "annotations": {
            "hash-from": list(source.trusts),
            "lockfile-digests": list(source.pins),
            "pinned-at": list(source.places),
        },
    }
    if source.url is not None:
        descriptor["downloadLocation"] = source.url
    return descriptor
