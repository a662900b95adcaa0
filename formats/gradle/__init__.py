"""Gradle, experimentally: gradle/verification-metadata.xml and a repository to build from.

`verification` reads the text. Gradle's own cache is a binary store of its own for each version, so
the bundle has a plain Maven repository and an init script that sends Gradle there when it is told
to be offline::

    gradle/                              GRADLE_USER_HOME
      init.d/vendorpack.gradle           with --offline: the repositories are read from below
      vendorpack-repository/<group>/<artifact>/<version>/<file>

The user's build files stay as they are. Run with Gradle 4.4.1; newer versions were read, not run:
there dependency verification checks every file once more, by the lockfile that this room reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from vendorpack.demands import Client, Contents, Demand, Tool
from vendorpack.formats._shared.maven import tree
from vendorpack.formats._shared.maven.closure import missing_poms
from vendorpack.formats._shared.maven.files import MavenFile, file_of
from vendorpack.formats._shared.maven.license import inherited
from vendorpack.formats._shared.maven.license import reader_of as license_reader
from vendorpack.formats._shared.maven.repositories import (
    CENTRAL,
    Repositories,
    load_repositories,
)
from vendorpack.formats._shared.maven.wrapper import wrapper_needs
from vendorpack.formats.gradle.verification import parse_verification
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
    Warning,
)
from vendorpack.project import Host, Project
from vendorpack.room import Format, Index, Workshop

ROOT: Final = "gradle"
REPOSITORY: Final = f"{ROOT}/vendorpack-repository"
PLUGIN_PORTAL: Final = "https://plugins.gradle.org/m2/"
"""Where Gradle takes plugins from unless a build says otherwise."""
GOOGLE: Final = "https://dl.google.com/dl/android/maven2/"
"""The repository that builds call `google()`."""

_OPTION: Final = "--gradle-repo"
_OF_GOOGLE: Final = (
    "androidx.",
    "com.android",
    "com.google.android",
    "com.google.firebase",
    "com.google.gms",
)
_MARKER: Final = ".gradle.plugin"
_INIT_SCRIPT: Final = """\
// With --offline, what builds take from repositories comes from the one beside this file.
if (gradle.startParameter.offline) {
    def here = new File(gradle.gradleUserHomeDir, 'vendorpack-repository').toURI()
    def redirect = { repositories ->
        repositories.all { repository ->
            if (repository.metaClass.respondsTo(repository, 'setUrl', Object)) {
                repository.url = here
            }
        }
    }
    if (gradle.metaClass.respondsTo(gradle, 'beforeSettings', Closure)) {
        gradle.beforeSettings { settings ->
            settings.pluginManagement.repositories.maven { it.url = here }
            redirect(settings.pluginManagement.repositories)
            if (settings.metaClass.hasProperty(settings, 'dependencyResolutionManagement')) {
                redirect(settings.dependencyResolutionManagement.repositories)
            }
        }
    }
    gradle.allprojects { project ->
        redirect(project.buildscript.repositories)
        redirect(project.repositories)
    }
}
"""

_WRAPPER: Final = "wrapper/gradle-wrapper.properties"
"""Beside the lockfile."""


class Gradle(Format):
    """Gradle."""

    name = "gradle"
    title = "Gradle"
    layout_version = 2
    command = "gradle --offline build"
    options = {
        "repo": "A repository to ask before the public ones: id=https://…, several with commas "
        "between."
    }

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read verification-metadata.xml; see `Format.read`."""
        repositories = _repositories(project, options)
        lock = parse_verification(project)
        files = [
            file_of(pin.path, pin.integrity, _sources(pin.group, repositories), pin.where)
            for pin in lock.pins
        ]
        warnings: tuple[Warning, ...] = ()
        if not lock.has_metadata:
            warnings = (
                Warning(
                    "verify-metadata is false, so that POMs have no hash here: they are taken by "
                    "the registry's",
                    project.where(),
                ),
            )
        return Lockfile(
            path=str(project.lockfile),
            format=self.name,
            artifacts=tuple(sorted(files, key=_order)),
            access=repositories.access(PLUGIN_PORTAL, GOOGLE),
            warnings=(*repositories.warnings, *warnings),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """Repositories that are not the public one."""
        named = _repositories(project, options).named
        return {"repositories": {i: url for i, url in sorted(named.items()) if url != CENTRAL}}

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Artifact]:
        """The POMs, where the lockfile has none."""
        if any(isinstance(a, MavenFile) and a.path.endswith(".pom") for a in lockfile.artifacts):
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
        return [*wrapper_needs(project, _WRAPPER, "./gradlew", "gradle")]

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """The repository, and the init script that leads to it."""
        yield Entry(f"{ROOT}/init.d/vendorpack.gradle", _INIT_SCRIPT.encode())
        yield from tree.layout(REPOSITORY, packed, workshop)

    def is_place_of(self, path: str, name: str, version: str) -> bool:
        """Gradle takes a file by its path."""
        return tree.is_place_of(REPOSITORY, path, name, version)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """Gradle's own folder, which it writes to."""
        return Environment((Variable("GRADLE_USER_HOME", ROOT, is_path=True),))

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """Gradle, or the project's wrapper, and Java."""
        return (
            Client(("gradle", "./gradlew"), seen="4.4", otherwise="Install Gradle."),
            Tool(("javac",), "Gradle compiles with it", "Install a JDK."),
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """The user's own folder: the script does nothing there without --offline."""
        configured = host.environ.get("GRADLE_USER_HOME")
        return {ROOT: host.home / (configured or ".gradle")}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """The metadata keeps the versions of other bundles; all else is replaced."""
        return tree.merged(path, existing, ours)


def _repositories(project: Project, options: Options) -> Repositories:
    return load_repositories(project.host, _OPTION, options.extra.get("gradle-repo", ""))


def _sources(group: str, repositories: Repositories) -> tuple[str, ...]:
    """Where to look, in order: the hash decides which is right."""
    own = repositories.everywhere()
    if group.startswith(_OF_GOOGLE):
        own = (*own[:-1], GOOGLE, own[-1])
    if group.endswith(_MARKER):
        own = (*own[:-1], PLUGIN_PORTAL, own[-1])
    return tuple(dict.fromkeys((*own, PLUGIN_PORTAL)))


def _order(file: Artifact) -> tuple[str, str, str]:
    return file.name, file.version, file.url or ""


FORMAT = Gradle()
