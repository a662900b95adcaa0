"""A team's store: artifacts and bundles that several machines share.

A team's store is a folder (a path, `file://`) or a bucket (`s3://`, `gs://`, `az://`)::

    <url>/
      cas/sha256/<2 hex>/<64 hex>           an artifact's bytes, named by their sha256
      index/<algorithm>/<2 hex>/<hex>       "<sha256> <size>\\n": which artifact has this digest
      bundles/v1/<key>.tar.zst              the bundle that was packed for this key
      signatures/v1/<id>/<sha256>.sig       who vouches for the bundle with this id: `ssh-keygen`'s

Objects are only ever created and, once nobody wants them (`store gc`), removed; never changed, so
it does not matter who is first. An artifact
is written before what points to it. Nothing here is believed: an artifact is taken only after
it has every digest the lockfile pins, and bundles are never taken by `pack`, since of files
that a layout made no lockfile says the hash.
"""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from vendorpack.bundle.frames import Trailer, max_trailer, read_table
from vendorpack.bundle.manifest import Manifest
from vendorpack.bundle.reader import open_bundle
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import BlobLost, BundleError, FetchError, UsageError
from vendorpack.fetch.tally import MAX_ARTIFACT_SIZE
from vendorpack.model import Blob
from vendorpack.signature import MAX_SIGNATURES, MAX_SIZE
from vendorpack.store.cloud import SCHEMES, CloudObjects
from vendorpack.store.folder import FolderObjects
from vendorpack.store.local import Store
from vendorpack.store.objects import Objects

MAX_BUNDLE_SIZE: Final = 1 << 40
"""Bytes; the cap on a bundle that is taken."""
MAX_INDEX: Final = 128
"""Bytes of an index, at most."""
INDEX_LINE: Final = re.compile(rb"([0-9a-f]{64}) ([0-9]{1,15})\n")
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]")


def open_objects(url: str) -> Objects:
    """The objects at an address: a path, `file://…`, `s3://…`, `gs://…` or `az://…`.

    Raises `UsageError`.
    """
    scheme, colon, _ = url.partition("://")
    if not colon:
        return FolderObjects(Path(url).absolute())
    if scheme in SCHEMES:
        return CloudObjects(url)
    parts = urlsplit(url)
    if scheme == "file" and parts.netloc in ("", "localhost"):
        return FolderObjects(Path(unquote(parts.path)))
    raise UsageError(
        f"a store of kind {scheme}:// is not known",
        fix="Use a folder, file:///…, " + ", ".join(f"{name}://…" for name in SCHEMES) + ".",
    )


def blob_name(sha256: str) -> str:
    """Where the bytes with this sha256 are."""
    return f"cas/sha256/{sha256[:2]}/{sha256}"


def index_name(digest: Digest) -> str:
    """Where it says which bytes have this digest."""
    algorithm = _UNFIT.sub("_", digest.algorithm)
    return f"index/{algorithm}/{digest.hex[:2]}/{digest.hex}"


def bundle_name(key: str) -> str:
    """Where the bundle for this key is."""
    return f"bundles/v1/{key}.tar.zst"


def _signatures_of(bundle_id: str) -> str:
    return f"signatures/v1/{bundle_id}/"


