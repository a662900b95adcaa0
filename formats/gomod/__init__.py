"""Go modules: go.sum (or go.work) to the download half of a module cache.

The client needs go.mod and go.sum beside its sources as always. `GOPROXY=off` gives clear errors
for whatever go.sum does not list; the checksum database is not asked, as go.sum is complete.
`GOTOOLCHAIN=local` unless the toolchain was asked for: see `toolchain`. A `replace` by another
module is in go.sum under the other's name, and one by a folder is part of the sources.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.demands import Client, Contents, Demand
from vendorpack.errors import DiscoveryError, IntegrityError, LockfileError
from vendorpack.formats.gomod import repositories, toolchain
from vendorpack.formats.gomod.config import Config, module_cache, read_config
from vendorpack.formats.gomod.exports import exported_mod, exported_zip
from vendorpack.formats.gomod.graph import Graph, Main, missing, needed, read_main, untidy
from vendorpack.formats.gomod.hashes import MAX_MOD, hashed_and_stored, mod_hash, zip_hash
from vendorpack.formats.gomod.layout import ZIP_RECIPE, layout
from vendorpack.formats.gomod.license import reader_of as license_reader
from vendorpack.formats.gomod.lockfile import (
    MANIFEST,
    SUMS,
    WORKSPACE,
    WORKSPACE_SUMS,
    members,
    packages_in,
    read_sums,
    sum_files,
    warnings,
)
from vendorpack.formats.gomod.modules import DEFAULT_PROXY, DIGEST, Module, ModuleFile, Suffix
from vendorpack.formats.gomod.requests import explain_output, explain_request
from vendorpack.formats.gomod.sumdb import Database
from vendorpack.formats.gomod.zips import MAX_ZIP
from vendorpack.model import (
    Access,
    Artifact,
    Brought,
    Entry,
    Environment,
    Json,
    Lack,
    LicenseReader,
    Lockfile,
    Options,
    Packed,
    Variable,
    Warning,
)
from vendorpack.project import Host, Project
from vendorpack.room import Format, Index, Keep, Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class GoLockfile(Lockfile):
    """go.sum, and the main modules that it is to be complete for."""

    main: Main
    listed: frozenset[tuple[Module, Suffix]]
    """All that it has lines for, whether or not that is packed."""
    config: Config
    database: Database | None
    """The checksum database, if it is asked."""


_ENDS: Final[Mapping[Suffix, str]] = {"mod": "/go.mod", "zip": ""}
"""What is behind the version in go.sum's line of each file."""


