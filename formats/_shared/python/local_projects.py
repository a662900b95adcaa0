"""Projects of the user's own: in folders beside the lockfile, built by the client where they lie.

Nothing of them is packed, and no lock pins what they are built with. That is read from their
manifests, as it is of packed sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import UsageError
from vendorpack.formats._shared.python.builds.requirements import Source
from vendorpack.formats._shared.python.builds.system import BuildSystem, build_system_of
from vendorpack.formats._shared.python.wheels import SDIST_SUFFIXES
from vendorpack.model import Json, Target, Warning
from vendorpack.project import Project

_FOLDER: Final = re.compile(
    rb'\b(?:path|url|file|editable|directory)"?\s*[=:]\s*"([^"\\\x00-\x1f\x7f]{1,200})"'
)
"""Where locks say that a package lies in a folder: pylock.toml, pdm.lock and Pipfile.lock by
`path`, Pipfile.lock by `file` too, poetry.lock by `url`, uv.lock by the last two."""
_PYPROJECT: Final = "pyproject.toml"
_MANIFESTS: Final = (_PYPROJECT, "setup.cfg", "setup.py")
_EDITABLE: Final = {"hatchling": "editables~=0.3"}
"""What backends ask for, in a second step, to install a project where it lies."""


@dataclass(frozen=True, slots=True)
class LocalProject:
    """One of them.

    folder: relative to the lockfile's, `.` for that itself.
    where: the manifest, for errors.
    """

    folder: str
    system: BuildSystem
    where: str


def folders_in(lock: bytes) -> Iterator[str]:
    """The relative folders that a lock names, and what else looks like one.

    The text is searched rather than parsed, so that a key is quick to compute.
    """
    for raw in sorted(set(_FOLDER.findall(lock))):
        text = raw.decode("utf-8", "replace")
        if "://" not in text and not text.endswith((".whl", *SDIST_SUFFIXES)):
            yield text


def local_projects(
    project: Project, folders: Iterable[str], named: Iterable[str] = ()
) -> tuple[LocalProject, ...]:
    """Those of the folders in which there is a project, and all that the user named.

    Raises `UsageError` if there is none in a folder that was named, `LockfileError` for a
    manifest that no client could use.
    """
    found: dict[str, LocalProject] = {}
    for folder in folders:
        local = _read(project, _plain(folder))
        if local is not None:
            found[local.folder] = local
    for folder in named:
        local = _read(project, _plain(folder))
        if local is None:
            raise UsageError(
                f"there is no project in the folder {folder}",
                where=str(project.lockfile.parent / folder),
                fix=f"Name folders that have a {_PYPROJECT}, relative to the lockfile's.",
            )
        found[local.folder] = local
    return tuple(found[folder] for folder in sorted(found))


def fingerprint(projects: Sequence[LocalProject]) -> Json:
    """What decides the build requirements of local projects."""
    return {p.folder: [[*p.system.requires], [*p.system.dynamic]] for p in projects}


def sources(projects: Iterable[LocalProject], targets: tuple[Target, ...]) -> list[Source]:
    """The projects as something to build."""
    return [
        Source(
            name=local.folder,
            version="",
            pin="",
            system=local.system,
            where=local.where,
            targets=targets,
        )
        for local in projects
    ]


def warn_of(
    shown: str, location: str, projects: Iterable[LocalProject], where: str
) -> Iterator[Warning]:
    """What is to be known of a package that a lock has at `location`, a path."""
    if _plain(location) in {local.folder for local in projects}:
        yield from warn_of_outside(shown, location, where)
        return
    place = f"lies outside of the project ({location})" if _is_outside(location) else "is local"
    yield Warning(
        f"{shown} {place} and is not packed, nor what it is built with; if it is to be built, "
        "lock that too",
        where,
    )


def warn_of_outside(shown: str, location: str, where: str) -> Iterator[Warning]:
    """A warning if a path leads out of the lockfile's folder."""
    if _is_outside(location):
        yield Warning(f"{shown} lies outside of the project ({location}) and is not packed", where)


def _is_outside(location: str) -> bool:
    return location.startswith(("/", "~")) or ".." in location.split("/")


def _plain(folder: str) -> str:
    return str(PurePosixPath(folder))


def _read(project: Project, folder: str) -> LocalProject | None:
    if folder.startswith(("/", "~")):
        return None
    read = {name: project.read(f"{folder}/{name}") for name in _MANIFESTS}
    files = {name: data for name, data in read.items() if data is not None}
    if not files.keys() & {_PYPROJECT, "setup.py"}:
        return None
    where = str(project.lockfile.parent / folder / _PYPROJECT)
    system = build_system_of(files, where)
    asked = (_EDITABLE[name] for name in _EDITABLE if _names(system.requires, name))
    return LocalProject(folder, replace(system, dynamic=(*system.dynamic, *asked)), where)


def _names(requirements: Sequence[str], name: str) -> bool:
    return any(re.match(rf"{name}\b", requirement) for requirement in requirements)
