"""From a lockfile to artifacts: what `uv sync` and `uv run` may install on the targets.

The walk starts at every member of the workspace (and at what the workspace's root or a script
asks for itself), along `dependencies`, the groups that are in by default or asked for by name,
and the extras asked for. Markers are judged for each target. Where uv forks a resolution by
extras and groups that exclude each other, its markers mention them as `extra == '…'`; those
are taken as true, so a file may come too many but never one too few.

Of each package a target gets the wheels its interpreter may prefer, else the source
distribution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.git.repository import commit_address, commit_integrity
from vendorpack.formats._shared.python import wheels
from vendorpack.formats._shared.python.groups import is_asked_for, warn_of_unknown
from vendorpack.formats._shared.python.index import (
    DEFAULT_INDEX,
    check_filename,
    check_name,
    purl,
    without_userinfo,
)
from vendorpack.formats._shared.python.local_projects import warn_of_outside
from vendorpack.formats._shared.python.markers import may_hold
from vendorpack.formats.uv.cache import canonical_url, digest
from vendorpack.formats.uv.lockfile import Dependency, File, Package, Source, UvLock
from vendorpack.formats.uv.settings import ALL, Settings
from vendorpack.model import Artifact, Graph, Options, Target, Warning
from vendorpack.redact import redact_url

_DEV: Final = "dev"
_NO_VERSION: Final = "0"
Reached = dict[int, tuple[set[str], list[Target]]]
"""Index of a package to the roots it is reached from and the targets it is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UvArtifact(Artifact):
    """A wheel, source distribution or commit, and where uv's cache has it.

    filename: of the file; empty for a commit.
    root: `pypi`, `index/<digest>` or `url/<digest>`: the folder below a bucket; empty for a
        commit.
    asked: the address as uv asks for it; of a commit, the repository's.
    built_for: if it is a source, the targets that build it; empty means all.
    subdirectory: where in a source the project lies.
    """

    filename: str
    root: str
    asked: str
    built_for: tuple[Target, ...] = ()
    subdirectory: str = ""

    @property
    def is_wheel(self) -> bool:
        """Whether it is a wheel."""
        return wheels.is_wheel(self.filename)

    @property
    def is_sdist(self) -> bool:
        """Whether it is a source distribution's archive."""
        return bool(self.filename) and not self.is_wheel


def choose(
    lock: UvLock, options: Options, settings: Settings, where: str
) -> tuple[tuple[UvArtifact, ...], Graph, tuple[Warning, ...]]:
    """The artifacts for the targets, sorted, each once; who asks for whom there, and warnings.

    Raises `LockfileError`, `UnsupportedError`, `UsageError`.
    """
    roots = tuple(_roots(lock, options, settings))
    warnings = [*warn_of_unknown(_names(lock), options, where)]
    artifacts: dict[tuple[str, str, str], UvArtifact] = {}
    names = _ByName(lock.packages)
    purls: dict[int, set[str]] = {}
    for number, (labels, targets) in sorted(_reach(names, roots, options.targets).items()):
        package = lock.packages[number]
        if package.source.is_local:
            warnings += warn_of_outside(package.name, package.source.location, package.where)
            continue
        found, missing = _artifacts(package, targets, settings, _why(labels))
        warnings += (
            Warning(f"{package.name} {package.version} has no file for {target}", package.where)
            for target in missing
        )
        for artifact in found:
            artifacts[artifact.name, artifact.version, artifact.url or ""] = artifact
            purls.setdefault(number, set()).add(artifact.purl)
    chosen = tuple(artifacts[key] for key in sorted(artifacts))
    return chosen, _graph(lock, names, purls, options.targets), tuple(dict.fromkeys(warnings))


# -- the walk ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Root:
    """Where a walk begins. `label`: empty for what is always installed."""

    label: str
    dependencies: tuple[Dependency, ...]
    where: str


def _roots(lock: UvLock, options: Options, settings: Settings) -> Iterator[_Root]:
    members = set(lock.members)
    own = [
        package
        for package in lock.packages
        if (package.name in members if members else package.source.is_local)
    ]
    yield _Root("", lock.requirements, "")
    for package in own:
        yield _Root("", package.dependencies, package.where)
        for extra, dependencies in package.extras.items():
            if is_asked_for(extra, options):
                yield _Root(f"extra {extra}", dependencies, package.where)
    for groups, where in [(lock.groups, ""), *((p.groups, p.where) for p in own)]:
        for group, dependencies in groups.items():
            by_default = options.dev and (
                group in settings.default_groups or settings.default_groups == (ALL,)
            )
            if by_default or is_asked_for(group, options):
                label = _DEV if by_default else f"group {group}"
                yield _Root(label, dependencies, where)


def _names(lock: UvLock) -> Iterator[str]:
    yield from lock.groups
    for package in lock.packages:
        yield from (*package.groups, *package.extras)


def _reach(names: _ByName, roots: Sequence[_Root], targets: Sequence[Target]) -> Reached:
    """All packages that are reached. No targets: regardless of markers."""
    reached: Reached = {}
    for target in targets or (None,):
        for root in roots:
            for number in _walk(root, names, target):
                labels, its_targets = reached.setdefault(number, (set(), []))
                labels.add(root.label)
                if target is not None and target not in its_targets:
                    its_targets.append(target)
    return reached


def _walk(root: _Root, names: _ByName, target: Target | None) -> set[int]:
    seen: set[tuple[int, str]] = set()
    queue = [(dependency, root.where) for dependency in root.dependencies]
    while queue:
        dependency, where = queue.pop()
        if target is not None and not may_hold(dependency.marker, target, where):
            continue
        for number in names.find(dependency, where):
            package = names.packages[number]
            for extra in ("", *dependency.extras):
                if (number, extra) not in seen:
                    seen.add((number, extra))
                    below = package.extras.get(extra, ()) if extra else package.dependencies
                    queue += [(d, package.where) for d in below]
    return {number for number, _ in seen}


