"""npm 7 and newer: package-lock.json, npm-shrinkwrap.json and the cache `npm ci` installs from.

`lockfile` reads the text, `artifacts` chooses and addresses, `locate` asks the registry for
what the lockfile lacks, `layout` draws and writes the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from vendorpack.formats._shared.git.repository import derive_commit
from vendorpack.formats._shared.npm.git_dependencies import (
    git_sources,
    merge_shallow,
    warnings,
)
from vendorpack.formats._shared.npm.npmrc import load_npmrc, load_user_npmrc
from vendorpack.formats.npm import layout as cache
from vendorpack.formats.npm.artifacts import NpmArtifact, choose
from vendorpack.formats.npm.locate import locate
from vendorpack.formats.npm.lockfile import parse_package_lock
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
    Warning,
    Workshop,
)

_BUILD_SCRIPTS: Final = ("prepare", "prepack", "build", "preinstall", "install", "postinstall")
"""Those for which npm installs a commit's dependencies before it packs it (pacote, `git.js`)."""


class Npm(Format):
    """npm."""

    name = "npm"
    title = "npm"
    layout_version = 1
    command = "npm ci --offline"

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read package-lock.json or npm-shrinkwrap.json; see `Format.read`."""
        lock = parse_package_lock(project)
        npmrc = load_npmrc(project)
        artifacts, warnings = choose(lock, options, npmrc)
        where = project.where()
        if not lock.knows_platforms:
            warnings = (
                Warning(
                    "a lockfile of version 1 does not say which packages are for which "
                    "platform: all of them are taken, and the registry is asked about each "
                    "(`npm install --package-lock-only` with npm 7 or newer mends that)",
                    where,
                ),
                *warnings,
            )
        if project.lockfile.name == "npm-shrinkwrap.json":
            warnings = (
                Warning("npm 12 ignores npm-shrinkwrap.json; package-lock.json serves all", where),
                *warnings,
            )
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=artifacts,
            access=npmrc.access(),
            warnings=(*warnings, *npmrc.warnings),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets, unless the lockfile knows no platforms; registries, if npm will ask by them."""
        lock = parse_package_lock(project)
        decides: dict[str, Json] = {"dev": options.dev}
        if lock.knows_platforms:
            decides["targets"] = [*sorted({str(replace(t, runtimes=())) for t in options.targets})]
        if not lock.knows_platforms or any(not (p.resolved and p.integrity) for p in lock.pins):
            npmrc = load_npmrc(project)
            decides["registry"] = npmrc.registry
            decides["scopes"] = dict(npmrc.scopes)
            decides["replace-registry-host"] = npmrc.get("replace-registry-host")
        return decides

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether the registry knows the release."""
        return isinstance(artifact, NpmArtifact) and artifact.registry is not None

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the registry for the hashes and addresses that the lockfile lacks."""
        return lockfile.with_artifacts(await locate(lockfile.artifacts, index))

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """Warnings of commits that npm would build."""
        return [*warnings(packed, _BUILD_SCRIPTS, self.title, workshop)]

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The id of a git artifact's commit."""
        return derive_commit(artifact, path)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The cache's tree; see `vendorpack.formats.npm.layout`."""
        return cache.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The cache, no network, and the registry if the cache is asked by its address.

        And the repositories that npm clones.
        """
        variables = [
            Variable("npm_config_cache", "npm", is_path=True),
            Variable("npm_config_offline", "true"),
        ]
        registries = {
            one.artifact.packuments[-1]
            for one in packed
            if isinstance(one.artifact, NpmArtifact) and one.artifact.packuments
        }
        if len(registries) == 1:
            variables.append(Variable("npm_config_registry", registries.pop()))
        return Environment(tuple(sorted(variables)), git_sources(cache.GIT, packed))

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """npm's own cache: the setting `cache`, else npm's default for the system."""
        configured = load_user_npmrc(host).path("cache")
        if configured is not None:
            return {"npm": configured}
        if host.os == "windows":
            return {"npm": host.local_app_data / "npm-cache"}
        return {"npm": host.home / ".npm"}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """Index files keep the user's entries, repositories their commits; content is replaced."""
        if path.startswith(f"{cache.GIT}/") and path.endswith("/shallow"):
            return merge_shallow(existing, ours)
        return cache.merge_index(existing, ours) if cache.is_index(path) else ours


FORMAT = Npm()
