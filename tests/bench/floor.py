"""What packing and unpacking a bundle cannot do without, measured alone on one core."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from vendorpack.bundle.frames import Compressor
from vendorpack.bundle.reader import open_bundle
from vendorpack.formats import load


@dataclass(frozen=True, slots=True)
class Floor:
    """CPU seconds: sha256 of the tar, compressing it as it was, and decompressing it."""

    sha256: float
    compress: float
    decompress: float


def floor(path: Path) -> Floor:
    """Do to a bundle's frames what packing and verifying have to."""
    sha256 = compress = decompress = 0.0
    with open_bundle(path) as bundle:
        assert bundle.trailer is not None
        compressor = Compressor(bundle.trailer.level)
        long = any(load(name).opens_artifacts for name in bundle.manifest.head.layouts)
        reader = bundle.reader()
        for frame in bundle.frames:
            before = time.thread_time()
            tar = reader.read(frame)
            read = time.thread_time()
            hashlib.sha256(tar)
            hashed = time.thread_time()
            compressor.compress(tar, long=long)
            decompress += read - before
            sha256 += hashed - read
            compress += time.thread_time() - hashed
    return Floor(sha256, compress, decompress)