class _ByName:
    """Finds the packages that an edge may mean."""

    def __init__(self, packages: Sequence[Package]) -> None:
        self.packages = packages
        self._numbers: dict[str, list[int]] = {}
        for number, package in enumerate(packages):
            self._numbers.setdefault(package.name, []).append(number)

    def known(self, dependency: Dependency) -> list[int]:
        return [
            number
            for number in self._numbers.get(dependency.name, ())
            if dependency.version in (None, self.packages[number].version)
            and dependency.source in (None, self.packages[number].source)
        ]

    def find(self, dependency: Dependency, where: str) -> Iterable[int]:
        numbers = self.known(dependency)
        if not numbers:
            raise LockfileError(
                f"{dependency.name[:100]!r} is needed but not in the lockfile",
                where=where or None,
                fix="Let uv write the lockfile anew: uv lock.",
            )
        return numbers


def _graph(
    lock: UvLock, names: _ByName, purls: Mapping[int, set[str]], targets: Sequence[Target]
) -> Graph:
    """Of extras, uv locks the dependencies only where somebody asks for them."""

    def asked(lists: Iterable[Iterable[Dependency]], where: str) -> list[int]:
        return [
            number
            for dependencies in lists
            for one in dependencies
            if not targets or any(may_hold(one.marker, target, where) for target in targets)
            for number in names.known(one)
        ]

    edges = {
        number: asked((package.dependencies, *package.extras.values()), package.where)
        for number, package in enumerate(lock.packages)
        if number in purls
    }
    own = [number for number, package in enumerate(lock.packages) if package.source.is_local]
    for number in own:
        package = lock.packages[number]
        lists = (package.dependencies, *package.extras.values(), *package.groups.values())
        edges[number] = asked(lists, package.where)
    root = len(lock.packages)
    edges[root] = asked((lock.requirements, *lock.groups.values()), "")
    return Graph.of(edges, purls, (*own, root))


# -- files ---------------------------------------------------------------------------------


def _artifacts(
    package: Package, targets: Sequence[Target], settings: Settings, why: tuple[str, ...]
) -> tuple[tuple[UvArtifact, ...], tuple[Target, ...]]:
    """The artifacts of a package, and the targets that there is none for."""
    name = check_name(package.name, package.where)
    if package.source.kind == "git":
        return (_commit(package, name, targets, why),), ()
    files = [*package.wheels, *([package.sdist] if package.sdist is not None else [])]
    taken, missing = wheels.choose(
        files,
        targets,
        filename=lambda file: file.filename,
        wheels=settings.allows_wheels(name),
    )
    if not targets and any(wheels.is_wheel(file.filename) for file in taken):
        # Of all platforms those are meant that there is a wheel for.
        taken = tuple(file for file in taken if wheels.is_wheel(file.filename))
    usable = [file.filename for file in taken]
    builders = tuple(t for t in targets if wheels.has_to_build(usable, t))
    return tuple(_archive(package, name, file, builders, why) for file in taken), missing


def _archive(
    package: Package, name: str, file: File, builders: tuple[Target, ...], why: tuple[str, ...]
) -> UvArtifact:
    check_filename(file.filename, package.where)
    source = package.source
    version = package.version or _NO_VERSION
    package_url = purl(name, version)
    asked = file.url
    if source.kind == "url":
        if source.subdirectory:
            asked += f"#subdirectory={source.subdirectory}"
        root = f"url/{digest(canonical_url(asked))}"
        package_url += f"?download_url={quote(redact_url(file.url), safe='')}"
    else:
        root = _index_root(source)
    return UvArtifact(
        name=name,
        version=version,
        purl=package_url,
        url=file.url,
        integrity=file.integrity,
        size=file.size,
        where=package.where,
        why=why,
        filename=file.filename,
        root=root,
        asked=asked,
        built_for=() if wheels.is_wheel(file.filename) else builders,
        subdirectory=source.subdirectory,
    )


def _index_root(source: Source) -> str:
    if source.location.rstrip("/") == DEFAULT_INDEX.rstrip("/"):
        return "pypi"
    return f"index/{digest(canonical_url(source.location))}"


def _commit(
    package: Package, name: str, targets: Sequence[Target], why: tuple[str, ...]
) -> UvArtifact:
    source = package.source
    version = package.version or _NO_VERSION
    url = without_userinfo(source.location)
    vcs_url = quote(f"git+{url}@{source.commit}", safe="")
    return UvArtifact(
        name=name,
        version=version,
        purl=f"{purl(name, version)}?vcs_url={vcs_url}",
        url=commit_address(source.location, source.commit, source.ref or None),
        integrity=commit_integrity(source.commit, package.where),
        where=package.where,
        why=why,
        filename="",
        root="",
        asked=source.location,
        built_for=tuple(targets),
        subdirectory=source.subdirectory,
    )


def submodule(parent: UvArtifact, path: str, url: str, commit: str) -> UvArtifact:
    """The artifact for a submodule of a commit."""
    where = f"{parent.where} ({parent.name}, submodule {path})"
    vcs_url = quote(f"git+{without_userinfo(url)}@{commit}", safe="")
    return UvArtifact(
        name=parent.name,
        version=parent.version,
        purl=f"{purl(parent.name, parent.version)}?vcs_url={vcs_url}",
        url=commit_address(url, commit),
        integrity=commit_integrity(commit, where),
        where=where,
        why=parent.why,
        filename="",
        root="",
        asked=url,
    )


def _why(labels: set[str]) -> tuple[str, ...]:
    return () if "" in labels else tuple(sorted(labels))
