"""Cargo's own configuration, as far as it says where registries are and with which token.

Read are `.cargo/config.toml` (or the older `.cargo/config`) beside the lockfile and in the
folders above it up to the root, then `$CARGO_HOME/config.toml` and `$CARGO_HOME/credentials.toml`,
and `CARGO_REGISTRIES_<NAME>_INDEX` and `_TOKEN`, which go before files. What lies closer to the
lockfile wins. Credential providers are programs and are not run. `http.proxy` and `http.cainfo`
(`CARGO_HTTP_PROXY`, `CARGO_HTTP_CAINFO`) are kept to.

`[source.crates-io] replace-with` naming a registry is a mirror: it is where the default
registry's crates are downloaded from. Cargo then also looks for them under the mirror's name,
so a replacement that the project itself brings along changes the folders of the bundle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.text.toml_text import Table, load_toml, optional_text, subtable
from vendorpack.formats.cargo.sources import Registry
from vendorpack.model import Host, Project

_VARIABLE: Final = re.compile(r"CARGO_REGISTRIES_([A-Z0-9_]+)_(INDEX|TOKEN)")
_MAX_CHAIN: Final = 10

_File: TypeAlias = tuple[Table, str, Path]
"""A file's content, its name, and the folder that paths in it are relative to."""


@dataclass(frozen=True, slots=True)
class NamedRegistry:
    """A registry that the configuration names. `name` is as environment variables have it."""

    name: str
    registry: Registry
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """What the configuration says.

    mirror: the registry that replaces the default one, if any.
    mirror_is_the_projects: whether it is the project's own files that say so.
    ca_file: certificate authorities to trust beside the system's.
    proxy: an HTTP proxy, for all that cargo fetches; may hold userinfo.
    """

    registries: tuple[NamedRegistry, ...] = ()
    mirror: Registry | None = None
    mirror_is_the_projects: bool = False
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)

    def named(self, registry: Registry) -> NamedRegistry | None:
        """What is configured for a registry."""
        return next((item for item in self.registries if item.registry == registry), None)


def cargo_home(host: Host) -> Path:
    """`$CARGO_HOME`, else `~/.cargo`."""
    configured = host.environ.get("CARGO_HOME")
    return Path(configured) if configured else host.home / ".cargo"


def read_config(project: Project) -> Config:
    """Read all of it. Raises `LockfileError`, `UnsupportedError`."""
    own = list(_project_files(project))
    user = list(_home_files(project.host, "config.toml", "config"))
    secret = list(_home_files(project.host, "credentials.toml", "credentials"))
    indexes: dict[str, str] = {}
    tokens: dict[str, str] = {}
    http: dict[str, str] = {}
    for table, where, base in (*own, *user, *secret):
        settings = subtable(table, "http", where)
        proxy = optional_text(settings, "proxy", where)
        ca_file = optional_text(settings, "cainfo", where)
        if proxy:
            http.setdefault("PROXY", proxy)
        if ca_file:
            http.setdefault("CAINFO", str(base / ca_file))
        for name, entry in subtable(table, "registries", where).items():
            if not isinstance(entry, Mapping):
                continue
            key = _variable_name(name)
            for found, values in (("index", indexes), ("token", tokens)):
                value = optional_text(entry, found, where)
                if value is not None:
                    values.setdefault(key, value)
    for variable, value in project.host.environ.items():
        match = _VARIABLE.fullmatch(variable)
        if match:
            (indexes if match[2] == "INDEX" else tokens)[match[1]] = value
    registries = tuple(
        NamedRegistry(name, registry_of_index(index), tokens.get(name))
        for name, index in sorted(indexes.items())
    )
    for name in ("PROXY", "CAINFO"):
        value = project.host.environ.get(f"CARGO_HTTP_{name}")
        if value:
            http[name] = value
    mirror = _mirror(own + user)
    return Config(
        registries,
        mirror,
        mirror_is_the_projects=mirror is not None and mirror == _mirror(own),
        ca_file=http.get("CAINFO"),
        proxy=http.get("PROXY"),
    )


def registry_of_index(index: str) -> Registry:
    """The source that cargo writes into lockfiles for a configured index address."""
    return Registry(index if index.startswith("sparse+") else f"registry+{index}")


def _mirror(files: list[_File]) -> Registry | None:
    sources: dict[str, tuple[Table, str]] = {}
    for table, where, _ in files:
        for name, entry in subtable(table, "source", where).items():
            if isinstance(entry, Mapping):
                sources.setdefault(name, (entry, where))
    name = "crates-io"
    for _ in range(_MAX_CHAIN):
        entry, where = sources.get(name, ({}, ""))
        following = optional_text(entry, "replace-with", where)
        if following is None:
            break
        name = following
    else:
        raise UnsupportedError("cargo's source replacement goes round in a circle", where=where)
    if name == "crates-io":
        return None
    index = optional_text(entry, "registry", where)
    # Another kind (a folder of vendored crates) has no addresses to download from.
    return registry_of_index(index) if index else None


def _project_files(project: Project) -> Iterator[_File]:
    levels = len(project.lockfile.parent.parts)
    for level in range(levels + 1):
        for name in ("config.toml", "config"):
            path = "../" * level + f".cargo/{name}"
            data = project.read(path)
            if data is not None:
                yield load_toml(data, path), path, project.folder.joinpath(*[".."] * level)
                break


def _home_files(host: Host, *names: str) -> Iterator[_File]:
    for name in names:
        path = cargo_home(host) / name
        data = host.config_bytes(path)
        if data is not None:
            yield load_toml(data, str(path)), str(path), path.parent.parent
            break


def _variable_name(name: str) -> str:
    return name.upper().replace("-", "_")
