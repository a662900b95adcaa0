"""Which packages' install scripts a project lets run, as far as its own files say it.

Every client has a list of its own. Read with the clients' sources: npm 12 (`allowScripts` of
package.json), pnpm 9 to 12 (`createAllowBuildFunction`), Yarn 3 and 4 (`enableScripts`,
`dependenciesMeta.built`), Bun (`trustedDependencies`). Where a project has no list, what runs
depends on the client's version (Bun has a list of its own then, pnpm 10 runs none), and every
script counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from vendorpack.formats._shared.npm.manifests import json_object, mapping_in
from vendorpack.formats._shared.npm.npmrc import load_npmrc
from vendorpack.model import Artifact
from vendorpack.project import Project

Runs: TypeAlias = Callable[[Artifact], bool]
"""Whether an artifact's install scripts run."""

_PNPM: Final = "pnpm-workspace.yaml"
_YARN: Final = ".yarnrc.yml"


def npm(project: Project) -> Runs:
    """By `ignore-scripts`, and `allowScripts`: what is not allowed there does not run."""
    if _ignores_scripts(project):
        return _none
    allowed = _manifest(project).get("allowScripts")
    return _all if not isinstance(allowed, dict) else _only(_true(allowed))


def pnpm(project: Project) -> Runs:
    """By its settings, in package.json or pnpm-workspace.yaml."""
    settings = {**mapping_in(_manifest(project), "pnpm"), **_yaml(project, _PNPM)}
    if _ignores_scripts(project) or settings.get("ignoreScripts") is True:
        return _none
    if settings.get("dangerouslyAllowAllBuilds") is True:
        return _all
    only, builds = settings.get("onlyBuiltDependencies"), settings.get("allowBuilds")
    if isinstance(only, list) or isinstance(builds, dict):
        listed = [str(name) for name in only] if isinstance(only, list) else []
        return _only([*listed, *_true(mapping_in(settings, "allowBuilds"))])
    denied = [
        str(name)
        for key in ("neverBuiltDependencies", "ignoredBuiltDependencies")
        if isinstance(names := settings.get(key), list)
        for name in names
    ]
    return _all_but(denied)


def yarn_classic(project: Project) -> Runs:
    """By `ignore-scripts` alone."""
    return _none if _ignores_scripts(project) else _all


def yarn_berry(project: Project) -> Runs:
    """By `enableScripts`, and what `dependenciesMeta` says of single packages."""
    meta = mapping_in(_manifest(project), "dependenciesMeta")
    built = {name: one.get("built") for name, one in meta.items() if isinstance(one, dict)}
    if _yaml(project, _YARN).get("enableScripts") is False:
        return _only(_true(built))
    return _all_but([name for name, value in built.items() if value is False])


def bun(project: Project) -> Runs:
    """By `trustedDependencies`."""
    trusted = _manifest(project).get("trustedDependencies")
    return _only(map(str, trusted)) if isinstance(trusted, list) else _all


def _all(artifact: Artifact) -> bool:
    return True


def _none(artifact: Artifact) -> bool:
    return False


def _only(keys: Iterable[str]) -> Runs:
    names = frozenset(map(_name_of, keys))
    return lambda artifact: artifact.name in names


def _all_but(keys: Iterable[str]) -> Runs:
    names = frozenset(keys)
    return lambda artifact: artifact.name not in names


def _name_of(key: str) -> str:
    """The name of `name`, `name@1.0.0` or `@scope/name@1.0.0 || 1.0.1`."""
    at = key.find("@", 1)
    return key if at < 0 else key[:at]


def _true(flags: Mapping[str, Any]) -> list[str]:
    return [name for name, value in flags.items() if value is True]


def _ignores_scripts(project: Project) -> bool:
    return load_npmrc(project).get("ignore-scripts") == "true"


def _manifest(project: Project) -> Mapping[str, Any]:
    return json_object(project.read("package.json"))


def _yaml(project: Project, name: str) -> Mapping[str, Any]:
    data = project.read(name)
    if data is None:
        return {}
    from vendorpack.formats._shared.text.yaml_text import load_yaml  # noqa: PLC0415 - dear

    value = load_yaml(data, name).value
    return value if isinstance(value, dict) else {}
