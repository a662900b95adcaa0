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
from typing import TYPE_CHECKING

from vendorpack.formats._shared.npm.pinned_manager import HELP, OPTION, manager_fingerprint
from vendorpack.formats.yarn_berry.yarnrc import Yarnrc, load_pinned, load_yarnrc
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
    Trust,
    Variable,
    Warning,
)
from vendorpack.project import Host, Project
from vendorpack.room import Format, Index, Keep, Workshop

if TYPE_CHECKING:
    from vendorpack.demands import Contents, Demand
    from vendorpack.formats.yarn_berry.archive import CacheKey
    from vendorpack.formats.yarn_berry.lockfile import YarnLock


class YarnBerry(Format):
    """Yarn 2, 3 and 4.

    Development dependencies always go in: the lockfile does not tell them apart.
    """

    name = "yarn-berry"
    title = "Yarn 2+"
    layout_version = 2
    command = "yarn install --immutable"
    options = {OPTION: HELP}
    prepares = True

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read yarn.lock of Yarn 2 or newer; see `Format.read`."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.yarn_berry.artifacts import choose
        from vendorpack.formats.yarn_berry.lockfile import parse_yarn_lock

        lock = parse_yarn_lock(project)
        yarnrc = load_yarnrc(project)
        artifacts, graph, warnings = choose(lock, options, yarnrc)
        managers = corepack.managers(project, options, self.name, "yarn", yarnrc.asked.of)
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=(*artifacts, *managers),
            graph=graph.with_direct(managers),
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
            **manager_fingerprint(project, options, self.name, "yarn"),
        }

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether the lockfile has none at all, and the registry knows the release."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.yarn_berry.artifacts import BerryArtifact

        if isinstance(artifact, corepack.Manager):
            return True
        return (
            isinstance(artifact, BerryArtifact)
            and artifact.registry is not None
            and not artifact.integrity
        )

    def opens(self, artifact: Artifact) -> bool:
        """The package manager alone."""
        from vendorpack.formats._shared.npm import corepack

        return isinstance(artifact, corepack.Manager)

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the registry for the hashes of packages that the lockfile has no checksum of."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.registry import Release, dists_from_packuments
        from vendorpack.formats.yarn_berry.artifacts import BerryArtifact

        artifacts = await corepack.located(lockfile.artifacts, options, index, self.name)
        questions = {
            artifact: Release(artifact.registry, artifact.name, artifact.version)
            for artifact in artifacts
            if isinstance(artifact, BerryArtifact)
            and artifact.registry is not None
            and not artifact.integrity
        }
        dists = await dists_from_packuments(index, questions.values())
        return lockfile.with_artifacts(
            replace(artifact, integrity=dist.integrity, trust=Trust.REGISTRY)
            if isinstance(artifact, BerryArtifact)
            and artifact in questions
            and (dist := dists.get(questions[artifact])) is not None
            else artifact
            for artifact in artifacts
        )

    def license(self, artifact: Artifact) -> LicenseReader | None:
        """What a package.json declares."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.license import reader_of as license_reader
        from vendorpack.formats.yarn_berry.artifacts import BerryArtifact

        return license_reader(artifact, BerryArtifact, corepack.Manager)

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """sha512 of the zip that Yarn makes of the tarball, for `berry-zip-<cache key>`.

        Of the package manager, corepack's hash.
        """
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.yarn_berry import layout as cache

        if isinstance(artifact, corepack.Manager):
            return corepack.derive(artifact, algorithm, path)
        key, name = self._zip_of(artifact, algorithm)
        return cache.zip_digest(path.read_bytes(), name, key, str(artifact))

    def prepare(
        self, artifact: Artifact, algorithms: Sequence[str], path: Path, keep: Keep
    ) -> Mapping[str, bytes]:
        """The zip, and its sha512 where the lockfile pins that: converted once for both.

        And whether the package has install scripts, and its licence, of the same unpacked bytes.
        """
        from vendorpack.formats._shared.archives.tarball import unpack
        from vendorpack.formats._shared.npm.install_scripts import keep_install_script
        from vendorpack.formats._shared.npm.license import keep_license
        from vendorpack.formats.yarn_berry import layout as cache
        from vendorpack.formats.yarn_berry.artifacts import BerryArtifact

        if not isinstance(artifact, BerryArtifact):
            return super().prepare(artifact, algorithms, path, keep)
        label = str(artifact)
        plain = unpack(path.read_bytes(), label=label)
        ours = cache.kept_zip(plain, artifact, keep)
        keep_install_script(plain, label, keep)
        keep_license(plain, keep)
        wanted = artifact.key, artifact.name
        return {
            algorithm: ours
            if self._zip_of(artifact, algorithm) == wanted
            else self.derive(artifact, algorithm, path)
            for algorithm in algorithms
        }

    def _zip_of(self, artifact: Artifact, algorithm: str) -> tuple[CacheKey, str]:
        """The cache key and the name of the package in the zip that a digest is of."""
        from vendorpack.formats.yarn_berry.archive import CacheKey
        from vendorpack.formats.yarn_berry.artifacts import DIGEST_PREFIX

        text, _, name = algorithm.removeprefix(DIGEST_PREFIX).partition("-as-")
        key = CacheKey.parse(text)
        if key is None or not algorithm.startswith(DIGEST_PREFIX):
            raise NotImplementedError(f"{self.name} has no digest named {algorithm}")
        return key, name.replace("+", "/") or artifact.name

    def derive_stored(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The checksum is over the zip itself; of the package manager over its one file."""
        from vendorpack.formats._shared.npm import corepack

        if isinstance(artifact, corepack.Manager):
            return corepack.derive_stored(algorithm, path)
        return hashlib.sha512(path.read_bytes()).digest()

    def explain_mismatch(self, artifact: Artifact, algorithm: str) -> str:
        """What else than a wrong file can make a derived digest differ."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.yarn_berry import layout as cache

        if isinstance(artifact, corepack.Manager):
            return corepack.mismatch_hint(artifact)
        return cache.mismatch_hint(artifact)

    def needs(
        self, project: Project, packed: Sequence[Packed], options: Options, workshop: Workshop
    ) -> Sequence[Need]:
        """What the packages' install scripts fetch."""
        from vendorpack.formats._shared.npm import allowed
        from vendorpack.formats._shared.npm.install_scripts import needs_of_tarballs
        from vendorpack.formats.yarn_berry.artifacts import BerryArtifact

        return needs_of_tarballs(
            [one for one in packed if isinstance(one.artifact, BerryArtifact)],
            workshop,
            project,
            options,
            runs=allowed.yarn_berry(project),
            otherwise="YARN_ENABLE_SCRIPTS=false",
        )

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The cache's tree; see `vendorpack.formats.yarn_berry.layout`."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.yarn_berry import layout as cache
        from vendorpack.formats.yarn_berry.artifacts import BerryArtifact

        yield from cache.layout(
            [one for one in packed if isinstance(one.artifact, BerryArtifact)], workshop
        )
        yield from corepack.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The cache, used as mirror too, and nothing that asks the network.

        Hardened mode, which Yarn 4 switches on by itself in pull requests on some CI services,
        asks the registry; Yarn 2 and 3 stop at settings that they do not know.
        """
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.yarn_berry import layout as cache
        from vendorpack.formats.yarn_berry.artifacts import BerryArtifact

        variables = [
            Variable("YARN_ENABLE_MIRROR", "true"),
            Variable("YARN_ENABLE_NETWORK", "false"),
            Variable("YARN_ENABLE_TELEMETRY", "false"),
            Variable("YARN_GLOBAL_FOLDER", cache.FOLDER, is_path=True),
            *corepack.variables(packed),
        ]
        if all(
            one.artifact.name_key.of_yarn_4
            for one in packed
            if isinstance(one.artifact, BerryArtifact)
        ):
            variables.append(Variable("YARN_ENABLE_HARDENED_MODE", "false"))
        return Environment(tuple(sorted(variables)))

    def explain_request(self, url: str) -> str | None:
        """Say what a registry was asked for in vain."""
        from vendorpack.formats._shared.npm.requests import explain_request

        return explain_request(url)

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """A newer Yarn, which is the project's own or corepack's, and Node.js."""
        from vendorpack.formats._shared.npm import demands

        return (
            demands.client(
                "yarn",
                (("2", ""),),
                why="the lockfile is of Yarn 2 or newer",
                seen="3.8, 4.4, 4.18",
                otherwise="Let `yarnPath` in .yarnrc.yml name the project's own, or enable "
                "corepack, which takes the one in the bundle.",
            ),
            demands.node(),
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """Yarn's global folder: `YARN_GLOBAL_FOLDER`, else Yarn's default for the system."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.yarn_berry import layout as cache

        configured = host.environ.get("YARN_GLOBAL_FOLDER")
        if configured:
            folder = host.home / configured
        elif host.os == "windows":
            folder = host.local_app_data / "Yarn" / "Berry"
        else:
            folder = host.home / ".yarn" / "berry"
        return {cache.FOLDER: folder, **corepack.native_root(host)}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """A package manager that is there already stays; zips are replaced."""
        from vendorpack.formats._shared.npm import corepack

        return existing if corepack.is_ours(path) else ours


def _key_warnings(lock: YarnLock, yarnrc: Yarnrc, project: Project) -> Iterator[Warning]:
    level = yarnrc.compression_level
    if level is not None and level != lock.key.level:
        yield Warning(
            f"compressionLevel is {level}, but the lockfile was written with {lock.key.level}: "
            "`yarn install --immutable` will want other zips; run `yarn install` first",
            project.where(),
        )


FORMAT = YarnBerry()
