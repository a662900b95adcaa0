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

from vendorpack.demands import Client, Contents, Demand, Trap
from vendorpack.formats._shared.git.repository import derive_commit
from vendorpack.formats._shared.git.submodule_sources import ALLOWED_PROTOCOLS, new_submodules
from vendorpack.formats._shared.python import license as licenses
from vendorpack.formats._shared.python import playwright
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
from vendorpack.formats._shared.python.demands import python_demands
from vendorpack.formats._shared.python.local_projects import folders_in
from vendorpack.formats._shared.python.pythons import (
    AskedPython,
    asked_python,
    said_of_pythons,
    with_pythons,
)
from vendorpack.formats._shared.python.requests import explain_output, explain_request
from vendorpack.formats.uv import layout as cache_tree
from vendorpack.formats.uv.archives import opening_of
from vendorpack.formats.uv.builds import BuildRequirement, material_of
from vendorpack.formats.uv.cache import READERS
from vendorpack.formats.uv.choose import UvArtifact, choose, submodule
from vendorpack.formats.uv.lockfile import parse_uv_lock
from vendorpack.formats.uv.settings import cache_root, load_settings
from vendorpack.model import (
    Artifact,
    Brought,
    Entry,
    Environment,
    Json,
    Lack,
    LicenseReader,
    Lockfile,
    Need,
    Options,
    Packed,
    Variable,
    Warning,
)
from vendorpack.project import Host, Project
from vendorpack.room import Format, Index, Keep, Workshop

_PYTHON: Final = re.compile(rb"(?m)^requires-python\s*=\s*[\"']([^\"'\n]*)")
"""Which versions the lockfile was made for."""


class Uv(Format):
    """uv."""

    name = "uv"
    title = "uv"
    layout_version = 5
    command = "uv sync --frozen --offline"
    opens_artifacts = True
    prepares = True
    options = OPTIONS

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read uv.lock; see `Format.read`."""
        lock = parse_uv_lock(project)
        settings = load_settings(project)
        asked = _python(project)
        given, options = options, with_pythons(options, asked)
        builds = build_choices(self.name, options, asked)
        artifacts, graph, warnings = choose(lock, options, settings, project.where())
        return BuildingLockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=artifacts,
            graph=graph,
            access=settings.access(project.host.environ),
            warnings=(*warnings, *said_of_pythons(given, asked, project.where())),
            build=builds,
            plan=builds.plan(
                project,
                settings.tiers,
                lock.build_constraints,
                own_indexes=settings.pinned,
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
        assert isinstance(lockfile, BuildingLockfile)
        return [
            *(wheel.artifact(BuildRequirement) for wheel in wheels),
            *new_submodules(packed, _commit, submodule, workshop),
            *further(lockfile, packed, workshop, material_of, self.name),
            *_pinned(lockfile, packed),
        ]

    def side_files(
        self, project: Project, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop
    ) -> Mapping[str, bytes]:
        """Files to write beside the lockfile after a pack: the build lock, if asked for."""
        return side_files(project, lockfile, packed, workshop, material_of)

    def needs(
        self, project: Project, packed: Sequence[Packed], options: Options, workshop: Workshop
    ) -> Sequence[Need]:
        """Browsers of Playwright."""
        return playwright.needs(packed, options, workshop)

    def license(self, artifact: Artifact) -> LicenseReader | None:
        """What a distribution's metadata declare."""
        if isinstance(artifact, UvArtifact) and not artifact.filename:
            return licenses.of_commit(artifact, artifact.subdirectory)
        assert isinstance(artifact, UvArtifact | BuildRequirement)
        return licenses.of_file(artifact.filename)

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The id of a git artifact's commit."""
        return derive_commit(artifact, path)

    def prepare(
        self, artifact: Artifact, algorithms: Sequence[str], path: Path, keep: Keep
    ) -> Mapping[str, bytes]:
        """The files of wheels and source distributions."""
        opening = opening_of(artifact) if isinstance(artifact, UvArtifact) else None
        if opening is not None:
            with path.open("rb") as archive:
                opening.keep(archive, keep, str(artifact))
        return super().prepare(artifact, algorithms, path, keep)

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

    def explain_request(self, url: str) -> str | None:
        """Name what was asked for, if this client asks for it."""
        return explain_request(url, self.name)

    def explain_output(self, text: str) -> Sequence[Lack]:
        """Find what it lacks in the client's words."""
        return explain_output(text, self.name)

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """A uv that reads one of the caches, Python, and what its packages need."""
        kept = "uv then uses no cache but an empty one"
        client = Client(
            ("uv",),
            tuple(r for name, r in READERS.items() if contents.has(f"uv/{name}/")),
            why="other versions look under other folder names",
            seen="0.6, 0.8, 0.10, 0.12, 0.13",
            otherwise="Install a uv that reads it, or pack with a newer vendorpack.",
        )
        return (
            client,
            *python_demands(contents),
            Trap("uv.toml", r"^\s*no-cache\s*=\s*true", kept, "Take the line out of uv.toml."),
            Trap("", "^(1|true|yes|on|y|t)$", kept, "unset UV_NO_CACHE", name="UV_NO_CACHE"),
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """uv's own cache folder."""
        return {cache_tree.CACHE: cache_root(host)}


def _commit(artifact: Artifact) -> tuple[UvArtifact, str] | None:
    if isinstance(artifact, UvArtifact) and not artifact.filename:
        return artifact, artifact.asked
    return None


def _pinned(lockfile: BuildingLockfile, packed: Sequence[Packed]) -> Iterator[Warning]:
    """A word on build requirements that `[tool.uv.sources]` has an index for.

    uv asks that index, and nothing else, for them; what its cache would need of an index is bound
    to one release of uv.
    """
    own = lockfile.plan.own_indexes if lockfile.plan is not None else {}
    needed = {one.artifact.name for one in packed if isinstance(one.artifact, BuildRequirement)}
    names = sorted(needed & own.keys())
    if names:
        yield Warning(
            f"[tool.uv.sources] names the index of {', '.join(names)}, which a build needs: "
            f"offline, set UV_NO_SOURCES_PACKAGE={' '.join(names)} (uv 0.10 and newer)",
            lockfile.path,
        )


def _python(project: Project) -> AskedPython:
    return asked_python(project, _PYTHON)


FORMAT = Uv()
