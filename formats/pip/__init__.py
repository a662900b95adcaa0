"""pip 23 to 26: requirements files with hashes, pylock.toml, and the wheelhouse they install from.

`requirements` reads the lines of requirements files, `artifacts` what they ask for, `pylock`
the other lock; `vendorpack.formats._shared.python.wheelhouse_room` does the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from vendorpack.formats._shared.python.pip_config import PipConfig, index_address, load_pip_config
from vendorpack.formats._shared.python.wheelhouse_room import WheelhouseFormat, sha256_of
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats.pip import artifacts, pylock
from vendorpack.formats.pip.find_links import find_links
from vendorpack.formats.pip.requirements import (
    Requirements,
    is_local,
    local_path,
    read_requirements,
)
from vendorpack.model import Json, Lockfile, Options
from vendorpack.project import Project


class Pip(WheelhouseFormat):
    """pip."""

    name = "pip"
    title = "pip"
    layout_version = 6
    command = "pip install -r requirements.txt"
    python = re.compile(rb"(?m)^requires-python\s*=\s*[\"']([^\"'\n]*)")

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read a requirements file or a pylock.toml; see `Format.read`."""
        choices = self.choices(project, options)
        config = load_pip_config(project.host)
        logins: tuple[tuple[str, str], ...] = ()
        indexes = config.indexes
        local = self.local(project, choices)
        if is_pylock(project):
            found, warnings = pylock.artifacts_of(project, choices, options.groups, local)
        else:
            requirements = read_requirements(project)
            indexes, logins = _indexes(requirements, config)
            places = find_links(project, requirements.find_links, config.find_links)
            logins += places.logins
            found, warnings = artifacts.artifacts_of(requirements, indexes, places, choices, local)
        return self.locked(
            project,
            options,
            choices,
            indexes,
            local,
            found,
            config.access(logins, (text for text, _ in config.find_links if is_http(text))),
            (*warnings, *config.warnings),
        )

    def folders(self, project: Project) -> Iterable[str]:
        """Where the projects lie that the lock names by their folder."""
        if is_pylock(project):
            return super().folders(project)
        lines = read_requirements(project).lines
        return [local_path(x.text) for x in lines if not x.constraint and is_local(x.text)]

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets, the files that the lockfile names, the indexes, and this room's options."""
        choices = self.choices(project, options)
        indexes = load_pip_config(project.host).indexes
        decides: dict[str, Json] = {}
        if is_pylock(project):
            decides["groups"] = [*sorted(options.groups)]
        else:
            requirements = read_requirements(project)
            config = load_pip_config(project.host)
            indexes, _ = _indexes(requirements, config)
            places = find_links(project, requirements.find_links, config.find_links)
            if places.pages:
                decides["find-links"] = [*places.pages]
            if places.folders:
                decides["own-files"] = {f: [*project.files(f)] for f in places.folders}
            files = requirements.files
            decides["files"] = {path: sha256_of(files[path]) for path in sorted(files)}
        return decides | self.fingerprint_of(project, choices, indexes)


def is_pylock(project: Project) -> bool:
    """Whether the lockfile is a pylock.toml, which its name says."""
    return project.lockfile.suffix == ".toml"


def _indexes(
    requirements: Requirements, config: PipConfig
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The indexes in force, and the logins that the file itself has for its own.

    As for pip, the file's main index takes the configured one's place, others are added; with
    `--no-index` there is none.
    """
    if requirements.no_index:
        return (), ()
    main, extra = config.index, [*config.extra_indexes]
    logins: list[tuple[str, str]] = []
    if requirements.index_url is not None:
        main, login = index_address(*requirements.index_url)
        logins += login
    for written in requirements.extra_index_urls:
        address, login = index_address(*written)
        extra.append(address)
        logins += login
    return tuple(dict.fromkeys((main, *extra))), tuple(logins)


FORMAT = Pip()
