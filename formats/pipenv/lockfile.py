"""Pipfile.lock (pipfile-spec 6): names, versions, hashes and markers; no file names, no addresses.

::

    {"_meta": {"pipfile-spec": 6, "sources": [{"name", "url", "verify_ssl"}], …},
     "default": {"<name>": {"version": "==1.2", "hashes": ["sha256:…"], "markers", "index"}},
     "develop": {…}, "<category>": {…}}

A package may instead be a `file` (an address), a `git` repository with its `ref`, or a local
`path`. Of one with `no_binary` pipenv takes no wheel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from vendorpack.dataclass import dataclass
from vendorpack.digest import Integrity
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.python import direct_references
from vendorpack.formats._shared.python.distributions import Release
from vendorpack.formats._shared.python.index import DEFAULT_INDEX, check_name, parse_hash, purl
from vendorpack.formats._shared.python.local_projects import LocalProject, warn_of
from vendorpack.formats._shared.python.markers import parse_marker, targets_of, without_groups
from vendorpack.formats._shared.python.pip_config import expand_userinfo, index_address
from vendorpack.formats._shared.python.wheelhouse_room import Choices
from vendorpack.formats._shared.text.json_text import decode_utf8, key_lines, load_json
from vendorpack.model import Artifact, Options, Target, Warning
from vendorpack.project import Project

SPEC: Final = 6
_DEFAULT: Final = "default"
_DEVELOP: Final = "develop"


@dataclass(frozen=True, slots=True)
class Pin:
    """One entry of one category."""

    name: str
    category: str
    entry: Mapping[str, Any]
    where: str

    def text(self, key: str) -> str:
        """A string, empty if it is not there. Raises `LockfileError` for another type."""
        value = self.entry.get(key, "")
        if not isinstance(value, str):
            raise LockfileError(f"{key!r} of {self.name} is not a string", where=self.where)
        return value

    def texts(self, key: str) -> Sequence[str]:
        """A list of strings, empty if it is not there. Raises `LockfileError`."""
        value = self.entry.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise LockfileError(
                f"{key!r} of {self.name} is not a list of strings", where=self.where
            )
        return value


@dataclass(frozen=True, slots=True)
class PipfileLock:
    """The lock. sources: name to index address, in their order; without userinfo."""

    pins: tuple[Pin, ...]
    sources: Mapping[str, str]
    logins: tuple[tuple[str, str], ...]

    @property
    def indexes(self) -> tuple[str, ...]:
        """All sources' addresses."""
        return tuple(dict.fromkeys(self.sources.values())) or (DEFAULT_INDEX,)


def parse_pipfile_lock(project: Project) -> PipfileLock:
    """Read the whole file. Raises `LockfileError` with `path:line` where it can be told."""
    text = decode_utf8(project.lock_bytes(), project.where())
    document = load_json(text, project.where())
    meta = document.get("_meta") if isinstance(document, dict) else None
    if not isinstance(meta, dict):
        raise LockfileError("not a Pipfile.lock: it has no _meta", where=project.where())
    if meta.get("pipfile-spec") != SPEC:
        raise LockfileError(
            f"a Pipfile.lock of specification {meta.get('pipfile-spec')!r} is not known",
            where=project.where(),
            fix="Lock again with a current pipenv.",
        )
    sources, logins = _sources(meta.get("sources", []), project)
    pins: list[Pin] = []
    for category, entries in document.items():
        if category == "_meta":
            continue
        if not isinstance(entries, dict):
            raise LockfileError(f"{category!r} is not a table of packages", where=project.where())
        lines = key_lines(text, category)
        for name, entry in entries.items():
            where = project.where(lines.get(name))
            if not isinstance(entry, dict):
                raise LockfileError(f"{name!r} is not a table", where=where)
            pins.append(Pin(check_name(name, where), category, entry, where))
    return PipfileLock(tuple(pins), sources, logins)


