"""Write a bundle: entries in, one file out, in a single pass and with flat memory.

The entries are read by the calling thread, which also checks and hashes what is inline. A
pool of threads reads blobs, puts frames together and compresses them; the calling thread
appends them, in order, to a file without a name beside the output. The manifest is known
last and comes first, so the output is put together at the end, under a temporary name.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import zstandard

import vendorpack
from vendorpack.bundle import frames, tar
from vendorpack.bundle.frames import Buffer, Compressor, Trailer
from vendorpack.bundle.manifest import Head, Manifest, check_head, manifest_id
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
from vendorpack.errors import UnsupportedError
from vendorpack.files import temporary
from vendorpack.files.disk import sha256_of, storage_error, sync_folder
from vendorpack.parallel import Progress, in_order

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
    with _storage_errors(path), tempfile.TemporaryFile(dir=path.parent) as body:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        temporary.sweep(path.parent, path.name)
        written = []
        tasks = _tasks(batches, encoder, read_blob, mtime)
        for frame in in_order(_run, tasks, jobs=jobs):
            body.write(frame.data)
            written.append((len(frame.data), frame.tar_size, frame.sha256))
            if progress is not None:
                progress(frame.tar_size)
        body.flush()
        table = tally.manifest(head, mtime)
        own_id, first = _first_frame(table, encoder)
        last = encoder.frame(tar.END)
        rows = [
            (len(first.data), first.tar_size, first.sha256),
            *written,
            (len(last.data), last.tar_size, last.sha256),
        ]
        start = tar.comment(own_id, mtime) if uncompressed else b""
        end = b"" if uncompressed else _end(own_id, rows, level)
        parts = start + bytes(first.data), body, bytes(last.data) + end
        sha256, size = _assemble(path, *parts)
    files = len(table.held()[1])
    return Written(
        id=own_id if base is None else manifest_id(table.full().dump()),
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


def _tasks(
    batches: Iterable[Batch], encoder: _Encoder, read_blob: ReadBlob, mtime: int
) -> Iterator[Callable[[], _Frame]]:
    """The work of every frame, in order, to be done in any thread."""
    for batch in batches:
        if len(batch.sizes) == 1:
            yield partial(_pack, batch, encoder, read_blob, mtime)
        else:
            for part in _parts(batch, read_blob, mtime):
                yield partial(encoder.frame, part, long=batch.long)


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


def _parts(batch: Batch, read_blob: ReadBlob, mtime: int) -> Iterator[memoryview]:
    """The tar bytes of one large member, frame by frame."""
    (member,) = batch.members
    path, size, mode = member.file[:3]
    parts = map(frames.blank, batch.sizes)
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


def _first_frame(manifest: Manifest, encoder: _Encoder) -> tuple[str, _Frame]:
    """The bundle's own id, and the frame with its manifest."""
    out = io.BytesIO(bytes(tar.BLOCK))  # the header's place: so there is no second copy of it all
    out.seek(0, os.SEEK_END)
    out.writelines(manifest.pieces())
    size = out.tell() - tar.BLOCK
    out.write(tar.padding(size))
    if out.tell() > frames.MAX_MANIFEST_FRAME:
        raise UnsupportedError(
            "the bundle would have too many files",
            fix="Pack the lockfiles into bundles of their own.",
        )
    content = out.getbuffer()
    content[: tar.BLOCK] = tar.header(MANIFEST_PATH, size, 0o644, manifest.mtime)
    text = content[tar.BLOCK : tar.BLOCK + size]
    first = encoder.frame(content)
    if first.tar_size > frames.max_manifest(len(first.data)) or not frames.is_sparse(text):
        raise UnsupportedError(
            f"the bundle's manifest would have {first.tar_size:,} bytes, more than a reader "
            "takes for its file",
            fix="Pack the lockfiles into a bundle each.",
        )
    return manifest_id(text), first


# -- the file ------------------------------------------------------------------------------


def _end(bundle_id: str, rows: list[tuple[int, int, str]], level: int) -> bytes:
    """Trailer and seek table."""
    trailer = Trailer(
        id=bundle_id,
        frames=tuple(row[2] for row in rows),
        level=level,
        vendorpack=vendorpack.__version__,
        zstd=".".join(map(str, zstandard.ZSTD_VERSION)),
    ).dump()
    return trailer + frames.dump_table([*(row[:2] for row in rows), (len(trailer), 0)])


def _assemble(path: Path, first: Buffer, body: IO[bytes], last: bytes) -> tuple[str, int]:
    """Put the parts together under a temporary name, then give it the final one."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - costs 10 ms

    name, fd = temporary.create_file(path)
    try:
        with open(fd, "r+b") as out, ThreadPoolExecutor(1, "hash") as pool:
            out.write(first)
            out.flush()
            _copy(body.fileno(), fd)
            out.seek(0, os.SEEK_END)
            out.write(last)
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
