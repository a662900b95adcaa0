"""The store: verified artifacts on this machine, so that nothing is downloaded twice.

::

    <store>/v1/
      blobs/<2 hex>/<62 hex>                 the bytes, named by their sha256
      index/<algorithm>/<2 hex>/<rest>       "<sha256> <size>\\n": which blob has this digest
      said/<recipe>/<2 hex>/<62 hex>         "<sha256> <text>\\n": what was read of a blob
      parts/<64 hex>.part                    a download under way, or cut short
      parts/<64 hex>.lock                    held (flock) by the process that writes the part
      in-use                                 held (flock) by all who pack, or by one who prunes

A blob gets its name only after it was verified, by a rename within the store. It is hashed
again on every read: a file that rotted or was tampered with is removed and reported as
`BlobLost`, and the caller fetches it anew. That is also why nothing here is fsynced: a blob
that a power cut emptied is found out at its first use.

Writers need no lock between them: two processes that store the same bytes write the same
name. `index` also holds what was derived from a blob (a converted archive), under the
algorithm `derived:<recipe>` and the source blob's own sha256.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import Hashers, Integrity
from vendorpack.errors import BlobLost
from vendorpack.files import locks
from vendorpack.files.disk import storage_error
from vendorpack.model import Blob, Slice
from vendorpack.project import Host
from vendorpack.room import Keep, Make

CHUNK: Final = 1 << 20
TOUCH_AFTER: Final = 600
"""Seconds after which a use of a blob is noted again in its modification time."""
SPARED: Final = 3600
"""Seconds for which what was used is kept whatever is asked, while others use the store."""
DIRECTORY_VARIABLE: Final = "VENDORPACK_STORE_DIR"


def cache_folder(host: Host) -> Path:
    """vendorpack's own folder among the user's caches, as the system has it."""
    if host.os == "windows":
        return host.local_app_data / "vendorpack"
    if host.os == "macos":
        return host.home / "Library" / "Caches" / "vendorpack"
    xdg = host.environ.get("XDG_CACHE_HOME")
    return (Path(xdg) if xdg else host.home / ".cache") / "vendorpack"


def default_folder(host: Host) -> Path:
    """Where the store is: VENDORPACK_STORE_DIR, else in the user's cache folder."""
    named = host.environ.get(DIRECTORY_VARIABLE)
    return Path(named) if named else cache_folder(host) / "store"


@dataclass(frozen=True, slots=True)
class Draft:
    """Bytes made of an artifact that is not verified yet, in a file that has no name yet."""

    recipe: str
    path: Path
    blob: Blob


@dataclass(frozen=True, slots=True)
class Usage:
    """How much the store holds."""

    blobs: int
    size: int
    """Bytes of all blobs and parts."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed. shared: others were using the store, so what is recent was spared."""

    blobs: int
    size: int
    shared: bool


