"""Yarn Classic (1.x): yarn.lock version 1 and the offline mirror Yarn installs from.

`syntax` reads Yarn's file syntax, `lockfile` the lockfile's text, `yarnrc` the configuration;
`artifacts` addresses and names. The mirror is a flat folder of tarballs as they were served::

    yarn-classic/                          YARN_YARN_OFFLINE_MIRROR
    ├── lodash-4.17.21.tgz                 registry: the last part of the address
    ├── @babel-core-7.26.0.tgz             registry, with a scope: the scope goes before it
    └── 0f3c…e1                            any other address: its last part (here a commit)

Yarn 1 checks what it takes from the mirror against the lockfile, and unpacks it into its own
cache, which must be writable. Every entry of the lockfile is needed on every platform.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vendorpack.formats._shared.npm.folders import user_caches
from vendorpack.formats._shared.npm.registry import (
    with_all_hashes,
)
from vendorpack.formats.yarn_classic.artifacts import MirrorArtifact, choose, collision
from vendorpack.formats.yarn_classic.lockfile import parse_yarn_lock
from vendorpack.formats.yarn_classic.yarnrc import load_yarnrc
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

_FOLDER = "yarn-classic"
_MIRROR_VARIABLE = "YARN_YARN_OFFLINE_MIRROR"


class YarnClassic(Format):
    """Yarn 1.

    The lockfile tells neither platforms nor development dependencies apart, so targets and
    `--no-dev` change nothing.
    """

    name = "yarn-classic"
    title = "Yarn 1"
    layout_version = 2
    command = "yarn install --offline --frozen-lockfile"

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read yarn.lock of Yarn 1; see `Format.read`."""
        yarnrc = load_yarnrc(project)
        artifacts, warnings = choose(parse_yarn_lock(project), yarnrc)
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=artifacts,
            access=yarnrc.access,
            warnings=(*warnings, *yarnrc.warnings),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Nothing: the lockfile alone decides."""
        return {}

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether the registry knows the release."""
        return isinstance(artifact, MirrorArtifact) and artifact.registry is not None

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the registry for a hash that counts where the lockfile has only a sha1, or none.

        Raises `IntegrityError` if the registry contradicts the lockfile, and `FetchError`.
        """
        return lockfile.with_artifacts(
            await with_all_hashes(
                lockfile.artifacts,
                index,
                lambda artifact: (
                    artifact.registry if isinstance(artifact, MirrorArtifact) else None
                ),
            )
        )

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The mirror's tarballs; a file that two lockfiles want must be the same in both."""
        seen: dict[str, Packed] = {}
        for one in packed:
            artifact = one.artifact
            assert isinstance(artifact, MirrorArtifact)
            known = seen.get(artifact.file_name)
            if known is None:
                seen[artifact.file_name] = one
                yield Entry(f"{_FOLDER}/{artifact.file_name}", one.blob, artifact=artifact)
            elif known.blob != one.blob:
                assert isinstance(known.artifact, MirrorArtifact)
                raise collision(known.artifact, artifact)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The mirror, which Yarn must not clear of what a lockfile does not name.

        Nor may Yarn refuse to run because package.json asks for another version of it.
        """
        return Environment(
            (
                Variable("SKIP_YARN_COREPACK_CHECK", "true"),
                Variable(_MIRROR_VARIABLE, _FOLDER, is_path=True),
                Variable("YARN_YARN_OFFLINE_MIRROR_PRUNING", "false"),
            )
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """`YARN_YARN_OFFLINE_MIRROR`, else a folder in the user's cache directory.

        Yarn 1 has no mirror unless one is configured, so wherever it lies the variable must be
        set for it.
        """
        configured = host.environ.get(_MIRROR_VARIABLE)
        if configured:
            return {_FOLDER: host.home / configured}
        return {_FOLDER: user_caches(host) / "yarn-offline-mirror"}


FORMAT = YarnClassic()
