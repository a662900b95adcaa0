"""Yarn 1's configuration: its own .yarnrc over npm's .npmrc.

A registry is looked for in the environment (`YARN_REGISTRY`), in `.yarnrc` beside the lockfile
and in the user's home, then as npm does (`npm_config_registry`, `.npmrc`); credentials, proxies
and certificates are npm's. Environment variables are not expanded in .yarnrc.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.npmrc import load_npmrc
from vendorpack.formats._shared.npm.registry import ALIAS_REGISTRY, DEFAULT_REGISTRY
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats.yarn_classic.syntax import Setting, parse
from vendorpack.model import Access, Warning
from vendorpack.project import Project
from vendorpack.redact import redact_url

_NAME: Final = ".yarnrc"
_SCOPE_SETTING: Final = ":registry"


@dataclass(frozen=True, slots=True)
class Yarnrc:
    """The settings in force. Registries end with `/` and have no userinfo."""

    registry: str
    scopes: Mapping[str, str]
    access: Access
    warnings: tuple[Warning, ...]

    def registry_of(self, name: str) -> str:
        """The registry that package `name` comes from."""
        return self.scopes.get(name.partition("/")[0], self.registry)

    def asked(self, url: str, name: str) -> str:
        """Where to fetch from what was locked at npm's registry, or at Yarn's name for it.

        Yarn never asks these two without TLS, even where an old lockfile has `http:`.
        """
        safe = url.replace("http:", "https:", 1) if url.startswith("http:") else url
        for public in (ALIAS_REGISTRY, DEFAULT_REGISTRY):
            if safe.startswith(public):
                return self.registry_of(name) + safe.removeprefix(public)
        return url


def load_yarnrc(project: Project) -> Yarnrc:
    """Read the configuration that Yarn would see in the lockfile's folder.

    Raises `LockfileError` for a file that cannot be read or a registry that is no address.
    """
    npmrc = load_npmrc(project)
    settings = dict(_settings(project))
    addresses = {
        name: _address(value, where)
        for name, (value, where) in settings.items()
        if name == "registry" or (name.startswith("@") and name.endswith(_SCOPE_SETTING))
    }
    registry = addresses.pop("registry", None)
    if registry is None:
        registry = npmrc.registry
    scopes = dict(npmrc.scopes) | {
        name.removesuffix(_SCOPE_SETTING): address for name, address in addresses.items()
    }
    registry, scopes = _public(registry), {s: _public(r) for s, r in sorted(scopes.items())}
    return Yarnrc(
        registry=registry,
        scopes=scopes,
        access=npmrc.access(ALIAS_REGISTRY, registry, *scopes.values()),
        warnings=npmrc.warnings,
    )


def _settings(project: Project) -> Iterator[tuple[str, tuple[str, str]]]:
    """Name to value and where it stands; the strongest comes last."""
    home = project.host.home / _NAME
    files = [(project.host.config_bytes(home), str(home))]
    if home != project.folder / _NAME:
        files.append((project.settings(_NAME), str(project.lockfile.parent / _NAME)))
    for data, where in files:
        for item in parse(data or b"", where):
            if isinstance(item, Setting):
                yield item.name, (item.value, f"{where}:{item.line}")
    from_environment = project.host.environ.get("YARN_REGISTRY")
    if from_environment:
        yield "registry", (from_environment, "YARN_REGISTRY")


def _address(value: str, where: str) -> str:
    if not is_http(value):
        raise LockfileError(
            f"a registry is not an http(s) address: {redact_url(value)}",
            where=where,
            fix="Set `registry` to an address such as https://registry.example/npm/.",
        )
    parts = urlsplit(value)
    netloc = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, netloc, parts.path.rstrip("/") + "/", "", ""))


def _public(registry: str) -> str:
    return DEFAULT_REGISTRY if registry == ALIAS_REGISTRY else registry
