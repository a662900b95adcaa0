"""uv 0.6 to 0.13: uv.lock (and a script's lock) and the cache `uv sync` installs from.

`lockfile` reads the text, `settings` uv's configuration, `choose` walks the lockfile for the
targets, `cache` knows the byte formats, `layout` draws and writes the tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vendorpack.formats._shared.git_repo import derive_commit
from vendorpack.formats._shared.markers import with_python
from vendorpack.formats.uv import layout as cache_tree
from vendorpack.formats.uv.choose import UvArtifact, choose, lock_indexes
from vendorpack.formats.uv.lockfile import parse_uv_lock
from vendorpack.formats.uv.settings import cache_root, load_settings
from vendorpack.model import (
    Artifact,
    Entry,
    Environment,
    Format,
    Host,
    Json,
    Lockfile,
    Options,
    Packed,
    Project,
    Variable,
    Workshop,
)


class Uv(Format):
    """uv."""

    name = "uv"
    title = "uv"
    layout_version = 1
    command = "uv sync --frozen --offline"
    opens_artifacts = True

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read uv.lock; see `Format.read`."""
        lock = parse_uv_lock(project)
        settings = load_settings(project)
        artifacts, warnings = choose(lock, _with_python(options), settings, project.where())
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=artifacts,
            access=settings.access(lock_indexes(lock), project.host.environ),
            warnings=warnings,
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets with their Python, groups, and the settings that choose."""
        settings = load_settings(project)
        return {
            "targets": [*sorted({str(target) for target in _with_python(options).targets})],
            "dev": options.dev,
            "groups": [*sorted(set(options.groups))],
            "default-groups": [*settings.default_groups],
            "no-binary": settings.no_binary or [*sorted(settings.no_binary_packages)],
        }

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The id of a git artifact's commit."""
        return derive_commit(artifact, path)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The cache's tree; see `vendorpack.formats.uv.layout`."""
        return cache_tree.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The cache, no network, and where to find what source builds need."""
        variables = [
            Variable("UV_CACHE_DIR", cache_tree.CACHE, is_path=True),
            Variable("UV_OFFLINE", "1"),
        ]
        if any(not isinstance(one.artifact, UvArtifact) for one in packed):
            variables.append(Variable("UV_FIND_LINKS", cache_tree.BUILD_WHEELS, is_path=True))
        return Environment(tuple(sorted(variables)), cache_tree.git_sources(packed))

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """uv's own cache folder."""
        return {cache_tree.CACHE: cache_root(host)}


def _with_python(options: Options) -> Options:
    return Options(
        targets=tuple(with_python(target) for target in options.targets),
        dev=options.dev,
        groups=options.groups,
        extra=options.extra,
    )


FORMAT = Uv()
