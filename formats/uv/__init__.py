"""uv 0.6 to 0.13: uv.lock (and a script's lock) and the cache `uv sync` installs from.

`lockfile` reads the text, `settings` uv's configuration, `choose` walks the lockfile for the
targets, `builds` finds what sources are built with, `cache` knows the byte formats, `layout`
draws and writes the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from vendorpack.formats._shared.git.repository import derive_commit
from vendorpack.formats._shared.git.submodule_sources import ALLOWED_PROTOCOLS, new_submodules
from vendorpack.formats._shared.python.builds.choices import (
    OPTIONS,
    build_choices,
)
from vendorpack.formats._shared.python.builds.wheels import (
    BuildingLockfile,
    build_wheels,
    further,
    side_files,
)
from vendorpack.formats._shared.python.local_projects import folders_in
from vendorpack.formats._shared.python.pythons import (
    AskedPython,
    asked_python,
    said_of_pythons,
    with_pythons,
)
from vendorpack.formats.uv import layout as cache_tree
from vendorpack.formats.uv.builds import BuildRequirement, material_of
from vendorpack.formats.uv.choose import UvArtifact, choose, submodule
from vendorpack.formats.uv.lockfile import parse_uv_lock
from vendorpack.formats.uv.settings import cache_root, load_settings
from vendorpack.model import (
    Artifact,
    Brought,
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
    Variable,
    Workshop,
)

_PYTHON: Final = re.compile(rb"(?m)^requires-python\s*=\s*[\"']([^\"'\n]*)")
"""Which versions the lockfile was made for."""


class Uv(Format):
    """uv."""

    name = "uv"
    title = "uv"
    layout_version = 4
    command = "uv sync --frozen --offline"
    opens_artifacts = True
    options = OPTIONS

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read uv.lock; see `Format.read`."""
        lock = parse_uv_lock(project)
        settings = load_settings(project)
        asked = _python(project)
        given, options = options, with_pythons(options, asked)
        builds = build_choices(self.name, options, asked)
        artifacts, warnings = choose(lock, options, settings, project.where())
        return BuildingLockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=artifacts,
            access=settings.access(project.host.environ),
            warnings=(*warnings, *said_of_pythons(given, asked, project.where())),
            build=builds,
            plan=builds.plan(
                project,
                settings.searched,
                lock.build_constraints,
                own_indexes=settings.pinned,
                newest_of_all=settings.newest_of_all,
                extra_of=settings.extra_builds,
            ),
            local=builds.local(project, folders_in(project.lock_bytes())),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets with their Python, groups, and the settings that choose."""
        settings = load_settings(project)
        asked = _python(project)
        options = with_pythons(options, asked)
        builds = build_choices(self.name, options, asked)
        local = builds.local(project, folders_in(project.lock_bytes()))
        return {
            "targets": [*sorted({str(target) for target in options.targets})],
            "dev": options.dev,
            "groups": [*sorted(set(options.groups))],
            "default-groups": [*settings.default_groups],
            "no-binary": settings.no_binary or [*sorted(settings.no_binary_packages)],
            "build-indexes": [*settings.searched],
            "own-indexes": dict(sorted(settings.pinned.items())),
            "newest-of-all": settings.newest_of_all,
            "extra-builds": {n: [*texts] for n, texts in sorted(settings.extra_builds.items())},
            **builds.fingerprint(project, local),
        }

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """The wheels that sources and the project are built with, submodules, crates' lockfiles."""
        wheels = await build_wheels(lockfile, packed, workshop, index, material_of)
        return [
            *(wheel.artifact(BuildRequirement) for wheel in wheels),
            *new_submodules(packed, _commit, submodule, workshop),
            *further(lockfile, packed, workshop, material_of, self.name),
        ]

    def side_files(
        self, project: Project, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop
    ) -> Mapping[str, bytes]:
        """Files to write beside the lockfile after a pack: the build lock, if asked for."""
        return side_files(project, lockfile, packed, workshop, material_of)

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The id of a git artifact's commit."""
        return derive_commit(artifact, path)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The cache's tree; see `vendorpack.formats.uv.layout`."""
        return cache_tree.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The cache, no network, and where to find what source builds need."""
        variables = [
            Variable("UV_CACHE_DIR", cache_tree.CACHE, is_path=True),
            Variable("UV_OFFLINE", "1"),
        ]
        if any(isinstance(one.artifact, BuildRequirement) for one in packed):
            variables.append(Variable("UV_FIND_LINKS", cache_tree.BUILD_WHEELS, is_path=True))
        sources = cache_tree.git_sources(packed)
        if sources:
            variables.append(ALLOWED_PROTOCOLS)
        return Environment(tuple(sorted(variables)), sources)

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """uv's own cache folder."""
        return {cache_tree.CACHE: cache_root(host)}


def _commit(artifact: Artifact) -> tuple[UvArtifact, str] | None:
    if isinstance(artifact, UvArtifact) and not artifact.filename:
        return artifact, artifact.asked
    return None


def _python(project: Project) -> AskedPython:
    return asked_python(project, _PYTHON)


FORMAT = Uv()
