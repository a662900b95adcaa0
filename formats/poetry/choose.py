"""From a lockfile to what `poetry install` may install on the targets.

A lockfile of version 2.1 says of each package which groups need it, under which marker. Older
ones do not: there the walk starts at the names in `pyproject.toml` and follows the packages'
own dependencies; without a `pyproject.toml` every package counts as asked for.

Main dependencies are always in, other groups unless they are optional or development ones are
left out, and both these and extras if asked for by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.digest import Integrity
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.git.repository import commit_address, commit_integrity
from vendorpack.formats._shared.python import graph, wheels
from vendorpack.formats._shared.python.distributions import Release
from vendorpack.formats._shared.python.groups import is_asked_for
from vendorpack.formats._shared.python.index import (
    check_filename,
    filename_of,
    purl,
    without_userinfo,
)
from vendorpack.formats._shared.python.local_projects import LocalProject, warn_of
from vendorpack.formats._shared.python.markers import holds, may_hold, parse_marker
from vendorpack.formats.poetry.lockfile import MAIN, Package, PoetryLock, by_name
from vendorpack.formats.poetry.settings import PYPI, Repository, Settings, repository
from vendorpack.model import Artifact, Graph, Options, Target, Warning
from vendorpack.redact import redact_url

_DEV: Final = "dev"
_SCP: Final = re.compile(r"(?:[\w.-]+@)?[\w.-]+:(?!//)[^\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoetryRelease(Release):
    """A pinned version whose files the index of `repository` has yet to name."""

    repository: Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class PoetryFile(Artifact):
    """A wheel or source distribution.

    filename: its name in the artifact cache.
    repositories: the index that lists it, then others that Poetry asks for it in vain; none
        for a direct address.
    builds: whether sources are built with it, so that Poetry looks it up by name alone.
    built_for: if it is a source, the targets that build it.
    """

    filename: str
    repositories: tuple[Repository, ...] = ()
    builds: bool = False
    built_for: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoetryCommit(Artifact):
    """A git commit. remote: the repository's address, as Poetry asks for it."""

    remote: str
    subdirectory: str
    built_for: tuple[Target, ...]


def choose(
    lock: PoetryLock, options: Options, settings: Settings, local: Sequence[LocalProject]
) -> tuple[tuple[Artifact, ...], Graph, tuple[Warning, ...]]:
    """The artifacts for the targets, in the lockfile's order; graph, and warnings.

    local: the projects whose build requirements are packed.
    Raises `LockfileError`, `UnsupportedError`, `UsageError`.
    """
    extras = tuple(e for e in lock.extras if is_asked_for(e, options))
    kind = _Locked if lock.knows_markers else _Walked
    reasons = kind(lock, options, settings, extras)
    artifacts: list[Artifact] = []
    releases: list[graph.Release] = []
    own = [name for names in settings.roots.values() for name in names] if settings.roots else []
    warnings: list[Warning] = []
    for package in lock.packages:
        needed: list[Target] = []
        labels: set[str] = set()
        for target in options.targets or (None,):
            found = reasons.labels(package, target)
            labels |= found
            if found and target is not None:
                needed.append(target)
        if not labels:
            continue
        if package.source.is_local:
            warnings += warn_of(package.name, package.source.url, local, package.where)
            own += [request.name for request in package.dependencies]
            continue
        why = () if MAIN in labels else tuple(sorted(labels))
        artifact, said = _artifact(package, tuple(needed), options, settings.binary, why)
        warnings += said
        if artifact is not None:
            artifacts.append(artifact)
            releases.append(_node(package, artifact))
    asked = None if settings.roots is None else own
    found_graph = graph.graph_of(releases, options.targets, asked)
    return tuple(artifacts), found_graph, tuple(dict.fromkeys(warnings))


