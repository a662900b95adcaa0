"""uv's cache (uv 0.6 to 0.13), as far as `uv sync --offline` reads it::

    uv/
    ├── archive-v0/<id>/…                            a wheel, unpacked
    ├── build-wheels/<file>.whl                      what source builds need: UV_FIND_LINKS
    ├── git/<digest>.git/                            a bare repository: git's insteadOf
    ├── sdists-v9/                                   and the other generations of SDIST_BUCKETS
    │   ├── pypi/<name>/<version>/revision.http      a pointer
    │   ├── pypi/<name>/<version>/<id>/src/…         a source distribution, unpacked
    │   ├── index/<digest>/<name>/<version>/…        of another index than the default one
    │   └── url/<digest>/…                           of a direct address
    └── wheels-v5/                                   and the other generations of WHEEL_BUCKETS
        ├── pypi/<name>/<version>-<tags>.http        a pointer into archive-v0
        ├── index/<digest>/<name>/…
        └── url/<digest>/<name>/…

Ids are random in uv; here they are made of the file's hash. A hit is believed without hashing
anything again, so what is written here was verified. `simple-v*`, uv's copy of the index, is
not needed: a lockfile has addresses, and build requirements are found in `build-wheels`.

uv takes a lock in its cache and builds sources there, so the folder has to be writable. Sources
keep the bundle's one modification time; backends that zip files refuse times before 1980.

A uv whose buckets have newer numbers than `vendorpack.formats.uv.cache` knows does not see
these entries and says that the network is off. Independent of the cache's form is:
`uv export --frozen`, with every `name @ address` made `name==version`, installed from a flat
folder of wheels by `uv pip sync --offline --no-index --find-links`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.git.repository import bare_repository, commit_of
from vendorpack.formats.uv.archives import opening_of
from vendorpack.formats.uv.builds import BuildRequirement
from vendorpack.formats.uv.cache import (
    ARCHIVE_BUCKET,
    SDIST_BUCKETS,
    WHEEL_BUCKETS,
    digest,
    entry_id,
    revision_pointer,
    wheel_key,
    wheel_pointer,
)
from vendorpack.formats.uv.choose import UvArtifact
from vendorpack.model import Entry, Packed, Slice
from vendorpack.room import Workshop

CACHE: Final = "uv"
BUILD_WHEELS: Final = "uv/build-wheels"

_ALGORITHMS: Final = {"sha256": "Sha256", "sha384": "Sha384", "sha512": "Sha512", "md5": "Md5"}
"""Our names for the hashes that a lockfile may pin by, and uv's."""
Member = tuple[str, int, Slice | bytes]
"""Path, mode and content."""


