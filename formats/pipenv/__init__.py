"""pipenv: Pipfile.lock, installed by `pipenv sync` through pip from the shared wheelhouse.

`lockfile` reads the text; `vendorpack.formats._shared.python.wheelhouse_room` does the rest.
Seen with pipenv 2026.10.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vendorpack.formats._shared.python.builds.resolver import Tiers
from vendorpack.formats._shared.python.pip_config import index_address, load_pip_config
from vendorpack.formats._shared.python.wheelhouse_room import WheelhouseFormat
from vendorpack.formats._shared.text.toml_text import load_toml, subtable
from vendorpack.formats.pipenv.lockfile import PipfileLock, artifacts_of, parse_pipfile_lock
from vendorpack.model import Environment, Json, Lockfile, Options, Packed
from vendorpack.project import Project


class Pipenv(WheelhouseFormat):
    """pipenv."""

    name = "pipenv"
    title = "pipenv"
    layout_version = 6
    command = "pipenv sync"
    python = re.compile(
        rb"\"requires\"\s*:\s*\{[^{}]*\"python(?:_full)?_version\"\s*:\s*\"([^\"\n]*)"
    )
    python_is_advice = True

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read Pipfile.lock; see `Format.read`."""
        choices = self.choices(project, options)
        lock = parse_pipfile_lock(project)
        config = load_pip_config(project.host)
        local = self.local(project, choices)
        artifacts, warnings = artifacts_of(lock, options, choices, project, local)
        indexes, tiers_of = _build_indexes(project, lock)
        mirror = project.host.environ.get("PIPENV_PYPI_MIRROR")
        allowed = (index_address(mirror, "PIPENV_PYPI_MIRROR")[0],) if mirror else ()
        return self.locked(
            project,
            options,
            choices,
            indexes,
            local,
            artifacts,
            config.access(lock.logins, allowed),
            (*warnings, *config.warnings),
            tiers_of=tiers_of,
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets, categories, the indexes, and this room's options."""
        choices = self.choices(project, options)
        lock = parse_pipfile_lock(project)
        decides: dict[str, Json] = {"dev": options.dev, "groups": [*sorted(options.groups)]}
        first, _ = _build_indexes(project, lock)
        if first != lock.indexes:
            decides["build-indexes"] = [*first]
        return decides | self.fingerprint_of(project, choices, lock.indexes)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """pip's, and its cache once more: pipenv sets `PIP_CACHE_DIR` to its own."""
        environment = super().environment(packed)
        cache = [
            replace(variable, name="PIPENV_CACHE_DIR")
            for variable in environment.variables
            if variable.name == "PIP_CACHE_DIR"
        ]
        return replace(environment, variables=tuple(sorted((*environment.variables, *cache))))


def _build_indexes(project: Project, lock: PipfileLock) -> tuple[tuple[str, ...], dict[str, Tiers]]:
    """The indexes that answer for what sources are built with, and those of single packages.

    As pipenv hands them to pip: a package's own source alone, else the first alone, unless the
    Pipfile says `install_search_all_sources`.
    """
    data = project.read("Pipfile")
    path = str(project.lockfile.parent / "Pipfile")
    settings = subtable({} if data is None else load_toml(data, path), "pipenv", path)
    if settings.get("install_search_all_sources") is True:
        return lock.indexes, {}
    named = {pin.name: lock.sources.get(pin.text("index")) for pin in lock.pins}
    return lock.indexes[:1], {name: ((index,),) for name, index in named.items() if index}


FORMAT = Pipenv()
