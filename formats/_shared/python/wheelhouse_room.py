"""What the rooms that fill the wheelhouse have in common: pip, pipenv and pdm.

They differ in the lock they read; from the pinned releases on they are one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.demands import Client, Contents, Demand
from vendorpack.errors import UsageError
from vendorpack.formats._shared.git.repository import DIGEST, derive_commit
from vendorpack.formats._shared.git.submodule_sources import new_submodules
from vendorpack.formats._shared.python import (
    direct_references,
    local_projects,
    playwright,
    wheelhouse,
)
from vendorpack.formats._shared.python import license as licenses
from vendorpack.formats._shared.python.builds.choices import OPTIONS as BUILD_OPTIONS
from vendorpack.formats._shared.python.builds.choices import (
    BuildChoices,
    build_choices,
)
from vendorpack.formats._shared.python.builds.resolver import Narrow, Tiers, ask_all, one_by_one
from vendorpack.formats._shared.python.builds.wheels import (
    BuildingLockfile,
    Material,
    build_wheels,
    further,
    side_files,
)
from vendorpack.formats._shared.python.demands import no_binary, python_demands
from vendorpack.formats._shared.python.distributions import (
    CACHE,
    OLD_CACHE,
    Distribution,
    GitProject,
    locate,
)
from vendorpack.formats._shared.python.index import normalize
from vendorpack.formats._shared.python.local_projects import LocalProject
from vendorpack.formats._shared.python.pythons import (
    AskedPython,
    asked_python,
    said_of_pythons,
    with_pythons,
)
from vendorpack.formats._shared.python.requests import explain_output, explain_request
from vendorpack.formats._shared.python.wheels import Binary
from vendorpack.model import (
    Access,
    Artifact,
    Brought,
    Entry,
    Environment,
    Graph,
    Json,
    Lack,
    LicenseReader,
    Lockfile,
    Need,
    Options,
    Packed,
    Target,
    Warning,
)
from vendorpack.project import Host, Project
from vendorpack.room import Format, Index, Workshop

COMMON_OPTIONS: Final[Mapping[str, str]] = {
    "only-binary": "Names (or :all:) that are taken as wheels only, parted by commas",
    "no-binary": "Names (or :all:) that are taken as sdists only, parted by commas",
    "old-cache": "yes: also write the HTTP cache of pip before 23.3 (direct URLs only)",
    **BUILD_OPTIONS,
}


@dataclass(frozen=True, slots=True)
class Choices:
    """The options that all these rooms have, read."""

    targets: tuple[Target, ...]
    only_binary: frozenset[str]
    no_binary: frozenset[str]
    old_cache: bool
    build: BuildChoices

    def binary(self, only: Iterable[str] = (), none: Iterable[str] = ()) -> Binary:
        """Together with what the lockfile itself says."""
        return Binary(self.only_binary | frozenset(only), self.no_binary | frozenset(none))

    @property
    def places_of_urls(self) -> tuple[str, ...]:
        """Where files go that the client asks for by their address."""
        return (CACHE, OLD_CACHE) if self.old_cache else (CACHE,)


class WheelhouseFormat(Format):
    """A room whose client installs from the wheelhouse; the lock is the subclass's own matter."""

    options: Mapping[str, str] = COMMON_OPTIONS

    python: re.Pattern[bytes] | None = None
    """Finds which versions of Python a lock was made for: its group."""
    python_is_advice = False
    """Whether the client installs with another version too."""
    merges_indexes = True
    """Whether the client takes the newest of what all its indexes have."""

    def asked(self, project: Project) -> AskedPython:
        """What the project says of its Python."""
        return asked_python(project, self.python, is_advice=self.python_is_advice)

    def choices(self, project: Project, options: Options) -> Choices:
        """Read this room's options. Raises `UsageError`."""
        asked = self.asked(project)
        options = with_pythons(options, asked)

        def get(name: str) -> str:
            return options.extra.get(f"{self.name}-{name}", "")

        old_cache = get("old-cache")
        if old_cache not in ("", "yes", "no"):
            raise UsageError(f"{self.name}-old-cache is yes or no, not {old_cache!r}")
        return Choices(
            targets=options.targets,
            only_binary=frozenset(names(get("only-binary"))),
            no_binary=frozenset(names(get("no-binary"))),
            old_cache=old_cache == "yes",
            build=build_choices(self.name, options, asked),
        )

    def folders(self, project: Project) -> Iterable[str]:
        """Where the projects lie that the lock names by their folder."""
        return local_projects.folders_in(project.lock_bytes())

    def local(self, project: Project, choices: Choices) -> tuple[LocalProject, ...]:
        """The projects in folders that are built too."""
        return choices.build.local(project, self.folders(project))

    def fingerprint_of(
        self, project: Project, choices: Choices, indexes: Sequence[str]
    ) -> dict[str, Json]:
        """What decides the content in all these rooms."""
        return {
            "targets": [*sorted(map(str, choices.targets))],
            "indexes": [*indexes],
            "only-binary": [*sorted(choices.only_binary)],
            "no-binary": [*sorted(choices.no_binary)],
            "old-cache": choices.old_cache,
            **choices.build.fingerprint(project, self.local(project, choices)),
        }

    def locked(
        self,
        project: Project,
        options: Options,
        choices: Choices,
        indexes: tuple[str, ...],
        local: tuple[LocalProject, ...],
        artifacts: Sequence[Artifact],
        access: Access,
        warnings: Sequence[Warning],
        *,
        tiers_of: Mapping[str, Tiers] = MappingProxyType({}),
        narrow: Narrow = ask_all,
        graph: Graph | None = None,
    ) -> BuildingLockfile:
        """What `read` answers. indexes: where build dependencies come from.

        tiers_of, narrow: see `BuildPlan`.
        """
        said = [
            *said_of_pythons(options, self.asked(project), project.where()),
            *_said_of_plain_http(artifacts),
        ]
        return BuildingLockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=tuple(dict.fromkeys(artifacts)),
            graph=graph,
            access=access,
            warnings=tuple(dict.fromkeys((*warnings, *said))),
            build=choices.build,
            local=local,
            plan=choices.build.plan(
                project,
                one_by_one(indexes),
                tiers_of=tiers_of,
                narrow=narrow,
                stricter_than=self.title if self.merges_indexes else "",
            ),
        )

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Never: an index is asked for addresses, its hashes are no lock."""
        return False

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the indexes for the files of the pinned releases."""
        artifacts, warnings = await locate(lockfile.artifacts, index)
        return replace(lockfile, artifacts=artifacts, warnings=(*lockfile.warnings, *warnings))

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """The wheels that the packed sources are built with, submodules, crates' lockfiles."""
        wheels = await build_wheels(lockfile, packed, workshop, index, material_of)
        return [
            *(wheel.artifact(Distribution) for wheel in wheels),
            *new_submodules(packed, _commit, direct_references.submodule, workshop),
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
        if isinstance(artifact, GitProject):
            return licenses.of_commit(artifact, artifact.subdirectory)
        return licenses.of_file(artifact.filename) if isinstance(artifact, Distribution) else None

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The commit of a git artifact."""
        if algorithm != DIGEST:
            return super().derive(artifact, algorithm, path)
        return derive_commit(artifact, path)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The wheelhouse; see `vendorpack.formats._shared.python.wheelhouse`."""
        return wheelhouse.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """No index, and the wheelhouse in its place."""
        return wheelhouse.environment(packed)

    def explain_request(self, url: str) -> str | None:
        """Name what was asked for, if this client asks for it."""
        return explain_request(url, self.name)

    def explain_output(self, text: str) -> Sequence[Lack]:
        """Find what it lacks in the client's words."""
        return explain_output(text, self.name)

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """The client, Python, what its packages need, and nothing that asks for others."""
        client = Client((self.command.split()[0],), otherwise=f"Install {self.title}.")
        return (client, *python_demands(contents), *no_binary(contents))

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """A folder among the user's caches, and pip's own cache."""
        return wheelhouse.native_roots(host)


def _said_of_plain_http(artifacts: Iterable[Artifact]) -> Iterator[Warning]:
    """pip keeps in its cache what came by plain http only if the user trusts the host.

    A bundle does not say that in the user's place: it would hold for all that pip does there.
    """
    first: dict[str, Artifact] = {}
    for artifact in artifacts:
        parts = urlsplit(artifact.url or "")
        if isinstance(artifact, Distribution) and parts.scheme == "http":
            first.setdefault(parts.netloc, artifact)
    for host in sorted(first):
        yield Warning(
            f"{first[host].name} comes by plain http: pip uses its cache only where "
            f"PIP_TRUSTED_HOST={host} is set, also when it installs",
            first[host].where,
        )


def _commit(artifact: Artifact) -> tuple[GitProject, str] | None:
    return (artifact, artifact.remote) if isinstance(artifact, GitProject) else None


def material_of(artifact: Artifact) -> Material:
    """What counts of an artifact when something is built."""
    if isinstance(artifact, GitProject):
        return Material("", artifact.commit, artifact.subdirectory, artifact.built_for)
    assert isinstance(artifact, Distribution)
    return Material(
        artifact.filename, subdirectory=artifact.subdirectory, built_for=artifact.built_for
    )


def names(text: str) -> Iterator[str]:
    """Normalised names of `--only-binary`, `--no-binary`; `:all:` stays, `:none:` is none."""
    for name in text.split(","):
        if name.strip() and name.strip() != ":none:":
            yield name.strip() if name.strip() == ":all:" else normalize(name.strip())


def sha256_of(data: bytes) -> str:
    """As the key hashes lockfiles: with CRLF folded to LF."""
    return hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()
