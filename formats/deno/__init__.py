"""Deno 2.2 and newer: deno.lock and the folder (`DENO_DIR`) that Deno runs and installs from.

`lockfile` reads the text, `artifacts` chooses and addresses, `layout` draws and writes the folder.
Packages come from npm's registry and from JSR, modules from their addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.folders import user_caches
from vendorpack.formats._shared.npm.npmrc import Npmrc, load_npmrc
from vendorpack.formats.deno import layout as folder
from vendorpack.formats.deno.artifacts import (
    DENO_LAND,
    JSR,
    JsrDescription,
    choose,
    files_of,
)
from vendorpack.formats.deno.lockfile import parse_deno_lock
from vendorpack.model import (
    Artifact,
    Entry,
    Environment,
    Format,
    Host,
    Index,
    Json,
    Lockfile,
    Options,
    Packed,
    Project,
    Variable,
    Workshop,
)


class Deno(Format):
    """Deno."""

    name = "deno"
    title = "Deno"
    layout_version = 1
    command = "deno install --frozen --cached-only"
    opens_artifacts = True

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read deno.lock; see `Format.read`."""
        npmrc = load_npmrc(project)
        jsr = _jsr_registry(project.host)
        artifacts, warnings = choose(
            parse_deno_lock(project), options, npmrc, _npmrc_at_target(project), jsr
        )
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=artifacts,
            access=npmrc.access(JSR, DENO_LAND, jsr),
            warnings=(*warnings, *npmrc.warnings),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets, and the project's own registries."""
        npmrc = _npmrc_at_target(project)
        return {
            "targets": [*sorted({str(replace(t, runtimes=())) for t in options.targets})],
            "registry": npmrc.registry,
            "scopes": dict(sorted(npmrc.scopes.items())),
        }

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Artifact]:
        """The files that descriptions of packages on JSR list."""
        return [
            file
            for one in packed
            if isinstance(one.artifact, JsrDescription)
            for file in files_of(one.artifact, workshop.read(one.blob))
        ]

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The folder's tree; see `vendorpack.formats.deno.layout`."""
        return folder.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """Deno's folder, and no look for a newer Deno."""
        return Environment(
            (
                Variable("DENO_DIR", folder.ROOT, is_path=True),
                Variable("DENO_NO_UPDATE_CHECK", "1"),
            )
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """Deno's own folder."""
        configured = host.environ.get("DENO_DIR")
        if configured:
            return {folder.ROOT: host.home / configured}
        return {folder.ROOT: user_caches(host) / "deno"}


def _npmrc_at_target(project: Project) -> Npmrc:
    """The project's own configuration, without the user's."""
    nobody = Host(environ={}, home=project.folder / ".no-home", os=project.host.os)
    return load_npmrc(replace(project, host=nobody))


def _jsr_registry(host: Host) -> str:
    """Where JSR's packages are asked for; with a slash at its end."""
    configured = host.environ.get("JSR_URL") or JSR
    if not configured.startswith(("https://", "http://")):
        raise LockfileError("JSR_URL is no http(s) address", where="JSR_URL")
    return configured.rstrip("/") + "/"


FORMAT = Deno()