def artifacts_of(
    lock: PipfileLock,
    options: Options,
    choices: Choices,
    project: Project,
    local: Sequence[LocalProject],
) -> tuple[tuple[Artifact, ...], tuple[Warning, ...]]:
    """What the categories asked for have for the targets.

    Raises `LockfileError` for a package that is not pinned, `UnsupportedError`.
    """
    known = {pin.category for pin in lock.pins}
    wanted = {_DEFAULT, *options.groups, *([_DEVELOP] if options.dev else [])}
    unknown = sorted(wanted - known - {_DEFAULT, _DEVELOP})
    if unknown:
        raise LockfileError(
            f"the lock has no category {', '.join(unknown)}",
            where=project.where(),
            fix=f"It has: {', '.join(sorted(known))}.",
        )
    found: list[Artifact] = []
    warnings: list[Warning] = []
    for pin in lock.pins:
        # pipenv installs a package whose groups and extras it cannot judge.
        text = without_groups(pin.text("markers"))
        marker = parse_marker(text, pin.where) if text else None
        targets = targets_of(marker, choices.targets)
        if pin.category not in wanted or (choices.targets and not targets):
            continue
        if "path" in pin.entry or pin.text("file").startswith("."):
            location = pin.text("path") or pin.text("file")
            warnings += warn_of(pin.name, location, local, pin.where)
            continue
        found.append(_artifact(pin, lock, choices, targets))
    return tuple(_once(found)), tuple(warnings)


def _artifact(
    pin: Pin, lock: PipfileLock, choices: Choices, targets: tuple[Target, ...]
) -> Artifact:
    why = () if pin.category == _DEFAULT else (pin.category,)
    digests = [parse_hash(text, pin.where) for text in pin.texts("hashes")]
    if "git" in pin.entry:
        return direct_references.git_project(
            pin.name,
            pin.text("git"),
            pin.text("ref"),
            targets=targets,
            where=pin.where,
            why=why,
            subdirectory=pin.text("subdirectory"),
        )
    address = pin.text("file") or pin.text("url")
    if address:
        return direct_references.archive(
            pin.name,
            address,
            digests,
            targets=targets,
            places=choices.places_of_urls,
            where=pin.where,
            why=why,
            subdirectory=pin.text("subdirectory"),
        )
    version = pin.text("version").removeprefix("==").lstrip("=").strip()
    if not pin.text("version").startswith("==") or not version or "*" in version:
        raise LockfileError(
            f"{pin.name} is not pinned to one version",
            where=pin.where,
            fix="Lock again: `pipenv lock`.",
        )
    index = lock.sources.get(pin.text("index"))
    return Release(
        name=pin.name,
        version=version,
        purl=purl(pin.name, version),
        url=None,
        integrity=Integrity.of(digests),
        where=pin.where,
        why=why,
        indexes=(index,) if index is not None else lock.indexes,
        targets=targets,
        binary=choices.binary(none=[pin.name] if pin.entry.get("no_binary") else []),
    )


def _once(found: Sequence[Artifact]) -> Iterator[Artifact]:
    """A package that two categories have in the same version counts where it stands first."""
    seen: set[tuple[str, str, Integrity]] = set()
    for artifact in found:
        key = (artifact.name, artifact.version, artifact.integrity)
        if key not in seen:
            seen.add(key)
            yield artifact


def _sources(entries: Any, project: Project) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """Source name to address, and the logins that were in addresses."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise LockfileError("'sources' is not a list of tables", where=project.where())
    mirror = project.host.environ.get("PIPENV_PYPI_MIRROR")
    sources: dict[str, str] = {}
    logins: list[tuple[str, str]] = []
    for entry in entries:
        name, url = entry.get("name"), entry.get("url")
        if not isinstance(name, str) or not isinstance(url, str):
            raise LockfileError("a source has no name or no url", where=project.where())
        expanded = expand_userinfo(url, project.variables, project.where())
        address, login = index_address(expanded, project.where())
        if mirror and address == DEFAULT_INDEX:
            address, login = index_address(mirror, "the environment (PIPENV_PYPI_MIRROR)")
        sources[name] = address
        logins += login
    return sources, tuple(logins)