def _node(package: Package, artifact: Artifact) -> graph.Release:
    is_release = isinstance(artifact, PoetryRelease)
    purls = graph.purls_of(package.name, package.version) if is_release else (artifact.purl,)
    return graph.Release(package.name, package.version, purls, package.dependencies)


def group_names(lock: PoetryLock, settings: Settings) -> Iterator[str]:
    """The groups and extras that there are, some more than once."""
    yield from (*lock.extras, *settings.optional_groups, *(settings.roots or ()))
    for package in lock.packages:
        yield from package.groups


# -- which packages ------------------------------------------------------------------------


def _wants_group(group: str, options: Options, settings: Settings) -> bool:
    if group == MAIN or is_asked_for(group, options):
        return True
    return options.dev and group not in settings.optional_groups


@dataclass(frozen=True, slots=True)
class _Locked:
    """Lockfiles that know groups and markers."""

    lock: PoetryLock
    options: Options
    settings: Settings
    extras: tuple[str, ...]

    def labels(self, package: Package, target: Target | None) -> set[str]:
        """The groups that need a package on the target."""
        return {
            group
            for group in package.groups or (MAIN,)
            if _wants_group(group, self.options, self.settings)
            and self._holds(package, group, target)
        }

    def _holds(self, package: Package, group: str, target: Target | None) -> bool:
        if package.optional and group == MAIN and not self._in_extras(package):
            return False
        marker = package.marker(group)
        if target is None or not marker:
            return True
        return holds(parse_marker(marker, package.where), target, self.extras)

    def _in_extras(self, package: Package) -> bool:
        # The marker names the extras; without one, the table of extras does.
        if "extra" in package.marker(MAIN):
            return bool(self.extras)
        return any(package.name in self.lock.extras[extra] for extra in self.extras)


class _Walked:
    """Older lockfiles: groups and markers are found from the project's dependencies."""

    def __init__(
        self, lock: PoetryLock, options: Options, settings: Settings, extras: Sequence[str]
    ) -> None:
        self._names = by_name(lock.packages)
        self._lock = lock
        self._options = options
        self._seeds = dict(self._roots(settings, extras))
        self._reached: dict[Target | None, dict[str, set[str]]] = {}

    def labels(self, package: Package, target: Target | None) -> set[str]:
        """The groups that reach a package on the target."""
        if target not in self._reached:
            reached: dict[str, set[str]] = {}
            for group, names in self._seeds.items():
                for name in self._walk(names, target):
                    reached.setdefault(name, set()).add(group)
            self._reached[target] = reached
        return self._reached[target].get(package.name, set())

    def _roots(
        self, settings: Settings, extras: Sequence[str]
    ) -> Iterator[tuple[str, Sequence[str]]]:
        asked = [name for extra in extras for name in self._lock.extras[extra]]
        for group, names in (settings.roots or self._all_names()).items():
            if _wants_group(group, self._options, settings):
                required = [name for name in names if not self._is_optional(name)]
                yield group, [*required, *(asked if group == MAIN else ())]

    def _all_names(self) -> Mapping[str, Sequence[str]]:
        groups: dict[str, list[str]] = {MAIN: []}
        for package in self._lock.packages:
            for group in package.groups or (MAIN,):
                groups.setdefault(group, []).append(package.name)
        return groups

    def _is_optional(self, name: str) -> bool:
        packages = self._names.get(name, ())
        return bool(packages) and all(package.optional for package in packages)

    def _walk(self, names: Sequence[str], target: Target | None) -> set[str]:
        seen: set[str] = set()
        queue = list(names)
        while queue:
            name = queue.pop()
            if name in seen or name not in self._names:
                continue  # what is not in the lockfile was never needed anywhere
            seen.add(name)
            for package in self._names[name]:
                for dependency, marker, _ in package.dependencies:
                    # What an extra asks for is in the lockfile only if somebody wants it.
                    if target is None or may_hold(marker, target, package.where):
                        queue.append(dependency)
        return seen


# -- artifacts -----------------------------------------------------------------------------


