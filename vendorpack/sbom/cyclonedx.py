"""A bundle's bill of materials as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

from vendorpack import __version__
from vendorpack.bundle.manifest import Manifest
from vendorpack.sbom.packages import TOOL, Package, Source, packages_of

_ALGORITHMS: Final = {
    "md5": "MD5",
    "sha1": "SHA-1",
    "sha256": "SHA-256",
    "sha384": "SHA-384",
    "sha512": "SHA-512",
}


def cyclonedx(manifest: Manifest, bundle_id: str) -> dict[str, Any]:
    """The document: the same one for the same id, and so without a time."""
    head = manifest.head
    root = f"{TOOL}:{bundle_id}"
    facts = [("id", bundle_id), ("key", head.key)]
    facts += [("lockfile", f"{lock.path} sha256-{lock.sha256}") for lock in head.lockfiles]
    facts += [("options", f"{k} {json.dumps(v, sort_keys=True)}") for k, v in head.options.items()]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, root)}",
        "version": 1,
        "metadata": {
            "component": {"type": "file", "bom-ref": root, "name": "bundle", "version": head.key},
            "lifecycles": [{"phase": "pre-build"}],
            "properties": _properties(facts),
            "tools": {
                "components": [{"type": "application", "name": TOOL, "version": __version__}]
            },
        },
        "components": [_component(package) for package in packages_of(head.artifacts)],
        # Which package asks for which, the manifest does not say.
        "compositions": [{"aggregate": "incomplete", "dependencies": [root]}],
    }


def _component(package: Package) -> dict[str, Any]:
    group = package.group
    component: dict[str, Any] = {
        "type": "library" if package.whole else "file",
        "bom-ref": f"{package.purl} {package.name} {package.version}",
        "name": package.name[len(group) + 1 :] if group else package.name,
        "version": package.version,
        "scope": package.scope,
        "properties": _properties(_facts(package.sources)),
    }
    if group:
        component["group"] = group
    if package.whole:
        component["purl"] = component["bom-ref"] = package.purl
    if len(package.sources) == 1:
        component["hashes"] = _hashes(package.sources[0].hashes)
    references = [_reference(source) for source in package.sources if source.url is not None]
    if references:
        component["externalReferences"] = references
    return component


def _reference(source: Source) -> dict[str, Any]:
    return {
        "type": "vcs" if source.commit else "distribution",
        "url": source.url,
        "hashes": _hashes(source.hashes),
    }


def _hashes(hashes: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"alg": _ALGORITHMS[name], "content": value} for name, value in sorted(hashes.items())]


def _facts(sources: Iterable[Source]) -> list[tuple[str, str]]:
    """What there is no field for; where there are several files, in their order."""
    found = []
    for source in sources:
        found += [("format", name) for name in source.formats]
        found += [("pinned-at", place) for place in source.places]
        found += [("hash-from", trust) for trust in source.trusts]
        found += [("lockfile-digest", pin) for pin in source.pins]
        found += [("why", word) for word in source.why]
        found.append(("size", str(source.size)))
    return list(dict.fromkeys(found))


def _properties(facts: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": f"{TOOL}:{name}", "value": value} for name, value in sorted(facts)]
