"""From pinned releases to files: what pip, pipenv and pdm locks leave to the index.

Such a lock says `name==version` and the hashes of all its files, and neither which file a
platform takes nor where it is. A `Release` is that pin; `locate` asks the indexes it may come
from, keeps the files whose hash is locked, and chooses among them for the targets.

A hash decides, never a place: whatever an index offers beside the locked hashes is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from packaging.version import Version

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import FetchError, IntegrityError, UnsupportedError
from vendorpack.formats._shared.python import wheels
from vendorpack.formats._shared.python.index import IndexFile, page_url, pages, purl
from vendorpack.formats._shared.python.wheels import EITHER, Binary, is_sdist, is_wheel, release_of
from vendorpack.model import Artifact, Target, Warning
from vendorpack.redact import redact_url
from vendorpack.room import Index

Pages = Mapping[tuple[str, str], "tuple[IndexFile, ...] | None"]

WHEELHOUSE: Final = "wheelhouse"
CACHE: Final = "cache"
OLD_CACHE: Final = "old-cache"
_SHOWN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Artifact):
    """A pinned version of a project, before its files are known.

    integrity: the hashes of all its files, as alternatives.
    indexes: base addresses it may come from, in order. find_links: pages that list files of many
        projects, which it may come from as well.
    targets: those it is for; empty means all.
    filenames: (file name, hash) of its files, where the lock has names.
    marker: its environment marker as it is locked, for an exported requirements file.
    """

    indexes: tuple[str, ...]
    find_links: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    binary: Binary = EITHER
    filenames: tuple[tuple[str, Digest], ...] = ()
    marker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution(Artifact):
    """A wheel, an sdist or another archive that pip installs.

    filename: its name in the wheelhouse.
    places: where it goes: `WHEELHOUSE`, for clients that look for a name and version, `CACHE`,
        for those that ask for its very address, `OLD_CACHE`, for pip before 23.3.
    built_for: if it is an sdist, the targets that have to build it; empty means all.
    subdirectory: where in the archive the project lies.
    marker: see `Release`.
    """

    filename: str
    places: tuple[str, ...] = (WHEELHOUSE,)
    built_for: tuple[Target, ...] = ()
    subdirectory: str = ""
    marker: str = ""

    @property
    def is_source(self) -> bool:
        """Whether it has to be built before it can be installed."""
        return not is_wheel(self.filename)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitProject(Artifact):
    """A project at a commit of a git repository.

    remote: the repository's address as the client gives it to git.
    built_for, subdirectory: see `Distribution`.
    is_submodule: whether it only comes with another commit, and is no project itself.
    """

    remote: str
    commit: str
    built_for: tuple[Target, ...] = ()
    subdirectory: str = ""
    is_submodule: bool = False


async def locate(
    artifacts: Sequence[Artifact], index: Index
) -> tuple[tuple[Artifact, ...], tuple[Warning, ...]]:
    """Every `Release` replaced by the files to get, other artifacts as they are.

    Raises `FetchError` (no such project or version), `IntegrityError` (other bytes than the
    locked ones) and `UnsupportedError` (no file for a target).
    """
    releases = [a for a in artifacts if isinstance(a, Release)]
    found = await pages(index, (place for r in releases for place in _places(r)))
    located: list[Artifact] = []
    warnings: list[Warning] = []
    for artifact in artifacts:
        if isinstance(artifact, Release):
            files, said = choose_files(artifact, found)
            located += files
            warnings += said
        else:
            located.append(artifact)
    return tuple(dict.fromkeys(located)), tuple(dict.fromkeys(warnings))


def choose_files(
    release: Release, found: Pages
) -> tuple[tuple[Distribution, ...], tuple[Warning, ...]]:
    """The files of one release that its targets install; raises as `locate` does."""
    offered = _offered(release, found)
    locked = release.integrity
    files = [file for file in offered if not locked or _may_match(file.hashes, locked)]
    if release.filenames:
        _check_names(release, offered)
    if not files:
        raise IntegrityError(
            f"no file of {release} on the index has a hash that is locked",
            where=_where(release, offered),
            fix="The index is another one than at the time of locking, or the files were "
            "replaced. Find out which before you lock again.",
        )
    unique, warnings = _one_each(release, files, offered)
    warnings += _lost_hashes(release, offered)
    allowed = release.binary
    chosen, missing = wheels.choose(
        unique,
        release.targets,
        filename=lambda file: file.filename,
        wheels=allowed.allows_wheels(release.name),
        sdists=allowed.allows_sdists(release.name),
    )
    if missing or not chosen:
        raise _nothing_fits(release, unique, missing)
    warnings += [
        Warning(f"{file.filename} was yanked{': ' + file.yanked if file.yanked else ''}", where)
        for file in chosen
        if file.yanked is not None
        for where in [release.where]
    ]
    names = [file.filename for file in chosen]
    builders = tuple(t for t in release.targets if wheels.has_to_build(names, t))
    return tuple(_distribution(release, file, builders) for file in chosen), tuple(warnings)


def _offered(release: Release, found: Pages) -> list[IndexFile]:
    """All files of the version, on all indexes and pages."""
    known = [page for place in _places(release) if (page := found[place]) is not None]
    if not known:
        raise FetchError(
            f"no index has a project named {release.name}",
            where=_where(release),
            fix="Configure the index that it comes from, as for pip (PIP_INDEX_URL, pip.conf).",
            status=404,
        )
    wanted = _version(release.version)
    offered = [
        file
        for page in known
        for file in page
        if _is(release_of(file.filename, release.name), wanted)
    ]
    if not offered:
        raise FetchError(
            f"the index has no {release}",
            where=_where(release),
            fix="It may have been removed; lock another version.",
            status=404,
        )
    return offered


def _places(release: Release) -> Iterator[tuple[str, str]]:
    """What is asked about it, as `pages` takes it."""
    yield from ((base, release.name) for base in release.indexes)
    yield from ((page, "") for page in release.find_links)


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except ValueError:  # also of numbers beyond measure
        return None


def _is(version: Version | None, wanted: Version | None) -> bool:
    if version is None or wanted is None:
        return False
    # A pin without a local part (1.0) also means 1.0+cpu, as for pip.
    return version == wanted or (
        version.local is not None and wanted.local is None and version.public == wanted.public
    )


def _may_match(hashes: Integrity, locked: Integrity) -> bool:
    """Whether a file can be a locked one; only the download tells if no algorithm is shared."""
    shared = {*hashes.algorithms} & {*locked.algorithms}
    return not shared or bool({*hashes.digests} & {*locked.digests})


def _check_names(release: Release, offered: Sequence[IndexFile]) -> None:
    """Refuse an index that has another file under a locked name."""
    for filename, digest in release.filenames:
        same_name = [f for f in offered if f.filename == filename]
        others = [f for f in same_name if not _may_match(f.hashes, Integrity((digest,)))]
        if others and len(others) == len(same_name):
            raise IntegrityError(
                f"the index offers another file under the name {filename}",
                where=f"{release.where}: {release} ({redact_url(others[0].url)})\n"
                f"locked  {digest}\noffered {others[0].hashes}",
                fix="Do not use it before you know who replaced the file, and why.",
            )


def _one_each(
    release: Release, files: Sequence[IndexFile], offered: Sequence[IndexFile]
) -> tuple[list[IndexFile], list[Warning]]:
    """Each file name once, from the first index that has it; other bytes are an error."""
    unique: dict[str, IndexFile] = {}
    for file in files:
        first = unique.setdefault(file.filename, file)
        if not _may_match(file.hashes, first.hashes):
            raise IntegrityError(
                f"two indexes have {file.filename} with different bytes"
                + (", and both are locked" if release.integrity else ""),
                where=f"{release.where}: {release}\n"
                f"{redact_url(first.index)} {first.hashes}\n{redact_url(file.index)} {file.hashes}",
                fix="Pin the hash of the one you mean, and lock again.",
            )
    warnings = [
        Warning(
            f"{redact_url(file.index)} has another {file.filename} than the one that is locked; "
            "it was passed over",
            release.where,
        )
        for file in offered
        if file.filename in unique and not _may_match(file.hashes, unique[file.filename].hashes)
    ]
    return list(unique.values()), warnings


def _lost_hashes(release: Release, offered: Sequence[IndexFile]) -> list[Warning]:
    known = {digest for file in offered for digest in file.hashes.digests}
    algorithms = {digest.algorithm for digest in known}
    lost = [d for d in release.integrity.digests if d.algorithm in algorithms and d not in known]
    if not lost or any(not file.hashes for file in offered):
        return []
    count = "a locked hash" if len(lost) == 1 else f"{len(lost)} locked hashes"
    return [Warning(f"the index has no file for {count} of {release}", release.where)]


def _nothing_fits(
    release: Release, files: Sequence[IndexFile], missing: Sequence[Target]
) -> UnsupportedError:
    binary = release.binary
    if not binary.allows_wheels(release.name) and not any(is_sdist(f.filename) for f in files):
        what, fix = f"{release} has no sdist that is locked", "Leave it out of no-binary."
    elif not binary.allows_sdists(release.name):
        what = f"{release} has no wheel for {_shown(missing)}"
        fix = "Leave it out of only-binary to have it built from its sdist."
    else:
        what = f"{release} has neither a wheel for {_shown(missing)} nor an sdist"
        fix = "Lock a version that supports it, or leave that target out."
    return UnsupportedError(what, where=_where(release, files), fix=fix)


def _shown(targets: Iterable[Target]) -> str:
    return ", ".join(map(str, targets)) or "any target"


def _distribution(release: Release, file: IndexFile, builders: tuple[Target, ...]) -> Distribution:
    pinned = [d for d in release.integrity.digests if d in file.hashes.digests]
    version = str(release_of(file.filename, release.name))
    return Distribution(
        name=release.name,
        version=version,
        purl=purl(release.name, version),
        url=file.url,
        integrity=Integrity.of(pinned) if pinned else release.integrity,
        size=file.size,
        why=release.why,
        where=release.where,
        filename=file.filename,
        built_for=() if is_wheel(file.filename) else builders,
        marker=release.marker,
    )


def _where(release: Release, files: Sequence[IndexFile] = ()) -> str:
    addresses = (page_url(base, name) if name else base for base, name in _places(release))
    asked = ", ".join(map(redact_url, addresses))
    names = [file.filename for file in files]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    listed = f"\nit has {', '.join(names[:_SHOWN])}{more}" if names else ""
    return f"{release.where}: {release} ({asked or 'no index'}){listed}"
