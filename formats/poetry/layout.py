"""Poetry's cache (Poetry 1.8 to 2.5), as far as `poetry install` reads it::

    poetry/
    ├── artifacts/aa/bb/cc/<rest>/<file>             a wheel or source distribution, as it is
    ├── cache/repositories/<name>/_http_/…           answers of an index (Poetry 2.4 and newer)
    │                             _http/…            the same, with the body inside (before)
    └── git/<digest>.git/                            a bare repository: git's insteadOf

Poetry has no offline mode. It asks the index about every package, the lockfile notwithstanding,
and then looks for the file by its address and hash: the folder's name is the sha256 of
`{"sha256":"<hex>","url":"<address>"}`. So the index's answers are made up here, listing the
files that are packed and nothing else:

=================  =========================================  =====================================
index              asked for a locked package                 asked for a build requirement also
=================  =========================================  =====================================
PyPI               `<base>/pypi/<name>/<version>/json`        `<base>/simple/<name>/` in JSON
any other          `<url>/<name>/` in HTML                    `<file>.metadata`
=================  =========================================  =====================================

A build requirement is looked up on all of the project's indexes, so those that do not have it
say so: a page without files. Dependencies that are not packed are left out of what is said of a
build requirement; Poetry would else solve for platforms that nothing was packed for.

The answers stay fresh for a hundred years. In Poetry's own cache (unpacking without a folder)
they hide newer releases from `poetry lock` and `poetry add` until `poetry cache clear --all`.

Sources are built into the cache, which must then be writable. For git Poetry has to be told to
use the git client (`POETRY_SYSTEM_GIT_CLIENT`): its own knows nothing of insteadOf.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from email.parser import HeaderParser
from typing import Any, Final
from urllib.parse import parse_qsl, urldefrag

from vendorpack.dataclass import dataclass
from vendorpack.digest import SIZES
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives import zip_archive
from vendorpack.formats._shared.git.repository import bare_repository, commit_of
from vendorpack.formats._shared.python import pip_http_cache
from vendorpack.formats._shared.python.index import DEFAULT_INDEX, normalize, page_url
from vendorpack.formats._shared.python.wheels import is_wheel
from vendorpack.formats.poetry.choose import PoetryCommit, PoetryFile
from vendorpack.formats.poetry.settings import Repository
from vendorpack.model import Entry, Packed
from vendorpack.room import Workshop

CACHE: Final = "poetry"
_SIMPLE_JSON: Final = "application/vnd.pypi.simple.v1+json"
_MAX_METADATA: Final = 16 << 20
# Per-release pages lie beside the simple index.
_RELEASES: Final = DEFAULT_INDEX.removesuffix("simple/") + "pypi/"
_NAME_CHARACTERS: Final = ";[(<>=!~ "


def layout(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    """The artifacts, then what the indexes say of them."""
    commits = _repositories(packed)
    files = [(one, one.artifact) for one in packed if isinstance(one.artifact, PoetryFile)]
    seen: set[str] = set()
    for one in packed:
        if isinstance(one.artifact, PoetryFile):
            path = f"{CACHE}/artifacts/{_key(one)}/{one.artifact.filename}"
            if path not in seen:
                seen.add(path)
                yield Entry(path, one.blob, artifact=one.artifact)
        elif isinstance(one.artifact, PoetryCommit):
            repository = commits.pop(one.artifact.remote, None)
            if repository is not None:
                yield from _repository(one.artifact.remote, repository, workshop)
    names = {artifact.name for _, artifact in files if artifact.builds}
    answers: dict[tuple[str, str], _Answer] = {}
    for answer in _answers([_File(one, artifact) for one, artifact in files], names, workshop):
        answers[answer.repository, answer.url] = answer
    entries = [entry for answer in answers.values() for entry in answer.entries()]
    yield from sorted(entries, key=lambda entry: entry.path)


def git_sources(packed: Sequence[Packed]) -> tuple[tuple[str, str], ...]:
    """Repositories' addresses, as Poetry asks for them, and their folders in the bundle."""
    return tuple((remote, _repository_path(remote)) for remote in sorted(_repositories(packed)))


