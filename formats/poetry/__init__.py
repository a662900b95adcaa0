"""Poetry 1.8 to 2.5: poetry.lock (1.0 to 2.1) and the cache `poetry install` works from.

`lockfile` reads the text, `settings` pyproject.toml, poetry.toml and the credentials, `choose`
finds what the targets need, `sources` the files on the index and what sources are built with,
`layout` draws and writes the cache.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from vendorpack.demands import Client, Contents, Demand
from vendorpack.formats._shared.git.repository import derive_commit
from vendorpack.formats._shared.git.submodule_sources import ALLOWED_PROTOCOLS
from vendorpack.formats._shared.python import license as licenses
from vendorpack.formats._shared.python import playwright
from vendorpack.formats._shared.python.builds.choices import (
    OPTIONS,
    build_choices,
)
from vendorpack.formats._shared.python.builds.resolver import one_by_one
from vendorpack.formats._shared.python.builds.wheels import further, side_files
from vendorpack.formats._shared.python.demands import python_demands
from vendorpack.formats._shared.python.groups import warn_of_unknown
from vendorpack.formats._shared.python.local_projects import folders_in
from vendorpack.formats._shared.python.pythons import (
    AskedPython,
    asked_python,
    said_of_pythons,
    with_pythons,
)
from vendorpack.formats._shared.python.requests import explain_output, explain_request
from vendorpack.formats.poetry import layout as cache_tree
from vendorpack.formats.poetry.choose import PoetryCommit, PoetryFile, choose, group_names
from vendorpack.formats.poetry.lockfile import parse_poetry_lock
from vendorpack.formats.poetry.settings import Settings, cache_root, load_settings
from vendorpack.formats.poetry.sources import (
    PoetryLockfile,
    build_artifacts,
    locate,
    material_of,
    submodules,
)
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
)
from vendorpack.project import Host, Project
from vendorpack.room import Format, Index, Workshop

_PYTHON: Final = re.compile(
    rb"(?m)^\[metadata\]\r?(?:\n(?!\[)[^\n]*)*?\npython-versions\s*=\s*[\"']([^\"'\n]*)"
)
"""Which versions the lockfile was made for."""


class Poetry(Format):
    """Poetry."""

    name = "poetry"
    title = "Poetry"
    layout_version = 5
    command = "poetry install"
    options = OPTIONS

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read poetry.lock; see `Format.read`."""
        lock = parse_poetry_lock(project)
        settings = load_settings(project)
        asked = _python(project)
        given, options = options, with_pythons(options, asked)
        builds = build_choices(self.name, options, asked)
        local = builds.local(project, _folders(project, settings))
        artifacts, graph, warnings = choose(lock, options, settings, local)
        unknown = warn_of_unknown(group_names(lock, settings), options, project.where())
        return PoetryLockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=artifacts,
            graph=graph,
            access=settings.access(),
            warnings=(*unknown, *warnings, *said_of_pythons(given, asked, project.where())),
            repositories=settings.repositories,
            build=builds,
            local=local,
            plan=builds.plan(
                project,
                one_by_one(r.base for r in settings.repositories),
                stricter_than=self.title if settings.has_equals else "",
                fallbacks=settings.fallbacks,
            ),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets with their Python, groups, and what pyproject.toml says of them."""
        settings = load_settings(project)
        asked = _python(project)
        options = with_pythons(options, asked)
        builds = build_choices(self.name, options, asked)
        roots: dict[str, Json] = {g: [*names] for g, names in (settings.roots or {}).items()}
        return {
            "targets": [*sorted({str(target) for target in options.targets})],
            "dev": options.dev,
            "groups": [*sorted(set(options.groups))],
            "optional-groups": [*settings.optional_groups],
            "roots": roots,
            "repositories": [[r.name, r.url] for r in settings.repositories],
            "no-binary": [*sorted(settings.binary.none)],
            "only-binary": [*sorted(settings.binary.only)],
            **({"fallbacks": [*sorted(settings.fallbacks)]} if settings.fallbacks else {}),
            **builds.fingerprint(project, builds.local(project, _folders(project, settings))),
        }

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Never: an index is asked for addresses, its hashes are no lock."""
        return False

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the indexes for the files' addresses."""
        return await locate(lockfile, index)

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """The wheels that sources are built with, submodules, and lockfiles of crates."""
        wheels = await build_artifacts(lockfile, packed, workshop, index)
        return [
            *wheels,
            *submodules(packed, workshop),
            *further(lockfile, packed, workshop, material_of, self.name),
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
        if isinstance(artifact, PoetryCommit):
            return licenses.of_commit(artifact, artifact.subdirectory)
        return licenses.of_file(artifact.filename) if isinstance(artifact, PoetryFile) else None

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The id of a git artifact's commit."""
        return derive_commit(artifact, path)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The cache's tree; see `vendorpack.formats.poetry.layout`."""
        return cache_tree.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The cache, and the git client if there are commits."""
        variables = [Variable("POETRY_CACHE_DIR", cache_tree.CACHE, is_path=True)]
        if any(isinstance(one.artifact, PoetryCommit) for one in packed):
            variables += [
                ALLOWED_PROTOCOLS,
                Variable("POETRY_EXPERIMENTAL_SYSTEM_GIT_CLIENT", "true"),  # before 2.0
                Variable("POETRY_SYSTEM_GIT_CLIENT", "true"),
            ]
        return Environment(tuple(sorted(variables)), cache_tree.git_sources(packed))

    def explain_request(self, url: str) -> str | None:
        """Name what was asked for, if this client asks for it."""
        return explain_request(url, self.name)

    def explain_output(self, text: str) -> Sequence[Lack]:
        """Find what it lacks in the client's words."""
        return explain_output(text, self.name)

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """Poetry 2, Python, and what its packages need."""
        client = Client(
            ("poetry",),
            (("2", ""),),
            why="older ones have another cache",
            seen="2.0, 2.5",
            otherwise="Install Poetry 2.",
        )
        return (client, *python_demands(contents))

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """Poetry's own cache folder."""
        return {cache_tree.CACHE: cache_root(host)}


def _folders(project: Project, settings: Settings) -> Iterator[str]:
    """Where projects lie that Poetry may build."""
    yield from folders_in(project.lock_bytes())
    if settings.has_build_script:
        yield "."


def _python(project: Project) -> AskedPython:
    return asked_python(project, _PYTHON)


FORMAT = Poetry()
