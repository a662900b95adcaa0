"""Take from an older bundle what a new one needs again.

A bundle has an artifact if one of its files is the artifact: same sha256. That is so for
formats that keep archives whole. Of a format that opens them the original bytes are not there,
and nothing is taken.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vendorpack.bundle.reader import Bundle, Frame
from vendorpack.bundle.table import File
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import BundleError
from vendorpack.files.disk import storage_error
from vendorpack.model import Blob
from vendorpack.store.local import Store

_NO_FILES: Final[dict[str, bytes]] = {}


class OldBundle:
    """An open bundle (or delta) as a place that has artifacts: see `Nearby`.

    What its manifest says of digests is only used to find a file: whoever takes one verifies
    it. Files are asked for in about the order they lie in, so one decompressed frame is kept.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.name = str(bundle.path)
        self._reader = bundle.reader()
        self._lock = threading.Lock()
        self._places = _places(bundle)
        self._number = -1
        self._files = _NO_FILES

    def __len__(self) -> int:
        """How many digests it can serve."""
        return len(self._places)

    def take(self, integrity: Integrity, path: Path) -> str | None:
        """Write the file with one of these digests. Raises `BundleError`, `StoreError`."""
        with self._lock:
            place = next((p for d in integrity.digests if (p := self._places.get(str(d)))), None)
            if place is None:
                return None
            file, group = place
            try:
                self._write(file, group, path)
            except OSError as error:
                raise storage_error(error, path) from None
            except BundleError:
                self._places.clear()
                raise
            return f"{self.name}: {file.path}"

    def give(self, integrity: Integrity, blob: Blob, store: Store) -> None:
        """Nothing is added to an old bundle."""

    def _write(self, file: File, group: Sequence[Frame], path: Path) -> None:
        if len(group) > 1 or group[0].span.split:
            with path.open("wb") as out:
                for frame in group:
                    for _, content, _ in self._reader.files(frame):
                        out.write(content)
            return
        frame = group[0]
        if frame.number != self._number:
            files = self._reader.files(frame)
            self._files = {row.path: bytes(content) for row, content, _ in files}
            self._number = frame.number
        path.write_bytes(self._files[file.path])


def _places(bundle: Bundle) -> dict[str, tuple[File, Sequence[Frame]]]:
    """Digest, as it is written, to the file that is said to have it and the frames it is in."""
    places: dict[str, tuple[File, Sequence[Frame]]] = {}
    artifacts = bundle.manifest.head.artifacts
    for group in bundle.groups():
        for file in bundle.files[group[0].span.first : group[0].span.stop]:
            record = {} if file.artifact is None else artifacts[file.artifact]
            if file.sha256 is None or record.get("sha256") != file.sha256:
                continue
            digests = record.get("digests")
            sha256 = str(Digest.from_hex("sha256", file.sha256))
            for digest in (sha256, *(digests if isinstance(digests, list) else ())):
                places.setdefault(str(digest), (file, group))
    return places
