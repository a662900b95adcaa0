"""A bundle's bill of materials as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from vendorpack import __version__
from vendorpack.bundle.manifest import Manifest
from vendorpack.sbom.packages import TOOL, Package, Source, packages_of
from vendorpack.spdx import canonical, parts

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
    packages = packages_of(head.artifacts)
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
        "components": [_component(package) for package in packages],
        "dependencies": [*_dependencies(root, packages)],
        "compositions": [*_compositions(root, packages)],
    }


def _ref(package: Package) -> str:
    return package.purl if package.whole else f"{package.purl} {package.name} {package.version}"


def _dependencies(root: str, packages: Sequence[Package]) -> Iterator[dict[str, Any]]:
    """Of the bundle, what the project asks for; a package that is not in here is not known."""
    yield {"ref": root, "dependsOn": [_ref(package) for package in packages if package.direct]}
    for package in packages:
        if package.told or package.requires:
            yield {"ref": _ref(package), "dependsOn": [_ref(packages[i]) for i in package.requires]}


def _compositions(root: str, packages: Sequence[Package]) -> Iterator[dict[str, Any]]:
    """Where the dependencies are all there is, and where the lockfiles say too little."""
    told = [_ref(package) for package in packages if package.told]
    untold = [_ref(package) for package in packages if not package.told]
    all_direct = all(package.direct is not None for package in packages)
    (told if all_direct else untold).insert(0, root)
    for aggregate, refs in (("complete", told), ("incomplete", untold)):
        if refs:
            yield {"aggregate": aggregate, "dependencies": refs}


def _component(package: Package) -> dict[str, Any]:
    group = package.group
    component: dict[str, Any] = {
        "type": "library" if package.whole else "file",
        "bom-ref": _ref(package),
        "name": package.name[len(group) + 1 :] if group else package.name,
        "version": package.version,
        "scope": package.scope,
        "properties": _properties(_facts(package.sources)),
    }
    if group:
        component["group"] = group
    if package.whole:
        component["purl"] = package.purl
    if package.licenses:
        component["licenses"] = _licenses(package.licenses)
    if len(package.sources) == 1:
        component["hashes"] = _hashes(package.sources[0].hashes)
    references = [_reference(source) for source in package.sources if source.url is not None]
    if references:
        component["externalReferences"] = references
    return component


def _licenses(texts: Sequence[str]) -> list[dict[str, Any]]:
    """The expression; or, where there is none or more than one, the names."""
    expression = canonical(texts[0]) if len(texts) == 1 else ""
    declared = {"acknowledgement": "declared"}
    if expression:
        return [{"expression": expression, **declared}]
    names = [name for text in texts for name in parts(text) or (text,)]
    return [{"license": {"name": name, **declared}} for name in dict.fromkeys(names)]


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
