"""pipenv: Pipfile.lock, installed by `pipenv sync` through pip from the shared wheelhouse.

`lockfile` reads the text; `vendorpack.formats._shared.python.wheelhouse_room` does the rest.
Seen with pipenv 2026.10.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vendorpack.formats._shared.python.pip_config import index_address, load_pip_config
from vendorpack.formats._shared.python.wheelhouse_room import WheelhouseFormat
from vendorpack.formats.pipenv.lockfile import artifacts_of, parse_pipfile_lock
from vendorpack.model import Environment, Json, Lockfile, Options, Packed, Project


class Pipenv(WheelhouseFormat):
    """pipenv."""

    name = "pipenv"
    title = "pipenv"
    layout_version = 5
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
        mirror = project.host.environ.get("PIPENV_PYPI_MIRROR")
        allowed = (index_address(mirror, "PIPENV_PYPI_MIRROR")[0],) if mirror else ()
        return self.locked(
            project,
            options,
            choices,
            lock.indexes,
            local,
            artifacts,
            config.access(lock.logins, allowed),
            (*warnings, *config.warnings),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets, categories, the indexes, and this room's options."""
        choices = self.choices(project, options)
        decides: dict[str, Json] = {"dev": options.dev, "groups": [*sorted(options.groups)]}
        return decides | self.fingerprint_of(project, choices, parse_pipfile_lock(project).indexes)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """pip's, and its cache once more: pipenv sets `PIP_CACHE_DIR` to its own."""
        environment = super().environment(packed)
        cache = [
            replace(variable, name="PIPENV_CACHE_DIR")
            for variable in environment.variables
            if variable.name == "PIP_CACHE_DIR"
        ]
        return replace(environment, variables=tuple(sorted((*environment.variables, *cache))))


FORMAT = Pipenv()
