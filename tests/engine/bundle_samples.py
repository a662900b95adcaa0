"""Bundles for tests: a small one with everything in it, and a writer that obeys nobody.

They are of a format that is not known, so that they may hold anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vendorpack.bundle import frames, tar
from vendorpack.bundle.frames import Compressor, Trailer
from vendorpack.bundle.manifest import Head, LockfileHash
from vendorpack.bundle.plan import Limits, Section
from vendorpack.bundle.table import MANIFEST_PATH
from vendorpack.bundle.writer import Written, write_bundle
from vendorpack.environment import env_file
from vendorpack.errors import BlobLost
from vendorpack.model import Blob, Entry, Environment, Slice, Variable

SMALL = Limits(kept=4096, opened=8192)

HEAD = Head(
    key="ab" * 32,
    lockfiles=(LockfileHash("package-lock.json", "npm", "cd" * 32),),
    layouts={"sample": 1},
    options={"dev": True, "targets": ["linux-x86_64-gnu"]},
    artifacts=({"name": "left-pad", "version": "1.3.0"},),
    environment=Environment(
        (Variable("NPM_CONFIG_CACHE", "npm", is_path=True), Variable("NPM_CONFIG_OFFLINE", "1")),
        (("https://git.example.com/a.git", "git/a.git"),),
    ),
)

BARE = replace(HEAD, environment=Environment())
"""For bundles without a `vendorpack.env`."""


class Blobs:
    """Blobs in memory; `read` is what `write_bundle` takes."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    def add(self, data: bytes) -> Blob:
        blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
        self._data[blob.sha256] = data
        return blob

    def read(self, blob: Blob | Slice) -> Iterator[bytes]:
        if blob.sha256 not in self._data:
            raise BlobLost(blob.sha256, "it is gone")
        data = self._data[blob.sha256]
        yield from (data[start : start + 1000] for start in range(0, len(data), 1000))


def noise(size: int, seed: str = "") -> bytes:
    """Bytes that do not compress, the same every time."""
    return b"".join(
        hashlib.sha256(f"{seed}{number}".encode()).digest() for number in range(size // 32 + 1)
    )[:size]


def sample_entries(blobs: Blobs) -> list[tuple[Entry, int | None]]:
    """One of each kind; with `SMALL` limits one is split over several frames."""
    return [
        (Entry("npm/content/left-pad.tgz", blobs.add(noise(700))), 0),
        (Entry("npm/content/" + "long" * 30 + "/" + "name" * 30, b"ustar prefix"), 0),
        (Entry("npm/content/" + "x" * 120, b"pax path"), 0),
        (Entry("npm/content/größe", b"not ascii"), 0),
        (Entry("npm/content/large", blobs.add(noise(9000) + bytes(3000))), 0),
        (Entry("npm/content/exact", blobs.add(noise(3584))), 0),
        (Entry("npm/empty", b""), None),
        (Entry("npm/index", b'{"mine": 1}\n', 0o755), None),
        (Entry("npm/projects", None, 0o1777), None),
    ]


def sections(entries: Sequence[tuple[Entry, int | None]]) -> list[Section]:
    own = [(Entry("vendorpack.env", env_file(HEAD.environment)), None)]
    return [Section("", False, own), Section("npm", False, entries)]


def write_sample(path: Path, *, jobs: int = 1, **options: Any) -> Written:
    blobs = Blobs()
    return write_bundle(
        path,
        HEAD,
        sections(sample_entries(blobs)),
        read_blob=blobs.read,
        jobs=jobs,
        limits=options.pop("limits", SMALL),
        **options,
    )


def write_tiny(path: Path, **options: Any) -> Written:
    """The smallest bundle that still has a file in it."""
    head = Head("ab" * 32, (), {"sample": 1}, {}, (), Environment())
    section = Section("npm", False, [(Entry("npm/a", b"some text, some text\n"), None)])
    return write_bundle(path, head, [section], read_blob=Blobs().read, jobs=1, **options)


# -- bundles that a writer would not make --------------------------------------------------


def manifest_value(files: Sequence[Sequence[Any]], tar_frames: Sequence[bytes]) -> dict[str, Any]:
    """A manifest as JSON, to be spoiled before it is sealed."""
    return {
        "artifacts": [],
        "environment": {"git": [], "variables": []},
        "files": [list(row) for row in files],
        "frames": [len(frame) for frame in tar_frames],
        "key": "ab" * 32,
        "layouts": {"sample": 1},
        "lockfiles": [],
        "mtime": 0,
        "options": {},
        "vendorpack": 1,
    }


def row(path: str, content: bytes, mode: int = 0o644) -> list[Any]:
    return [path, len(content), mode, hashlib.sha256(content).hexdigest(), None]


def member(path: str, content: bytes, mode: int = 0o644) -> bytes:
    """A tar member for any path, however hostile."""
    return tar.header(path, len(content), mode, 0) + content + tar.padding(len(content))


def canonical(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"


def seal(manifest: bytes, tar_frames: Sequence[bytes], *, end: bytes = tar.END) -> bytes:
    """A bundle around any manifest and any tar bytes, with all hashes right."""
    first = tar.header(MANIFEST_PATH, len(manifest), 0o644, 0) + manifest
    contents = [first + tar.padding(len(manifest)), *tar_frames, end]
    compressor = Compressor(1)
    return seal_frames(manifest, [(compressor.compress(part), len(part)) for part in contents])


def seal_frames(manifest: bytes, stored: Sequence[tuple[bytes, int]]) -> bytes:
    """The same around any compressed frames, each with the size it says it has."""
    trailer = Trailer(
        id=hashlib.sha256(manifest).hexdigest(),
        frames=tuple(hashlib.sha256(data).hexdigest() for data, _ in stored),
        level=1,
        vendorpack="0",
        zstd="0",
    ).dump()
    rows = [(len(data), size) for data, size in stored]
    table = frames.dump_table([*rows, (len(trailer), 0)])
    return b"".join(data for data, _ in stored) + trailer + table
