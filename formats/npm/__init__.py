"""npm 7 and newer: package-lock.json, npm-shrinkwrap.json and the cache `npm ci` installs from.

`lockfile` reads the text, `artifacts` chooses and addresses, `locate` asks the registry for
what the lockfile lacks, `layout` draws and writes the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vendorpack.formats._shared.npm.pinned_manager import HELP, OPTION, manager_fingerprint
from vendorpack.formats.npm.lockfile import parse_package_lock
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
from vendorpack.room import Format, Index, Workshop

if TYPE_CHECKING:
    from vendorpack.demands import Contents, Demand


_BUILD_SCRIPTS: Final = ("prepare", "prepack", "build", "preinstall", "install", "postinstall")
"""Those for which npm installs a commit's dependencies before it packs it (pacote, `git.js`)."""


class Npm(Format):
    """npm."""

    name = "npm"
    title = "npm"
    layout_version = 2
    command = "npm ci --offline"
    options = {OPTION: HELP}

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read package-lock.json or npm-shrinkwrap.json; see `Format.read`."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.npmrc import load_npmrc
        from vendorpack.formats.npm.artifacts import choose

        lock = parse_package_lock(project)
        npmrc = load_npmrc(project)
        artifacts, graph, warnings = choose(lock, options, npmrc)
        managers = corepack.managers(project, options, self.name, "npm", npmrc.registry_for)
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
            artifacts=(*artifacts, *managers),
            graph=graph.with_direct(managers),
            access=npmrc.access(),
            warnings=(*warnings, *npmrc.warnings),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets, unless the lockfile knows no platforms; registries, if npm will ask by them."""
        from vendorpack.formats._shared.npm.npmrc import load_npmrc

        lock = parse_package_lock(project)
        decides: dict[str, Json] = {"dev": options.dev}
        if lock.knows_platforms:
            decides["targets"] = [*sorted({str(replace(t, runtimes=())) for t in options.targets})]
        if not lock.knows_platforms or any(not (p.resolved and p.integrity) for p in lock.pins):
            npmrc = load_npmrc(project)
            decides["registry"] = npmrc.registry
            decides["scopes"] = dict(npmrc.scopes)
            decides["replace-registry-host"] = npmrc.get("replace-registry-host")
        commits = [pin.resolved for pin in lock.pins if pin.resolved and "#" in pin.resolved]
        if commits and _on_known_hosts(commits):
            decides["git-hosts"] = "archives of commits"  # they were the hosts' own before
        return {**decides, **manager_fingerprint(project, options, self.name, "npm")}

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether the registry knows the release."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.npm.artifacts import NpmArtifact

        if isinstance(artifact, corepack.Manager):
            return True
        return isinstance(artifact, NpmArtifact) and artifact.registry is not None

    def opens(self, artifact: Artifact) -> bool:
        """The package manager alone."""
        from vendorpack.formats._shared.npm import corepack

        return isinstance(artifact, corepack.Manager)

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the registry for the hashes and addresses that the lockfile lacks."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.npm.locate import locate

        artifacts = await locate(lockfile.artifacts, index)
        return lockfile.with_artifacts(await corepack.located(artifacts, options, index, self.name))

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """Warnings of commits that npm would build."""
        from vendorpack.formats._shared.npm.git_dependencies import warnings

        return [*warnings(packed, _BUILD_SCRIPTS, self.title, workshop)]

    def needs(
        self, project: Project, packed: Sequence[Packed], options: Options, workshop: Workshop
    ) -> Sequence[Need]:
        """What the packages' install scripts fetch; a lockfile of version 1 names none of them."""
        from vendorpack.formats._shared.npm import allowed
        from vendorpack.formats._shared.npm.install_scripts import needs_of_tarballs
        from vendorpack.formats.npm.artifacts import NpmArtifact

        return needs_of_tarballs(
            packed,
            workshop,
            project,
            options,
            runs=allowed.npm(project),
            otherwise="`npm ci --ignore-scripts`",
            has_script=lambda one: (
                isinstance(one.artifact, NpmArtifact) and one.artifact.install_script
            ),
        )

    def license(self, artifact: Artifact) -> LicenseReader | None:
        """What a package.json declares."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.license import reader_of as license_reader
        from vendorpack.formats.npm.artifacts import NpmArtifact

        return license_reader(artifact, NpmArtifact, corepack.Manager)

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The id of a git artifact's commit, or corepack's hash of the package manager."""
        from vendorpack.formats._shared.git.repository import derive_commit
        from vendorpack.formats._shared.npm import corepack

        if isinstance(artifact, corepack.Manager):
            return corepack.derive(artifact, algorithm, path)
        return derive_commit(artifact, path)

    def derive_stored(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The same; of an archive made from a commit there is no telling."""
        from vendorpack.formats.npm.artifacts import NpmCommit

        if isinstance(artifact, NpmCommit):
            raise NotImplementedError
        return self.derive(artifact, algorithm, path)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The cache's tree; see `vendorpack.formats.npm.layout`. And corepack's."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.npm import layout as cache

        yield from cache.layout(packed, workshop)
        yield from corepack.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The cache, no network, and the registry if the cache is asked by its address.

        And the repositories that npm clones.
        """
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.git_dependencies import git_sources
        from vendorpack.formats.npm import layout as cache
        from vendorpack.formats.npm.artifacts import NpmArtifact

        variables = [
            Variable("npm_config_cache", "npm", is_path=True),
            Variable("npm_config_offline", "true"),
            *corepack.variables(packed),
        ]
        registries = {
            one.artifact.packuments[-1]
            for one in packed
            if isinstance(one.artifact, NpmArtifact) and one.artifact.packuments
        }
        if len(registries) == 1:
            variables.append(Variable("npm_config_registry", registries.pop()))
        return Environment(tuple(sorted(variables)), git_sources(cache.GIT, packed))

    def explain_request(self, url: str) -> str | None:
        """Say what a registry was asked for in vain."""
        from vendorpack.formats._shared.npm.requests import explain_request

        return explain_request(url)

    def explain_output(self, text: str) -> Sequence[Lack]:
        """Find what it lacks in the client's words."""
        from vendorpack.formats._shared.npm.requests import explain_output

        return explain_output(text)

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """npm and Node.js, and no variable that npm could take for ours."""
        from vendorpack.formats._shared.npm import demands

        otherwise = "Install npm; Node.js brings one."
        return (
            demands.client("npm", seen="10, 11, 12", otherwise=otherwise),
            demands.node(),
            *demands.spelled_otherwise("NPM_CONFIG_CACHE", "NPM_CONFIG_OFFLINE"),
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """npm's own cache: the setting `cache`, else npm's default for the system."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.npmrc import load_user_npmrc

        folder = load_user_npmrc(host).path("cache")
        if folder is None and host.os == "windows":
            folder = host.local_app_data / "npm-cache"
        return {"npm": folder or host.home / ".npm", **corepack.native_root(host)}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """Index files keep the user's entries, repositories their commits; content is replaced.

        A package manager that is there already stays.
        """
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.git_dependencies import merge_shallow
        from vendorpack.formats.npm import layout as cache

        if corepack.is_ours(path):
            return existing
        if path.startswith(f"{cache.GIT}/") and path.endswith("/shallow"):
            return merge_shallow(existing, ours)
        return cache.merge_index(existing, ours) if cache.is_index(path) else ours


def _on_known_hosts(commits: Sequence[str]) -> bool:
    """Whether any of them is on a host whose archives npm takes in place of cloning."""
    from vendorpack.formats._shared.npm.git_hosts import hosted_commit

    return any(map(hosted_commit, commits))


FORMAT = Npm()
