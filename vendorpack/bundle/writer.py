"""Write a bundle: entries in, one file out, in a single pass and with flat memory.

The entries are read by the calling thread, which also checks and hashes what is inline. A
pool of threads reads blobs, puts frames together and compresses them; the calling thread
appends them, in order, to a file without a name beside the output. The manifest is known
last and comes first, so the output is put together at the end, under a temporary name.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO, TypeAlias

import zstandard

import vendorpack
from vendorpack.bundle import frames, tar
from vendorpack.bundle.frames import Buffer, Compressor, Trailer
from vendorpack.bundle.manifest import Head, Manifest, check_head
from vendorpack.bundle.plan import (
    DEFAULT_LIMITS,
    Base,
    Batch,
    DeltaTally,
    Limits,
    ReadBlob,
    Section,
    Tally,
    content_of,
    cut,
    members,
)
from vendorpack.bundle.table import MANIFEST_PATH
from vendorpack.dataclass import dataclass
from vendorpack.errors import UnsupportedError
from vendorpack.files import temporary
from vendorpack.files.disk import sha256_of, storage_error, sync_folder
from vendorpack.parallel import Progress, in_order

_Row: TypeAlias = tuple[int, int, str]
"""Of a frame: bytes that it has in the file, bytes of tar in it, its sha256."""
_LEVEL = 3
_COPY = 1 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_bundle` made.

    id: hex sha256 of the manifest, the same for every compression. sha256, size: of the file.
    tar_size: bytes of the tar in it. files: in it. kept: files that a delta leaves to its
    base; its id is that of the full bundle.
    """

    id: str
    sha256: str
    size: int
    tar_size: int
    files: int
    kept: int = 0


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame, ready to be written."""

    data: Buffer
    sha256: str
    tar_size: int


def write_bundle(
    path: Path,
    head: Head,
    sections: Iterable[Section],
    *,
    read_blob: ReadBlob,
    jobs: int,
    level: int = _LEVEL,
    mtime: int = 0,
    uncompressed: bool = False,
    progress: Progress | None = None,
    limits: Limits = DEFAULT_LIMITS,
    base: Base | None = None,
) -> Written:
    """Write a bundle to `path`; nothing is seen there before it is whole and on disk.

    With `base` it is a delta: it holds only the files that the base lacks.

    The bytes depend on the arguments but for `jobs` and `progress`, and on libzstd's version;
    the id depends on neither of them, nor on `level` and `uncompressed`.

    Raises `UnsupportedError` for what no bundle can hold, `BlobLost`, and `StoreError` if
    the file cannot be written.
    """
    check_head(head, mtime)
    encoder = _Encoder(Compressor(level), uncompressed)
    tally = Tally() if base is None else DeltaTally(base, limits)
    batches = tally.watch(cut(members(sections, tally.files), limits))
    with _storage_errors(path), _nameless(path) as body, _nameless(path) as first:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        temporary.sweep(path.parent, path.name)
        written = []
        tasks = _tasks(batches, encoder, read_blob, mtime, jobs)
        for frame in in_order(_run, tasks, jobs=jobs):
            body.write(frame.data)
            written.append((len(frame.data), frame.tar_size, frame.sha256))
            if progress is not None:
                progress(frame.tar_size)
        table = tally.manifest(head, mtime)
        with _nameless(path) as text:
            own_id, row = _first_frame(table, encoder, text, first)
        last = encoder.frame(tar.END)
        rows = [row, *written, (len(last.data), last.tar_size, last.sha256)]
        start = tar.comment(own_id, mtime) if uncompressed else b""
        end = b"" if uncompressed else _end(own_id, rows, level)
        sha256, size = _assemble(path, start, (first, body), bytes(last.data) + end)
    files = len(table.held()[1])
    return Written(
        id=own_id if base is None else table.full().id(),
        sha256=sha256,
        size=size,
        tar_size=len(start) + sum(row[1] for row in rows),
        files=files,
        kept=len(table.files) - files,
    )


# -- frames --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Encoder:
    """Turns tar bytes into a frame; hands them through if the bundle is a plain tar."""

    compressor: Compressor
    uncompressed: bool

    def frame(self, content: Buffer, *, long: bool = False) -> _Frame:
        if self.uncompressed:
            return _Frame(content, "", len(content))
        data = self.compressor.compress(content, long=long)
        return _Frame(data, hashlib.sha256(data).hexdigest(), len(content))

    def stream(self, pieces: Iterable[bytes], size: int, out: IO[bytes]) -> tuple[int, str]:
        """The same of `size` bytes in all, to a file; how many it has there, and their sha256."""
        if self.uncompressed:
            out.writelines(pieces)
            return size, ""
        digest, stored = hashlib.sha256(), 0
        for data in self.compressor.compress_pieces(pieces, size):
            out.write(data)
            digest.update(data)
            stored += len(data)
        return stored, digest.hexdigest()


def _tasks(
    batches: Iterable[Batch], encoder: _Encoder, read_blob: ReadBlob, mtime: int, jobs: int
) -> Iterator[Callable[[], _Frame]]:
    """The work of every frame, in order, to be done in any thread.

    As many frames have their tar in memory as there are threads, at least two: that of a large
    member is read by the caller's thread.
    """
    free = threading.Semaphore(max(jobs, 2))

    def done(make: Callable[[], _Frame]) -> _Frame:
        try:
            return make()
        finally:
            free.release()

    for batch in batches:
        if len(batch.sizes) == 1:
            free.acquire()
            yield partial(done, partial(_pack, batch, encoder, read_blob, mtime))
        else:
            for part in _parts(batch, read_blob, mtime, free):
                yield partial(done, partial(encoder.frame, part, long=batch.long))


def _run(task: Callable[[], _Frame]) -> _Frame:
    return task()


def _pack(batch: Batch, encoder: _Encoder, read_blob: ReadBlob, mtime: int) -> _Frame:
    return encoder.frame(_batch_tar(batch, read_blob, mtime), long=batch.long)


def _batch_tar(batch: Batch, read_blob: ReadBlob, mtime: int) -> memoryview:
    """The tar bytes of members that share a frame."""
    out = frames.blank(batch.sizes[0])
    position = 0
    for member in batch.members:
        path, size, mode = member.file[:3]
        header = tar.header(path, size, mode, mtime)
        out[position : position + len(header)] = header
        position += len(header)
        for chunk in content_of(member.content, read_blob):
            out[position : position + len(chunk)] = chunk
            position += len(chunk)
        position += -size % tar.BLOCK
    return out


def _parts(
    batch: Batch, read_blob: ReadBlob, mtime: int, free: threading.Semaphore
) -> Iterator[memoryview]:
    """The tar bytes of one large member, frame by frame; each takes one of the `free`."""
    (member,) = batch.members
    path, size, mode = member.file[:3]

    def blank(size: int) -> memoryview:
        free.acquire()
        return frames.blank(size)

    parts = map(blank, batch.sizes)
    part = next(parts)
    position = 0

    def pieces() -> Iterator[Buffer]:
        yield tar.header(path, size, mode, mtime)
        yield from content_of(member.content, read_blob)
        yield tar.padding(size)

    for piece in pieces():
        rest = memoryview(piece)
        while rest:
            if position == len(part):
                yield part
                part, position = next(parts), 0
            taken = rest[: len(part) - position]
            part[position : position + len(taken)] = taken
            position += len(taken)
            rest = rest[len(taken) :]
    yield part


def _first_frame(
    manifest: Manifest, encoder: _Encoder, text: IO[bytes], out: IO[bytes]
) -> tuple[str, _Row]:
    """Write the frame with the manifest to `out`; the bundle's own id, and the frame's row.

    text: an empty file for the manifest itself, as its size has to be known first.
    """
    digest, size, nodes = hashlib.sha256(), 0, 0
    for piece in manifest.pieces():
        text.write(piece)
        digest.update(piece)
        size += len(piece)
        nodes += frames.nodes_in(piece)
    header = tar.header(MANIFEST_PATH, size, 0o644, manifest.mtime)
    padding = tar.padding(size)
    tar_size = len(header) + size + len(padding)
    if tar_size > frames.MAX_MANIFEST_FRAME:
        raise UnsupportedError(
            "the bundle would have too many files",
            fix="Pack the lockfiles into bundles of their own.",
        )
    text.seek(0)
    pieces = chain([header], iter(partial(text.read, _COPY), b""), [padding])
    stored, sha256 = encoder.stream(pieces, tar_size, out)
    if tar_size > frames.max_manifest(stored) or not frames.few_nodes(nodes, size):
        raise UnsupportedError(
            f"the bundle's manifest would have {tar_size:,} bytes, more than a reader "
            "takes for its file",
            fix="Pack the lockfiles into a bundle each.",
        )
    return digest.hexdigest(), (stored, tar_size, sha256)


# -- the file ------------------------------------------------------------------------------


def _end(bundle_id: str, rows: list[_Row], level: int) -> bytes:
    """Trailer and seek table."""
    trailer = Trailer(
        id=bundle_id,
        frames=tuple(row[2] for row in rows),
        level=level,
        vendorpack=vendorpack.__version__,
        zstd=".".join(map(str, zstandard.ZSTD_VERSION)),
    ).dump()
    return trailer + frames.dump_table([*(row[:2] for row in rows), (len(trailer), 0)])


def _nameless(path: Path) -> IO[bytes]:
    """A file without a name, on the disk that `path` is on."""
    return tempfile.TemporaryFile(dir=path.parent)


def _assemble(path: Path, start: bytes, files: Iterable[IO[bytes]], end: bytes) -> tuple[str, int]:
    """Put the parts together under a temporary name, then give it the final one."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - costs 10 ms

    name, fd = temporary.create_file(path)
    try:
        with open(fd, "r+b") as out, ThreadPoolExecutor(1, "hash") as pool:
            out.write(start)
            out.flush()
            for file in files:
                file.flush()
                _copy(file.fileno(), fd)
            out.seek(0, os.SEEK_END)
            out.write(end)
            out.flush()
            # Hashing reads from memory what fsync waits for the disk to take.
            digest = pool.submit(sha256_of, fd)
            os.fsync(fd)
            sha256, size = digest.result(), os.fstat(fd).st_size
            temporary.publish(name, path)
    except BaseException:
        temporary.remove(name)
        raise
    sync_folder(path.parent)
    return sha256, size


def _copy(source: int, target: int) -> None:
    """Append all of `source` to `target`, inside the kernel where it can."""
    offset, size = 0, os.fstat(source).st_size
    while offset < size:
        try:
            count = os.copy_file_range(source, target, size - offset, offset)
        except (AttributeError, OSError) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            count = os.write(target, os.pread(source, _COPY, offset))
        if not count:
            raise OSError(errno.EIO, "a temporary file became shorter")
        offset += count


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors into `StoreError`."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path) from None