def _key(one: Packed) -> str:
    """The folder of an artifact: direct addresses by what is in them, files of an index by hash."""
    assert isinstance(one.artifact, PoetryFile)
    url, fragment = urldefrag(one.artifact.url or "")
    parts = {"url": url}
    if one.artifact.repositories:
        parts["sha256"] = one.blob.sha256
    for name, value in parse_qsl(fragment):
        if name in SIZES or name == "subdirectory":
            parts[name] = value
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"{digits[:2]}/{digits[2:4]}/{digits[4:6]}/{digits[6:]}"


# -- what the indexes say ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response of an index."""

    repository: str
    url: str
    content_type: str
    body: bytes

    def entries(self) -> Iterator[Entry]:
        folder = f"{CACHE}/cache/repositories/{self.repository}"
        path = pip_http_cache.entry_path(self.url)
        size = len(self.body)
        yield Entry(f"{folder}/_http_/{path}", pip_http_cache.response(self.content_type, size))
        yield Entry(f"{folder}/_http_/{path}.body", self.body)
        whole = pip_http_cache.response(self.content_type, size, self.body)
        yield Entry(f"{folder}/_http/{path}", whole)


@dataclass(frozen=True, slots=True)
class _File:
    packed: Packed
    artifact: PoetryFile


@dataclass(frozen=True, slots=True)
class _Metadata:
    """What a wheel says of itself; the raw text is kept for indexes that serve it."""

    name: str = ""
    version: str = ""
    requires_python: str | None = None
    requires: tuple[str, ...] = ()
    text: bytes = field(default=b"", repr=False)


def _answers(files: Sequence[_File], built: set[str], workshop: Workshop) -> Iterator[_Answer]:
    """Every page Poetry asks for. `built`: names of the build requirements that are packed."""
    metadata = {
        file.packed.blob.sha256: _metadata(file, built, workshop)
        for file in files
        if file.artifact.builds
    }
    pages: dict[tuple[Repository, str], list[_File]] = {}
    releases: dict[tuple[str, str], list[_File]] = {}
    for file in files:
        for number, repository in enumerate(file.artifact.repositories):
            # The first index has the file; further ones are asked for it too, in vain.
            has_it = number == 0
            if repository.is_default and has_it:
                release = (file.artifact.name, file.artifact.version)
                releases.setdefault(release, []).append(file)
            if file.artifact.builds or not repository.is_default:
                page = pages.setdefault((repository, file.artifact.name), [])
                if has_it:
                    page.append(file)
    for (name, version), listed in releases.items():
        yield _release(name, version, listed, metadata)
    for (repository, name), listed in pages.items():
        if repository.is_default:
            yield _simple_json(repository, name, listed, metadata)
        else:
            yield _simple_html(repository, name, listed, metadata)
            yield from _metadata_files(repository, listed, metadata)


def _release(
    name: str, version: str, files: Sequence[_File], metadata: Mapping[str, _Metadata]
) -> _Answer:
    known = next(
        (metadata[f.packed.blob.sha256] for f in files if f.packed.blob.sha256 in metadata),
        _Metadata(name, version),
    )
    info = {
        "name": known.name,
        "version": known.version,
        "summary": "",
        "requires_dist": [*known.requires],
        "requires_python": known.requires_python,
        "yanked": False,
    }
    urls = [
        {
            "packagetype": "bdist_wheel" if is_wheel(file.artifact.filename) else "sdist",
            "url": file.artifact.url,
            "filename": file.artifact.filename,
            "digests": {"sha256": file.packed.blob.sha256},
            "yanked": False,
        }
        for file in _each_once(files)
    ]
    url = f"{_RELEASES}{name}/{version}/json"
    body = _json({"info": info, "urls": urls})
    return _Answer(files[0].artifact.repositories[0].name, url, "application/json", body)


def _simple_json(
    repository: Repository,
    name: str,
    files: Sequence[_File],
    metadata: Mapping[str, _Metadata],
) -> _Answer:
    listed = [
        {
            "filename": file.artifact.filename,
            "url": file.artifact.url,
            "hashes": {"sha256": file.packed.blob.sha256},
            "requires-python": metadata[file.packed.blob.sha256].requires_python,
            "yanked": False,
        }
        for file in _each_once(files)
    ]
    body = _json({"meta": {"api-version": "1.0"}, "name": name, "files": listed})
    return _Answer(repository.name, page_url(repository.base, name), _SIMPLE_JSON, body)


