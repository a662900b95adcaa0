"""A bundle's bill of materials as SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/)."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from vendorpack import __version__
from vendorpack.bundle.manifest import Manifest
from vendorpack.sbom.packages import TOOL, Package, Source, packages_of
from vendorpack.spdx import canonical

_DOCUMENT: Final = "SPDXRef-DOCUMENT"
_BUNDLE: Final = "SPDXRef-Bundle"
_NOT_SAID: Final = "NOASSERTION"
_REF: Final = "LicenseRef-"
_NOTHING: Final = "NONE"
_ASKS: Final = "DEPENDS_ON"
_KINDS: Final = {
    "build": "BUILD_DEPENDENCY_OF",
    "dev": "DEV_DEPENDENCY_OF",
    "optional": "OPTIONAL_DEPENDENCY_OF",
}


def spdx(manifest: Manifest, bundle_id: str) -> dict[str, Any]:
    """The document: the same one for the same id. Its time is that of the bundle's files."""
    head = manifest.head
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, f"{TOOL}:spdx:{bundle_id}")
    bundle = _package(_BUNDLE, "bundle", head.key, _NOT_SAID)
    bundle["comment"] = f"The id is {bundle_id}."
    bundle["sourceInfo"] = "made from " + ", ".join(
        f"{lock.path} (sha256 {lock.sha256})" for lock in head.lockfiles
    )
    packages, relationships = [bundle], [_relation(_DOCUMENT, "DESCRIBES", _BUNDLE)]
    found = packages_of(head.artifacts)
    refs = [[_ref(package, source) for source in package.sources] for package in found]
    for package, own in zip(found, refs, strict=True):
        asked = [ref for index in package.requires for ref in refs[index]]
        for source, ref in zip(package.sources, own, strict=True):
            packages.append(_file_of(package, source, ref))
            relationships.append(_relation(_BUNDLE, "CONTAINS", ref))
            if package.direct:
                relationships.append(_relation(_BUNDLE, _ASKS, ref))
            relationships += [_relation(ref, _ASKS, other) for other in asked]
            if not package.told:
                relationships.append(_relation(ref, _ASKS, _NOT_SAID))
            elif not asked:
                relationships.append(_relation(ref, _ASKS, _NOTHING))
            if source.scope != "required":
                relationships += [
                    _relation(ref, _KINDS[word], _BUNDLE) for word in source.why if word in _KINDS
                ]
    files = [source for package in found for source in package.sources]
    texts = {_words(file.licenses): _declared(file.licenses) for file in files}
    extracted = [
        {"licenseId": ref, "name": words, "extractedText": words}
        for words, ref in sorted(texts.items())
        if ref.startswith(_REF)
    ]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": "bundle",
        "documentNamespace": f"urn:uuid:{namespace}",
        "creationInfo": {
            "created": datetime.fromtimestamp(manifest.mtime, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": [f"Tool: {TOOL}-{__version__}"],
        },
        **({"hasExtractedLicensingInfos": extracted} if extracted else {}),
        "packages": packages,
        "relationships": relationships,
    }


def _ref(package: Package, source: Source) -> str:
    shown = re.sub(r"[^A-Za-z0-9.]+", "-", f"{package.name}-{package.version}")[:100]
    return f"SPDXRef-{shown}-{package.ref(source)}"


def _file_of(package: Package, source: Source, ref: str) -> dict[str, Any]:
    made = _package(ref, package.name, package.version, _location(source))
    made["licenseDeclared"] = _declared(source.licenses)
    made["checksums"] = [
        {"algorithm": name.upper(), "checksumValue": value}
        for name, value in sorted(source.hashes.items())
    ]
    said = [
        ("pinned at", source.places),
        ("hash from", source.trusts),
        ("digest in the lockfile", source.pins),
        ("for", source.why),
    ]
    made["sourceInfo"] = "; ".join(f"{what}: {', '.join(texts)}" for what, texts in said if texts)
    if package.whole:
        made["externalRefs"] = [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": package.purl,
            }
        ]
    else:
        made["primaryPackagePurpose"] = "FILE"
    return made


def _declared(licenses: Sequence[str]) -> str:
    """An expression, as far as there is one; else a reference to the words."""
    words = _words(licenses)
    expression = canonical(words)
    if not words or (expression and _REF not in expression):
        return expression or _NOT_SAID
    return f"{_REF}{hashlib.sha256(words.encode()).hexdigest()[:20]}"


def _words(licenses: Sequence[str]) -> str:
    return "; ".join(licenses)


def _package(ref: str, name: str, version: str, location: str) -> dict[str, Any]:
    return {
        "SPDXID": ref,
        "name": name,
        "versionInfo": version,
        "downloadLocation": location,
        "filesAnalyzed": False,
        "copyrightText": _NOT_SAID,
        "licenseConcluded": _NOT_SAID,
        "licenseDeclared": _NOT_SAID,
        "supplier": _NOT_SAID,
    }


def _location(source: Source) -> str:
    if source.url is None:
        return _NOT_SAID
    # As pip and SPDX write a commit; the manifest has it behind `#`.
    return source.url.replace("#", "@", 1) if source.commit else source.url


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