class Store:
    """A content-addressed folder. Every method may raise `StoreError`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = folder / "v1"
        self._blobs = str(self._root / "blobs")
        self._mode = 0o644 & ~_umask()
        try:
            for name in ("blobs", "index", "parts", "said"):
                (self._root / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, folder) from None

    # -- finding -------------------------------------------------------------------------

    def find(self, integrity: Integrity) -> Blob | None:
        """The blob that is known to have every algorithm's digest of `integrity`."""
        found: set[Blob] | None = None
        for algorithm in integrity.algorithms:
            blobs = set()
            for digest in integrity.digests:
                if digest.algorithm == algorithm:
                    blob = self._look_up(algorithm, digest.hex)
                    if blob is not None:
                        blobs.add(blob)
            found = blobs if found is None else found & blobs
        for blob in sorted(found or ()):
            if self._has(blob):
                return blob
        return None

    def check(self, blob: Blob, integrity: Integrity) -> bool:
        """Read the blob and compare it with its name and every streamed digest.

        An index entry is only a hint; this is what makes a hit as good as a download. A blob
        that does not hold is removed, and False is the answer.
        """
        hashers = Hashers(integrity.algorithms)
        try:
            with self._path(blob).open("rb", buffering=0) as file:
                while chunk := file.read(CHUNK):
                    hashers.update(chunk)
        except OSError:
            return False
        values = hashers.values()
        if values["sha256"].hex() != blob.sha256:
            self._discard(blob)
            return False
        return integrity.streamed.accepts(values)

    def verified(self, pins: Sequence[Integrity]) -> Blob | None:
        """The one blob that satisfies every pin, read and hashed anew; None if none does."""
        blob = self.find(pins[0])
        if blob is None or any(self.find(other) != blob for other in pins[1:]):
            return None
        return blob if all(self.check(blob, pin) for pin in pins) else None

    # -- reading -------------------------------------------------------------------------

    def chunks(self, blob: Blob | Slice) -> Iterator[bytes]:
        """The bytes in pieces; raises `BlobLost` at the end if they were not the right ones.

        Nothing that was taken may be used before the iterator has ended.
        """
        if blob.size <= CHUNK and (data := self._small(blob)) is not None:
            yield data
            return
        with self._open(blob.blob if isinstance(blob, Slice) else blob) as file:
            yield from self._hashed(blob, file)

    def read(self, blob: Blob | Slice) -> bytes:
        """All the bytes, verified."""
        return b"".join(self.chunks(blob))

    def open(self, blob: Blob) -> BinaryIO:
        """A seekable stream over bytes that were verified in full before this returns.

        What is verified is what is read: the handle that was hashed is the one returned, so
        that no rename can swap the file in between.
        """
        file = self._open(blob)
        try:
            for _ in self._hashed(blob, file):
                pass
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return io.BufferedReader(file)

    def _small(self, wanted: Blob | Slice) -> bytes | None:
        """The bytes by as few calls of the system as can be; None if anything is not as it was."""
        whole, offset, more = (
            (wanted.blob, wanted.offset, 0) if isinstance(wanted, Slice) else (wanted, 0, 1)
        )
        try:
            file = os.open(self._file(whole), os.O_RDONLY | os.O_CLOEXEC)
            try:
                data = os.pread(file, wanted.size + more, offset)
            finally:
                os.close(file)
        except OSError:
            return None
        if len(data) != wanted.size or hashlib.sha256(data).hexdigest() != wanted.sha256:
            return None
        return data

    def _open(self, blob: Blob) -> io.FileIO:
        try:
            return io.FileIO(self._path(blob))
        except FileNotFoundError:
            raise BlobLost(blob.sha256, "a file of the store is gone") from None
        except OSError as error:
            raise storage_error(error, self._path(blob)) from None

    def _hashed(self, wanted: Blob | Slice, file: io.FileIO) -> Iterator[bytes]:
        state = hashlib.sha256()
        whole, rest = (wanted.blob, wanted.size) if isinstance(wanted, Slice) else (wanted, None)
        size = 0
        try:
            if isinstance(wanted, Slice):
                file.seek(wanted.offset)
            while chunk := file.read(CHUNK if rest is None else min(CHUNK, rest - size)):
                state.update(chunk)
                size += len(chunk)
                yield chunk
        except OSError as error:
            raise storage_error(error, self._path(whole)) from None
        if state.hexdigest() != wanted.sha256 or size != wanted.size:
            self._discard(whole)
            raise BlobLost(
                whole.sha256,
                "a file of the store was damaged; it has been removed",
                where=f"sha256 {whole.sha256}",
            )

    # -- writing -------------------------------------------------------------------------

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """While this is entered, `prune` removes nothing that was used within the last hour."""
        with locks.shared(self._root / "in-use"):
            yield

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[Path]:
        """A file to download into; the same one after an interruption, so it can be resumed.

        Another process that is busy with it makes this one use a file of its own, which is
        removed at the end. Nothing is left of one that is empty.
        """
        key = hashlib.sha256(name.encode()).hexdigest()
        path = self._root / "parts" / f"{key}.part"
        lock = self._lock_of(path)
        if lock is not None:
            try:
                yield path
            finally:
                with contextlib.suppress(OSError):
                    if not path.stat().st_size:
                        path.unlink()
                _unlock(path, lock)
            return
        own = path.with_name(f"{key}.{os.getpid()}-{time.monotonic_ns()}.part")
        try:
            yield own
        finally:
            own.unlink(missing_ok=True)

    def busy(self, part: Path) -> int | None:
        """Bytes that another process has so far, if it made this one use a file of its own.

        None if that is not so, or cannot be told, as the file system has no locks.
        """
        first = part.with_name(f"{part.name.partition('.')[0]}.part")
        if part == first or not locks.is_held(first.with_suffix(".lock")):
            return None
        try:
            return first.stat().st_size
        except OSError:
            return 0

    def adopt(self, path: Path, values: Mapping[str, bytes], size: int) -> Blob:
        """Give a verified file its name, and note every digest that is known of it.

        `values` maps algorithm to value and has sha256; the file is moved.
        """
        blob = Blob(values["sha256"].hex(), size)
        # The index first: once the blob has its name, it is found by every digest.
        for algorithm, value in values.items():
            if algorithm != "sha256":
                self._note(algorithm, value.hex(), blob)
        target = self._path(blob)
        try:
            path.chmod(self._mode)
            _move(path, target)
        except OSError as error:
            raise storage_error(error, target) from None
        return blob

    def keep(self, chunks: Iterable[bytes]) -> Blob:
        """Store bytes made here."""
        draft = self.draft("", chunks)
        try:
            return self._adopt_draft(draft)
        finally:
            draft.path.unlink(missing_ok=True)

    def draft(self, recipe: str, chunks: Iterable[bytes | memoryview]) -> Draft:
        """Write bytes that `adopt_drafts` or `drop_drafts` will decide on."""
        state = hashlib.sha256()
        size = 0
        path = self._temporary()
        try:
            with path.open("xb", buffering=CHUNK) as file:
                for chunk in chunks:
                    state.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise storage_error(error, path) from None
            raise
        return Draft(recipe, path, Blob(state.hexdigest(), size))

    def adopt_drafts(self, source: Blob, drafts: Iterable[Draft]) -> None:
        """Keep what was made of `source`, which is verified: `derived` finds it from now on."""
        for draft in drafts:
            self._note(f"derived:{draft.recipe}", source.sha256, self._adopt_draft(draft))

    def drop_drafts(self, drafts: Iterable[Draft]) -> None:
        """Remove what was made of an artifact that turned out wrong."""
        for draft in drafts:
            draft.path.unlink(missing_ok=True)

    def _adopt_draft(self, draft: Draft) -> Blob:
        values = {"sha256": bytes.fromhex(draft.blob.sha256)}
        return self.adopt(draft.path, values, draft.blob.size)

    def derived(self, recipe: str, blob: Blob, make: Callable[[bytes], bytes]) -> Blob:
        """`make(read(blob))`, made once: found again by recipe and source."""

        def form(file: BinaryIO, keep: Keep) -> None:
            keep(recipe, (make(file.read()),))

        return self.forms((recipe,), blob, form)[0]

    def forms(self, recipes: Sequence[str], blob: Blob, make: Make) -> tuple[Blob, ...]:
        """What `make` keeps of the blob, verified, by recipe; made once: see `derived`."""
        known = [self._look_up(f"derived:{recipe}", blob.sha256) for recipe in recipes]
        found = tuple(form for form in known if form is not None and self._has(form))
        if len(found) == len(recipes):
            return found
        drafts: dict[str, Draft] = {}

        def keep(recipe: str, chunks: Iterable[bytes | memoryview]) -> None:
            drafts[recipe] = self.draft(recipe, chunks)

        try:
            with self.open(blob) as file:
                make(file, keep)
            self.adopt_drafts(blob, drafts.values())
        finally:
            self.drop_drafts(drafts.values())
        return tuple(drafts[recipe].blob for recipe in recipes)

    def say(self, recipe: str, source: Blob, text: str) -> None:
        """Keep what was read of `source`, which is verified: `said` finds it from now on.

        It is one line of printable text.
        """
        digest = hashlib.sha256(text.encode()).hexdigest()
        self._write(self._said(recipe, source), f"{digest} {text}\n".encode())

    def said(self, recipe: str, blob: Blob, ask: Callable[[BinaryIO], str]) -> str:
        """What `ask` reads of the blob, verified; asked once: found again by recipe and source."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            line = self._said(recipe, blob).read_text("utf-8")
            digest, _, text = line.removesuffix("\n").partition(" ")
            if digest == hashlib.sha256(text.encode()).hexdigest():
                return text
        with self.open(blob) as file:
            text = ask(file)
        self.say(recipe, blob, text)
        return text

    # -- house-keeping -------------------------------------------------------------------

    def usage(self) -> Usage:
        """Count what is there."""
        blobs = size = 0
        for folder in ("blobs", "parts"):
            for path in self._files(folder):
                with contextlib.suppress(FileNotFoundError):
                    size += path.stat().st_size
                    blobs += folder == "blobs"
        return Usage(blobs, size)

    def prune(self, unused_for: float, now: float) -> Pruned:
        """Remove what was not used for so many seconds.

        Safe while others pack: no part that is being written is touched, nor anything they used
        within the last hour. Should they need something older later, they fetch it again.
        """
        with locks.alone(self._root / "in-use") as alone:
            before = now - (unused_for if alone else max(unused_for, SPARED))
            removed = freed = 0
            for path in self._files("blobs"):
                size = _remove(path, before)
                if size is not None:
                    removed += 1
                    freed += size
            for path in self._files("parts"):
                freed += self._prune_part(path, before)
            for path in self._files("index"):
                with contextlib.suppress(FileNotFoundError):
                    blob = _parse_index(path.read_bytes())
                    if blob is None or not self._path(blob).exists():
                        _remove(path, now if alone else before)
            for path in self._files("said"):
                if not (self._root / "blobs" / path.parent.name / path.name).exists():
                    _remove(path, now if alone else before)
            return Pruned(removed, freed, not alone)

    def _prune_part(self, path: Path, before: float) -> int:
        """Bytes freed. A lock alone is what a killed run left."""
        if path.suffix not in (".part", ".lock") or "." in path.stem:
            return _remove(path, before) or 0
        part = path.with_suffix(".part")
        lock = self._lock_of(part)
        if lock is None:
            return 0
        try:
            return _remove(part, before) or 0
        finally:
            _unlock(part, lock)

    def _lock_of(self, part: Path) -> int | None:
        path = part.with_suffix(".lock")
        try:
            return locks.try_lock(path)
        except OSError as error:
            raise storage_error(error, path) from None

    def _files(self, folder: str) -> Iterator[Path]:
        for parent, _, names in os.walk(self._root / folder):
            for name in names:
                yield Path(parent, name)

    def _file(self, blob: Blob) -> str:
        """Its path as text: a `Path` takes longer to make than a small blob to read."""
        return f"{self._blobs}/{blob.sha256[:2]}/{blob.sha256[2:]}"

    def _path(self, blob: Blob) -> Path:
        return Path(self._file(blob))

    def _has(self, blob: Blob) -> bool:
        path = self._path(blob)
        try:
            stat = path.stat()
            if stat.st_size != blob.size:
                self._discard(blob)
                return False
            if time.time() - stat.st_mtime > TOUCH_AFTER:
                with contextlib.suppress(OSError):  # a read-only store works as well
                    os.utime(path)
        except OSError:
            return False
        return True

    def _discard(self, blob: Blob) -> None:
        with contextlib.suppress(OSError):
            self._path(blob).unlink()

    def _look_up(self, algorithm: str, hex_value: str) -> Blob | None:
        if algorithm == "sha256":
            try:
                size = self._path(Blob(hex_value, 0)).stat().st_size
            except OSError:
                return None
            return Blob(hex_value, size)
        try:
            return _parse_index(self._index(algorithm, hex_value).read_bytes())
        except OSError:
            return None

    def _note(self, algorithm: str, hex_value: str, blob: Blob) -> None:
        self._write(self._index(algorithm, hex_value), f"{blob.sha256} {blob.size}\n".encode())

    def _write(self, path: Path, line: bytes) -> None:
        """A small file of the store's own, which appears whole."""
        temporary = self._temporary()
        try:
            temporary.write_bytes(line)
            _move(temporary, path)
        except OSError as error:
            raise storage_error(error, path) from None

    def _said(self, recipe: str, blob: Blob) -> Path:
        return self._root / "said" / recipe / blob.sha256[:2] / blob.sha256[2:]

    def _index(self, algorithm: str, hex_value: str) -> Path:
        folder = self._root / "index" / algorithm.replace(":", "-")
        return folder / hex_value[:2] / hex_value[2:]

    def _temporary(self) -> Path:
        return self._root / "parts" / f"new-{os.getpid()}-{os.urandom(8).hex()}"


def _parse_index(line: bytes) -> Blob | None:
    sha256, _, size = line.decode("ascii", "replace").strip().partition(" ")
    if len(sha256) != 64 or not size.isdecimal() or not set(sha256) <= set("0123456789abcdef"):
        return None
    return Blob(sha256, int(size))


def _move(path: Path, target: Path) -> None:
    """Give a file its name, in a folder that is mostly there."""
    try:
        path.replace(target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


def _umask() -> int:
    """The process's umask, which can only be read by setting it: not where threads make files."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _unlock(part: Path, lock: int) -> None:
    with contextlib.suppress(OSError):
        part.with_suffix(".lock").unlink()
    os.close(lock)


def _remove(path: Path, before: float) -> int | None:
    """Remove a file that was last used before then. Its size; None if it stays, or is not there."""
    try:
        stat = path.stat()
        if stat.st_mtime > before:
            return None
        path.unlink()
    except FileNotFoundError:
        return None
    return stat.st_size
