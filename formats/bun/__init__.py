"""Bun 1.1 to 1.4: bun.lock and the cache `bun install` installs from.

`lockfile` reads the text, `config` the registries, `artifacts` chooses, addresses and names,
`layout` draws and writes the cache; `wyhash` is the hash in some of its names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vendorpack.formats.bun.config import cache_folder, load_registries
from vendorpack.model import (
    Artifact,
    Entry,
    Environment,
    Json,
    LicenseReader,
    Lockfile,
    Need,
    Options,
    Packed,
    Variable,
)
from vendorpack.project import Host, Project
from vendorpack.room import Format, Index, Keep, Workshop

if TYPE_CHECKING:
    from vendorpack.demands import Contents, Demand


class Bun(Format):
    """Bun."""

    name = "bun"
    title = "Bun"
    layout_version = 2
    command = "bun install --frozen-lockfile"
    opens_artifacts = True
    prepares = True

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read bun.lock; see `Format.read`."""
        from vendorpack.formats.bun.artifacts import choose
        from vendorpack.formats.bun.lockfile import parse_bun_lock

        lock = parse_bun_lock(project)
        registries = load_registries(project)
        artifacts, graph, warnings = choose(lock, options, registries)
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=artifacts,
            graph=graph,
            access=registries.access,
            warnings=(*warnings, *registries.warnings),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets, development dependencies, and used scopes' registries."""
        text = project.lock_bytes()
        return {
            "dev": options.dev,
            "targets": [*sorted({str(replace(t, runtimes=())) for t in options.targets})],
            "scopes": {
                scope: registry
                for scope, registry in sorted(load_registries(project).scopes.items())
                if f"{scope}/".encode() in text
            },
        }

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether the registry knows the release."""
        from vendorpack.formats.bun.artifacts import BunArtifact

        return isinstance(artifact, BunArtifact) and artifact.registry is not None

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the registry for the hash of a tarball that is locked by its address alone."""
        from vendorpack.formats._shared.npm.registry import with_all_hashes
        from vendorpack.formats.bun.artifacts import BunArtifact

        return lockfile.with_artifacts(
            await with_all_hashes(
                lockfile.artifacts,
                index,
                lambda artifact: artifact.registry if isinstance(artifact, BunArtifact) else None,
            )
        )

    def license(self, artifact: Artifact) -> LicenseReader | None:
        """What a package.json declares."""
        from vendorpack.formats._shared.npm.license import of_commit
        from vendorpack.formats._shared.npm.license import reader_of as license_reader
        from vendorpack.formats.bun.artifacts import BunArtifact

        if isinstance(artifact, BunArtifact) and artifact.tag:
            return of_commit(artifact)
        return license_reader(artifact, BunArtifact)

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The id of a commit; see `Format.derive`."""
        from vendorpack.formats._shared.git.repository import DIGEST, derive_commit

        if algorithm == DIGEST:
            return derive_commit(artifact, path)
        return super().derive(artifact, algorithm, path)

    def derive_stored(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """Of a commit that was unpacked there is no telling."""
        raise NotImplementedError

    def prepare(
        self, artifact: Artifact, algorithms: Sequence[str], path: Path, keep: Keep
    ) -> Mapping[str, bytes]:
        """The files of tarballs, and their licences."""
        from vendorpack.formats._shared.npm.license import keep_opened
        from vendorpack.formats._shared.npm.package import PACKAGE
        from vendorpack.formats.bun.artifacts import BunArtifact

        if isinstance(artifact, BunArtifact) and not artifact.tag:
            keep_opened(PACKAGE, path, keep, str(artifact))
        return super().prepare(artifact, algorithms, path, keep)

    def needs(
        self, project: Project, packed: Sequence[Packed], options: Options, workshop: Workshop
    ) -> Sequence[Need]:
        """What the packages' install scripts fetch."""
        from functools import partial

        from vendorpack.formats._shared.npm import allowed
        from vendorpack.formats._shared.npm.install_scripts import (
            files_of_opened,
            needs,
        )
        from vendorpack.formats._shared.npm.package import PACKAGE
        from vendorpack.formats.bun.artifacts import BunArtifact

        packages = [
            one for one in packed if isinstance(one.artifact, BunArtifact) and not one.artifact.tag
        ]
        read = partial(files_of_opened, PACKAGE, workshop)
        return needs(
            packages,
            read,
            project,
            options,
            runs=allowed.bun(project),
            otherwise="`bun install --ignore-scripts`",
        )

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The cache's tree; see `vendorpack.formats.bun.layout`."""
        from vendorpack.formats.bun import layout as cache

        return cache.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The cache, and the public registry's name in force.

        The registry that is configured where Bun runs decides what folders are called, so
        that a mirror in a user's configuration would hide ours.
        """
        from vendorpack.formats._shared.npm.registry import DEFAULT_REGISTRY
        from vendorpack.formats.bun import layout as cache

        return Environment(
            (
                Variable("BUN_CONFIG_REGISTRY", DEFAULT_REGISTRY),
                Variable("BUN_INSTALL_CACHE_DIR", cache.ROOT, is_path=True),
            )
        )

    def explain_request(self, url: str) -> str | None:
        """Say what a registry was asked for in vain."""
        from vendorpack.formats._shared.npm.requests import explain_request

        return explain_request(url)

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """Bun, with its cache."""
        from vendorpack.demands import Client, Trap

        return (
            Client(("bun",), seen="1.1, 1.2, 1.3, 1.4", otherwise="Install Bun."),
            Trap(
                "bunfig.toml",
                r"^\s*disable\s*=\s*true",
                "Bun then uses no cache, whatever the environment says",
                "Take the line out of bunfig.toml for the offline install.",
            ),
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """Bun's own cache."""
        from vendorpack.formats.bun import layout as cache

        return {cache.ROOT: cache_folder(host)}


FORMAT = Bun()
