"""What the rooms that fill the wheelhouse have in common: pip, pipenv and pdm.

They differ in the lock they read; from the pinned releases on they are one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from vendorpack.errors import UsageError
from vendorpack.formats._shared import build_deps, wheelhouse
from vendorpack.formats._shared.build_deps import BuildPlan, Source
from vendorpack.formats._shared.build_lock import BuildLock, parse_build_lock, render_build_lock
from vendorpack.formats._shared.distributions import (
    CACHE,
    OLD_CACHE,
    Distribution,
    GitProject,
    locate,
)
from vendorpack.formats._shared.git_repo import DIGEST, derive_commit
from vendorpack.formats._shared.markers import RUNTIME, with_python
from vendorpack.formats._shared.pypi_index import normalize, purl
from vendorpack.formats._shared.wheels import Binary
from vendorpack.model import (
    Artifact,
    Entry,
    Environment,
    Format,
    Host,
    Index,
    Json,
    Lockfile,
    Options,
    Packed,
    Project,
    Target,
    Warning,
    Workshop,
)
from vendorpack.target import this_machine, this_python

_BUILD_LOCK: Final = "build-lock"
COMMON_OPTIONS: Final[Mapping[str, str]] = {
    "only-binary": "Names (or :all:) that are taken as wheels only, parted by commas",
    "no-binary": "Names (or :all:) that are taken as sdists only, parted by commas",
    "build-deps": "no: leave out what sdists are built with",
    "extra-build-requires": "Requirements that builds ask for beside the ones written down, "
    "parted by white space",
    _BUILD_LOCK: "File beside the lockfile that records what sdists are built with",
    "old-cache": "yes: also write the HTTP cache of pip before 23.3 (direct URLs only)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonLock(Lockfile):
    """A lockfile, and what its sources are built with.

    targets: those asked for, each with a Python; empty means all.
    plan: None if build dependencies are left out.
    """

    targets: tuple[Target, ...]
    plan: BuildPlan | None


@dataclass(frozen=True, slots=True)
class Choices:
    """The options that all these rooms have, read."""

    targets: tuple[Target, ...]
    only_binary: frozenset[str]
    no_binary: frozenset[str]
    build_deps: bool
    extra_build_requires: tuple[str, ...]
    build_lock: str | None
    old_cache: bool

    def binary(self, only: Iterable[str] = (), none: Iterable[str] = ()) -> Binary:
        """Together with what the lockfile itself says."""

        return Binary(self.only_binary | frozenset(only), self.no_binary | frozenset(none))

    @property
    def places_of_urls(self) -> tuple[str, ...]:
        """Where files go that the client asks for by their address."""

        return (CACHE, OLD_CACHE) if self.old_cache else (CACHE,)

    @property
    def build_targets(self) -> tuple[Target, ...]:
        """What sources are built on: this machine if no target was named."""
        return self.targets or (with_python(this_machine()),)


class WheelhouseFormat(Format):
    """A room whose client installs from the wheelhouse; the lock is the subclass's own matter."""

    options: Mapping[str, str] = COMMON_OPTIONS

    def choices(self, options: Options) -> Choices:
        """Read this room's options. Raises `UsageError`."""

        def get(name: str) -> str:
            return options.extra.get(f"{self.name}-{name}", "")

        def switch(name: str, default: bool) -> bool:
            text = get(name).lower()
            if text not in ("", "yes", "no"):
                raise UsageError(f"{self.name}-{name} is yes or no, not {text!r}")
            return text == "yes" if text else default

        return Choices(
            targets=tuple(dict.fromkeys(map(with_python, options.targets))),
            only_binary=frozenset(names(get("only-binary"))),
            no_binary=frozenset(names(get("no-binary"))),
            build_deps=switch("build-deps", True),
            extra_build_requires=tuple(get("extra-build-requires").split()),
            build_lock=get(_BUILD_LOCK) or None,
            old_cache=switch("old-cache", False),
        )

    def fingerprint_of(
        self, project: Project, choices: Choices, indexes: Sequence[str]
    ) -> dict[str, Json]:
        """What decides the content in all these rooms."""
        lock = project.read(choices.build_lock) if choices.build_lock else None
        return {
            "targets": [*sorted(map(str, choices.targets))],
            "build-targets": [*sorted(map(str, choices.build_targets))],
            "indexes": [*indexes],
            "only-binary": [*sorted(choices.only_binary)],
            "no-binary": [*sorted(choices.no_binary)],
            "build-deps": choices.build_deps,
            "extra-build-requires": [*choices.extra_build_requires],
            _BUILD_LOCK: sha256_of(lock) if lock is not None else None,
            "old-cache": choices.old_cache,
        }

    def locked(
        self,
        project: Project,
        options: Options,
        choices: Choices,
        indexes: tuple[str, ...],
        artifacts: Sequence[Artifact],
        **rest: Any,
    ) -> PythonLock:
        """What `read` answers. `rest`: `access` and `warnings`."""
        warnings = [*rest.pop("warnings", ())]
        for target in options.targets:
            if target.runtime(RUNTIME) is None:
                chosen = this_python()[1]
                warnings.append(
                    Warning(
                        f"the target {target} names no Python; {chosen}, which runs here, is "
                        f"taken (write {target}-py{chosen})",
                        project.where(),
                    )
                )
        return PythonLock(
            path=str(project.lockfile),
            format=self.name,
            artifacts=tuple(dict.fromkeys(artifacts)),
            warnings=tuple(warnings),
            targets=choices.targets,
            plan=self._plan(project, choices, indexes) if choices.build_deps else None,
            **rest,
        )

    def _plan(self, project: Project, choices: Choices, indexes: tuple[str, ...]) -> BuildPlan:

        path = choices.build_lock
        data = project.read(path) if path else None
        shown = str(project.lockfile.parent / (path or ""))
        lock = BuildLock() if data is None else parse_build_lock(data, shown)
        return BuildPlan(indexes, choices.extra_build_requires, lock, path, shown)

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the indexes for the files of the pinned releases."""

        artifacts, warnings = await locate(lockfile.artifacts, index)
        return replace(lockfile, artifacts=artifacts, warnings=(*lockfile.warnings, *warnings))

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Artifact]:
        """The wheels that the packed sources are built with."""

        assert isinstance(lockfile, PythonLock)
        if lockfile.plan is None or any(build_deps.WHY in one.artifact.why for one in packed):
            return ()  # built with wheels, which need no building: nothing new comes to light
        wheels = await build_deps.find_build_wheels(
            sources_of(lockfile, packed), lockfile.plan, workshop, index
        )
        return [
            Distribution(
                name=wheel.name,
                version=wheel.version,
                purl=purl(wheel.name, wheel.version),
                url=wheel.url,
                integrity=wheel.integrity,
                size=wheel.size,
                trust=wheel.trust,
                why=wheel.why,
                where=wheel.where,
                filename=wheel.filename,
            )
            for wheel in wheels
        ]

    def side_files(
        self, project: Project, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop
    ) -> Mapping[str, bytes]:
        """Files to write beside the lockfile after a pack: the build lock, if it was asked for.

        Names relative to the lockfile's folder. The same pack again gives the same bytes.
        """

        assert isinstance(lockfile, PythonLock)
        path = lockfile.plan.lock_file if lockfile.plan is not None else None
        if lockfile.plan is None or path is None:
            return {}
        found = build_deps.describe_builds(
            sources_of(lockfile, packed),
            [
                (one.artifact.filename, one.artifact, one.blob)
                for one in packed
                if isinstance(one.artifact, Distribution)
            ],
            build_targets(lockfile),
            lockfile.plan,
            workshop,
        )
        return {path: render_build_lock(found, project.read(path))}

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The commit of a git artifact."""

        if algorithm != DIGEST:
            return super().derive(artifact, algorithm, path)
        return derive_commit(artifact, path)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The wheelhouse; see `vendorpack.formats._shared.wheelhouse`."""

        return wheelhouse.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """No index, and the wheelhouse in its place."""

        return wheelhouse.environment(packed)

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """A folder among the user's caches, and pip's own cache."""

        return wheelhouse.native_roots(host)


def build_targets(lockfile: PythonLock) -> tuple[Target, ...]:
    """What the lockfile's sources are built on: this machine if no target was named."""
    return lockfile.targets or (with_python(this_machine()),)


def sources_of(lockfile: PythonLock, packed: Sequence[Packed]) -> list[Source]:
    """The packed artifacts of this lockfile that have to be built."""
    from vendorpack.formats._shared.build_deps import Source  # noqa: PLC0415 - see above

    mine = {(a.url, a.integrity) for a in lockfile.artifacts}
    sources = []
    for one in packed:
        artifact = one.artifact
        if (artifact.url, artifact.integrity) not in mine:
            continue
        if isinstance(artifact, GitProject):
            filename, pin = "", artifact.commit
        elif isinstance(artifact, Distribution) and artifact.is_source:
            filename, pin = artifact.filename, one.blob.sha256
        else:
            continue
        targets = artifact.built_for or build_targets(lockfile)
        sources.append(Source(artifact, one.blob, filename, pin, targets, artifact.subdirectory))
    return sources


def names(text: str) -> Iterator[str]:
    """Normalised names of `--only-binary`, `--no-binary`; `:all:` stays, `:none:` is none."""
    for name in text.split(","):
        if name.strip() and name.strip() != ":none:":
            yield name.strip() if name.strip() == ":all:" else normalize(name.strip())


def sha256_of(data: bytes) -> str:
    """As the key hashes lockfiles: with CRLF folded to LF."""
    return hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()
