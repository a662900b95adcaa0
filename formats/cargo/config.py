"""Cargo's own configuration, as far as it says where registries are and with which token.

Read are `.cargo/config.toml` (or the older `.cargo/config`) beside the lockfile and in the
folders above it up to the root, then `$CARGO_HOME/config.toml` and `$CARGO_HOME/credentials.toml`,
and `CARGO_REGISTRIES_<NAME>_INDEX` and `_TOKEN`, which go before files. What lies closer to the
lockfile wins. `http.proxy` and `http.cainfo` (`CARGO_HTTP_PROXY`, `CARGO_HTTP_CAINFO`) are kept to.

Of the credential providers (`registries.<name>.credential-provider`, else
`registry.global-credential-providers`; cargo 1.74) `cargo:token` is what is read here. All others
are programs or the system's key stores: none is run or asked, but the configuration's word for
one is kept, so that a registry whose token it would know can be spoken of.

`[source.crates-io] replace-with` naming a registry is a mirror: it is where the default
registry's crates are downloaded from. Cargo then also looks for them under the mirror's name,
so a replacement that the project itself brings along changes the folders of the bundle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Final, TypeAlias

from vendorpack.dataclass import dataclass
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.text.toml_text import (
    Table,
    load_toml,
    optional_text,
    subtable,
    text_list,
)
from vendorpack.formats.cargo.sources import Registry
from vendorpack.project import Host, Project

_VARIABLE: Final = re.compile(r"CARGO_REGISTRIES_([A-Z0-9_]+)_(INDEX|TOKEN|CREDENTIAL_PROVIDER)")
_GLOBAL_PROVIDERS: Final = "CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS"
_READ_HERE: Final = "cargo:token"
_MAX_CHAIN: Final = 10

_File: TypeAlias = tuple[Table, str, Path]
"""A file's content, its name, and the folder that paths in it are relative to."""


@dataclass(frozen=True, slots=True)
class NamedRegistry:
    """A registry that the configuration names. `name` is as environment variables have it.

    provider: the credential provider that cargo would ask for a token where there is none here.
    """

    name: str
    registry: Registry
    token: str | None = field(default=None, repr=False)
    provider: str | None = None


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
    values: dict[str, dict[str, str]] = {"index": {}, "token": {}, "credential-provider": {}}
    providers: list[str] = []
    http: dict[str, str] = {}
    for table, where, base in (*own, *user, *secret):
        settings = subtable(table, "http", where)
        proxy = optional_text(settings, "proxy", where)
        ca_file = optional_text(settings, "cainfo", where)
        if proxy:
            http.setdefault("PROXY", proxy)
        if ca_file:
            http.setdefault("CAINFO", str(base / ca_file))
        providers += text_list(
            subtable(table, "registry", where), "global-credential-providers", where
        )
        for name, entry in subtable(table, "registries", where).items():
            if not isinstance(entry, Mapping):
                continue
            for key, found in values.items():
                value = _words(entry, key, where)
                if value is not None:
                    found.setdefault(_variable_name(name), value)
    for variable, value in project.host.environ.items():
        match = _VARIABLE.fullmatch(variable)
        if match:
            values[match[2].lower().replace("_", "-")][match[1]] = value
    if _GLOBAL_PROVIDERS in project.host.environ:
        providers = project.host.environ[_GLOBAL_PROVIDERS].split()
    registries = tuple(
        NamedRegistry(
            name,
            registry_of_index(index),
            values["token"].get(name),
            _provider(values["credential-provider"].get(name), providers),
        )
        for name, index in sorted(values["index"].items())
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


def _words(entry: Table, key: str, where: str) -> str | None:
    """A string; a provider may be a list, of the program and its arguments."""
    if key == "credential-provider" and isinstance(entry.get(key), list):
        return " ".join(text_list(entry, key, where))
    return optional_text(entry, key, where)


def _provider(own: str | None, everybodys: Sequence[str]) -> str | None:
    """The name of the provider that goes first, of those whose token is not read here.

    own: the registry's, which is then the only one; else the last of everybody's goes first.
    """
    names = [line.split()[0] for line in ([own] if own else reversed(everybodys)) if line.strip()]
    return next((name for name in names if name != _READ_HERE), None)


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
            data = project.settings(path)
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
