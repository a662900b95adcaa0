"""Cargo: `Cargo.lock` to the registry cache and git databases of a `CARGO_HOME`.

The bundle's `CARGO_HOME` is `<prefix>/cargo`. Where cargo itself is installed in a `CARGO_HOME`,
as in the official Rust images, there are two ways:

- set `CARGO_HOME` to the bundle's, as `vendorpack.env` does. The programs stay on `PATH` under
  their old path and rustup finds its toolchains by `RUSTUP_HOME`; only a `config.toml` in the old
  `CARGO_HOME` is not read any more;
- unpack without a prefix, into the `CARGO_HOME` there is: only `registry/` and `git/` are added.

Registries other than the default one must have a name at the target: the project's own
`.cargo/config.toml` gives it, or `CARGO_REGISTRIES_<NAME>_INDEX`, which is part of the
environment if the packing machine knew the name. Tokens never are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from vendorpack.dataclass import dataclass
from vendorpack.demands import Client, Contents, Demand, Tool
from vendorpack.errors import TargetError, UnsupportedError, UsageError
from vendorpack.formats._shared.git.pack import read_pack
from vendorpack.formats._shared.git.repository import commit_of, derive_commit
from vendorpack.formats._shared.git.submodules import read_submodules, submodule_address
from vendorpack.formats.cargo.artifacts import CargoLock, Commit, Crate, commit_artifact
from vendorpack.formats.cargo.config import Config, cargo_home, read_config
from vendorpack.formats.cargo.index import merged_cache_file
from vendorpack.formats.cargo.layout import GIT_HEAD, layout
from vendorpack.formats.cargo.license import reader_of as license_reader
from vendorpack.formats.cargo.lockfile import graph_of, read_lock, read_needs, with_needs
from vendorpack.formats.cargo.registry import locate
from vendorpack.formats.cargo.requests import explain_output, explain_request
from vendorpack.formats.cargo.sources import (
    CRATES_IO_DOWNLOADS,
    CRATES_IO_INDEX,
    package_source,
)
from vendorpack.model import (
    Access,
    Artifact,
    Credential,
    Entry,
    Environment,
    Json,
    Lack,
    LicenseReader,
    Lockfile,
    Options,
    Packed,
    Target,
    Variable,
    Warning,
)
from vendorpack.project import Host, Project
from vendorpack.redact import redact_url
from vendorpack.room import Format, Index, Workshop


class Cargo(Format):
    """Crates and git dependencies of a `Cargo.lock`."""

    name = "cargo"
    title = "Cargo"
    layout_version = 2
    command = "cargo build --frozen"
    options = {
        "index-lines": "crate (default): make index entries from each crate's own Cargo.toml; "
        "registry: take them from the registry's index",
        "compat": "yes: also fill the folder names of cargo 1.70 to 1.84 (the crates are there "
        "twice); 1.65: those, and the git index that cargo 1.65 to 1.69 reads (three times)",
        "crates": "all (default): every locked crate; targets: of those that no target may build "
        "the index entry alone, for `cargo build` (name the building machine's target too)",
    }

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read `Cargo.lock`; the configuration only says where registries are."""
        choices = _Choices.of(options)
        config = read_config(project)
        path, data = project.where(), project.lock_bytes()
        artifacts: Sequence[Artifact] = read_lock(
            data, path, config, compat=choices.compat, git_index=choices.git_index
        )
        needs = read_needs(data, path)
        graph = graph_of(needs, artifacts)
        if choices.targets:
            artifacts = with_needs(artifacts, needs)
        crates = [item for item in artifacts if isinstance(item, Crate)]
        return CargoLock(
            path=path,
            format=self.name,
            artifacts=tuple(artifacts),
            graph=graph,
            access=_access(crates, config),
            tokens={
                named.registry: named.token
                for named in config.registries
                if named.token is not None and named.registry.sparse_index is None
            },
            warnings=(*_unnamed(crates), *_unasked(crates, config), *_toolchain(project)),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """The room's own options, and what the registries of this lockfile are called here."""
        choices = _Choices.of(options)
        config = read_config(project)
        lock = project.lock_bytes().decode(errors="replace")
        result: dict[str, Json] = {"compat": False, "index-lines": choices.with_lines}
        if choices.compat:
            result["compat"] = _COMPAT_LAYOUT
        if choices.git_index:
            result["git-index"] = True
        if choices.targets:
            result["crates"] = list[Json](sorted({str(target) for target in choices.targets}))
        # Only what the lockfile names: a registry of some other project changes nothing.
        result["registries"] = {
            redact_url(item.registry.source): item.name
            for item in config.registries
            if f'"{item.registry.source}"' in lock
        }
        if config.mirror_is_the_projects and config.mirror is not None:
            result["mirror"] = config.mirror.source
        return result

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether a registry's index is asked: it has every crate's."""
        return isinstance(artifact, Crate) and not artifact.integrity

    def asks_to_choose(self, options: Options) -> bool:
        """For `--cargo-crates targets` the index says what is for which platform."""
        return bool(_Choices.of(options).targets)

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask other registries for their addresses, and any for missing checksums."""
        choices = _Choices.of(options)
        return await locate(lockfile, index, with_lines=choices.with_lines, targets=choices.targets)

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Artifact]:
        """The commits that submodules of the git dependencies name, with theirs in turn."""
        known = {item.artifact.purl for item in packed}
        found: dict[str, Artifact] = {}
        for item in packed:
            if isinstance(item.artifact, Commit):
                for commit in _submodules(item.artifact, item, workshop):
                    if commit.purl not in known:
                        found[commit.purl] = commit
        return [found[purl] for purl in sorted(found)]

    def license(self, artifact: Artifact) -> LicenseReader | None:
        """What a Cargo.toml declares."""
        return license_reader(artifact)

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The commit that a pack file is."""
        if isinstance(artifact, Commit):
            return derive_commit(artifact, path)
        return super().derive(artifact, algorithm, path)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """See `vendorpack.formats.cargo.layout`."""
        return layout(packed, workshop)

    def is_place_of(self, path: str, name: str, version: str) -> bool:
        """Cargo takes a crate by its file name."""
        return path.endswith(f"/{name}-{version}.crate")

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """`CARGO_HOME`, no network, and the names of other registries."""
        named = {
            Variable(f"CARGO_REGISTRIES_{crate.registry_name}_INDEX", _index_value(crate))
            for crate in (item.artifact for item in packed)
            if isinstance(crate, Crate) and crate.registry_name is not None
        }
        return Environment(
            variables=(
                Variable("CARGO_HOME", "cargo", is_path=True),
                Variable("CARGO_NET_OFFLINE", "true"),
                *sorted(named),
            )
        )

    def explain_request(self, url: str) -> str | None:
        """Name what was asked for, if this client asks for it."""
        return explain_request(url)

    def explain_output(self, text: str) -> Sequence[Lack]:
        """Find what it lacks in the client's words."""
        return explain_output(text)

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """Which cargo finds the folders, and what links."""
        options = contents.options
        if all(one.get("compat") for one in options):
            with_index = all(one.get("git-index") for one in options)
            oldest, remedy = ("1.65", "") if with_index else ("1.70", "--cargo-compat 1.65")
        else:
            oldest, remedy = "1.85", "--cargo-compat yes (1.70 and newer) or 1.65"
        pack = f"; or pack it with {remedy}" if remedy else ""
        return (
            Client(
                ("cargo",),
                ((oldest, ""),),
                why="older ones look for the crates under other folder names",
                seen="1.65, 1.70, 1.84, 1.85, 1.95, 1.97",
                otherwise=f"Install cargo {oldest} or newer{pack}.",
            ),
            Tool(
                ("cc", "gcc", "clang"),
                "rustc links with it",
                "Install a C compiler, such as gcc.",
            ),
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """The user's own `CARGO_HOME`."""
        return {"cargo": cargo_home(host)}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """Index files keep the user's other versions, git databases their own settings.

        Raises `TargetError` for a git index that is not a bundle's.
        """
        parts = path.split("/")
        if parts[1] == "registry":
            if ".cache" in parts:
                return merged_cache_file(existing, ours)
            if parts[-1] == "config.json":
                return existing if _is_config(existing) else ours
            if path.endswith(f"/{GIT_HEAD}"):
                if existing == ours:
                    return ours
                raise TargetError(
                    "cargo has a git index of this registry of its own, which cannot be added to",
                    where=path,
                    fix="Unpack to a folder of its own with --prefix, or remove the index' folder: "
                    "cargo makes it anew where there is a network.",
                )
        if parts[-1] == "shallow":
            return b"".join(sorted({*existing.splitlines(True), *ours.splitlines(True)}))
        return existing if parts[-1] in ("HEAD", "config") else ours


_COMPAT_LAYOUT: Final = 2
"""Raised whenever what older cargos look for is laid out another way."""
_COMPAT: Final = {
    **dict.fromkeys(("", "0", "false", "no"), 0),
    **dict.fromkeys(("1", "true", "yes", "1.70"), 1),
    "1.65": 2,
}


@dataclass(frozen=True, slots=True)
class _Choices:
    """The room's own options, read.

    compat: whether to fill older folder names. git_index: whether to make the default registry's
    git index. with_lines: whether to ask the index for its
    lines. targets: those that crates are left out for; none if none is.
    """

    compat: bool
    git_index: bool
    with_lines: bool
    targets: tuple[Target, ...]

    @classmethod
    def of(cls, options: Options) -> _Choices:
        lines = _one_of(options, "cargo-index-lines", "crate", "registry")
        crates = _one_of(options, "cargo-crates", "all", "targets")
        # Nothing here asks for a language's version, or the libc's.
        targets = (replace(t, runtimes=(), release="") for t in options.targets)
        compat = _COMPAT.get(options.extra.get("cargo-compat", "no").lower())
        if compat is None:
            raise UsageError(
                f"cargo-compat is {options.extra['cargo-compat']!r}",
                fix="Give 'yes' for cargo 1.70 and newer, '1.65' for that and newer, or 'no'.",
            )
        return cls(
            compat=compat >= 1,
            git_index=compat == 2,
            with_lines=lines == "registry",
            targets=tuple(dict.fromkeys(targets)) if crates == "targets" else (),
        )


def _one_of(options: Options, name: str, *words: str) -> str:
    """An option's value, by default the first of its words. Raises `UsageError`."""
    given = options.extra.get(name, words[0])
    if given not in words:
        fix = f"Give {' or '.join(map(repr, words))}."
        raise UsageError(f"{name} is {given!r}", fix=fix)
    return given


def _access(crates: Sequence[Crate], config: Config) -> Access:
    origins = {_origin(CRATES_IO_INDEX), _origin(CRATES_IO_DOWNLOADS)}
    credentials = []
    for registry in sorted({crate.served_by for crate in crates}):
        named = config.named(registry)
        if named is None and registry != config.mirror:
            continue
        origins.add(_origin(registry.index))
        if named is not None and named.token is not None and registry.sparse_index is not None:
            credentials.append(Credential(registry.index, named.token))
    return Access(
        origins=frozenset(origins),
        credentials=tuple(credentials),
        ca_files=(config.ca_file,) if config.ca_file else (),
        proxies={"http": config.proxy, "https": config.proxy} if config.proxy else {},
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _unnamed(crates: Sequence[Crate]) -> Iterator[Warning]:
    """Registries that cargo will not know at the target."""
    unnamed = {
        crate.registry: crate.where
        for crate in reversed(crates)
        if crate.registry_name is None and not crate.registry.is_crates_io
    }
    for registry in sorted(unnamed):
        yield Warning(
            f"no configuration here names the registry {redact_url(registry.source)}; cargo needs "
            "its name at the target: in the project's .cargo/config.toml or "
            "CARGO_REGISTRIES_<NAME>_INDEX",
            unnamed[registry],
        )


def _unasked(crates: Sequence[Crate], config: Config) -> Iterator[Warning]:
    """Registries whose token only a credential provider knows: that may be a program."""
    servers = {crate.served_by: crate.where for crate in reversed(crates)}
    for server in sorted(servers):
        named = config.named(server)
        if named is None or named.token is not None or named.provider is None:
            continue
        yield Warning(
            f"the credential provider {named.provider!r} of the registry {named.name} is not "
            "asked: if the registry wants a token, put it into "
            f"CARGO_REGISTRIES_{named.name}_TOKEN",
            servers[server],
        )


def _toolchain(project: Project) -> Iterator[Warning]:
    """A rustup at the target fetches the toolchain that the project names, unless it has it."""
    for name in ("rust-toolchain.toml", "rust-toolchain"):
        if project.read(name) is not None:
            yield Warning(
                "toolchains are not packed: a target with rustup needs the one that this file "
                "names, installed",
                str(project.lockfile.parent / name),
            )
            return


def _submodules(commit: Commit, item: Packed, workshop: Workshop) -> Iterator[Commit]:
    """The commits of other repositories that a commit's tree names."""
    with workshop.open(item.blob) as file:
        pack = read_pack(file, len(commit_of(commit)))
        submodules = read_submodules(pack, file)
    for submodule in submodules:
        where = f"{commit.where} ({commit.name}, submodule {submodule.path})"
        url = _submodule_url(commit.repository, submodule.url, where)
        yield commit_artifact(url, submodule.commit.hex(), None, where=where, compat=commit.compat)


def _submodule_url(repository: str, url: str, where: str) -> str:
    try:
        url = submodule_address(repository, url)
        known = urlsplit(url).path and package_source(f"git+{url}")
    except ValueError:
        known = None
    if not known:
        raise UnsupportedError("a git submodule's address is not a URL", where=where)
    return url


def _index_value(crate: Crate) -> str:
    return crate.registry.source.removeprefix("registry+")


def _is_config(data: bytes) -> bool:
    try:
        return isinstance(json.loads(data)["dl"], str)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


FORMAT = Cargo()
