"""The steps that `bench_bundle` measures, each run as a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from vendorpack.bundle.manifest import Head
from vendorpack.bundle.plan import Section
from vendorpack.bundle.reader import open_bundle
from vendorpack.model import Blob, Entry, Environment, Slice


def pack(tree: Path, index: Path, output: Path, long: bool, jobs: int) -> None:
    """Pack as `vendorpack pack` does: archives from the store, verified; opened ones inline."""
    from vendorpack.bundle.writer import write_bundle  # noqa: PLC0415

    listed: list[tuple[str, int, str]] = json.loads(index.read_bytes())
    paths = {sha256: f"{tree}/{path}" for path, _, sha256 in listed}

    def entries() -> Iterator[tuple[Entry, int | None]]:
        for path, size, sha256 in listed:
            content = read_file(f"{tree}/{path}", size) if long else Blob(sha256, size)
            yield Entry(f"{tree.name}/{path}", content), None

    def read(blob: Blob | Slice) -> Iterable[bytes]:
        digest = hashlib.sha256()
        with open(paths[blob.sha256], "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                yield chunk
        assert digest.hexdigest() == blob.sha256

    head = Head("0" * 64, (), {}, {}, (), Environment())
    section = Section(tree.name, long, entries())
    write_bundle(output, head, [section], read_blob=read, jobs=jobs)


def read_file(path: str, size: int) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, size)
    finally:
        os.close(fd)


def unpack(bundle: Path, target: Path, jobs: int) -> None:
    from vendorpack.unpack.ways import unpack_to_prefix  # noqa: PLC0415

    with open_bundle(bundle) as opened:
        unpack_to_prefix(opened, target, jobs=jobs)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["pack", tree, index, output, long, jobs]:
            pack(Path(tree), Path(index), Path(output), long == "long", int(jobs))
        case ["unpack", bundle, target, jobs]:
            unpack(Path(bundle), Path(target), int(jobs))
        case _:
            sys.exit("pack TREE INDEX OUTPUT LONG JOBS | unpack BUNDLE TARGET JOBS")
