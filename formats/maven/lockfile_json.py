"""lockfile.json of the maven-lockfile plugin (chains-project): text to files. Pure.

Dependencies, plugins, extensions and BOMs are objects that nest without end; each that is a file of
a repository has `groupId`, `artifactId`, `version`, `resolved` (its address where it was locked),
`checksum` and `checksumAlgorithm`. The project's own POM has `relativePath`, modules of the same
build an empty `resolved`.

Seen with maven-lockfile 5.18.3 on Maven 3.9.16. It lists no POM of a jar, and nothing that plugins
fetch while they run (the providers of surefire, so that tests do not run).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.digest import Digest
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.text.json_text import decode_utf8, load_json

_REWRITE: Final = "Let the plugin write the lockfile anew."
_FIELDS: Final = (
    "groupId",
    "artifactId",
    "version",
    "resolved",
    "checksum",
    "checksumAlgorithm",
    "repositoryId",
)


@dataclass(frozen=True, slots=True)
class LockedFile:
    """A file of a repository. address: where it was when it was locked."""

    path: str
    digest: Digest
    address: str
    repository: str


@dataclass(frozen=True, slots=True)
class LockfileJson:
    """A lockfile's files, each path once. has_plugins: whether it was told to lock plugins too."""

    files: tuple[LockedFile, ...]
    has_plugins: bool


def parse_lockfile_json(data: bytes, where: str) -> LockfileJson:
    """Read a lockfile. Raises `LockfileError`."""
    lock = load_json(decode_utf8(data, where), where)
    if not isinstance(lock, dict) or "lockFileVersion" not in lock:
        raise LockfileError("this is no lockfile of maven-lockfile", where=where)
    seen: dict[str, LockedFile] = {}
    for entry in _entries(lock):
        file = _file(entry, where)
        if file is None:
            continue
        known = seen.setdefault(file.path, file)
        if known.digest != file.digest:
            raise LockfileError(
                f"{file.path} is pinned twice, with different hashes", where=where, fix=_REWRITE
            )
    return LockfileJson(tuple(seen.values()), bool(lock.get("mavenPlugins")))


def _entries(lock: Any) -> Iterator[dict[str, Any]]:
    """Every object that is a file, in the lockfile's order."""
    waiting = [lock]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "checksum" in value and "relativePath" not in value:
                yield value
            waiting += reversed(value.values())
        elif isinstance(value, list):
            waiting += reversed(value)


def _file(entry: dict[str, Any], where: str) -> LockedFile | None:
    """None for a module of the project's own build."""
    values = [entry.get(field, "") for field in _FIELDS]
    if not all(isinstance(value, str) for value in values):
        raise LockfileError("an entry is not as the plugin writes it", where=where, fix=_REWRITE)
    group, artifact, version, resolved, checksum, algorithm, repository = values
    if not resolved and not checksum:
        return None
    try:
        name = unquote(urlsplit(resolved).path).rpartition("/")[2]
        digest = Digest.from_hex(algorithm.replace("-", "").lower(), checksum)
    except ValueError as error:  # a digest's, or an address's
        raise LockfileError(f"{group}:{artifact}: {error}", where=where, fix=_REWRITE) from None
    path = f"{group.replace('.', '/')}/{artifact}/{version}/{name}"
    return LockedFile(path, digest, resolved, repository)