def layout(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """The cache's entries, artifact by artifact; repositories of several commits at the first."""
    commits = _repositories(packed)
    seen: set[str] = set()
    for one in packed:
        artifact = one.artifact
        if isinstance(artifact, BuildRequirement):
            path = f"{BUILD_WHEELS}/{artifact.filename}"
            entries: Iterable[Entry] = (Entry(path, one.blob, artifact=artifact),)
        elif not isinstance(artifact, UvArtifact):
            raise AssertionError(f"{artifact} is not of this room")
        elif artifact.is_wheel:
            entries = _wheel(one, artifact, workshop)
        elif artifact.is_sdist:
            entries = _sdist(one, artifact, workshop)
        else:
            repository = commits.pop(artifact.asked, ())
            entries = _repository(artifact.asked, repository, workshop) if repository else ()
        for entry in entries:
            if entry.path not in seen:
                seen.add(entry.path)
                yield entry


def git_sources(packed: Sequence[Packed]) -> tuple[tuple[str, str], ...]:
    """Repositories' addresses, as uv asks for them, and their folders in the bundle."""
    return tuple((asked, _repository_path(asked)) for asked in sorted(_repositories(packed)))


# -- wheels --------------------------------------------------------------------------------


def _wheel(one: Packed, artifact: UvArtifact, workshop: Workshop) -> Iterator[Entry]:
    archive = entry_id("archive", one.blob.sha256)
    for path, mode, content in _members(one, artifact, workshop):
        yield Entry(f"{CACHE}/{ARCHIVE_BUCKET}/{archive}/{path}", content, mode, artifact)
    for bucket in WHEEL_BUCKETS:
        folder = f"{CACHE}/{bucket.name}/{artifact.root}/{artifact.name}"
        pointer = wheel_pointer(
            bucket.encoding,
            archive=archive,
            hashes=_hashes(one),
            filename=artifact.filename,
            size=one.blob.size,
            url=artifact.asked,
        )
        yield Entry(f"{folder}/{wheel_key(artifact.filename)}.http", pointer, artifact=artifact)


def _hashes(one: Packed) -> Mapping[str, str]:
    """uv's names of algorithms to hex digits: of sha256 and of what the lockfile pins by."""
    pinned = {
        _ALGORITHMS[d.algorithm]: d.hex
        for d in one.artifact.integrity.digests
        if d.algorithm in _ALGORITHMS
    }
    return {**pinned, "Sha256": one.blob.sha256}


def _members(one: Packed, artifact: UvArtifact, workshop: Workshop) -> list[Member]:
    """The files of a wheel or a source distribution, by path."""
    opening = opening_of(artifact)
    if opening is None:
        raise UnsupportedError(
            f"{artifact.filename} is a kind of archive that is not opened",
            where=artifact.where,
            fix="Pack for targets that have a wheel of it, or depend on a .tar.gz of it.",
        )
    opened = opening.open(one.blob, workshop, str(artifact))
    return [(row.path, _mode(row.mode), opened.slice(row)) for row in opened.rows]


def _mode(stored: int) -> int:
    return 0o755 if stored & 0o111 else 0o644


# -- source distributions ------------------------------------------------------------------


def _sdist(one: Packed, artifact: UvArtifact, workshop: Workshop) -> Iterator[Entry]:
    # Sorted before the pointer, which is to be the last.
    revision = f"0{entry_id('revision', one.blob.sha256)[1:]}"
    members = _members(one, artifact, workshop)
    for bucket in SDIST_BUCKETS:
        folder = f"{CACHE}/{bucket.name}/{artifact.root}"
        if not artifact.root.startswith("url/"):
            folder += f"/{artifact.name}/{artifact.version}"
        pointer = revision_pointer(
            bucket.encoding,
            revision=revision,
            hashes=_hashes(one),
            size=one.blob.size,
            url=artifact.asked.partition("#")[0],
        )
        files = [(f"{folder}/{revision}/src/{path}", m, content) for path, m, content in members]
        files.append((f"{folder}/revision.http", 0o644, pointer))
        for path, mode, content in sorted(files, key=lambda f: f[0]):
            yield Entry(path, content, mode, artifact)


# -- git -----------------------------------------------------------------------------------


def _repositories(packed: Sequence[Packed]) -> dict[str, list[Packed]]:
    """Repository address to its commits, each once."""
    found: dict[str, dict[bytes, Packed]] = {}
    for one in packed:
        artifact = one.artifact
        if isinstance(artifact, UvArtifact) and not artifact.filename:
            found.setdefault(artifact.asked, {}).setdefault(commit_of(artifact), one)
    return {asked: list(commits.values()) for asked, commits in found.items()}


def _repository_path(asked: str) -> str:
    return f"{CACHE}/git/{digest(asked)}.git"


def _repository(asked: str, commits: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    # Refs, as a client may ask for all branches instead of the commit.
    ids = [commit_of(one.artifact).hex() for one in commits]
    refs = {f"refs/heads/{commit}": commit for commit in ids}
    refs["refs/heads/master"] = ids[0]
    return bare_repository(_repository_path(asked), commits, workshop, refs)
