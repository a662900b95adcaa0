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
from pathlib import Path
from urllib.parse import urlsplit

from vendorpack.errors import UnsupportedError, UsageError
from vendorpack.formats._shared.git.pack import read_pack
from vendorpack.formats._shared.git.repository import commit_of, derive_commit
from vendorpack.formats._shared.git.submodules import read_submodules, submodule_address
from vendorpack.formats.cargo.artifacts import Commit, Crate, commit_artifact
from vendorpack.formats.cargo.config import Config, cargo_home, read_config
from vendorpack.formats.cargo.index import merged_cache_file
from vendorpack.formats.cargo.layout import layout
from vendorpack.formats.cargo.lockfile import read_lock
from vendorpack.formats.cargo.registry import locate
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
from vendorpack.redact import redact_url


class Cargo(Format):
    """Crates and git dependencies of a `Cargo.lock`."""

    name = "cargo"
    title = "Cargo"
    layout_version = 1
    command = "cargo build --frozen"
    options = {
        "index-lines": "crate (default): make index entries from each crate's own Cargo.toml; "
        "registry: take them from the registry's index",
        "compat": "yes: also fill the folder names of cargo 1.84 and older (the crates are there "
        "twice)",
    }

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read `Cargo.lock`; the configuration only says where registries are."""
        compat, _ = _choices(options)
        config = read_config(project)
        path = project.where()
        artifacts = read_lock(project.lock_bytes(), path, config, compat=compat)
        crates = [item for item in artifacts if isinstance(item, Crate)]
        return Lockfile(
            path=path,
            format=self.name,
            artifacts=tuple(artifacts),
            access=_access(crates, config),
            warnings=(*_warnings(crates), *_toolchain(project)),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """The room's own options, and what the registries of this lockfile are called here."""
        compat, with_lines = _choices(options)
        config = read_config(project)
        lock = project.lock_bytes().decode(errors="replace")
        result: dict[str, Json] = {"compat": compat, "index-lines": with_lines}
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

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask other registries for their addresses, and any for missing checksums."""
        return await locate(lockfile, index, with_lines=_choices(options)[1])

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

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The commit that a pack file is."""
        if isinstance(artifact, Commit):
            return derive_commit(artifact, path)
        return super().derive(artifact, algorithm, path)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """See `vendorpack.formats.cargo.layout`."""
        return layout(packed, workshop)

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

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """The user's own `CARGO_HOME`."""
        return {"cargo": cargo_home(host)}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """Index files keep the user's other versions, git databases their own settings."""
        parts = path.split("/")
        if parts[1] == "registry":
            if ".cache" in parts:
                return merged_cache_file(existing, ours)
            return existing if parts[-1] == "config.json" and _is_config(existing) else ours
        if parts[-1] == "shallow":
            return b"".join(sorted({*existing.splitlines(True), *ours.splitlines(True)}))
        return existing if parts[-1] in ("HEAD", "config") else ours


def _choices(options: Options) -> tuple[bool, bool]:
    """Whether to fill older folder names, and whether to ask the index for its lines."""
    lines = options.extra.get("cargo-index-lines", "crate")
    if lines not in ("crate", "registry"):
        raise UsageError(f"cargo-index-lines is {lines!r}", fix="Give 'crate' or 'registry'.")
    compat = options.extra.get("cargo-compat", "")
    return compat.lower() not in ("", "0", "false", "no"), lines == "registry"


def _access(crates: Sequence[Crate], config: Config) -> Access:
    origins = {_origin(CRATES_IO_INDEX), _origin(CRATES_IO_DOWNLOADS)}
    credentials = []
    for registry in sorted({crate.served_by for crate in crates}):
        named = config.named(registry)
        address = registry.sparse_index
        if address is None or (named is None and registry != config.mirror):
            continue
        origins.add(_origin(address))
        if named is not None and named.token is not None:
            credentials.append(Credential(address, named.token))
    return Access(
        origins=frozenset(origins),
        credentials=tuple(credentials),
        ca_files=(config.ca_file,) if config.ca_file else (),
        proxies={"http": config.proxy, "https": config.proxy} if config.proxy else {},
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _warnings(crates: Sequence[Crate]) -> Iterator[Warning]:
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