class TeamStore:
    """Objects as a place that has artifacts (see `Nearby`), and bundles by key.

    A store that is out of order is reported once, and the run goes on without it; one that
    only refuses to be written is still read.
    """

    def __init__(self, objects: Objects, warn: Callable[[str, str], None]) -> None:
        self.name = objects.url
        self._objects = objects
        self._warn = warn
        self._lock = threading.Lock()
        self._readable = True
        self._writable = True
        self._dangling: set[str] = set()
        """Indexes seen to name an artifact that is gone; its bytes are given anew."""

    def take(self, integrity: Integrity, path: Path) -> str | None:
        """Write the artifact with these digests. Raises `FetchError` once, and `StoreError`."""
        if not self._readable:
            return None
        try:
            for digest in integrity.digests:
                found = self._look_up(digest)
                if found is None:
                    continue
                if self._objects.save(found[0], path, found[1]):
                    return f"{self.name}/{found[0]}"
                if digest.algorithm != "sha256":
                    self._dangling.add(index_name(digest))
        except FetchError:
            with self._lock:
                first, self._readable = self._readable, False
            if first:
                raise
        return None

    def give(self, integrity: Integrity, blob: Blob, store: Store) -> None:
        """Add an artifact that was verified, unless it is there."""
        if self._readable and self._writable:
            with self._reported():
                self._give(integrity, blob, store)

    def give_bundle(self, key: str, path: Path, bundle_id: str) -> bool:
        """Add a bundle, unless there is one with its key; False if there is.

        If that one has another id, it is reported: it is not what the lockfiles give here.
        """
        name = bundle_name(key)
        if not (self._readable and self._writable):
            return False
        with self._reported():
            if self._objects.size(name) is None:
                with path.open("rb") as content:
                    if self._objects.create(name, content):
                        return True
            there = self._id_of(name)
            if there != bundle_id:
                self._warn(
                    f"the bundle there is another one ({there or 'not even a bundle'}) than "
                    f"these lockfiles give ({bundle_id}); it was left as it is",
                    f"{self.name}/{name}",
                )
        return False

    def has_bundle(self, key: str) -> bool:
        """Whether there is a bundle for a key. Raises `FetchError`."""
        return self._objects.size(bundle_name(key)) is not None

    def take_bundle(self, key: str, path: Path) -> bool:
        """Write the bundle for a key to `path`, unverified; False if there is none.

        Raises `FetchError`, `StoreError`.
        """
        return self._objects.save(bundle_name(key), path, MAX_BUNDLE_SIZE)

    def head_of(self, name: str, size: int) -> tuple[str, Manifest]:
        """The id and the manifest of a bundle that is kept under a name; the rest is not read.

        Raises `BundleError`, `FetchError`.
        """

        def pread(count: int, offset: int) -> bytes:
            return self._objects.read(name, count, offset) or b""

        table = read_table(pread, size)
        place = f"{self.name}/{name}"
        if table is None or not table[0]:
            raise BundleError("this is not a vendorpack bundle", where=place)
        start = table[0][0][0]
        tail = table[1] + sum(stored for stored, _ in table[0][-2:])  # the tar's end, the trailer
        if max(start, tail) > size:
            raise BundleError("the bundle is damaged", where=place)
        # A file with a hole where the frames are, of which opening reads nothing.
        with tempfile.NamedTemporaryFile() as file:
            file.truncate(size)
            file.write(pread(start, 0))
            file.seek(size - tail)
            file.write(pread(tail, size - tail))
            file.flush()
            try:
                with open_bundle(Path(file.name)) as bundle:
                    return bundle.id, bundle.manifest
            except BundleError as error:
                error.where = place
                raise

    def give_signature(self, bundle_id: str, content: bytes) -> None:
        """Add a signature of a bundle, unless it is there."""
        if self._readable and self._writable:
            name = f"{_signatures_of(bundle_id)}{hashlib.sha256(content).hexdigest()}.sig"
            with self._reported():
                self._objects.create(name, io.BytesIO(content))

    def take_signatures(self, bundle_id: str) -> list[bytes]:
        """The signatures that are kept of a bundle. Raises `FetchError`."""
        names = self._objects.names(_signatures_of(bundle_id), MAX_SIGNATURES)
        found = [self._objects.read(name, MAX_SIZE + 1) for name in names]
        return [content for content in found if content is not None]

    def _give(self, integrity: Integrity, blob: Blob, store: Store) -> None:
        indexes = [index_name(digest) for digest in _indexed(integrity)]
        missing = [name for name in indexes if self._objects.size(name) is None]
        if indexes and not missing and self._dangling.isdisjoint(indexes):
            return  # they were written after the bytes
        name = blob_name(blob.sha256)
        size = self._objects.size(name)
        if size is None:
            with store.open(blob) as content:
                self._objects.create(name, content)
        elif size != blob.size:
            self._warn("it is not what its name says; it was left as it is", f"{self.name}/{name}")
            return
        for name in missing:
            self._objects.create(name, io.BytesIO(f"{blob.sha256} {blob.size}\n".encode()))

    def _look_up(self, digest: Digest) -> tuple[str, int] | None:
        """The name and the size (at most) of what is said to have this digest."""
        if digest.algorithm == "sha256":
            return blob_name(digest.hex), MAX_ARTIFACT_SIZE
        name = index_name(digest)
        line = self._objects.read(name, MAX_INDEX)
        if line is None:
            return None
        match = INDEX_LINE.fullmatch(line)
        if match is None:
            self._warn("it is not what its name says; not used", f"{self.name}/{name}")
            return None
        return blob_name(match[1].decode()), int(match[2])

    def _id_of(self, name: str) -> str | None:
        """The id of a bundle, from its end; None if it is no bundle."""

        def pread(size: int, offset: int) -> bytes:
            return self._objects.read(name, size, offset) or b""

        size = self._objects.size(name) or 0
        table = read_table(pread, size)
        if table is None or not table[0]:
            return None
        trailer_size = min(table[0][-1][0], max_trailer(len(table[0])))
        try:
            return Trailer.parse(pread(trailer_size, size - table[1] - trailer_size)).id
        except BundleError:
            return None

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn the first fault while writing into a warning, and stop writing."""
        try:
            yield
        except BlobLost:
            pass  # whoever reads it next mends the store
        except FetchError as error:
            with self._lock:
                first, self._writable = self._writable, False
            if first:
                self._warn(f"nothing is added: {error.what}", error.where or self.name)


def _indexed(integrity: Integrity) -> list[Digest]:
    """The digests that need an index: not sha256, and not one of several alternatives."""
    algorithms = [digest.algorithm for digest in integrity.digests]
    return [
        digest
        for digest in integrity.digests
        if digest.algorithm != "sha256" and algorithms.count(digest.algorithm) == 1
    ]
