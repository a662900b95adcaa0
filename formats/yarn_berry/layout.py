"""Yarn's global cache, as far as `yarn install --immutable` reads it (Yarn 2 to 4)::

    yarn-berry/                                            YARN_GLOBAL_FOLDER
    └── cache/
        ├── lodash-npm-4.17.21-6382451519-10c0.zip         <slug>-<cache key>.zip
        ├── @babel-core-npm-7.26.0-cb7a9d7a9b-10c0.zip
        └── fsevents-npm-2.3.3-ce9fb0ffae-10c0.zip         base of a patch: on every platform

With `enableGlobalCache: true` (Yarn 4) these are installed from directly; else (Yarn 3) they are
the mirror that fills the project's `.yarn/cache`. The zips of builtin and of the project's own
patches are made by Yarn from their bases, so the folder must be writable for it; its `index` and
`metadata` are not needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from vendorpack.errors import IntegrityError, UnsupportedError
from vendorpack.formats.yarn_berry.archive import RULE_VERSION, CacheKey, zip_from_tarball
from vendorpack.formats.yarn_berry.artifacts import DIGEST_PREFIX, BerryArtifact, path_name
from vendorpack.model import Artifact, Blob, Entry, Packed
from vendorpack.room import Keep, Workshop

FOLDER: Final = "yarn-berry"


def zip_digest(tarball: bytes, name: str, key: CacheKey, label: str) -> bytes:
    """sha512 of the zip that a tarball becomes, without holding the zip in memory."""
    state = hashlib.sha512()
    for part in zip_from_tarball(tarball, name, key, label=label):
        state.update(part)
    return state.digest()


def kept_zip(tarball: bytes, artifact: BerryArtifact, keep: Keep) -> bytes:
    """Give the zip that `layout` will want to `keep`; its sha512."""
    state = hashlib.sha512()

    def parts() -> Iterator[bytes | memoryview]:
        for part in zip_from_tarball(tarball, artifact.name, artifact.key, label=str(artifact)):
            state.update(part)
            yield part

    keep(_recipe(artifact), parts())
    return state.digest()


def layout(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """The cache's zips, in artifact order; converted on all cores, each once."""
    wanted = _one_a_path(packed)

    def convert(one: tuple[BerryArtifact, Blob]) -> Blob:
        artifact, blob = one
        return workshop.derived(
            _recipe(artifact), blob, lambda tarball: _checked_zip(tarball, artifact)
        )

    blobs = workshop.map(convert, wanted.values())
    for (path, (artifact, _)), blob in zip(wanted.items(), blobs, strict=True):
        yield Entry(path, blob, artifact=artifact)


def _recipe(artifact: BerryArtifact) -> str:
    return f"yarn-berry-zip-{RULE_VERSION}-{artifact.key}-{path_name(artifact.name)}"


def mismatch_hint(artifact: Artifact) -> str:
    """What to tell the user when a zip is not the one that the lockfile pins."""
    if isinstance(artifact, BerryArtifact) and artifact.key == artifact.key.stored():
        return (
            "The registry's tarball is not the one that was locked, or the zip was made by "
            "a Yarn that stores other bytes; `yarn install --check-cache` tells which."
        )
    return (
        "Either the tarball is not the one that was locked, or the zip was compressed by another "
        "build of zlib (Yarn 2 and 3) or zlib-ng 2.2 (Yarn 4) than the one here. With "
        "`compressionLevel: 0` in .yarnrc.yml and a fresh `yarn install` the second cannot be."
    )


def _one_a_path(packed: Sequence[Packed]) -> dict[str, tuple[BerryArtifact, Blob]]:
    """Path to what goes there. Two lockfiles may want one zip, one of them without checksum."""
    found: dict[str, tuple[BerryArtifact, Blob]] = {}
    for one in packed:
        artifact = one.artifact
        assert isinstance(artifact, BerryArtifact)
        path = f"{FOLDER}/cache/{artifact.file_name}"
        if path not in found or (_pinned(artifact) and not _pinned(found[path][0])):
            found[path] = artifact, one.blob
            continue
        other = found[path][0]
        if _pinned(artifact) and (artifact.integrity, artifact.key) != (other.integrity, other.key):
            raise UnsupportedError(
                f"two lockfiles pin {artifact} with checksums that contradict each other",
                where=f"{other.where} and {artifact.where}",
                fix="Pack the two lockfiles separately.",
            )
    return found


def _pinned(artifact: BerryArtifact) -> bool:
    return any(a.startswith(DIGEST_PREFIX) for a in artifact.integrity.algorithms)


def _checked_zip(tarball: bytes, artifact: BerryArtifact) -> bytes:
    archive = b"".join(zip_from_tarball(tarball, artifact.name, artifact.key, label=str(artifact)))
    actual = hashlib.sha512(archive).digest()
    for digest in artifact.integrity.digests:
        # What was verified at download may have been so by another build of zlib.
        if digest.algorithm.startswith(DIGEST_PREFIX) and digest.value != actual:
            raise IntegrityError(
                f"the zip of {artifact} is not the one that the lockfile pins",
                where=artifact.where,
                fix=mismatch_hint(artifact),
            )
    return archive
