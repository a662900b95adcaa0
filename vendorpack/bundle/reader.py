"""Read a bundle: nothing is taken on trust, nothing is bigger than it said at the start.

`open_bundle` checks all but the frames with files in them: the seek table, the trailer, the
manifest and how they fit together. A `FrameReader` then gives verified files, frame by frame.
A file that fails any check is refused as a whole; there is no repairing and no skipping.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import zstandard

from vendorpack.boundary import check_opened
from vendorpack.bundle import frames, tar
from vendorpack.bundle.frames import MAX_MANIFEST_FRAME, Trailer
from vendorpack.bundle.manifest import Manifest, manifest_id
from vendorpack.bundle.plan import Span, locate
from vendorpack.bundle.table import MANIFEST_PATH, File
from vendorpack.dataclass import dataclass
from vendorpack.errors import BundleError
from vendorpack.files.pipes import open_input
from vendorpack.formats import boundary_of
from vendorpack.parallel import Progress, run_shares, split_evenly

MIN_SHARE = 4 << 20
"""Bytes of tar; to begin another process costs about as much as to unpack this."""

_TAR_START = tar.COMMENT_NAME.ljust(100, b"\0")
_NO_ADDRESS = "No address is opened: download the file first, or `vendorpack pull` an image."
_OLD_TAR_START = tar.header(MANIFEST_PATH, 0, 0o644, 0)[:100]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a frame lies and what it holds.

    number: in the file, from 0. offset, stored: in the file, in bytes. sha256: hex, of the
    stored bytes; empty in a plain tar. span: files and tar bytes.
    """

    number: int
    offset: int
    stored: int
    sha256: str
    span: Span


