"""Deno 2.2 and newer: deno.lock and the folder (`DENO_DIR`) that Deno runs and installs from.

`lockfile` reads the text, `artifacts` chooses and addresses, `layout` draws and writes the folder.
Packages come from npm's registry and from JSR, modules from their addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.npmrc import Npmrc, load_npmrc
from vendorpack.model import (
    Artifact,
    Entry,
    Environment,
    Json,
    LicenseReader,
    Lockfile,
    Need,
    Options,
    Packed,
    Variable,
)
from vendorpack.project import Host, Project
from vendorpack.room import Format, Index, Keep, Workshop

if TYPE_CHECKING:
    from vendorpack.demands import Contents, Demand


class Deno(Format):
    """Deno."""

    name = "deno"
    title = "Deno"
    layout_version = 2
    command = "deno install --frozen --cached-only"
    opens_artifacts = True
    prepares = True

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read deno.lock; see `Format.read`."""
        from vendorpack.formats.deno.artifacts import DENO_LAND, JSR, choose
        from vendorpack.formats.deno.lockfile import parse_deno_lock

        npmrc = load_npmrc(project)
        jsr = _jsr_registry(project.host)
        artifacts, graph, warnings = choose(
            parse_deno_lock(project), options, npmrc, _npmrc_at_target(project), jsr
        )
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=artifacts,
            graph=graph,
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
        from vendorpack.formats.deno.artifacts import JsrDescription, files_of

        return [
            file
            for one in packed
            if isinstance(one.artifact, JsrDescription)
            for file in files_of(one.artifact, workshop.read(one.blob))
        ]

    def license(self, artifact: Artifact) -> LicenseReader | None:
        """What a package.json declares; JSR's descriptions have no word of it."""
        from vendorpack.formats._shared.npm.license import reader_of as license_reader
        from vendorpack.formats.deno.artifacts import NpmPackage

        return license_reader(artifact, NpmPackage)

    def prepare(
        self, artifact: Artifact, algorithms: Sequence[str], path: Path, keep: Keep
    ) -> Mapping[str, bytes]:
        """The files of npm's packages, and their licences."""
        from vendorpack.formats._shared.npm.license import keep_opened
        from vendorpack.formats._shared.npm.package import PACKAGE
        from vendorpack.formats.deno.artifacts import NpmPackage

        if isinstance(artifact, NpmPackage):
            keep_opened(PACKAGE, path, keep, str(artifact))
        return super().prepare(artifact, algorithms, path, keep)

    def needs(
        self, project: Project, packed: Sequence[Packed], options: Options, workshop: Workshop
    ) -> Sequence[Need]:
        """What install scripts are known to download."""
        from vendorpack.formats._shared.npm.registry import download_needs

        return [*download_needs(packed)]

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The folder's tree; see `vendorpack.formats.deno.layout`."""
        from vendorpack.formats.deno import layout as folder

        return folder.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """Deno's folder, and no look for a newer Deno."""
        from vendorpack.formats.deno import layout as folder

        return Environment(
            (
                Variable("DENO_DIR", folder.ROOT, is_path=True),
                Variable("DENO_NO_UPDATE_CHECK", "1"),
            )
        )

    def explain_request(self, url: str) -> str | None:
        """Say what a registry was asked for in vain."""
        from vendorpack.formats._shared.npm.requests import explain_request

        return explain_request(url)

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """Deno, and no registry of which the bundle has no folder."""
        from vendorpack.demands import Client, Trap

        hosts = {p.split("/")[2] for p in contents.paths if p.startswith("deno/npm/")}
        known = "|".join(map(re.escape, sorted(hosts)))
        others = rf"(?!(?:{known})(?:[/:\s]|$))"
        return (
            Client(("deno",), seen="2.2, 2.4, 2.9", otherwise="Install Deno."),
            *(
                Trap(
                    file,
                    rf"^\s*registry\s*=\s*\w+://{others}",
                    "Deno looks for packages under that registry's name, which wins over the "
                    f"environment; the bundle has those of {', '.join(sorted(hosts))}",
                    f"Take the line out of {file} for the offline install, or pack with it.",
                )
                for file in (".npmrc", "~/.npmrc")
                if hosts
            ),
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """Deno's own folder."""
        from vendorpack.formats._shared.npm.folders import user_caches
        from vendorpack.formats.deno import layout as folder

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
    from vendorpack.formats.deno.artifacts import JSR

    configured = host.environ.get("JSR_URL") or JSR
    if not configured.startswith(("https://", "http://")):
        raise LockfileError("JSR_URL is no http(s) address", where="JSR_URL")
    return configured.rstrip("/") + "/"


FORMAT = Deno()
