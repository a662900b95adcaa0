"""A bundle's image: config and manifest, made and read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from vendorpack.bundle.reader import Bundle
from vendorpack.dataclass import dataclass
from vendorpack.errors import FetchError
from vendorpack.files.disk import sha256_of
from vendorpack.key import canonical_json
from vendorpack.model import Json

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
MAX_MANIFEST: Final = 4 << 20
"""Bytes; what registries must take and clients need not exceed."""
SIGNATURE_TYPE: Final = "application/vnd.vendorpack.signature.v1"
"""Of an artifact that is a bundle's signature, and of the one layer it has."""
EMPTY: Final = b"{}"
"""The config of what is no image."""
REF_NAME: Final = "org.opencontainers.image.ref.name"

_EMPTY_TYPE: Final = "application/vnd.oci.empty.v1+json"
_CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"
_LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar"
_TITLE: Final = "org.opencontainers.image.title"
_MAX_LAYER: Final = 1 << 50
_ARCHITECTURES: Final = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i686": "386",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "loong64": "loong64",
}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(data: bytes) -> str:
    """`sha256:<hex>`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def is_digest(text: str) -> bool:
    """Whether this is `sha256:<hex>`."""
    return _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says of a blob. digest: `sha256:<hex>`. size: bytes."""

    media_type: str
    digest: str
    size: int

    def record(self) -> dict[str, Json]:
        """As JSON has it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}

    @property
    def hex(self) -> str:
        """The digest without its algorithm."""
        return self.digest.removeprefix("sha256:")

    @property
    def file_name(self) -> str:
        """What a bundle of this kind is called if nobody says otherwise."""
        return "deps.tar.zst" if self.media_type.endswith("+zstd") else "deps.tar"


@dataclass(frozen=True, slots=True)
class Image:
    """The documents around a bundle. key: the bundle's."""

    key: str
    layer: Descriptor
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        """The image's: that of its manifest."""
        return digest_of(self.manifest)

    @property
    def config_descriptor(self) -> Descriptor:
        """What the manifest says of the config."""
        return _config_descriptor(self.config)

    @property
    def descriptor(self) -> Descriptor:
        """What an index says of the manifest."""
        return Descriptor(MANIFEST_TYPE, self.digest, len(self.manifest))


def image_of(bundle: Bundle) -> Image:
    """The image of a bundle that was verified. Reads all of it. Raises `BundleError`."""
    media_type = _LAYER_TYPE if bundle.trailer is None else f"{_LAYER_TYPE}+zstd"
    layer = Descriptor(media_type, "sha256:" + sha256_of(bundle.fd), bundle.size)
    head = bundle.manifest.head
    diff_id = layer.digest if bundle.trailer is None else f"sha256:{bundle.diff_id()}"
    config = canonical_json(
        {
            "architecture": _architecture(head.options),
            "config": {},
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        }
    )
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _config_descriptor(config).record(),
            "layers": [{**layer.record(), "annotations": {_TITLE: layer.file_name}}],
        }
    )
    return Image(head.key, layer, config, manifest)


def signature_manifest(image: Descriptor, signature: bytes) -> bytes:
    """The manifest that attaches a signature of a bundle to its image."""
    layer = Descriptor(SIGNATURE_TYPE, digest_of(signature), len(signature))
    return canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": SIGNATURE_TYPE,
            "config": empty_config().record(),
            "layers": [{**layer.record(), "annotations": {_TITLE: "deps.tar.zst.sig"}}],
            "subject": image.record(),
        }
    )


def empty_config() -> Descriptor:
    """What the manifest of what is no image says of its config."""
    return Descriptor(_EMPTY_TYPE, digest_of(EMPTY), len(EMPTY))


def parse_signature(data: bytes, subject: str, where: str) -> Descriptor | None:
    """The layer of a signature that is attached to an image; None if it is of another one.

    subject: the image's digest. Raises `FetchError`.
    """
    layer = parse_manifest(data, where)
    named = json.loads(data).get("subject")
    if not isinstance(named, dict) or named.get("digest") != subject:
        return None
    return layer if layer.media_type == SIGNATURE_TYPE else None


def parse_manifest(data: bytes, where: str) -> Descriptor:
    """The bundle that a manifest names. Raises `FetchError` for anything but one layer."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise _not_ours("its manifest is not JSON", where) from None
    layers = value.get("layers") if isinstance(value, dict) else None
    if not isinstance(layers, list) or len(layers) != 1 or not isinstance(layers[0], dict):
        raise _not_ours("its manifest does not have one layer", where)
    media_type, digest, size = (layers[0].get(k) for k in ("mediaType", "digest", "size"))
    if not isinstance(media_type, str) or not isinstance(digest, str) or not is_digest(digest):
        raise _not_ours("its layer has no sha256 digest", where)
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size < _MAX_LAYER:
        raise _not_ours("its layer's size makes no sense", where)
    return Descriptor(media_type, digest, size)


def _config_descriptor(config: bytes) -> Descriptor:
    return Descriptor(_CONFIG_TYPE, digest_of(config), len(config))


def _architecture(options: Mapping[str, Json]) -> str:
    cpus = {target.split("-")[1] for target in _targets(options) if "-" in target}
    return _ARCHITECTURES.get(cpus.pop(), "amd64") if len(cpus) == 1 else "amd64"


def _targets(options: Mapping[str, Json]) -> Iterator[str]:
    """Every target that a lockfile was packed for."""
    for of_lockfile in options.values():
        targets = of_lockfile.get("targets") if isinstance(of_lockfile, dict) else None
        if isinstance(targets, list):
            yield from (target for target in targets if isinstance(target, str))


def _not_ours(why: str, where: str) -> FetchError:
    return FetchError(
        f"this is not a bundle's image: {why}",
        where=where,
        fix="Name an image that `vendorpack push` made.",
    )