def _artifact(
    package: Package,
    targets: tuple[Target, ...],
    options: Options,
    binary: wheels.Binary,
    why: tuple[str, ...],
) -> tuple[Artifact | None, Sequence[Warning]]:
    source = package.source
    if source.kind == "git":
        return _commit(package, targets, why), ()
    if source.kind == "url":
        return _direct(package, targets, why), ()
    named = [filename for filename, _ in package.files]
    missing: list[Target] = []
    if options.targets:
        _, missing_targets = wheels.choose(
            named,
            targets,
            filename=str,
            wheels=binary.allows_wheels(package.name),
            sdists=binary.allows_sdists(package.name),
        )
        missing = list(missing_targets) if named else []
        targets = tuple(t for t in targets if t not in missing)
    said = [
        Warning(f"{package.name} {package.version} has no file for {target}", package.where)
        for target in missing
    ]
    if options.targets and not targets:
        return None, said
    return _release(package, targets, binary, why), said


def _release(
    package: Package, targets: tuple[Target, ...], binary: wheels.Binary, why: tuple[str, ...]
) -> PoetryRelease:
    source = package.source
    origin = repository(source.reference, source.url) if source.kind else PYPI
    return PoetryRelease(
        name=package.name,
        version=package.version,
        purl=purl(package.name, package.version),
        url=None,
        integrity=Integrity.of(digest for _, digest in package.files),
        where=package.where,
        why=why,
        indexes=(origin.base,),
        targets=targets,
        binary=binary,
        filenames=package.files,
        repository=origin,
    )


def _direct(package: Package, targets: tuple[Target, ...], why: tuple[str, ...]) -> PoetryFile:
    url = package.source.url
    try:
        filename = filename_of(url)
        valid = urlsplit(url).scheme in ("http", "https") and bool(urlsplit(url).hostname)
    except ValueError:
        filename, valid = "", False
    if not valid:
        raise LockfileError(f"not an address: {redact_url(url)}", where=package.where)
    check_filename(filename, package.where)
    pinned = [digest for name, digest in package.files if name == filename]
    download_url = quote(redact_url(url), safe="")
    return PoetryFile(
        name=package.name,
        version=package.version,
        purl=f"{purl(package.name, package.version)}?download_url={download_url}",
        url=url,
        integrity=Integrity.of(pinned or (digest for _, digest in package.files)),
        where=package.where,
        why=why,
        filename=filename,
        built_for=() if wheels.is_wheel(filename) else targets,
    )


def _commit(package: Package, targets: tuple[Target, ...], why: tuple[str, ...]) -> PoetryCommit:
    source = package.source
    remote = source.url
    address = remote
    if _SCP.fullmatch(remote):
        host, _, path = remote.partition(":")
        address = f"ssh://{host}/{path}"
    vcs_url = quote(f"git+{without_userinfo(address)}@{source.commit}", safe="")
    return PoetryCommit(
        name=package.name,
        version=package.version,
        purl=f"{purl(package.name, package.version)}?vcs_url={vcs_url}",
        url=commit_address(address, source.commit),
        integrity=commit_integrity(source.commit, package.where),
        where=package.where,
        why=why,
        remote=remote,
        subdirectory=source.subdirectory,
        built_for=targets,
    )


def submodule(parent: PoetryCommit, path: str, url: str, commit: str) -> PoetryCommit:
    """The artifact for a submodule of a commit."""
    where = f"{parent.where} ({parent.name}, submodule {path})"
    vcs_url = quote(f"git+{without_userinfo(url)}@{commit}", safe="")
    return PoetryCommit(
        name=parent.name,
        version=parent.version,
        purl=f"{purl(parent.name, parent.version)}?vcs_url={vcs_url}",
        url=commit_address(url, commit),
        integrity=commit_integrity(commit, where),
        where=where,
        why=parent.why,
        remote=url,
        subdirectory="",
        built_for=(),
    )
