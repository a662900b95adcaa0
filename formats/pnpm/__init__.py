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
from typing import Final

from vendorpack.formats._shared.git.repository import derive_commit
from vendorpack.formats._shared.npm.git_dependencies import (
    git_sources,
    merge_shallow,
    warnings,
)
from vendorpack.formats._shared.npm.npmrc import load_npmrc, load_user_npmrc
from vendorpack.formats._shared.npm.registry import with_all_hashes
from vendorpack.formats.pnpm import layout as store
from vendorpack.formats.pnpm.artifacts import PnpmArtifact, PnpmCommit, choose
from vendorpack.formats.pnpm.config import load_registries
from vendorpack.formats.pnpm.lockfile import parse_pnpm_lock
from vendorpack.formats.pnpm.merge import merge_index_db
from vendorpack.formats.pnpm.stores import asked_for, stores_for
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

_VERSION: Final = re.compile(rb"^lockfileVersion: *['\"]?(\d{1,4})", re.MULTILINE)

_BUILD_SCRIPTS: Final = ("prepare", "prepack", "prepublish", "publish")
"""Those for which pnpm builds a commit before it packs it."""


class Pnpm(Format):
    """pnpm."""

    name = "pnpm"
    title = "pnpm"
    layout_version = 2
    command = "pnpm install --frozen-lockfile"
    opens_artifacts = True
    options = {
        "store": "Store versions to write: v3 (pnpm 7 to 9), v10, v11 (pnpm 11 and 12), several "
        "with commas between, or all. Default: the one of package.json's packageManager, else "
        "those of all pnpms that write such a lockfile."
    }

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read pnpm-lock.yaml; see `Format.read`."""
        lock = parse_pnpm_lock(project)
        npmrc = load_npmrc(project)
        registries = load_registries(project, npmrc)
        stores = stores_for(lock.version, asked_for(project, options))
        artifacts, warnings = choose(lock, options, registries, stores)
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
            artifacts=artifacts,
            access=npmrc.access(registries.default, *registries.scopes.values()),
            warnings=(*warnings, *npmrc.warnings),
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
        }

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether the registry knows the release."""
        return isinstance(artifact, PnpmArtifact) and artifact.registry is not None

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the registry for a hash that counts where the lockfile has only a sha1.

        pnpm finds the package by the lockfile's own hash, as before. Raises `IntegrityError` if
        the registry contradicts it.
        """
        return lockfile.with_artifacts(
            await with_all_hashes(
                lockfile.artifacts,
                index,
                lambda artifact: artifact.registry if isinstance(artifact, PnpmArtifact) else None,
            )
        )

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """Warnings of commits that pnpm would build."""
        return [*warnings(packed, _BUILD_SCRIPTS, self.title, workshop)]

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The id of a git artifact's commit."""
        return derive_commit(artifact, path)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The stores' trees; see `vendorpack.formats.pnpm.layout`."""
        return store.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The stores and no network, in the words of each pnpm that has a store here.

        pnpm 7 to 10 read `npm_config_…`, pnpm 11 and 12 `pnpm_config_…`. A pnpm that is not
        the one the project names must not try to download that one; pnpm 11 and 12 must
        not ask the registry about releases' ages either. They may find a store read-only, unless
        the project has archives of its own or clones commits, which they have to put in.
        """
        variables: list[Variable] = []
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

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """pnpm's own store: the setting `store-dir`, `PNPM_HOME`, or pnpm's default."""
        return {store.ROOT: _store_dir(host)}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """The table of v11 keeps the user's rows, repositories their commits; else ours counts."""
        if path.startswith(f"{store.GIT}/") and path.endswith("/shallow"):
            return merge_shallow(existing, ours)
        if path == f"{store.ROOT}/v11/{store.INDEX_DB}":
            return merge_index_db(existing, ours)
        return ours

    def in_use_mark(self, path: str) -> str | None:
        """SQLite's log: what is in it would be replayed over the table that we write."""
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
