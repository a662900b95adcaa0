"""Yarn 2 and newer ("Berry"): yarn.lock and the global cache `yarn install` installs from.

`lockfile` reads the text, `artifacts` chooses and addresses, `yarnrc` reads the configuration,
`archive` converts a tarball to the zip whose checksum the lockfile pins, `layout` draws and
writes the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vendorpack.formats._shared.npm.registry import Release, dists_from_packuments
from vendorpack.formats.yarn_berry import layout as cache
from vendorpack.formats.yarn_berry.archive import CacheKey
from vendorpack.formats.yarn_berry.artifacts import DIGEST_PREFIX, BerryArtifact, choose
from vendorpack.formats.yarn_berry.lockfile import YarnLock, parse_yarn_lock
from vendorpack.formats.yarn_berry.yarnrc import Yarnrc, load_pinned, load_yarnrc
from vendorpack.model import (
    Artifact,
    Entry,
    Environment,
    Format,
    Host,
    Index,
    Json,
    Keep,
    Lockfile,
    Options,
    Packed,
    Project,
    Trust,
    Variable,
    Warning,
    Workshop,
)


class YarnBerry(Format):
    """Yarn 2, 3 and 4.

    Development dependencies always go in: the lockfile does not tell them apart.
    """

    name = "yarn-berry"
    title = "Yarn 2+"
    layout_version = 1
    command = "yarn install --immutable"
    prepares = True

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read yarn.lock of Yarn 2 or newer; see `Format.read`."""
        lock = parse_yarn_lock(project)
        yarnrc = load_yarnrc(project)
        artifacts, warnings = choose(lock, options, yarnrc)
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=artifacts,
            access=yarnrc.access,
            warnings=(*warnings, *yarnrc.warnings, *_key_warnings(lock, yarnrc, project)),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Targets, and what the project's own .yarnrc.yml says of platforms and registries."""
        registries, architectures = load_pinned(project)
        return {
            "targets": [*sorted({str(replace(t, runtimes=())) for t in options.targets})],
            "architectures": {
                kind: None if values is None else [*values]
                for kind, values in architectures.items()
            },
            "registry": registries.default,
            "scopes": dict(registries.scopes),
        }

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether the lockfile has none at all, and the registry knows the release."""
        return (
            isinstance(artifact, BerryArtifact)
            and artifact.registry is not None
            and not artifact.integrity
        )

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the registry for the hashes of packages that the lockfile has no checksum of."""
        questions = {
            artifact: Release(artifact.registry, artifact.name, artifact.version)
            for artifact in lockfile.artifacts
            if isinstance(artifact, BerryArtifact)
            and artifact.registry is not None
            and not artifact.integrity
        }
        if not questions:
            return lockfile
        dists = await dists_from_packuments(index, questions.values())
        return lockfile.with_artifacts(
            replace(artifact, integrity=dist.integrity, trust=Trust.REGISTRY)
            if isinstance(artifact, BerryArtifact)
            and artifact in questions
            and (dist := dists.get(questions[artifact])) is not None
            else artifact
            for artifact in lockfile.artifacts
        )

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """sha512 of the zip that Yarn makes of the tarball, for `berry-zip-<cache key>`."""
        key, name = self._zip_of(artifact, algorithm)
        return cache.zip_digest(path.read_bytes(), name, key, str(artifact))

    def prepare(
        self, artifact: Artifact, algorithms: Sequence[str], path: Path, keep: Keep
    ) -> Mapping[str, bytes]:
        """The zip, and its sha512 where the lockfile pins that: converted once for both."""
        assert isinstance(artifact, BerryArtifact)
        ours = cache.kept_zip(path.read_bytes(), artifact, keep)
        wanted = artifact.key, artifact.name
        return {
            algorithm: ours
            if self._zip_of(artifact, algorithm) == wanted
            else self.derive(artifact, algorithm, path)
            for algorithm in algorithms
        }

    def _zip_of(self, artifact: Artifact, algorithm: str) -> tuple[CacheKey, str]:
        """The cache key and the name of the package in the zip that a digest is of."""
        text, _, name = algorithm.removeprefix(DIGEST_PREFIX).partition("-as-")
        key = CacheKey.parse(text)
        if key is None or not algorithm.startswith(DIGEST_PREFIX):
            raise NotImplementedError(f"{self.name} has no digest named {algorithm}")
        return key, name.replace("+", "/") or artifact.name

    def derive_stored(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The checksum is over the zip itself."""
        return hashlib.sha512(path.read_bytes()).digest()

    def explain_mismatch(self, artifact: Artifact, algorithm: str) -> str:
        """What else than a wrong file can make a derived digest differ."""
        return cache.mismatch_hint(artifact)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The cache's tree; see `vendorpack.formats.yarn_berry.layout`."""
        return cache.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The cache, used as mirror too, and nothing that asks the network.

        Hardened mode, which Yarn 4 switches on by itself in pull requests on some CI services,
        asks the registry; Yarn 2 and 3 stop at settings that they do not know.
        """
        variables = [
            Variable("YARN_ENABLE_MIRROR", "true"),
            Variable("YARN_ENABLE_NETWORK", "false"),
            Variable("YARN_ENABLE_TELEMETRY", "false"),
            Variable("YARN_GLOBAL_FOLDER", cache.FOLDER, is_path=True),
        ]
        if all(
            isinstance(one.artifact, BerryArtifact) and one.artifact.name_key.of_yarn_4
            for one in packed
        ):
            variables.append(Variable("YARN_ENABLE_HARDENED_MODE", "false"))
        return Environment(tuple(sorted(variables)))

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """Yarn's global folder: `YARN_GLOBAL_FOLDER`, else Yarn's default for the system."""
        configured = host.environ.get("YARN_GLOBAL_FOLDER")
        if configured:
            return {cache.FOLDER: host.home / configured}
        if host.os == "windows":
            return {cache.FOLDER: host.local_app_data / "Yarn" / "Berry"}
        return {cache.FOLDER: host.home / ".yarn" / "berry"}


def _key_warnings(lock: YarnLock, yarnrc: Yarnrc, project: Project) -> Iterator[Warning]:
    level = yarnrc.compression_level
    if level is not None and level != lock.key.level:
        yield Warning(
            f"compressionLevel is {level}, but the lockfile was written with {lock.key.level}: "
            "`yarn install --immutable` will want other zips; run `yarn install` first",
            project.where(),
        )


FORMAT = YarnBerry()
