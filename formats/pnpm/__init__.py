"""pnpm 7 to 12: pnpm-lock.yaml and the store `pnpm install` links from.

`lockfile` reads the text, `artifacts` chooses and addresses, `stores` decides for which pnpms,
`layout` draws and writes the stores with the help of `index` (what a package's entry says) and
`sqlite_file` (the table that pnpm 11 keeps entries in).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vendorpack.formats._shared.npm.npmrc import load_npmrc, load_user_npmrc
from vendorpack.formats._shared.npm.pinned_manager import HELP, OPTION, manager_fingerprint
from vendorpack.formats.pnpm.config import load_registries
from vendorpack.formats.pnpm.stores import asked_for, stores_for
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

if TYPE_CHECKING:
    from vendorpack.demands import Contents, Demand
    from vendorpack.formats.pnpm.config import Registries


_VERSION: Final = re.compile(rb"^lockfileVersion: *['\"]?(\d{1,4})", re.MULTILINE)

_BUILD_SCRIPTS: Final = ("prepare", "prepack", "prepublish", "publish")
"""Those for which pnpm builds a commit before it packs it."""

_READERS: Final = {"v3": ("7", "10"), "v10": ("10", "11"), "v11": ("11", "")}
"""Store to the versions of pnpm that read it."""


class Pnpm(Format):
    """pnpm."""

    name = "pnpm"
    title = "pnpm"
    layout_version = 4
    command = "pnpm install --frozen-lockfile"
    opens_artifacts = True
    prepares = True
    options = {
        OPTION: HELP,
        "store": "Store versions to write: v3 (pnpm 7 to 9), v10, v11 (pnpm 11 and 12), several "
        "with commas between, or all. Default: the one of package.json's packageManager, else "
        "those of all pnpms that write such a lockfile.",
    }

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read pnpm-lock.yaml; see `Format.read`."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.pnpm import config_dependencies
        from vendorpack.formats.pnpm.artifacts import choose
        from vendorpack.formats.pnpm.lockfile import parse_pnpm_lock

        lock = parse_pnpm_lock(project)
        npmrc = load_npmrc(project)
        registries = load_registries(project, npmrc)
        stores = stores_for(lock.version, asked_for(project, options))
        artifacts, graph, warnings = choose(lock, options, registries, stores)
        managers = corepack.managers(project, options, self.name, "pnpm", registries.of)
        if len(stores) > 1 and artifacts and "pnpm-store" not in options.extra:
            warnings = (
                Warning(
                    "packed for all pnpms that read this lockfile, each with a store of its own: "
                    "name yours in package.json's packageManager or with --pnpm-store",
                    project.where(),
                ),
                *warnings,
            )
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=(*artifacts, *managers),
            graph=graph.with_direct(managers),
            access=npmrc.access(*_addresses(registries, artifacts)),
            warnings=(*warnings, *config_dependencies.warnings(project, stores), *npmrc.warnings),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets, development dependencies, the stores to write, and used scopes' registries."""
        registries = load_registries(project, load_npmrc(project))
        text = project.lock_bytes()
        return {
            "dev": options.dev,
            "targets": [*sorted({str(replace(t, runtimes=())) for t in options.targets})],
            "stores": [*_stores(text, asked_for(project, options))],
            "scopes": {
                scope: registry
                for scope, registry in sorted(registries.scopes.items())
                if f"{scope}/".encode() in text
            },
            **manager_fingerprint(project, options, self.name, "pnpm"),
        }

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether the registry knows the release."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.pnpm.artifacts import PnpmArtifact

        if isinstance(artifact, corepack.Manager):
            return True
        return isinstance(artifact, PnpmArtifact) and artifact.registry is not None

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the registry for a hash that counts where the lockfile has only a sha1.

        pnpm finds the package by the lockfile's own hash, as before. Raises `IntegrityError` if
        the registry contradicts it.
        """
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.registry import with_all_hashes
        from vendorpack.formats.pnpm.artifacts import PnpmArtifact

        artifacts = await with_all_hashes(
            lockfile.artifacts,
            index,
            lambda artifact: artifact.registry if isinstance(artifact, PnpmArtifact) else None,
        )
        return lockfile.with_artifacts(await corepack.located(artifacts, options, index, self.name))

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """Warnings of commits and archives of git hosts that pnpm would build."""
        from vendorpack.formats._shared.npm.git_dependencies import warnings
        from vendorpack.formats.pnpm.contents import prepare_warnings

        return [
            *warnings(packed, _BUILD_SCRIPTS, self.title, workshop),
            *prepare_warnings(packed, workshop),
        ]

    def license(self, artifact: Artifact) -> LicenseReader | None:
        """What a package.json declares."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.license import of_commit
        from vendorpack.formats._shared.npm.license import reader_of as license_reader
        from vendorpack.formats.pnpm.artifacts import PnpmArtifact
        from vendorpack.formats.pnpm.contents import is_tarball

        if isinstance(artifact, PnpmArtifact) and not is_tarball(artifact):
            return of_commit(artifact, artifact.folder) if artifact.is_commit else None
        return license_reader(artifact, PnpmArtifact, corepack.Manager)

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The id of a git artifact's commit, or corepack's hash of the package manager."""
        from vendorpack.formats._shared.git.repository import derive_commit
        from vendorpack.formats._shared.npm import corepack

        if isinstance(artifact, corepack.Manager):
            return corepack.derive(artifact, algorithm, path)
        return derive_commit(artifact, path)

    def prepare(
        self, artifact: Artifact, algorithms: Sequence[str], path: Path, keep: Keep
    ) -> Mapping[str, bytes]:
        """The files of tarballs, with the hashes that pnpm keeps them by; and their licences."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.license import keep_opened
        from vendorpack.formats._shared.npm.package import HASHED_PACKAGE
        from vendorpack.formats.pnpm.artifacts import PnpmArtifact
        from vendorpack.formats.pnpm.contents import is_tarball

        if isinstance(artifact, PnpmArtifact) and is_tarball(artifact):
            keep_opened(HASHED_PACKAGE, path, keep, str(artifact))
        elif isinstance(artifact, corepack.Manager):
            corepack.prepare(artifact, path, keep)
        return super().prepare(artifact, algorithms, path, keep)

    def derive_stored(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The same; of a commit that was unpacked there is no telling."""
        from vendorpack.formats.pnpm.artifacts import PnpmArtifact

        if isinstance(artifact, PnpmArtifact):
            raise NotImplementedError
        return self.derive(artifact, algorithm, path)

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
        from vendorpack.formats._shared.npm.package import HASHED_PACKAGE
        from vendorpack.formats.pnpm.artifacts import PnpmArtifact
        from vendorpack.formats.pnpm.contents import is_tarball

        packages = [
            one
            for one in packed
            if isinstance(one.artifact, PnpmArtifact) and is_tarball(one.artifact)
        ]
        read = partial(files_of_opened, HASHED_PACKAGE, workshop)
        return needs(
            packages,
            read,
            project,
            options,
            runs=allowed.pnpm(project),
            otherwise="`pnpm install --ignore-scripts`",
        )

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The stores' trees; see `vendorpack.formats.pnpm.layout`. And corepack's."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.pnpm import layout as store

        yield from store.layout(packed, workshop)
        yield from corepack.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The stores and no network, in the words of each pnpm that has a store here.

        pnpm 7 to 10 read `npm_config_…`, pnpm 11 and 12 `pnpm_config_…`. A pnpm that is not
        the one the project names must not try to download that one; pnpm 11 and 12 must
        not ask the registry about releases' ages either. They may find a store read-only, unless
        the project has archives of its own or clones commits, which they have to put in.
        """
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.git_dependencies import git_sources
        from vendorpack.formats.pnpm import layout as store
        from vendorpack.formats.pnpm.artifacts import PnpmArtifact, PnpmCommit

        variables = [*corepack.variables(packed)]
        stores = store.stores_of(packed)
        if {"v3", "v10"}.intersection(stores):
            variables += [
                Variable("npm_config_manage_package_manager_versions", "false"),
                Variable("npm_config_offline", "true"),
                Variable("npm_config_store_dir", store.ROOT, is_path=True),
            ]
        if "v11" in stores:
            frozen = all(
                one.artifact.frozen
                for one in packed
                if isinstance(one.artifact, PnpmArtifact | PnpmCommit)
            )
            if frozen:
                variables.append(Variable("pnpm_config_frozen_store", "true"))
            variables += [
                Variable("pnpm_config_minimum_release_age", "0"),
                Variable("pnpm_config_offline", "true"),
                Variable("pnpm_config_pm_on_fail", "ignore"),
                Variable("pnpm_config_store_dir", store.ROOT, is_path=True),
                Variable("pnpm_config_trust_lockfile", "true"),
            ]
        return Environment(tuple(sorted(variables)), git_sources(store.GIT, packed))

    def explain_request(self, url: str) -> str | None:
        """Say what a registry was asked for in vain."""
        from vendorpack.formats._shared.npm.requests import explain_request

        return explain_request(url)

    def explain_output(self, text: str) -> Sequence[Lack]:
        """Find what it lacks in the client's words."""
        from vendorpack.formats._shared.npm.requests import explain_output

        return explain_output(text)

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """A pnpm that reads one of the stores."""
        from vendorpack.demands import Trap
        from vendorpack.formats._shared.npm import demands
        from vendorpack.formats.pnpm import layout as store

        present = [name for name in _READERS if contents.has(f"{store.ROOT}/{name}/")]
        found: list[Demand] = [
            demands.client(
                "pnpm",
                tuple(_READERS[name] for name in present),
                why=f"the bundle has pnpm's store {' and '.join(present)}",
                seen="7, 8, 9, 10, 11, 12",
                otherwise="Install a pnpm that reads it, or pack with --pnpm-store all.",
            ),
            demands.node(),
            *demands.spelled_otherwise("NPM_CONFIG_STORE_DIR", "NPM_CONFIG_OFFLINE"),
        ]
        if "v10" in present:
            found.append(
                Trap(
                    "pnpm-workspace.yaml",
                    r"^(storeDir|offline)\s*:",
                    "pnpm 10 believes it before the environment",
                    "Take the line out of pnpm-workspace.yaml for the offline install.",
                )
            )
        return found

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """pnpm's own store: the setting `store-dir`, `PNPM_HOME`, or pnpm's default."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.pnpm import layout as store

        return {store.ROOT: _store_dir(host), **corepack.native_root(host)}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """The table of v11 keeps the user's rows, repositories their commits; else ours counts.

        But for a package manager: one that is there already stays.
        """
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.git_dependencies import merge_shallow
        from vendorpack.formats.pnpm import layout as store
        from vendorpack.formats.pnpm.merge import merge_index_db

        if corepack.is_ours(path):
            return existing
        if path.startswith(f"{store.GIT}/") and path.endswith("/shallow"):
            return merge_shallow(existing, ours)
        if path == f"{store.ROOT}/v11/{store.INDEX_DB}":
            return merge_index_db(existing, ours)
        return ours

    def in_use_mark(self, path: str) -> str | None:
        """SQLite's log: what is in it would be replayed over the table that we write."""
        from vendorpack.formats.pnpm import layout as store

        return f"{store.INDEX_DB}-wal" if path.endswith(f"/{store.INDEX_DB}") else None


def _stores(lockfile: bytes, asked: tuple[str, ...]) -> tuple[str, ...]:
    """The stores to write, told from the lockfile's version alone: reading it all takes longer.

    Of a lockfile without a known version, those asked for; `read` will refuse it.
    """
    version = _VERSION.search(lockfile)
    try:
        return stores_for(int(version[1]), asked) if version else asked
    except KeyError:
        return asked


def _addresses(registries: Registries, artifacts: Sequence[Artifact]) -> Iterator[str]:
    """Where the configuration leads, and pnpm's own default for runtimes if there are any."""
    from vendorpack.formats.pnpm.artifacts import PnpmRuntime
    from vendorpack.formats.pnpm.runtimes import MUSL_SITE, NODE_SITE

    yield from (registries.default, *registries.scopes.values())
    if any(isinstance(artifact, PnpmRuntime) for artifact in artifacts):
        yield from (NODE_SITE, MUSL_SITE, *registries.mirrors.values())


def _store_dir(host: Host) -> Path:
    environ = host.environ
    configured = environ.get("pnpm_config_store_dir")
    if configured:
        return host.home / configured
    npmrc = load_user_npmrc(host).path("store-dir")
    if npmrc is not None:
        return npmrc
    for variable, folder in (("PNPM_HOME", "store"), ("XDG_DATA_HOME", "pnpm/store")):
        if environ.get(variable):
            return Path(environ[variable], folder)
    if host.os == "windows":
        return host.local_app_data / "pnpm/store"
    if host.os == "macos":
        return host.home / "Library/pnpm/store"
    return host.home / ".local/share/pnpm/store"


FORMAT = Pnpm()
