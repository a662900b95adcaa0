"""Signatures of a bundle, attached to its image: the referrers of the OCI specification 1.1.

A signature is an artifact of its own, whose `subject` is the image::

    manifest   {"schemaVersion": 2, "mediaType": "…image.manifest.v1+json",
                "artifactType": SIGNATURE_TYPE,
                "config": the empty one, "{}",
                "layers": [{"mediaType": SIGNATURE_TYPE, the signature's "digest" and "size",
                            "annotations": {"…title": "deps.tar.zst.sig"}}],
                "subject": {the image's "mediaType", "digest", "size"}}

A registry that knows subjects lists it at `/v2/<repository>/referrers/<digest>`. For one that does
not (Docker's, to version 2) the specification keeps the list, an image index, under the tag
`sha256-<hex>`; whoever attaches something writes it anew. Nothing of all this is believed: a
signature counts by what `vendorpack.signature` says of it.
"""

from __future__ import annotations

import json
from typing import Any, Final

from vendorpack.errors import FetchError
from vendorpack.key import canonical_json
from vendorpack.model import Json
from vendorpack.oci.image import (
    EMPTY,
    INDEX_TYPE,
    MANIFEST_TYPE,
    SIGNATURE_TYPE,
    Descriptor,
    Image,
    digest_of,
    empty_config,
    is_digest,
    parse_signature,
    signature_manifest,
)
from vendorpack.oci.registry import Repository
from vendorpack.signature import MAX_SIGNATURES, MAX_SIZE

_ATTEMPTS: Final = 5


async def attach(repository: Repository, image: Image, signature: bytes) -> bool:
    """Add a signature to an image that is there; False if it has it. Raises `FetchError`."""
    manifest = signature_manifest(image.descriptor, signature)
    digest = digest_of(manifest)
    if any(row["digest"] == digest for row in await _listed(repository, image.digest)):
        return False
    layer = Descriptor(SIGNATURE_TYPE, digest_of(signature), len(signature))
    for blob, content in ((layer, signature), (empty_config(), EMPTY)):
        if not await repository.has_blob(blob.digest):
            await repository.put_blob(blob, content, "signature")
    if not await repository.put_manifest(digest, manifest):
        row = Descriptor(MANIFEST_TYPE, digest, len(manifest)).record()
        await _list(repository, image.digest, {**row, "artifactType": SIGNATURE_TYPE})
    return True


async def attached(repository: Repository, digest: str) -> list[bytes]:
    """The signatures that an image has, in the order of their digests.

    Raises `FetchError`, `IntegrityError`.
    """
    found = []
    rows = [r for r in await _listed(repository, digest) if r.get("artifactType") == SIGNATURE_TYPE]
    for name in sorted({row["digest"] for row in rows})[:MAX_SIGNATURES]:
        manifest = await repository.manifest(name)
        if manifest is None:
            continue  # deleted, and the list not written anew
        layer = parse_signature(manifest, digest, f"{repository.reference}\n{name}")
        if layer is not None:
            found.append(await repository.blob(layer, MAX_SIZE))
    return found


def _tag(digest: str) -> str:
    """The tag of the list of what refers to a manifest, where a registry keeps none itself."""
    return digest.replace(":", "-")


async def _listed(repository: Repository, digest: str) -> list[dict[str, Any]]:
    """What refers to a manifest, as far as it can be read: descriptors."""
    index = await repository.referrers(digest)
    if index is None:
        index = await repository.manifest(_tag(digest))
    return [] if index is None else _rows(index)


def _rows(index: bytes) -> list[dict[str, Any]]:
    try:
        rows = json.loads(index)["manifests"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return []
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [row for row in rows if is_digest(str(row.get("digest")))]


async def _list(repository: Repository, digest: str, row: dict[str, Any]) -> None:
    """Add to the list of a registry that keeps none, and see that nobody else overwrote it."""
    tag = _tag(digest)
    for _ in range(_ATTEMPTS):
        there = await repository.manifest(tag)
        rows = [] if there is None else _rows(there)
        if any(known["digest"] == row["digest"] for known in rows):
            return
        index: dict[str, Json] = {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [*rows, row],
        }
        await repository.put_manifest(tag, canonical_json(index), INDEX_TYPE)
    raise FetchError(
        "the registry does not keep the list of signatures",
        where=f"{repository.reference.at(tag=tag)}",
        fix="Push again; somebody else may write it in this very moment.",
    )
