"""Deltas: the files that only the base has, taken from it and verified.

What a delta is, `vendorpack.bundle` says. The base is either a bundle's file or the folder
that it was unpacked to. Both are believed only as far as they are proved: the base has the id
that the delta names, and every file taken from it the hash that the delta's own manifest says.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vendorpack.bundle.manifest import Manifest
from vendorpack.bundle.pieces import Pieces, in_bundle
from vendorpack.bundle.plan import Base
from vendorpack.bundle.reader import Bundle
from vendorpack.bundle.table import File
from vendorpack.errors import BundleError, TargetError
from vendorpack.parallel import Progress, in_order, split_evenly
from vendorpack.unpack.prefix import look
from vendorpack.unpack.stage import Filler, Route, fill_from_bundle

_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
_CHUNK = 1 << 20


def kept_files(bundle: Bundle) -> tuple[File, ...]:
    """The files that a delta leaves to its base; none if it is a full bundle."""
    if bundle.delta is None:
        return ()
    held = frozenset(bundle.delta.files)
    return tuple(file for i, file in enumerate(bundle.manifest.files) if i not in held)


def pieces_of_base(bundle: Bundle, base: Bundle | None, prefix: Path | None) -> Pieces:
    """The files that a delta leaves to its base, of a bundle or of the folder that holds it.

    Raises as `fill_from_base` and `fill_from_prefix` do, while the pieces are read too.
    """
    kept = kept_files(bundle)
    if base is not None:
        _check(bundle, kept, base.id, base.manifest, str(base.path))
        return _only(kept, in_bundle(base))
    assert prefix is not None
    there = look(prefix).manifest
    if there is None or there.dump() != bundle.manifest_bytes:
        _check_prefix(bundle, kept, prefix, there)

    def pieces(wanted: Mapping[str, File]) -> Iterator[tuple[File, bytes]]:
        for file in wanted.values():
            for chunk in _verified(prefix, file):
                yield file, chunk
            if not file.size:
                yield file, b""

    return _only(kept, pieces)


def _only(kept: Sequence[File], pieces: Pieces) -> Pieces:
    paths = frozenset(file.path for file in kept)
    return lambda wanted: pieces({path: file for path, file in wanted.items() if path in paths})


def fill_from_base(
    bundle: Bundle, base: Bundle, route: Route, *, jobs: int, progress: Progress | None
) -> None:
    """Write the files that a delta leaves to `base`, a full bundle.

    Raises `BundleError` (damaged, or not the base), `StoreError`, `TargetError`.
    """
    kept = kept_files(bundle)
    _check(bundle, kept, base.id, base.manifest, str(base.path))
    wanted = frozenset(file.path for file in kept)
    fill_from_bundle(
        base, lambda path: route(path) if path in wanted else None, jobs=jobs, progress=progress
    )


def fill_from_prefix(
    bundle: Bundle,
    prefix: Path,
    there: Manifest | None,
    filler: Filler,
    *,
    jobs: int,
    progress: Progress | None,
) -> None:
    """Copy the files that a delta leaves to its base from the folder that holds the base.

    there: the manifest of what was unpacked to `prefix`, if anything was. Raises `BundleError`
    (not the base), `StoreError`, `TargetError` (the base's files are not as they were packed).
    """
    kept = kept_files(bundle)
    _check_prefix(bundle, kept, prefix, there)

    def copy(run: Sequence[File]) -> int:
        for file in run:
            try:
                if file.sha256 is None:
                    filler.make_folder(file.path[:-1], file.mode)
                else:
                    filler.write_chunks(file.path, file.mode, _verified(prefix, file))
            except OSError as error:
                raise filler.refused(error) from None
        return sum(file.size for file in run)

    runs = split_evenly(kept, lambda file: file.size + 4096, max(jobs, 1) * 8)
    for size in in_order(copy, runs, jobs=jobs):
        if progress is not None:
            progress(size)


def _base_id(bundle: Bundle) -> str:
    assert bundle.delta is not None
    return bundle.delta.base


def _check_prefix(
    bundle: Bundle, kept: Sequence[File], prefix: Path, there: Manifest | None
) -> None:
    if there is None:
        raise BundleError(
            f"this is a delta, and bundle {_base_id(bundle)}, which has the rest, is not there",
            where=str(prefix),
            fix="Unpack the base there first, or name its file with --base.",
        )
    full = there.full()
    _check(bundle, kept, full.id(), full, str(prefix))


def _check(bundle: Bundle, kept: Sequence[File], base_id: str, base: Manifest, where: str) -> None:
    if base_id != _base_id(bundle):
        raise BundleError(
            "the delta was made for another base",
            where=f"{where}\nthe delta's base {_base_id(bundle)}\nwhat is there    {base_id}",
            fix="Take the base it was made for, or the full bundle.",
        )
    rows = Base.of(base_id, base).rows
    for file in kept:
        if file[:4] not in rows:
            raise BundleError(
                f"the delta is not valid: its base has no such {file.path!r}",
                where=str(bundle.path),
                fix="Make it again.",
            )


def _verified(prefix: Path, file: File) -> Iterator[bytes]:
    """A file's bytes; raises `TargetError` at their end if they were not the right ones."""
    wrong = TargetError(
        "a file of the delta's base is not as it was packed",
        where=str(prefix / file.path),
        fix="Unpack the base again, or the full bundle, or name the base's file with --base.",
    )
    try:
        fd = os.open(prefix / file.path, _OPEN)
    except OSError:
        raise wrong from None
    digest = hashlib.sha256()
    rest = file.size
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise wrong
        while rest >= 0 and (chunk := os.read(fd, _CHUNK)):
            digest.update(chunk)
            rest -= len(chunk)
            yield chunk
    finally:
        os.close(fd)
    if rest or digest.hexdigest() != file.sha256:
        raise wrong
