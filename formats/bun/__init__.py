"""Bun 1.1 to 1.4: bun.lock and the cache `bun install` installs from.

`lockfile` reads the text, `config` the registries, `artifacts` chooses, addresses and names,
`layout` draws and writes the cache; `wyhash` is the hash in some of its names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vendorpack.formats._shared.git.repository import DIGEST, derive_commit
from vendorpack.formats._shared.npm.registry import DEFAULT_REGISTRY, with_all_hashes
from vendorpack.formats.bun import layout as cache
from vendorpack.formats.bun.artifacts import BunArtifact, choose
from vendorpack.formats.bun.config import cache_folder, load_registries
from vendorpack.formats.bun.lockfile import parse_bun_lock
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
    Variable,
    Workshop,
)


class Bun(Format):
    """Bun."""

    name = "bun"
    title = "Bun"
    layout_version = 1
    command = "bun install --frozen-lockfile"
    opens_artifacts = True

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read bun.lock; see `Format.read`."""
        lock = parse_bun_lock(project)
        registries = load_registries(project)
        artifacts, warnings = choose(lock, options, registries)
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=artifacts,
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
        return isinstance(artifact, BunArtifact) and artifact.registry is not None

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the registry for the hash of a tarball that is locked by its address alone."""
        return lockfile.with_artifacts(
            await with_all_hashes(
                lockfile.artifacts,
                index,
                lambda artifact: artifact.registry if isinstance(artifact, BunArtifact) else None,
            )
        )

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The id of a commit; see `Format.derive`."""
        if algorithm == DIGEST:
            return derive_commit(artifact, path)
        return super().derive(artifact, algorithm, path)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The cache's tree; see `vendorpack.formats.bun.layout`."""
        return cache.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The cache, and the public registry's name in force.

        The registry that is configured where Bun runs decides what folders are called, so
        that a mirror in a user's configuration would hide ours.
        """
        return Environment(
            (
                Variable("BUN_CONFIG_REGISTRY", DEFAULT_REGISTRY),
                Variable("BUN_INSTALL_CACHE_DIR", cache.ROOT, is_path=True),
            )
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """Bun's own cache."""
        return {cache.ROOT: cache_folder(host)}


FORMAT = Bun()
