"""PDM, experimentally: pdm.lock, installed by pip from the shared wheelhouse.

`pdm install` itself keeps no cache that could be filled, so the bundle has a requirements file
made from the lock beside the wheelhouse::

    pip/requirements-pdm.txt
    pip/requirements-pdm-git.txt        commits, if there are any

Commits have a file of their own because pip takes none together with hashes. Several pdm.lock
in one bundle share the files. `lockfile` reads the text;
`vendorpack.formats._shared.python.wheelhouse_room` does the rest. Seen with locks of PDM 2.29.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from vendorpack.formats._shared.python.builds.requirements import WHY
from vendorpack.formats._shared.python.distributions import WHEELHOUSE, Distribution, GitProject
from vendorpack.formats._shared.python.pip_config import load_pip_config
from vendorpack.formats._shared.python.wheelhouse import FOLDER
from vendorpack.formats._shared.python.wheelhouse_room import WheelhouseFormat
from vendorpack.formats.pdm.lockfile import artifacts_of, indexes_of, parse_pdm_lock
from vendorpack.model import Entry, Json, Lockfile, Options, Packed, Project, Warning, Workshop

REQUIREMENTS = f"{FOLDER}/requirements-pdm.txt"
GIT_REQUIREMENTS = f"{FOLDER}/requirements-pdm-git.txt"


def _install(requirements: str) -> str:
    return f'pip install -r "$VENDORPACK_PREFIX/{requirements}"'


class Pdm(WheelhouseFormat):
    """PDM."""

    name = "pdm"
    title = "PDM (experimental)"
    layout_version = 5
    command = _install(REQUIREMENTS)
    python = re.compile(
        rb"(?m)^\[\[metadata\.targets\]\]\r?(?:\n(?!\[)[^\n]*)*?\n"
        rb"requires_python\s*=\s*[\"']([^\"'\n]*)"
    )

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read pdm.lock; see `Format.read`."""
        choices = self.choices(project, options)
        config = load_pip_config(project.host)
        indexes, logins, own = indexes_of(project)
        local = self.local(project, choices)
        artifacts, warnings = artifacts_of(
            parse_pdm_lock(project), indexes, options, choices, project, local
        )
        commands = f"`{self.command}`"
        if any(isinstance(artifact, GitProject) for artifact in artifacts):
            commands += f", then `{_install(GIT_REQUIREMENTS)}`"
        experimental = Warning(
            f"pdm.lock is served to pip, not to pdm: install with {commands}",
            project.where(),
        )
        return self.locked(
            project,
            options,
            choices,
            indexes,
            local,
            artifacts,
            config.access(logins, own),
            (experimental, *warnings, *config.warnings),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets, groups, the indexes, and this room's options."""
        choices = self.choices(project, options)
        indexes, _, _ = indexes_of(project)
        decides: dict[str, Json] = {"dev": options.dev, "groups": [*sorted(options.groups)]}
        return decides | self.fingerprint_of(project, choices, indexes)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The wheelhouse, and the requirements files that say what to install from it."""
        commits = git_requirements(packed)
        if commits:
            yield Entry(GIT_REQUIREMENTS, commits)
        yield Entry(REQUIREMENTS, requirements(packed))
        yield from super().layout(packed, workshop)


def requirements(packed: Sequence[Packed]) -> bytes:
    """A requirements file of all that is packed but build dependencies and commits; with hashes."""
    hashes: dict[str, set[str]] = {}
    for one in packed:
        artifact = one.artifact
        if isinstance(artifact, Distribution) and WHY not in artifact.why:
            indexed = WHEELHOUSE in artifact.places
            pin = f"=={artifact.version}" if indexed else f" @ {artifact.url}"
            marker = f" ; {artifact.marker}" if artifact.marker else ""
            line = f"{artifact.name}{pin}{marker}"
            hashes.setdefault(line, set()).add(one.blob.sha256)
    lines = [
        " \\\n".join([line, *(f"    --hash=sha256:{value}" for value in sorted(hashes[line]))])
        for line in sorted(hashes)
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def git_requirements(packed: Sequence[Packed]) -> bytes:
    """A requirements file of the packed commits; empty if there are none."""
    projects = [one.artifact for one in packed if isinstance(one.artifact, GitProject)]
    lines = {
        f"{p.name} @ git+{p.remote}@{p.commit}"
        + (f"#subdirectory={p.subdirectory}" if p.subdirectory else "")
        for p in projects
        if not p.is_submodule
    }
    return "".join(f"{line}\n" for line in sorted(lines)).encode()


FORMAT = Pdm()