class Bundle:
    """An open bundle whose manifest was verified. A context manager; processes may share it.

    id: hex sha256 of the manifest. frames: those with files in them. size: bytes of the file.
    trailer: what wrote the file; None in a plain tar.

    delta: None, or that the file is one; then manifest, manifest_bytes and id are those of
    the full bundle. files: those that are in the file, in order. unknown: its formats that are
    not known here, so that nobody can say what it may hold.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.size = os.fstat(fd).st_size
        self.trailer: Trailer | None = None
        start = self._pread(len(_TAR_START), 0)
        if not start:
            raise BundleError("the file is empty")
        if start == _TAR_START:
            self._open_tar()
        elif start[:4] == frames.ZSTD_MAGIC.to_bytes(4, "little"):
            self._open_zstd()
        elif start == _OLD_TAR_START:
            raise BundleError(
                "the plain tar says nowhere what its manifest's hash is, and proves nothing",
                fix="Pack it again; or decompress no .tar.zst, which can be used as it is.",
            )
        else:
            raise BundleError("this is not a vendorpack bundle")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.fd)

    def reader(self) -> FrameReader:
        """A reader of frames, for one thread."""
        return FrameReader(self)

    def groups(self) -> list[Sequence[Frame]]:
        """The frames in runs that one reader must take in order: a large file's together."""
        groups: list[list[Frame]] = []
        for frame in self.frames:
            if frame.span.skip:
                groups[-1].append(frame)
            else:
                groups.append([frame])
        return list(groups)

    def shares(self, jobs: int) -> list[list[Frame]]:
        """The frames in at most `jobs` parts of about the same size."""
        total = sum(frame.span.size for frame in self.frames)
        runs = split_evenly(
            self.groups(),
            lambda group: sum(frame.span.size for frame in group),
            min(jobs, total // MIN_SHARE + 1),
        )
        return [[frame for group in run for frame in group] for run in runs]

    def verify(self, *, jobs: int, progress: Progress | None = None) -> None:
        """Check every byte of every frame. Raises `BundleError`."""

        def work(share: Sequence[Frame], done: Progress) -> None:
            reader = self.reader()
            for frame in share:
                for _ in reader.files(frame):
                    pass
                done(frame.span.size)

        run_shares(work, self.shares(jobs), progress)

    def diff_id(self) -> str:
        """Hex sha256 of the uncompressed tar, which OCI images want. `verify` first."""
        digest = hashlib.sha256(self._start() + self._manifest_tar())
        reader = self.reader()
        for frame in self.frames:
            digest.update(reader.read(frame))
        digest.update(tar.END)
        return digest.hexdigest()

    # -- opening ---------------------------------------------------------------------------

    def _open_zstd(self) -> None:
        table = frames.read_table(self._pread, self.size)
        if table is None:
            raise BundleError(
                "the bundle is cut short, or not a vendorpack bundle: no frame table at its end",
                fix="Copy or download it again.",
            )
        entries, table_size = table
        trailer_size = entries[-1][0] if entries else 0
        if (
            len(entries) < 3
            or entries[-1][1]
            or trailer_size > frames.max_trailer(len(entries))
            or any(stored > frames.max_compressed(size) for stored, size in entries[:-1])
        ):
            raise BundleError("the bundle is damaged: its frame table makes no sense")
        self.trailer = Trailer.parse(
            self._pread(trailer_size, self.size - table_size - trailer_size)
        )
        if len(self.trailer.frames) != len(entries) - 1:
            raise BundleError("the bundle is damaged: its trailer does not fit its frame table")
        sha256 = self.trailer.frames
        stored, size = entries[0]
        if size > frames.max_manifest(stored):
            raise BundleError("the bundle's manifest is too large, or far too large for its file")
        first = Frame(0, 0, stored, sha256[0], Span(size, 0, 0, 0, False))
        self._read_manifest(FrameReader(self, first).read(first))
        if manifest_id(self._own_bytes) != self.trailer.id:
            raise BundleError("the bundle is damaged: its manifest does not match its id")
        spans = self._spans()
        if [span.size for span in spans] != [entry[1] for entry in entries[1:-2]]:
            raise BundleError("the bundle is damaged: its frame table does not fit its manifest")
        offset = stored
        located = []
        for number, span in enumerate(spans, 1):
            stored = entries[number][0]
            located.append(Frame(number, offset, stored, sha256[number], span))
            offset += stored
        self.frames = tuple(located)
        number = len(entries) - 2
        stored, size = entries[number]
        end = Frame(number, offset, stored, sha256[number], Span(size, 0, 0, 0, False))
        if size != len(tar.END) or FrameReader(self, end).read(end) != tar.END:
            raise BundleError("the bundle is damaged: its tar does not end as it should")

    def _open_tar(self) -> None:
        offset = tar.COMMENT_SIZE
        field = self._pread(tar.BLOCK, offset)[124:135]
        size = int(field, 8) if field.isdigit() and not set(field) & set(b"89") else -1
        total = tar.BLOCK + size + len(tar.padding(size))
        if size < 0 or total > min(MAX_MANIFEST_FRAME, self.size):
            raise BundleError("the bundle is cut short, or not a vendorpack bundle")
        self._read_manifest(memoryview(self._pread(total, offset)))
        if self._pread(offset, 0) != self._start():
            raise BundleError("the bundle is damaged: its manifest does not match its id")
        offset += total
        located = []
        for number, span in enumerate(self._spans(), 1):
            located.append(Frame(number, offset, span.size, "", span))
            offset += span.size
        self.frames = tuple(located)
        if self.size != offset + len(tar.END) or self._pread(len(tar.END), offset) != tar.END:
            raise BundleError("the bundle is cut short, or has more in it than it says")

    def _read_manifest(self, first: memoryview) -> None:
        """Take the first frame's tar bytes."""
        end = len(first) - tar.BLOCK
        end += len(bytes(first[end:]).rstrip(b"\0"))
        self._own_bytes = bytes(first[tar.BLOCK : end])
        size = len(self._own_bytes)
        start, rest = bytes(first[: tar.BLOCK]), bytes(first[tar.BLOCK + size :])
        del first
        if not frames.is_sparse(self._own_bytes):
            raise BundleError("the bundle's manifest has too many parts for its size")
        self._own = Manifest.parse(self._own_bytes)
        self.delta = self._own.delta
        self.files = self._own.held()[1]
        self.manifest = self._own.full()
        self.unknown = check_opened(self.manifest, boundary_of)
        self.manifest_bytes = self.manifest.dump() if self.delta else self._own_bytes
        self.id = manifest_id(self.manifest_bytes)
        header = tar.header(MANIFEST_PATH, size, 0o644, self._own.mtime)
        if (start, rest) != (header, tar.padding(size)):
            raise BundleError("the bundle is damaged: its manifest's tar header is wrong")

    def _start(self) -> bytes:
        """What is ahead of the manifest: in a plain tar its hash; others have a trailer."""
        if self.trailer is not None:
            return b""
        return tar.comment(manifest_id(self._own_bytes), self._own.mtime)

    def _manifest_tar(self) -> bytes:
        size = len(self._own_bytes)
        header = tar.header(MANIFEST_PATH, size, 0o644, self._own.mtime)
        return header + self._own_bytes + tar.padding(size)

    def _spans(self) -> tuple[Span, ...]:
        if self.delta is not None:
            locate(self.manifest)  # the full bundle's frames must fit as well
        return locate(self._own)

    def _pread(self, size: int, offset: int) -> bytes:
        parts = []
        while size > 0 and (part := os.pread(self.fd, min(size, 1 << 30), offset)):
            parts.append(part)
            size -= len(part)
            offset += len(part)
        return b"".join(parts)


def open_bundle(path: Path, *, or_delta: bool = False) -> Bundle:
    """Open and check a bundle (`.tar.zst`, or the same as a plain `.tar`).

    or_delta: take a delta too; whoever asks for that must look for the files it lacks.
    A fifo, or `-` for standard input, is read to its end first.
    Raises `BundleError`: not a bundle, damaged, cut short, or of a newer format; a delta; one
    that holds more than caches. `UsageError`, `StoreError`: `-` is a terminal; there is no
    space for what comes from it.
    """
    fd = -1
    try:
        spooled = open_input(path)
        if spooled is not None:
            fd = spooled
        else:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise BundleError("a bundle is a file or a pipe")
        bundle = Bundle(path, fd)
        if bundle.delta is not None and not or_delta:
            raise BundleError(
                f"this is a delta: the rest of its files are in bundle {bundle.delta.base}",
                fix="Unpack it onto that bundle, or name that one with unpack --base.",
            )
        return bundle
    except BaseException as error:
        if fd >= 0:
            os.close(fd)
        if isinstance(error, OSError):
            what = f"the bundle cannot be read: {error.strerror}"
            fix = _NO_ADDRESS if re.match("https?:/", str(path)) else None
            raise BundleError(what, where=str(path), fix=fix) from None
        if isinstance(error, BundleError):
            error.where = str(path)
        raise


class FrameReader:
    """Reads frames into one buffer that it uses over and over. For one thread at a time."""

    def __init__(self, bundle: Bundle, *frames_to_read: Frame) -> None:
        wanted = frames_to_read or bundle.frames
        self._bundle = bundle
        self._tar = bytearray(max((frame.span.size for frame in wanted), default=0))
        self._stored = bytearray(max((frame.stored for frame in wanted), default=0))
        self._decompressor = zstandard.ZstdDecompressor()
        self._large = hashlib.sha256()

    def read(self, frame: Frame) -> memoryview:
        """The tar bytes of a frame; the next call overwrites them. Raises `BundleError`.

        They are what was written to this file; that they are what the manifest says is
        checked by `files`.
        """
        size = frame.span.size
        out = memoryview(self._tar)[:size]
        if self._bundle.trailer is None:
            self._fill(out, frame)
            return out
        data = memoryview(self._stored)[: frame.stored]
        self._fill(data, frame)
        if hashlib.sha256(data).hexdigest() != frame.sha256:
            raise self._damaged(frame, "it does not match its hash")
        try:
            frames.check_frame(data, size)
            frames.decompress_into(self._decompressor, data, out)
        except ValueError as error:
            raise self._damaged(frame, str(error)) from None
        return out

    def files(self, frame: Frame) -> Iterator[tuple[File, memoryview, int]]:
        """The files of a frame, each verified: file, bytes, and their offset in the file.

        A file larger than a frame comes in pieces, to be read in order with one reader; it
        is verified when its last piece has come. Raises `BundleError`.
        """
        view = self.read(frame)
        return self._piece(frame, view) if frame.span.split else self._whole(frame, view)

    def _whole(self, frame: Frame, view: memoryview) -> Iterator[tuple[File, memoryview, int]]:
        buffer = self._tar
        mtime = self._bundle.manifest.mtime
        sha256 = hashlib.sha256
        start = 0
        for file in self._bundle.files[frame.span.first : frame.span.stop]:
            path, size, mode, digest, _ = file
            header = tar.header(path, size, mode, mtime)
            body = start + len(header)
            end = body + size
            content = view[body:end]
            if buffer[start:body] != header:
                raise self._wrong(frame, path, "tar header")
            if digest is not None and sha256(content).hexdigest() != digest:
                raise self._wrong(frame, path, "sha256")
            padding = tar.padding(size)
            start = end + len(padding)
            if buffer[end:start] != padding:
                raise self._wrong(frame, path, "padding")
            yield file, content, 0

    def _piece(self, frame: Frame, view: memoryview) -> Iterator[tuple[File, memoryview, int]]:
        span = frame.span
        file = self._bundle.files[span.first]
        header = tar.header(file.path, file.size, file.mode, self._bundle.manifest.mtime)
        stop = span.skip + span.size
        if not span.skip:
            self._large = hashlib.sha256()
        expected = header[span.skip : stop]
        if view[: len(expected)] != expected:
            raise self._wrong(frame, file.path, "tar header")
        offset = max(span.skip - len(header), 0)
        content = view[len(expected) : len(expected) + file.size - offset]
        self._large.update(content)
        last = stop == tar.member_size(file.path, file.size)
        if last and view[len(expected) + len(content) :] != tar.padding(file.size):
            raise self._wrong(frame, file.path, "padding")
        if last and self._large.hexdigest() != file.sha256:
            raise self._wrong(frame, file.path, "sha256")
        if content or (last and not file.size):
            yield file, content, offset

    def _fill(self, out: memoryview, frame: Frame) -> None:
        done = 0
        while done < len(out):
            try:
                count = os.preadv(self._bundle.fd, [out[done:]], frame.offset + done)
            except OSError as error:
                raise self._damaged(frame, error.strerror or "it cannot be read") from None
            if not count:
                raise self._damaged(frame, "the file became shorter")
            done += count

    def _wrong(self, frame: Frame, path: str, part: str) -> BundleError:
        return self._damaged(frame, f"{path!r} has another {part} than the manifest says")

    def _damaged(self, frame: Frame, why: str) -> BundleError:
        return BundleError(
            f"the bundle is damaged: frame {frame.number}: {why}",
            where=str(self._bundle.path),
            fix="Copy or download it again.",
        )
