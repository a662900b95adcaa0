"""Bun's own configuration, as far as it says where packages come from.

`BUN_CONFIG_REGISTRY`, then `NPM_CONFIG_REGISTRY`, then bunfig.toml, then `.npmrc`::

    [install]
    registry = "https://registry.example/"
    [install.scopes]
    "@scope" = { url = "https://npm.example/", token = "$NPM_TOKEN" }  # or username, password

Seen with a loopback registry at each place: of bunfig.toml and `.npmrc` Bun 1.4 believes the
first, Bun 1.1 to 1.3 the second. What they disagree on is named.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.npmrc import Npmrc, load_npmrc
from vendorpack.formats._shared.npm.registry import DEFAULT_REGISTRY
from vendorpack.formats._shared.text.addresses import parts_of, refused_variable, variable_in_path
from vendorpack.formats._shared.text.toml_text import load_toml
from vendorpack.model import Access, Credential, Warning
from vendorpack.project import Host, Project

_BUNFIG: Final = "bunfig.toml"
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True)
class Registries:
    """Where packages come from; addresses end with a slash.

    access: the origins and credentials that go with it.
    """

    default: str
    scopes: Mapping[str, str]
    access: Access = field(repr=False)
    warnings: tuple[Warning, ...] = ()

    def of(self, name: str) -> str:
        """The registry to ask for a package."""
        return self.scopes.get(name.partition("/")[0], self.default)


def load_registries(project: Project) -> Registries:
    """The registries in force. Raises `LockfileError` if the configuration makes no sense."""
    npmrc = load_npmrc(project)
    shown = str(project.lockfile.parent / _BUNFIG)
    environ = project.host.environ
    default, scopes = npmrc.registry, dict(npmrc.scopes)
    credentials: list[Credential] = []
    warnings = list(npmrc.warnings)
    for scope, value in _bunfig(project, shown):
        url, credential = _registry(value, environ, shown)
        known = npmrc.scopes.get(scope) if scope else _from_npmrc(npmrc)
        if known not in (None, url):
            warnings.append(
                Warning(
                    f"bunfig.toml and .npmrc name different registries for {scope or 'all'}: "
                    "Bun 1.4 takes bunfig.toml's, older ones .npmrc's",
                    shown,
                )
            )
        if scope:
            scopes[scope] = url
        else:
            default = url
        credentials += [credential] if credential else []
    for variable in ("BUN_CONFIG_REGISTRY", "NPM_CONFIG_REGISTRY", "npm_config_registry"):
        if environ.get(variable):
            default, credential = _registry(environ[variable], environ, variable)
            token = environ.get("BUN_CONFIG_TOKEN")
            if token and variable == "BUN_CONFIG_REGISTRY":
                credential = Credential(default, f"Bearer {token}")
            credentials += [credential] if credential else []
            break
    access = npmrc.access(default, *scopes.values())
    access = replace(access, credentials=(*credentials, *access.credentials))
    return Registries(default, scopes, access, tuple(warnings))


def cache_folder(host: Host) -> Path:
    """Where Bun keeps packages: as its own look-up goes."""
    environ = host.environ
    for variable, below in (
        ("BUN_INSTALL_CACHE_DIR", ""),
        ("BUN_INSTALL", "install/cache"),
        ("XDG_CACHE_HOME", ".bun/install/cache"),
    ):
        if environ.get(variable):
            return host.home / environ[variable] / below
    return host.home / ".bun/install/cache"


def _bunfig(project: Project, shown: str) -> Iterator[tuple[str, Any]]:
    """Scope (empty for the default registry) and what bunfig.toml has for it."""
    data = project.settings(_BUNFIG)
    install = load_toml(data, shown).get("install") if data is not None else None
    if not isinstance(install, dict):
        return
    if "registry" in install:
        yield "", install["registry"]
    scopes = install.get("scopes")
    for scope, value in scopes.items() if isinstance(scopes, dict) else ():
        yield "@" + str(scope).removeprefix("@"), value


def _from_npmrc(npmrc: Npmrc) -> str | None:
    """The default registry, if it is configured."""
    return None if npmrc.registry == DEFAULT_REGISTRY else npmrc.registry


def _registry(value: Any, environ: Mapping[str, str], where: str) -> tuple[str, Credential | None]:
    """An address, with a slash at its end and without userinfo, and what goes with it."""
    table = value if isinstance(value, dict) else {"url": value}
    texts = {name: text for name, text in table.items() if isinstance(text, str)}

    def expand(text: str) -> str:
        return _VARIABLE.sub(lambda m: environ.get(m[1] or m[2], m[0]), text)

    if (variable := variable_in_path(texts.get("url", ""), _VARIABLE, expand)) is not None:
        raise refused_variable("a registry", variable, where)
    settings = {name: expand(text) for name, text in texts.items()}
    parts = parts_of(settings.get("url", ""))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LockfileError("a registry's address is no http(s) address", where=where)
    netloc = parts.netloc.rpartition("@")[2]
    url = f"{parts.scheme}://{netloc}{parts.path.rstrip('/')}/"
    user, password = settings.get("username"), settings.get("password")
    if settings.get("token"):
        return url, Credential(url, f"Bearer {settings['token']}")
    if user is None and parts.username:
        user, password = parts.username, parts.password
    if user and password:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return url, Credential(url, f"Basic {pair}")
    return url, None
