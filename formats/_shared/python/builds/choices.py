"""How a user steers what Python sources are built with: options of the rooms that open sdists.

The same names, and the same meaning, in each room: `<format>-build-deps` and so on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import LockfileError, UsageError
from vendorpack.formats._shared.python.builds.lock import BuildLock, parse_build_lock
from vendorpack.formats._shared.python.builds.requirements import BuildPlan
from vendorpack.formats._shared.python.builds.resolver import (
    Narrow,
    Tiers,
    ask_all,
    parse_requirements,
)
from vendorpack.formats._shared.python.local_projects import (
    LocalProject,
    fingerprint,
    local_projects,
)
from vendorpack.formats._shared.python.pythons import AskedPython, with_pythons
from vendorpack.model import Json, Options, Target
from vendorpack.project import Project
from vendorpack.target import this_machine

OPTIONS: Final[Mapping[str, str]] = {
    "build-deps": "no: leave out what sdists are built with",
    "extra-build-requires": "Requirements that builds ask for beside the ones written down, "
    "parted by white space",
    "build-lock": "File beside the lockfile that records what sdists are built with",
    "build-projects": "Folders of your own projects that are built there too, parted by commas",
}


@dataclass(frozen=True, slots=True)
class BuildChoices:
    """The options, read.

    targets: what sources are built on: this machine if no target was named.
    lock_file: relative to the lockfile's folder, as `projects` are.
    switch: the option that leaves build requirements out.
    """

    wanted: bool
    targets: tuple[Target, ...]
    switch: str
    extra: tuple[str, ...] = ()
    lock_file: str | None = None
    projects: tuple[str, ...] = ()

    def local(self, project: Project, folders: Iterable[str]) -> tuple[LocalProject, ...]:
        """The local projects that are built, of `folders` and of those that the user named.

        Raises `UsageError`, `LockfileError`.
        """
        return local_projects(project, folders, self.projects) if self.wanted else ()

    def fingerprint(self, project: Project, local: Sequence[LocalProject]) -> dict[str, Json]:
        """What decides the content."""
        data = self._lock(project)
        folded = None if data is None else data.replace(b"\r\n", b"\n")
        return {
            "build-deps": self.wanted,
            "build-targets": [*sorted(map(str, self.targets))],
            "extra-build-requires": [*self.extra],
            "build-lock": None if folded is None else hashlib.sha256(folded).hexdigest(),
            "local-builds": fingerprint(local),
        }

    def plan(
        self,
        project: Project,
        tiers: Tiers,
        constraints: tuple[str, ...] = (),
        *,
        own_indexes: Mapping[str, str] = MappingProxyType({}),
        tiers_of: Mapping[str, Tiers] = MappingProxyType({}),
        stricter_than: str = "",
        extra_of: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        narrow: Narrow = ask_all,
        fallbacks: frozenset[str] = frozenset(),
    ) -> BuildPlan | None:
        """How to look for build requirements; None if they are left out. See `BuildPlan`.

        Raises `LockfileError` for a build lock that cannot be read.
        """
        if not self.wanted:
            return None
        data = self._lock(project)
        shown = str(project.lockfile.parent / (self.lock_file or ""))
        lock = BuildLock() if data is None else parse_build_lock(data, shown)
        return BuildPlan(
            tiers=tiers,
            own_indexes=own_indexes,
            tiers_of=tiers_of,
            stricter_than=stricter_than if len(tiers) > 1 else "",
            extra_of=extra_of,
            narrow=narrow,
            fallbacks=fallbacks,
            extra=self.extra,
            constraints=constraints,
            lock=lock,
            lock_path=shown,
            way_out=f"If it need not be built there, pass {self.switch} no.",
        )

    def _lock(self, project: Project) -> bytes | None:
        return project.read(self.lock_file) if self.lock_file else None


def build_choices(name: str, options: Options, asked: AskedPython) -> BuildChoices:
    """Read the options of room `name`, whose targets have their Python. Raises `UsageError`."""
    switch = options.extra.get(f"{name}-build-deps", "yes").lower()
    if switch not in ("yes", "no"):
        raise UsageError(f"{name}-build-deps is yes or no, not {switch!r}")
    extra = tuple(options.extra.get(f"{name}-extra-build-requires", "").split())
    try:
        parse_requirements(extra)
    except LockfileError as error:
        raise UsageError(
            f"--{name}-extra-build-requires: {error.what}",
            fix='Write each without white space: "cython>=3 numpy".',
        ) from None
    here = with_pythons(Options(targets=(this_machine(),)), asked)
    projects = options.extra.get(f"{name}-build-projects", "")
    return BuildChoices(
        wanted=switch == "yes",
        targets=options.targets or here.targets,
        switch=f"--{name}-build-deps",
        extra=extra,
        lock_file=options.extra.get(f"{name}-build-lock") or None,
        projects=tuple(filter(None, map(str.strip, projects.split(",")))),
    )
