"""Yarn 2 and newer's configuration: registries, credentials, proxies, platforms.

Read from the environment (`YARN_*`), `.yarnrc.yml` beside the lockfile and `.yarnrc.yml` in the
user's home, in this order; the first that has a setting wins, maps are joined. `.npmrc` is not
Berry's. Settings that are followed::

    npmRegistryServer, npmAuthToken, npmAuthIdent
    npmScopes:     {<scope>: {npmRegistryServer, npmAuthToken, npmAuthIdent}}
    npmRegistries: {"//host/path": {npmAuthToken, npmAuthIdent}}
    httpProxy, httpsProxy, httpsCaFilePath (caFilePath before Yarn 3)
    supportedArchitectures: {os, cpu, libc}
    compressionLevel                                  only to warn

`${NAME}`, `${NAME-default}` (unset) and `${NAME:-default}` (unset or empty) are expanded in
values; an unset name without a default is an error in Yarn.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit, urlunsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.registry import ALIAS_REGISTRY, DEFAULT_REGISTRY
from vendorpack.formats._shared.text.addresses import (
    is_http,
    refused_variable,
    variable_in_path,
)
from vendorpack.formats._shared.text.yaml_text import Yaml, load_yaml
from vendorpack.formats.yarn_berry.conditions import CURRENT, KINDS, Architectures
from vendorpack.model import Access, Credential, Warning
from vendorpack.project import Project
from vendorpack.redact import redact_url

NAME: Final = ".yarnrc.yml"


_VARIABLE: Final = re.compile(r"\$\{([A-Za-z0-9_]+)(?:(:)?-([^}]*))?\}")
_CONTENT: Final = ("compressionLevel", "supportedArchitectures")
"""Settings that decide the content, and not where requests go."""
_TOP_SCALARS: Final = (
    "npmRegistryServer",
    "npmAuthToken",
    "npmAuthIdent",
    "httpProxy",
    "httpsProxy",
    "httpsCaFilePath",
    "caFilePath",
    "compressionLevel",
)
_SCOPE_SETTING: Final = "npmRegistryServer"
_AUTH_SETTINGS: Final = ("npmAuthToken", "npmAuthIdent")


@dataclass(frozen=True, slots=True)
class Registries:
    """Where packages come from, by scope; all addresses end with `/` and have no userinfo."""

    default: str
    scopes: Mapping[str, str]

    def of(self, name: str) -> str:
        """The registry that package `name` comes from."""
        scope = name[1:].partition("/")[0] if name.startswith("@") else ""
        return self.scopes.get(scope, self.default)


@dataclass(frozen=True, slots=True)
class Yarnrc:
    """The settings in force.

    pinned: registries by the project's own file alone: the same on every machine.
    asked: registries by all of the configuration: where this machine goes.
    architectures: the setting `supportedArchitectures` of the project's own file.
    compression_level: as text; None if it is not set.
    """

    pinned: Registries
    asked: Registries
    architectures: Architectures
    compression_level: str | None
    access: Access
    warnings: tuple[Warning, ...]


@dataclass(frozen=True, slots=True)
class _Layer:
    """One source of settings."""

    settings: Mapping[str, Yaml]
    where: str


def load_yarnrc(project: Project) -> Yarnrc:
    """Read the configuration that Yarn would see in the lockfile's folder.

    Raises `LockfileError` for a file that cannot be read or a setting of the wrong kind.
    """
    environ = project.host.environ
    own = _own(project)
    home = project.host.home / NAME
    layers = [_from_environment(environ), own]
    if home != project.folder / NAME:
        layers.append(_file(project.host.config_bytes(home), str(home)))
    reader = _Reader(layers, environ)
    asked = reader.registries()
    return Yarnrc(
        pinned=_Reader([own], environ).registries(),
        asked=asked,
        architectures=_Reader([own], environ).architectures(),
        compression_level=reader.text(("compressionLevel",)),
        access=reader.access(asked, project.folder),
        warnings=tuple(reader.warnings()),
    )


def load_pinned(project: Project) -> tuple[Registries, Architectures]:
    """What of the configuration decides a bundle's content; see `Yarnrc`. Raises likewise."""
    own = _own(project)
    reader = _Reader([own], project.host.environ)
    return reader.registries(), reader.architectures()


def without_alias(url: str) -> str:
    """The address at npm's registry if it is at Yarn's name for it, else the address itself."""
    if url.startswith(ALIAS_REGISTRY):
        return DEFAULT_REGISTRY + url.removeprefix(ALIAS_REGISTRY)
    return url


def _own(project: Project) -> _Layer:
    layer = _file(project.read(NAME), str(project.lockfile.parent / NAME))
    if project.trusted:
        return layer
    settings = {name: layer.settings[name] for name in _CONTENT if name in layer.settings}
    return _Layer(settings, layer.where)


