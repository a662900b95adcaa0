"""Maven 3.6 to 4: Maven's own summary of trusted checksums, or the maven-lockfile plugin's lock.

`summary` and `lockfile_json` read the two texts; `vendorpack.formats._shared.maven` knows where
repositories are and draws the tree. Nothing in Maven 3 or 4 hashes what lies in a local repository,
unless the project says so in `.mvn/maven.config`: this bundle's hashes are the only guard.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from vendorpack.demands import Client, Contents, Demand, Tool
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.maven import tree
from vendorpack.formats._shared.maven.closure import missing_poms
from vendorpack.formats._shared.maven.files import MavenFile, file_of
from vendorpack.formats._shared.maven.license import inherited
from vendorpack.formats._shared.maven.license import reader_of as license_reader
from vendorpack.formats._shared.maven.repositories import (
    CENTRAL,
    Repositories,
    load_repositories,
    url_hash,
)
from vendorpack.formats._shared.maven.wrapper import wrapper_needs
from vendorpack.formats.maven.lockfile_json import parse_lockfile_json
from vendorpack.formats.maven.summary import Line, SummaryName, parse_name, parse_summary
from vendorpack.model import (
    Arguments,
    Artifact,
    Base,
    Entry,
    Environment,
    Json,
    LicenseReader,
    Lockfile,
    Need,
    Options,
    Packed,
    Warning,
    Word,
)
from vendorpack.project import Host, Project
from vendorpack.room import Format, Index, Workshop

ROOT: Final = "maven/repository"

_OPTION: Final = "--maven-repo"
_LOCAL: Final = ".m2/repository"
_CONFIG: Final = "../maven.config"
_FAIL_IF_MISSING: Final = re.compile(rb"trustedChecksums\.failIfMissing=true\b")
_ANY_ORIGIN: Final = re.compile(rb"summaryFile\.originAware=false\b")
_OTHER: Final = {"sha256": "sha512", "sha512": "sha256"}
"""Two summaries of the same files: what a path has in both is one artifact with two hashes."""
# Maven 3.8 and older put this into every plugin's realm, whatever it depends on.
_PLEXUS_UTILS: Final = "org/codehaus/plexus/plexus-utils/1.1/plexus-utils-1.1.jar"
_PLEXUS_UTILS_SHA256: Final = "c0b20bb7c354291d1c0a4fd58973b3ec9f0de6b62fde3bacb0fb27f1d24f439a"
_NO_PLUGINS: Final = (
    "lists no plugins: nothing will build offline unless it is made with -DincludeMavenPlugins=true"
)
_NO_PROVIDERS: Final = (
    "does not list what plugins fetch while they run: tests will not run offline unless surefire's "
    "provider (org.apache.maven.surefire:surefire-junit-platform or the like) is a dependency of "
    "maven-surefire-plugin"
)
_SUMMARY_HAS_ALL: Final = "Maven's own summary of checksums (.mvn/checksums) lists all of it"

_WRAPPER: Final = ".mvn/wrapper/maven-wrapper.properties"
"""Beside the lockfile."""


class Maven(Format):
    """Maven."""

    name = "maven"
    title = "Maven"
    layout_version = 2
    command = "mvn -o package"
    options = {
        "repo": "Where a repository is: id=https://…, several with commas between. Known are "
        "central and what ~/.m2/settings.xml has."
    }

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read one summary file, or a lockfile.json; see `Format.read`."""
        repositories = _repositories(project, options)
        name = parse_name(project.lockfile.name)
        warnings: tuple[Warning, ...] = ()
        if name is None:
            files, warnings = _locked(project, repositories)
        else:
            files = _summarised(project, name, repositories)
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=tuple(sorted(files, key=_order)),
            access=repositories.access(),
            warnings=(*repositories.warnings, *warnings),
        )

    def companions(self, lockfile: str) -> tuple[str, ...]:
        """The same summary with the other hash."""
        stem, _, algorithm = lockfile.rpartition(".")
        return (f"{stem}.{_OTHER[algorithm]}",) if algorithm in _OTHER else ()

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Repositories that are not the public one, and whether files say where they are from."""
        named = _repositories(project, options).named
        return {
            "repositories": {i: url for i, url in sorted(named.items()) if url != CENTRAL},
            "tracked": _is_tracked(project),
        }

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Artifact]:
        """The POMs that a lockfile.json does not list, with the hashes that the registry gives."""
        if parse_name(lockfile.path.rpartition("/")[2]) is not None:
            return ()
        return await missing_poms(packed, workshop, index)

    def license(self, artifact: Artifact) -> LicenseReader | None:
        """What a POM declares."""
        return license_reader(artifact)

    def licenses(self, packed: Sequence[Packed]) -> Iterable[str]:
        """Each file's, from its POM and that one's parents."""
        return inherited(packed)

    def needs(
        self, project: Project, packed: Sequence[Packed], options: Options, workshop: Workshop
    ) -> Sequence[Need]:
        """The distribution that the wrapper downloads."""
        return [*wrapper_needs(project, _WRAPPER, "./mvnw", "mvn")]

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The repository's tree; see `vendorpack.formats._shared.maven.tree`."""
        return tree.layout(ROOT, packed, workshop)

    def is_place_of(self, path: str, name: str, version: str) -> bool:
        """Maven takes a file by its path."""
        return tree.is_place_of(ROOT, path, name, version)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """The repository, in the words of each Maven.

        Maven 3.9 and newer read MAVEN_ARGS: offline, with this repository behind the user's own,
        which may be written to. Maven 3.8 and older know MAVEN_OPTS alone, which newer ones
        overrule by the former.
        """
        newer = (
            Word("-o"),
            Word("-Dmaven.repo.local=", Base.HOME, _LOCAL),
            Word("-Dmaven.repo.local.tail=", Base.PREFIX, ROOT),
        )
        older = (Word("-Dmaven.repo.local=", Base.PREFIX, ROOT),)
        return Environment(
            arguments=(Arguments("MAVEN_ARGS", newer), Arguments("MAVEN_OPTS", older))
        )

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """Maven, or the project's wrapper, and Java."""
        return (
            Client(
                ("mvn", "./mvnw"),
                (("3.8", ""),),
                why="older ones do not read the variables",
                seen="3.8, 3.9, 3.10, 4.0",
                otherwise="Install Maven 3.8 or newer.",
            ),
            Tool(("javac",), "Maven compiles with it", "Install a JDK."),
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """Maven's local repository."""
        try:
            local = load_repositories(host, _OPTION, "").local
        except LockfileError:
            local = None
        return {ROOT: local or host.home / _LOCAL}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """The metadata keeps the user's own versions; all else is replaced."""
        return tree.merged(path, existing, ours)


def _repositories(project: Project, options: Options) -> Repositories:
    return load_repositories(project.host, _OPTION, options.extra.get("maven-repo", ""))


def _order(file: Artifact) -> tuple[str, str, str]:
    return file.name, file.version, file.url or ""


# -- a summary file ------------------------------------------------------------------------


def _summarised(project: Project, name: SummaryName, repositories: Repositories) -> list[MavenFile]:
    if name.is_workspace:
        return []
    shown = project.where()
    repository = name.repository
    if name.address:
        repository = repositories.with_url_hash(name.address) or repository
    if repository:
        sources = repositories.sources(repository, shown, option=_OPTION)
    else:
        sources = repositories.everywhere()
    origins: tuple[str, ...] = ()
    if _is_tracked(project):
        origins = tuple(sorted({repository, f"{repository}-{url_hash(sources[0])}"}))
    lines = parse_summary(project.lock_bytes(), name.algorithm, shown)
    others = _other_lines(project, name)
    if name.algorithm == "sha512":  # a path that both have is the sha256's
        lines = {path: line for path, line in lines.items() if path not in others}
    files = [
        file_of(
            path,
            Integrity.of([line.digest, *(others[path].digest for _ in range(path in others))]),
            sources,
            project.where(line.number),
            origins=origins,
        )
        for path, line in lines.items()
    ]
    if files and _PLEXUS_UTILS not in lines:
        files.append(_plexus_utils(repositories, origins, shown))
    return files


def _other_lines(project: Project, name: SummaryName) -> Mapping[str, Line]:
    other = _OTHER.get(name.algorithm)
    beside = project.lockfile.with_suffix(f".{other}").name
    data = project.read(beside) if other else None
    return {} if data is None or other is None else parse_summary(data, other, beside)


def _plexus_utils(repositories: Repositories, origins: tuple[str, ...], where: str) -> MavenFile:
    integrity = Integrity.of([Digest.from_hex("sha256", _PLEXUS_UTILS_SHA256)])
    sources = repositories.sources("central", where, option=_OPTION)
    return file_of(_PLEXUS_UTILS, integrity, sources, where, origins=origins, why=("maven-3.8",))


def _is_tracked(project: Project) -> bool:
    """Whether the project's own check wants to know where each file came from."""
    config = project.read(_CONFIG) or b""
    return bool(_FAIL_IF_MISSING.search(config)) and not _ANY_ORIGIN.search(config)


# -- lockfile.json -------------------------------------------------------------------------


def _locked(
    project: Project, repositories: Repositories
) -> tuple[list[MavenFile], tuple[Warning, ...]]:
    shown = project.where()
    files = []
    lock = parse_lockfile_json(project.lock_bytes(), shown)
    for locked in lock.files:
        if locked.repository in repositories.named or not locked.repository:
            repository = locked.repository or "central"
            sources = repositories.sources(repository, shown, option=_OPTION)
        else:
            sources = (_base_of(locked.address, locked.path, shown),)
        files.append(file_of(locked.path, Integrity.of([locked.digest]), sources, shown))
    if not files:
        return [], ()
    missing = _NO_PROVIDERS if lock.has_plugins else _NO_PLUGINS
    return files, (Warning(f"lockfile.json {missing}; {_SUMMARY_HAS_ALL}", shown),)


def _base_of(address: str, path: str, where: str) -> str:
    """The repository that an address of one of its files is in."""
    if address.startswith("https://") and address.endswith(f"/{path}"):
        return address.removesuffix(path)
    raise LockfileError(
        f"{path} was resolved from where no repository keeps it",
        where=where,
        fix=f"Say where its repository is: {_OPTION} id=https://…",
    )


FORMAT = Maven()
