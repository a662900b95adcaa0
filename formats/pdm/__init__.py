"""PDM 2.22 to 2.29: pdm.lock, installed by `pdm install` from an index in files.

`simple_index` draws that index, whose files are those of the shared wheelhouse. PDM is sent there
in place of PyPI; other addresses (an index that the project names, a file by its address) it asks
itself, offline too. For such projects there are requirements files made from the lock, for pip::

    pip/requirements-pdm.txt
    pip/requirements-pdm-git.txt        commits, if there are any

Commits have a file of their own because pip takes none together with hashes. Several pdm.lock
in one bundle share the files. `lockfile` reads the text;
`vendorpack.formats._shared.python.wheelhouse_room` does the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from vendorpack.formats._shared.python.builds.requirements import WHY
from vendorpack.formats._shared.python.distributions import WHEELHOUSE, Distribution, GitProject
from vendorpack.formats._shared.python.pip_config import load_pip_config
from vendorpack.formats._shared.python.wheelhouse import FOLDER
from vendorpack.formats._shared.python.wheelhouse_room import WheelhouseFormat
from vendorpack.formats.pdm import simple_index
from vendorpack.formats.pdm.lockfile import artifacts_of, parse_pdm_lock
from vendorpack.formats.pdm.manifest import is_distribution, load_sources, names_of_sources
from vendorpack.model import Artifact, Entry, Environment, Json, Lockfile, Options, Packed, Warning
from vendorpack.project import Project
from vendorpack.room import Workshop

REQUIREMENTS = f"{FOLDER}/requirements-pdm.txt"
GIT_REQUIREMENTS = f"{FOLDER}/requirements-pdm-git.txt"


def _install(requirements: str) -> str:
    return f'pip install -r "$VENDORPACK_PREFIX/{requirements}"'


class Pdm(WheelhouseFormat):
    """PDM."""

    name = "pdm"
    title = "PDM"
    layout_version = 7
    command = "pdm install"
    python = re.compile(
        rb"(?m)^\[\[metadata\.targets\]\]\r?(?:\n(?!\[)[^\n]*)*?\n"
        rb"requires_python\s*=\s*[\"']([^\"'\n]*)"
    )

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read pdm.lock; see `Format.read`."""
        choices = self.choices(project, options)
        config = load_pip_config(project.host)
        sources = load_sources(project)
        local = self.local(project, choices)
        artifacts, graph, warnings = artifacts_of(
            parse_pdm_lock(project), sources, options, choices, project, local
        )
        if asked := asked_by_pdm(project, artifacts):
            commands = f"`{_install(REQUIREMENTS)}`"
            if any(isinstance(artifact, GitProject) for artifact in artifacts):
                commands += f", then `{_install(GIT_REQUIREMENTS)}`"
            said = f"`pdm install` asks {asked} itself, offline too: install with {commands}"
            warnings = (*warnings, Warning(said, project.where()))
        return self.locked(
            project,
            options,
            choices,
            sources.addresses,
            local,
            artifacts,
            config.access(sources.logins, sources.own),
            (*warnings, *config.warnings),
            narrow=sources,
            graph=graph,
        )

    def folders(self, project: Project) -> Iterable[str]:
        """Where the projects lie that the lock names by their folder; and the project itself."""
        yield from super().folders(project)
        if is_distribution(project):
            yield "."

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets, groups, the indexes, and this room's options."""
        choices = self.choices(project, options)
        sources = load_sources(project)
        decides: dict[str, Json] = {"dev": options.dev, "groups": [*sorted(options.groups)]}
        decides |= self.fingerprint_of(project, choices, sources.addresses)
        return decides | sources.fingerprint()

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The index, the wheelhouse, and the requirements files for pip."""
        yield from simple_index.pages(packed)
        commits = git_requirements(packed)
        if commits:
            yield Entry(GIT_REQUIREMENTS, commits)
        yield Entry(REQUIREMENTS, requirements(packed))
        yield from super().layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """pip's, and the index in place of PyPI."""
        environment = super().environment(packed)
        variables = sorted((*environment.variables, *simple_index.VARIABLES))
        return replace(environment, variables=tuple(variables))

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """A page of the index keeps its other links; see `Format.merge`."""
        if path.endswith("/index.html"):
            return simple_index.merged(existing, ours)
        return super().merge(path, existing, ours)


def asked_by_pdm(project: Project, artifacts: Sequence[Artifact]) -> str:
    """What PDM asks by addresses of its own; empty if that is PyPI's index alone."""
    by_address = {a.name for a in artifacts if isinstance(a, Distribution)}
    return ", ".join([*sorted(names_of_sources(project)), *sorted(by_address)])


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