class GoModules(Format):
    """The modules that a go.sum lists."""

    name = "gomod"
    title = "Go modules"
    layout_version = 2
    command = "go build ./..."
    opens_artifacts = True
    prepares = True
    exports = True
    spares = True
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
        database = Database.parse(config.database) if asked else None
        sums = read_sums(sum_files(project), config)
        return GoLockfile(
            main=main,
            config=config,
            database=database,
            listed=frozenset((file.module, file.suffix) for file in sums),
            path=project.where(),
            format=self.name,
            artifacts=(*sums, *carried),
            access=_access(config, sums, database),
            warnings=(
                *warnings(project, with_toolchain=bool(carried)),
                *_login_warnings(config, sums, project.where()),
            ),
        )

    def companions(self, lockfile: str) -> tuple[str, ...]:
        """go.mod is checked against go.sum by go; go.work.sum is half of a workspace."""
        return {WORKSPACE: (WORKSPACE_SUMS,), MANIFEST: (SUMS,)}.get(lockfile, (MANIFEST,))

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """The go.sum files of a workspace's members: a go.work does not pin by itself.

        And the platforms that a toolchain is carried for, and which modules come from version
        control: the bundle says so.
        """
        result: dict[str, Json] = {}
        sums = read_sums(sum_files(project), read_config(project.host))
        direct = sorted({file.name for file in sums if file.is_direct})
        if direct:
            result["direct"] = list[Json](direct)
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
        """Ask for the hashes of toolchains, and where modules are kept that come from no proxy."""
        assert isinstance(lockfile, GoLockfile)
        files = [file for file in lockfile.artifacts if isinstance(file, ModuleFile)]
        placed, origins = await repositories.placed(files, index)
        for file in placed:
            if file.repository is not None:
                lockfile.config.check_system(file.repository.root, file.where)
        access = replace(lockfile.access, origins=lockfile.access.origins | origins)
        artifacts = [
            await toolchain.located(file, index, lockfile.database)
            if lockfile.database is not None and toolchain.is_toolchain(file)
            else file
            for file in placed
        ]
        return replace(lockfile.with_artifacts(artifacts), access=access)

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """Nothing new: that go.sum is complete, by the go.mod files. Raises `LockfileError`."""
        assert isinstance(lockfile, GoLockfile)
        mods, zips = ([m for m, s in lockfile.listed if s == suffix] for suffix in _ENDS)
        graph = Graph(lockfile.main, _mods(packed, workshop))
        lacking = [*missing(graph, mods, zips)]
        if not lacking:
            return [
                Warning(
                    f"{MANIFEST} is not tidy: {what}. go may refuse to build (`updates to go.mod "
                    "needed`): run `go mod tidy` online, and pack again",
                    where,
                )
                for what, where in untidy(graph)
            ]
        folders = lockfile.main.members
        name, command = SUMS, "go mod tidy"
        if folders is not None:
            packages = " ".join(shlex.quote(packages_in(member)) for member in folders)
            name, command = WORKSPACE_SUMS, f"go list -deps -test {packages}"
        count = "a line" if len(lacking) == 1 else f"{len(lacking)} lines"
        raise LockfileError(
            f"{name} lacks {count} that go needs, and adds by itself only while it is online",
            where="\n".join(
                f"{m.path} {m.version}{_ENDS[suffix]} (by {by})" for m, suffix, by in lacking
            ),
            fix=f"Run `{command}` online, and keep the {name} it writes.",
        )

    def spared(
        self, lockfile: Lockfile, artifact: Artifact, packed: Sequence[Packed], workshop: Workshop
    ) -> str:
        """A stale line of go.sum: its module is gone, and the graph does not lead there."""
        assert isinstance(lockfile, GoLockfile) and isinstance(artifact, ModuleFile)
        files = needed(lockfile.main, _mods(packed, workshop))
        if not files or (artifact.module, artifact.suffix) in files:
            return ""
        return "no module of the build leads to it (`go mod tidy` takes such lines out)"

    def from_export(self, artifact: Artifact, export: Path, out: Path) -> None:
        """A module's go.mod, or its zip in its one form."""
        assert isinstance(artifact, ModuleFile) and artifact.repository is not None
        module, repository = artifact.module, artifact.repository
        if artifact.suffix == "mod":
            out.write_bytes(exported_mod(module, repository, export))
            return
        with out.open("wb") as file:
            file.writelines(exported_zip(module, repository, export))

    def explain_mismatch(self, artifact: Artifact, algorithm: str) -> str:
        """Of a module from version control: what may have changed."""
        if not isinstance(artifact, ModuleFile) or artifact.repository is None:
            return ""
        return (
            "The tag was moved, or go.sum was written for another repository: find out which, "
            "and lock again only then. (With git-lfs set up, go takes the large files' content "
            "and not their pointers: --git-config does so too.)"
        )

    def license(self, artifact: Artifact) -> LicenseReader | None:
        """A module's, by its text."""
        return license_reader(artifact)

    def explain_failure(self, artifact: Artifact) -> str:
        """Of a module that no proxy has: what `direct` in GOPROXY means."""
        if not isinstance(artifact, ModuleFile) or not artifact.direct_behind:
            return ""
        return (
            "go would now ask the module's own repository, as GOPROXY says `direct`; here that "
            f"has to be said by name: add {artifact.name} to GOPRIVATE (or GONOPROXY), with what "
            "else it has."
        )

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
            return {DIGEST: hashed_and_stored(file, artifact.module, partial(keep, ZIP_RECIPE))}

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

    def explain_request(self, url: str) -> str | None:
        """Name what was asked for, if this client asks for it."""
        return explain_request(url)

    def explain_output(self, text: str) -> Sequence[Lack]:
        """Find what it lacks in the client's words."""
        return explain_output(text)

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """Go."""
        return (
            Client(
                ("go",),
                seen="1.21, 1.26, 1.27",
                otherwise="Install Go, as new as go.mod asks for: it may not get a newer one.",
                arguments=("version",),
            ),
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """The user's own module cache."""
        return {"go": module_cache(host)}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """The user's own `.info` knows more (time and origin) than the one made up here."""
        return existing if path.endswith(".info") and _is_info(existing) else ours


def _mods(packed: Sequence[Packed], workshop: Workshop) -> Callable[[Module], bytes | None]:
    """The go.mod of a module, among those that are packed."""
    blobs = {
        one.artifact.module: one.blob
        for one in packed
        if isinstance(one.artifact, ModuleFile) and one.artifact.suffix == "mod"
    }
    return lambda module: workshop.read(blobs[module]) if module in blobs else None


def _check_needs_nothing(main: Main) -> None:
    """A go.mod without go.sum: all that it requires, if anything, lies in folders."""
    for module, _, where in missing(Graph(main, lambda _: None), (), ()):
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


def _login_warnings(config: Config, files: Sequence[ModuleFile], where: str) -> Iterator[Warning]:
    """A program that GOAUTH names, where a login may be asked for."""
    if config.asks_program and any(f.is_direct or f.fetch_from for f in files):
        yield Warning(
            "GOAUTH names a program, which is not asked: logins are those of ~/.netrc, of GOPROXY "
            "and (with --git-config) of git's own credential helpers",
            where,
        )


def _access(config: Config, files: Sequence[ModuleFile], database: Database | None) -> Access:
    """The proxies, and the hosts of private modules as far as the configuration names them.

    As with go, a module's page over plain http gets no login, and with GOAUTH=off nobody does.
    """

    def hosts(of: Callable[[ModuleFile], bool]) -> set[str]:
        return {file.name.partition("/")[0].lower() for file in files if of(file)}

    named = [DEFAULT_PROXY, *config.proxies, *([database.address] if database else [])]
    addresses = [urlsplit(address) for address in named]
    private = hosts(lambda file: config.names_host_of(file.name))
    insecure = hosts(lambda file: file.insecure and config.names_insecure_host_of(file.name))
    origins = frozenset(
        {f"{parts.scheme}://{parts.netloc}" for parts in addresses}
        | {f"https://{host}" for host in private}
        | {f"http://{host}" for host in insecure}
    )
    direct = hosts(lambda file: file.is_direct)
    without_netrc = {f"http://{host}" for host in direct}
    if config.without_netrc:
        without_netrc |= {*origins, *(f"https://{host}" for host in direct)}
    return Access(
        origins=origins,
        credentials=config.credentials,
        without_netrc=frozenset(without_netrc),
    )


def _is_info(data: bytes) -> bool:
    try:
        return isinstance(cast(dict[str, Json], json.loads(data))["Version"], str)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


FORMAT = GoModules()