def _simple_html(
    repository: Repository,
    name: str,
    files: Sequence[_File],
    metadata: Mapping[str, _Metadata],
) -> _Answer:
    lines = []
    for file in _each_once(files):
        sha256 = file.packed.blob.sha256
        attributes = {"href": f"{file.artifact.url}#sha256={sha256}"}
        known = metadata.get(sha256)
        if known is not None:
            digits = hashlib.sha256(known.text).hexdigest()
            attributes["data-dist-info-metadata"] = f"sha256={digits}"
            if known.requires_python is not None:
                attributes["data-requires-python"] = known.requires_python
        shown = " ".join(f'{key}="{html.escape(value)}"' for key, value in attributes.items())
        lines.append(f"<a {shown}>{html.escape(file.artifact.filename)}</a><br/>\n")
    body = f"<!DOCTYPE html>\n<html><body>\n{''.join(lines)}</body></html>\n".encode()
    return _Answer(repository.name, page_url(repository.url, name), "text/html", body)


def _metadata_files(
    repository: Repository, files: Sequence[_File], metadata: Mapping[str, _Metadata]
) -> Iterator[_Answer]:
    for file in files:
        known = metadata.get(file.packed.blob.sha256)
        if known is not None:
            url = f"{file.artifact.url}.metadata"
            yield _Answer(repository.name, url, "application/octet-stream", known.text)


def _each_once(files: Sequence[_File]) -> Sequence[_File]:
    """Files by name; one that is locked and a build requirement too is listed once."""
    return [*{f.artifact.filename: f for f in sorted(files, key=_filename)}.values()]


def _filename(file: _File) -> str:
    return file.artifact.filename


def _metadata(file: _File, built: set[str], workshop: Workshop) -> _Metadata:
    label = file.artifact.filename
    with workshop.open(file.packed.blob) as stream:
        member = next(
            (
                m
                for m in zip_archive.members(stream, label=label)
                if m.name.count("/") == 1 and m.name.endswith(".dist-info/METADATA")
            ),
            None,
        )
        if member is None or member.size > _MAX_METADATA:
            raise UnsupportedError(
                f"{label} has no metadata that can be read",
                where=file.artifact.where,
                fix="It was published like this; no client could install it.",
            )
        text = b"".join(zip_archive.chunks(stream, member, label=label))
    headers = HeaderParser().parsestr(text.decode("utf-8", "replace"))
    requires = [str(value) for value in headers.get_all("Requires-Dist") or []]
    return _Metadata(
        name=str(headers.get("Name", file.artifact.name)),
        version=str(headers.get("Version", file.artifact.version)),
        requires_python=headers.get("Requires-Python"),
        requires=tuple(r for r in requires if _required_name(r) in built),
        text=text,
    )


def _required_name(requirement: str) -> str:
    end = min((at for c in _NAME_CHARACTERS if (at := requirement.find(c)) > 0), default=None)
    return normalize(requirement[:end])


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


# -- git -----------------------------------------------------------------------------------


def _repositories(packed: Sequence[Packed]) -> dict[str, list[Packed]]:
    """Repository address to its commits, each once."""
    found: dict[str, dict[bytes, Packed]] = {}
    for one in packed:
        if isinstance(one.artifact, PoetryCommit):
            commits = found.setdefault(one.artifact.remote, {})
            commits.setdefault(commit_of(one.artifact), one)
    return {remote: list(commits.values()) for remote, commits in found.items()}


def _repository_path(remote: str) -> str:
    return f"{CACHE}/git/{hashlib.sha256(remote.encode()).hexdigest()[:16]}.git"


def _repository(remote: str, commits: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
    # A clone brings what refs lead to, so each commit has one.
    ids = [commit_of(one.artifact).hex() for one in commits]
    refs = {f"refs/heads/{commit}": commit for commit in ids}
    refs["refs/heads/master"] = ids[0]
    return bare_repository(_repository_path(remote), commits, workshop, refs)
