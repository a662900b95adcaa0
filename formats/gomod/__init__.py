"""Go modules: go.sum (or go.work) to the download half of a module cache.

The client needs go.mod and go.sum beside its sources as always. `GOPROXY=off` gives clear errors
for whatever go.sum does not list; the checksum database is not asked, as go.sum is complete.
`GOTOOLCHAIN=local` unless the toolchain was asked for: see `toolchain`. A `replace` by another
module is in go.sum under the other's name, and one by a folder is part of the sources.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from vendorpack.errors import DiscoveryError, IntegrityError, LockfileError
from vendorpack.formats.gomod import toolchain
from vendorpack.formats.gomod.config import Config, module_cache, read_config
from vendorpack.formats.gomod.graph import Main, missing, read_main
from vendorpack.formats.gomod.hashes import MAX_MOD, MAX_ZIP, hashed_and_stored, mod_hash, zip_hash
from vendorpack.formats.gomod.layout import ZIP_RECIPE, layout
from vendorpack.formats.gomod.lockfile import (
    MANIFEST,
    SUMS,
    WORKSPACE,
    members,
    read_sums,
    sum_files,
    warnings,
)
from vendorpack.formats.gomod.modules import DEFAULT_PROXY, DIGEST, Module, ModuleFile
from vendorpack.model import (
    Access,
    Artifact,
    Brought,
    Entry,
    Environment,
    Format,
    Host,
    Index,
    Json,
    Keep,
    Lockfile,
    Options,
    Packed,
    Project,
    Variable,
    Warning,
    Workshop,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoLockfile(Lockfile):
    """go.sum, and the main modules that it is to be complete for."""

    main: Main


class GoModules(Format):
    """The modules that a go.sum lists."""

    name = "gomod"
    title = "Go modules"
    layout_version = 1
    command = "go build ./..."
    opens_artifacts = True
    prepares = True
    options = {
        toolchain.OPTION: "yes: also carry the go that the `toolchain` or `go` line names, for "
        "each target; no (default): the target has it",
    }

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read go.sum, or go.work with all that its members have, or a go.mod that needs nothing.

        Raises `DiscoveryError` for a go.mod that needs a go.sum and has none.
        """
        config = read_config(project.host)
        folders = members(project) if project.lockfile.name == WORKSPACE else None
        main = read_main(project, folders)
        if project.lockfile.name == MANIFEST and project.read(SUMS) is None:
            _check_needs_nothing(main)
        asked = toolchain.wanted(options)
        carried = toolchain.toolchains(project, options.targets, config) if asked else []
        return GoLockfile(
            main=main,
            path=project.where(),
            format=self.name,
            artifacts=(*read_sums(sum_files(project), config), *carried),
            access=_access(config),
            warnings=tuple(warnings(project, with_toolchain=bool(carried))),
        )

    def companions(self, lockfile: str) -> tuple[str, ...]:
        """go.mod is checked against go.sum by go; go.work.sum is half of a workspace."""
        return {WORKSPACE: ("go.work.sum",), MANIFEST: (SUMS,)}.get(lockfile, (MANIFEST,))

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """The go.sum files of a workspace's members: a go.work does not pin by itself.

        And the platforms that a toolchain is carried for.
        """
        result: dict[str, Json] = {}
        if project.lockfile.name == WORKSPACE:
            for path, data in sum_files(project):
                result[path] = hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()
        if toolchain.wanted(options):
            result[toolchain.OPTION] = list[Json](toolchain.platforms(options.targets))
        return result

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether the checksum database has it: of a toolchain alone, the rest is in go.sum."""
        return isinstance(artifact, ModuleFile) and toolchain.is_toolchain(artifact)

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask for the hashes of toolchains."""
        return lockfile.with_artifacts(
            [
                await toolchain.located(one, index)
                if isinstance(one, ModuleFile) and toolchain.is_toolchain(one)
                else one
                for one in lockfile.artifacts
            ]
        )

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """Nothing new: that go.sum is complete, by the go.mod files. Raises `LockfileError`.

        A single module of go 1.17 and newer may be built without the lines of what it requires
        only by another's go.mod, so there it is a warning.
        """
        assert isinstance(lockfile, GoLockfile)
        blobs = {
            one.artifact.module: one.blob
            for one in packed
            if isinstance(one.artifact, ModuleFile) and one.artifact.suffix == "mod"
        }

        def mod_of(module: Module) -> bytes | None:
            return workshop.read(blobs[module]) if module in blobs else None

        lacking = list(missing(lockfile.main, mod_of))
        if not lacking:
            return ()
        lines = "\n".join(f"{m.path} {m.version}/go.mod (by {by})" for m, by in lacking)
        name = "go.work.sum" if lockfile.main.workspace else "go.sum"
        command = "go list -m all" if lockfile.main.workspace else "go mod tidy"
        count = "a line" if len(lacking) == 1 else f"{len(lacking)} lines"
        what = f"{name} lacks {count} that go adds by itself while it is online"
        if lockfile.main.workspace:
            raise LockfileError(
                what, where=lines, fix=f"Run `{command}` online, and keep the {name} it writes."
            )
        listed = ", ".join(f"{m.path} {m.version}/go.mod" for m, _ in lacking)
        return [Warning(f"{what}: {listed}; `{command}` adds them", lockfile.path)]

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The h1 of a downloaded zip or go.mod. Raises `IntegrityError`."""
        if algorithm != DIGEST or not isinstance(artifact, ModuleFile):
            return super().derive(artifact, algorithm, path)
        _check_size(artifact, path)
        if artifact.suffix == "mod":
            return mod_hash(path.read_bytes())
        with path.open("rb") as file:
            return zip_hash(file, artifact.module)

    def prepare(
        self, artifact: Artifact, algorithms: Sequence[str], path: Path, keep: Keep
    ) -> Mapping[str, bytes]:
        """The h1 and, of a zip, its one form."""
        zips = isinstance(artifact, ModuleFile) and artifact.suffix == "zip"
        if not zips or tuple(algorithms) != (DIGEST,):
            return super().prepare(artifact, algorithms, path, keep)
        assert isinstance(artifact, ModuleFile)
        _check_size(artifact, path)
        with path.open("rb") as file:
            value, stored = hashed_and_stored(file, artifact.module)
        keep(ZIP_RECIPE, (stored,))
        return {DIGEST: value}

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """See `vendorpack.formats.gomod.layout`."""
        return layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """Where the cache is, and that there is nothing else."""
        cache = Variable("GOMODCACHE", "go", is_path=True)
        if any(one.artifact.name == toolchain.TOOLCHAIN for one in packed):
            return Environment(variables=(cache, *toolchain.VARIABLES))
        return Environment(
            variables=(cache, Variable("GOPROXY", "off"), Variable("GOTOOLCHAIN", "local"))
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """The user's own module cache."""
        return {"go": module_cache(host)}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """The user's own `.info` knows more (time and origin) than the one made up here."""
        return existing if path.endswith(".info") and _is_info(existing) else ours


def _check_needs_nothing(main: Main) -> None:
    """A go.mod without go.sum: all that it requires, if anything, lies in folders."""
    for module, where in missing(main, lambda _: None):
        raise DiscoveryError(
            f"no go.sum lies beside {MANIFEST}, which requires {module.path} {module.version}",
            where=where,
            fix="Run `go mod tidy` online, and keep the go.sum it writes.",
        )


def _check_size(artifact: ModuleFile, path: Path) -> None:
    limit = MAX_ZIP if artifact.suffix == "zip" else MAX_MOD
    if path.stat().st_size > limit:
        raise IntegrityError(
            f"larger than the {limit >> 20} MiB that go allows", where=str(artifact)
        )


def _access(config: Config) -> Access:
    addresses = [urlsplit(address) for address in (DEFAULT_PROXY, *config.proxies)]
    return Access(
        origins=frozenset(f"{parts.scheme}://{parts.netloc}" for parts in addresses),
        credentials=config.credentials,
    )


def _is_info(data: bytes) -> bool:
    try:
        return isinstance(cast(dict[str, Json], json.loads(data))["Version"], str)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


FORMAT = GoModules()
