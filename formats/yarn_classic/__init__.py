"""Yarn Classic (1.x): yarn.lock version 1 and the offline mirror Yarn installs from.

`syntax` reads Yarn's file syntax, `lockfile` the lockfile's text, `yarnrc` the configuration;
`artifacts` addresses and names. The mirror is a flat folder of tarballs as they were served::

    yarn-classic/                          YARN_YARN_OFFLINE_MIRROR
    ├── lodash-4.17.21.tgz                 registry: the last part of the address
    ├── @babel-core-7.26.0.tgz             registry, with a scope: the scope goes before it
    ├── 0f3c…e1                            any other address: its last part (here a commit)
    └── plain.git-0f3c…e1                  git: the address' last part, and the commit

Yarn 1 checks what it takes from the mirror against the lockfile, and unpacks it into its own
cache, which must be writable. Every entry of the lockfile is needed on every platform.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vendorpack.formats._shared.npm.pinned_manager import HELP, OPTION, manager_fingerprint
from vendorpack.model import (
    Artifact,
    Brought,
    Entry,
    Environment,
    Json,
    LicenseReader,
    Lockfile,
    Need,
    Options,
    Packed,
    Variable,
    Warning,
)
from vendorpack.project import Host, Project
from vendorpack.room import Format, Index, Keep, Workshop

if TYPE_CHECKING:
    from vendorpack.demands import Contents, Demand


_FOLDER = "yarn-classic"
_MIRROR_VARIABLE = "YARN_YARN_OFFLINE_MIRROR"


class YarnClassic(Format):
    """Yarn 1.

    The lockfile tells neither platforms nor development dependencies apart, so targets and
    `--no-dev` change nothing.
    """

    name = "yarn-classic"
    title = "Yarn 1"
    layout_version = 4
    command = "yarn install --offline --frozen-lockfile"
    prepares = True
    options = {OPTION: HELP}

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read yarn.lock of Yarn 1; see `Format.read`."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.yarn_classic.artifacts import choose
        from vendorpack.formats.yarn_classic.lockfile import parse_yarn_lock
        from vendorpack.formats.yarn_classic.yarnrc import load_yarnrc

        yarnrc = load_yarnrc(project)
        artifacts, graph, warnings = choose(parse_yarn_lock(project), yarnrc)
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=(
                *artifacts,
                *corepack.managers(project, options, self.name, "yarn", yarnrc.registry_of),
            ),
            graph=graph,
            access=yarnrc.access,
            warnings=(*warnings, *yarnrc.warnings),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """The package manager; of all else the lockfile alone decides."""
        return manager_fingerprint(project, options, self.name, "yarn")

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether the registry knows the release."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats.yarn_classic.artifacts import MirrorArtifact

        if isinstance(artifact, corepack.Manager):
            return True
        return isinstance(artifact, MirrorArtifact) and artifact.registry is not None

    def opens(self, artifact: Artifact) -> bool:
        """The package manager alone."""
        from vendorpack.formats._shared.npm import corepack

        return isinstance(artifact, corepack.Manager)

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the registry for a hash that counts where the lockfile has only a sha1, or none.

        Raises `IntegrityError` if the registry contradicts the lockfile, and `FetchError`.
        """
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.registry import with_all_hashes
        from vendorpack.formats.yarn_classic.artifacts import MirrorArtifact

        artifacts = await with_all_hashes(
            lockfile.artifacts,
            index,
            lambda artifact: artifact.registry if isinstance(artifact, MirrorArtifact) else None,
        )
        return lockfile.with_artifacts(await corepack.located(artifacts, options, index, self.name))

    def explain_mismatch(self, artifact: Artifact, algorithm: str) -> str:
        """What corepack's hash is of."""
        from vendorpack.formats._shared.npm import corepack

        return corepack.mismatch_hint(artifact) if isinstance(artifact, corepack.Manager) else ""

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """Warnings of commits that Yarn would build where it clones them."""
        return [*_unbuilt(packed, workshop)]

    def license(self, artifact: Artifact) -> LicenseReader | None:
        """What a package.json declares."""
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.license import reader_of as license_reader
        from vendorpack.formats.yarn_classic.artifacts import MirrorArtifact

        return license_reader(artifact, MirrorArtifact, corepack.Manager)

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The id of a git artifact's commit, or corepack's hash of the package manager."""
        from vendorpack.formats._shared.git.repository import derive_commit
        from vendorpack.formats._shared.npm import corepack

        if isinstance(artifact, corepack.Manager):
            return corepack.derive(artifact, algorithm, path)
        return derive_commit(artifact, path)

    def prepare(
        self, artifact: Artifact, algorithms: Sequence[str], path: Path, keep: Keep
    ) -> Mapping[str, bytes]:
        """Whether a package has install scripts, of tarballs."""
        from vendorpack.formats._shared.npm.install_scripts import keep_install_script
        from vendorpack.formats.yarn_classic.artifacts import MirrorArtifact

        if isinstance(artifact, MirrorArtifact):
            keep_install_script(path.read_bytes(), str(artifact), keep)
        return super().prepare(artifact, algorithms, path, keep)

    def derive_stored(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """Of an archive made from a commit there is no telling."""
        from vendorpack.formats._shared.npm import corepack

        if isinstance(artifact, corepack.Manager):
            return corepack.derive_stored(algorithm, path)
        raise NotImplementedError

    def needs(
        self, project: Project, packed: Sequence[Packed], options: Options, workshop: Workshop
    ) -> Sequence[Need]:
        """What the packages' install scripts fetch."""
        from vendorpack.formats._shared.npm import allowed
        from vendorpack.formats._shared.npm.install_scripts import needs_of_tarballs
        from vendorpack.formats.yarn_classic.artifacts import MirrorArtifact

        return needs_of_tarballs(
            [one for one in packed if isinstance(one.artifact, MirrorArtifact)],
            workshop,
            project,
            options,
            runs=allowed.yarn_classic(project),
            otherwise="`yarn install --ignore-scripts`",
        )

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The mirror's tarballs; a file that two lockfiles want must be the same in both.

        And the package manager.
        """
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.git_dependencies import archive_of
        from vendorpack.formats.yarn_classic.artifacts import (
            MirrorArtifact,
            MirrorCommit,
            collision,
        )

        seen: dict[str, Packed] = {}
        for one in packed:
            artifact = one.artifact
            if not isinstance(artifact, MirrorArtifact | MirrorCommit):
                continue
            known = seen.get(artifact.file_name)
            if known is None:
                seen[artifact.file_name] = one
                content = one.blob
                if isinstance(artifact, MirrorCommit):
                    content = archive_of(one, workshop, artifact.root)
                yield Entry(f"{_FOLDER}/{artifact.file_name}", content, artifact=artifact)
            elif known.blob != one.blob:
                assert isinstance(known.artifact, MirrorArtifact | MirrorCommit)
                raise collision(known.artifact, artifact)
        yield from corepack.layout(packed, workshop)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The mirror, which Yarn must not clear of what a lockfile does not name.

        Nor may Yarn refuse to run because package.json asks for another version of it.
        """
        from vendorpack.formats._shared.npm import corepack

        return Environment(
            (
                *corepack.variables(packed),
                Variable("SKIP_YARN_COREPACK_CHECK", "true"),
                Variable(_MIRROR_VARIABLE, _FOLDER, is_path=True),
                Variable("YARN_YARN_OFFLINE_MIRROR_PRUNING", "false"),
            )
        )

    def explain_request(self, url: str) -> str | None:
        """Say what a registry was asked for in vain."""
        from vendorpack.formats._shared.npm.requests import explain_request

        return explain_request(url)

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """Yarn 1, and Node.js."""
        from vendorpack.formats._shared.npm import demands

        return (
            demands.client(
                "yarn",
                (("1", "2"),),
                why="the lockfile is Yarn 1's",
                seen="1.22",
                otherwise="Install Yarn 1: npm install -g yarn",
            ),
            demands.node(),
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """`YARN_YARN_OFFLINE_MIRROR`, else a folder in the user's cache directory.

        Yarn 1 has no mirror unless one is configured, so wherever it lies the variable must be
        set for it.
        """
        from vendorpack.formats._shared.npm import corepack
        from vendorpack.formats._shared.npm.folders import user_caches

        configured = host.environ.get(_MIRROR_VARIABLE)
        mirror = host.home / configured if configured else user_caches(host) / "yarn-offline-mirror"
        return {_FOLDER: mirror, **corepack.native_root(host)}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """A package manager that is there already stays; tarballs are replaced."""
        from vendorpack.formats._shared.npm import corepack

        return existing if corepack.is_ours(path) else ours


def _unbuilt(packed: Sequence[Packed], workshop: Workshop) -> Iterator[Warning]:
    """Commits with a prepare script, which Yarn runs for what it clones only."""
    from vendorpack.formats._shared.npm.git_dependencies import read_commit
    from vendorpack.formats.yarn_classic.artifacts import MirrorCommit

    for one in packed:
        if not isinstance(one.artifact, MirrorCommit) or one.artifact.root:
            continue
        scripts = read_commit(one, "", workshop)[0].get("scripts")
        if isinstance(scripts, dict) and scripts.get("prepare"):
            yield Warning(
                f"{one.artifact.name} comes from git and has a prepare script: from an offline "
                "mirror Yarn 1 takes it as it is in the repository, unbuilt",
                one.artifact.where,
            )


FORMAT = YarnClassic()