def _file(data: bytes | None, where: str) -> _Layer:
    value = load_yaml(data, where).value if data is not None else None
    if value is None:
        return _Layer({}, where)
    if not isinstance(value, dict):
        raise LockfileError("the file is not a mapping of settings", where=where)
    return _Layer(value, where)


def _from_environment(environ: Mapping[str, str]) -> _Layer:
    """`YARN_NPM_REGISTRY_SERVER` and the like; maps cannot be set so."""
    found: dict[str, Yaml] = {}
    for name in _TOP_SCALARS:
        value = environ.get("YARN_" + re.sub(r"([A-Z])", r"_\1", name).upper())
        if value:
            found[name] = value
    return _Layer(found, "the environment")


class _Reader:
    """Settings by path, over all layers, the strongest first."""

    def __init__(self, layers: Sequence[_Layer], environ: Mapping[str, str]) -> None:
        self._layers = layers
        self._environ = environ
        self._unset: dict[str, str] = {}

    def text(self, path: tuple[str, ...]) -> str | None:
        """A setting's value, expanded; None if it is not set.

        Raises `LockfileError` if it needs a variable that is not set.
        """
        value, unset, where = self._find(path)
        if not unset:
            return value
        raise LockfileError(
            f"the setting {'.'.join(path)} needs the variable {unset[0]}, which is not set",
            where=where,
            fix=f"Set {unset[0]}.",
        )

    def _secret(self, path: tuple[str, ...]) -> str | None:
        """As `text`, but None if a variable is not set: there may be no need for the secret."""
        value, unset, where = self._find(path)
        self._unset |= dict.fromkeys(unset, where)
        return None if unset else value

    def _find(self, path: tuple[str, ...]) -> tuple[str | None, list[str], str]:
        """The strongest layer's value, the variables that it lacks, and the layer's name."""
        value, where = self._written(path)
        return (None, [], "") if value is None else (*_expand(value, self._environ), where)

    def _written(self, path: tuple[str, ...]) -> tuple[str | None, str]:
        """The strongest layer's value as it stands there, and the layer's name."""
        for layer in self._layers:
            value = _at(layer, path)
            if value is None:
                continue
            if not isinstance(value, str):
                raise _wrong_kind(path, "a text", layer.where)
            return value, layer.where
        return None, ""

    def keys(self, name: str) -> list[str]:
        """The keys of a map, in all layers, sorted."""
        found: set[str] = set()
        for layer in self._layers:
            value = _at(layer, (name,))
            if value is None:
                continue
            if not isinstance(value, dict):
                raise _wrong_kind((name,), "a mapping", layer.where)
            found |= value.keys()
        return sorted(found)

    def registries(self) -> Registries:
        default = self._registry(("npmRegistryServer",))
        scopes = {
            scope.removeprefix("@"): registry
            for scope in self.keys("npmScopes")
            if (registry := self._registry(("npmScopes", scope, _SCOPE_SETTING))) is not None
        }
        return Registries(default or DEFAULT_REGISTRY, scopes)

    def architectures(self) -> Architectures:
        found: dict[str, tuple[str, ...] | None] = {}
        for kind in KINDS:
            found[kind] = (CURRENT,)
            for layer in self._layers:
                section = _at(layer, ("supportedArchitectures",))
                if section is None:
                    continue
                if not isinstance(section, dict):
                    raise _wrong_kind(("supportedArchitectures",), "a mapping", layer.where)
                if kind in section:
                    found[kind] = _names(section[kind], kind, layer.where)
                    break
        return found

    def access(self, asked: Registries, folder: Path) -> Access:
        places = [asked.default, *asked.scopes.values()]
        proxies = {
            scheme: proxy
            for scheme, setting in (("http", "httpProxy"), ("https", "httpsProxy"))
            if (proxy := self.text((setting,)))
        }
        setting = next((s for s in ("httpsCaFilePath", "caFilePath") if self.text((s,))), "")
        for name in ("httpProxy", "httpsProxy"):
            value, (written, where) = self.text((name,)), self._written((name,))
            if value and value != written and "://" not in value:
                raise LockfileError(f"{name} is not an address: {written}", where=where)
        ca_file = self.text((setting,)) if setting else None
        written, where = self._written((setting,)) if setting else (None, "")
        if ca_file and ca_file != written and not (folder / ca_file).exists():
            raise LockfileError(f"there is no such {setting}: {written}", where=where)
        return Access(
            origins=frozenset(map(_origin, (DEFAULT_REGISTRY, ALIAS_REGISTRY, *places))),
            credentials=tuple(self._credentials(asked)),
            ca_files=(str(folder / ca_file),) if ca_file else (),
            proxies=proxies,
        )

    def warnings(self) -> Iterator[Warning]:
        """About settings that were met while reading; ask last."""
        for variable, where in sorted(self._unset.items()):
            yield Warning(
                f"the variable {variable} is not set: Yarn itself stops at this, on the target "
                "too; set it to anything there if nothing needs it",
                where,
            )
        for layer in self._layers:
            if layer.settings.get("enableStrictSsl") in (False, "false"):
                yield Warning(
                    "enableStrictSsl: false is not followed: certificates are always checked "
                    "(set httpsCaFilePath to the authority's PEM file)",
                    layer.where,
                )
            if layer.settings.get("networkSettings"):
                yield Warning(
                    "networkSettings is not followed: set httpsProxy or httpsCaFilePath",
                    layer.where,
                )

    def _registry(self, path: tuple[str, ...]) -> str | None:
        value = self.text(path)
        if not value:
            return None
        written, where = self._written(path)
        variable = variable_in_path(
            written or "", _VARIABLE, lambda text: _expand(text, self._environ)[0]
        )
        if variable is not None:
            raise refused_variable(".".join(path), variable, where)
        if not is_http(value):
            raise LockfileError(
                f"{'.'.join(path)} is not an http(s) address: {redact_url(written or '')}",
                where=where,
                fix="Set it to an address such as https://registry.example/npm.",
            )
        parts = urlsplit(value)
        netloc = parts.netloc.rpartition("@")[2]
        address = urlunsplit((parts.scheme, netloc, parts.path.rstrip("/") + "/", "", ""))
        return without_alias(address)

    def _credentials(self, asked: Registries) -> Iterator[Credential]:
        """One for each registry and scope that has any, narrowest last word to its prefix."""
        found: dict[str, str] = {}
        for path, address in self._registry_addresses(asked):
            found |= self._userinfo(path, address)
        if (header := self._header(())) is not None:
            found[asked.default] = header
        for place in self.keys("npmRegistries"):
            header = self._header(("npmRegistries", place))
            if header is not None:
                address = place.partition("//")[2].strip("/") + "/"
                found["https://" + address] = header
                if asked.default.startswith("http://" + address):
                    found["http://" + address] = header
        for scope in self.keys("npmScopes"):
            header = self._header(("npmScopes", scope))
            if header is not None:
                registry = asked.scopes.get(scope.removeprefix("@"), asked.default)
                name = "@" + scope.removeprefix("@")
                found[f"{registry}{name}/"] = found[f"{registry}{name}%2f"] = header
                # A private registry may keep tarballs elsewhere below its own address.
                if registry != asked.default and [*asked.scopes.values()].count(registry) == 1:
                    found.setdefault(registry, header)
        yield from (Credential(prefix, found[prefix]) for prefix in sorted(found))

    def _registry_addresses(self, asked: Registries) -> Iterator[tuple[tuple[str, ...], str]]:
        yield ("npmRegistryServer",), asked.default
        for scope in self.keys("npmScopes"):
            if scope.removeprefix("@") in asked.scopes:
                path = ("npmScopes", scope, _SCOPE_SETTING)
                yield path, asked.scopes[scope.removeprefix("@")]

    def _userinfo(self, path: tuple[str, ...], address: str) -> dict[str, str]:
        parts = urlsplit(self.text(path) or "")
        if parts.username is None:
            return {}
        return {address: _basic(f"{unquote(parts.username)}:{unquote(parts.password or '')}")}

    def _header(self, section: tuple[str, ...]) -> str | None:
        token, ident = (self._secret((*section, setting)) for setting in _AUTH_SETTINGS)
        if token:
            return f"Bearer {token}"
        if ident:
            return _basic(ident) if ":" in ident else f"Basic {ident}"
        return None


def _at(layer: _Layer, path: tuple[str, ...]) -> Yaml:
    value: Yaml = dict(layer.settings)
    for depth, key in enumerate(path):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise _wrong_kind(path[:depth], "a mapping", layer.where)
        value = value.get(key)
    return value


def _expand(text: str, environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """The text with its variables' values, and the names of those that have none."""
    unset: list[str] = []

    def value(match: re.Match[str]) -> str:
        name, colon, default = match.groups()
        found = environ.get(name)
        if found or (found is not None and not colon):
            return found
        if default is None:
            unset.append(name)
        return default or ""

    return _VARIABLE.sub(value, text), unset


def _names(value: Yaml, kind: str, where: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    items = value if isinstance(value, list) else [value]
    if all(isinstance(item, str) for item in items):
        return tuple(sorted({item for item in items if isinstance(item, str)}))
    raise _wrong_kind(("supportedArchitectures", kind), "a list of names", where)


def _wrong_kind(path: tuple[str, ...], kind: str, where: str) -> LockfileError:
    return LockfileError(f"the setting {'.'.join(path)} is not {kind}", where=where)


def _basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
