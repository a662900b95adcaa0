"""The rooms: which ecosystems there are, without importing any of them.

`BUILTIN` is the ordered table; `load` imports one room. Third parties add rooms by the entry
point group `vendorpack.formats`: an entry point's name is the format's name, its object a
`Room` row with the room's module in it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import cast

from vendorpack.boundary import Boundary, address, path, word
from vendorpack.dataclass import dataclass
from vendorpack.errors import UsageError
from vendorpack.model import Arguments, Base, Word
from vendorpack.room import Format, Supplement

ENTRY_POINT_GROUP = "vendorpack.formats"


@dataclass(frozen=True, slots=True)
class Room:
    """How a format is recognised before its code is imported.

    lockfiles: file-name patterns (fnmatch), below a folder of the project's if there is a `/` in
        them; where several lie in one folder the first wins.
    precedence: whether that is so for the client too, and needs no mention.
    family: clients that install into the same project; two lockfiles of one family in one
        folder are ambiguous unless they are named.
    marker: how a line of the lockfile begins, where a file name says too little.
    marked: names that the marker is asked of; empty for all of `lockfiles`.
    together: whether all lockfiles of a folder count, each with what it pins.
    boundary: the paths and variables of its bundles, of all layout versions there ever were; a
        bundle that holds any other is refused.
    loose, pin: files of the pattern `loose` pin nothing, and are no lockfile beside another of
        the family, unless `pin` is in their text.
    stand_in: the manifest of a project that has no lockfile because it needs nothing. It counts
        where it is named, or where nothing else is found in the folder that is named.
    suffix: what a lockfile's name has after its manifest's, whatever that is called: a file that
        is named is one, if its manifest lies beside it and no room knows its name.
    content: a line (regular expression) by which a file that is named is known, if no room knows
        its name.
    supplement: whether its lockfile takes single files by address (`room.Supplement`).
    client: the client's name where a project's own files say which one it uses; empty: `name`.
    """

    name: str
    module: str
    family: str
    lockfiles: tuple[str, ...]
    boundary: Boundary
    precedence: bool = False
    marker: str = ""
    marked: tuple[str, ...] = ()
    together: bool = False
    loose: str = ""
    pin: str = ""
    stand_in: str = ""
    suffix: str = ""
    content: str = ""
    client: str = ""
    supplement: bool = False


CHOOSERS: Mapping[str, str] = {"javascript": "vendorpack.formats._shared.npm.package_manager"}
"""Family to a module that reads which client a project is meant for: its `named_client`."""


@dataclass(frozen=True, slots=True)
class Unlocked:
    """A file that somebody may take for a lockfile, or expect one to be made of.

    pattern: of its name (fnmatch). advice: a sentence that follows the name,
    without its dot; a command that is to be copied may have the last line to itself.
    """

    pattern: str
    advice: str


def _not_yet(title: str, *patterns: str) -> tuple[Unlocked, ...]:
    return tuple(Unlocked(p, f"is of {title}, which is not supported yet") for p in patterns)


UNLOCKED = (
    Unlocked(
        "package.json",
        "is locked by `npm install --package-lock-only`, `pnpm install --lockfile-only`, "
        "`bun install --lockfile-only` or `yarn install`",
    ),
    Unlocked("pyproject.toml", "is locked by `uv lock`, `poetry lock` or `pdm lock`"),
    Unlocked("requirements*.in", "is locked by `pip-compile --generate-hashes`"),
    Unlocked("setup.py", "is locked by `pip-compile --generate-hashes setup.py`"),
    Unlocked("Pipfile", "is locked by `pipenv lock`"),
    Unlocked("Cargo.toml", "is locked by `cargo generate-lockfile`"),
    Unlocked("go.mod", "is locked by `go mod tidy`, where it requires anything at all"),
    Unlocked("Gemfile", "is locked by `bundle lock --add-checksums`"),
    Unlocked("gems.rb", "is locked by `bundle lock --add-checksums`"),
    Unlocked(
        "pom.xml",
        "pins nothing alone: let Maven 3.9 or newer record what a build takes, with the goals that "
        "will run offline, tests too:\n"
        'mkdir -p .mvn/checksums && mvn package -Dmaven.repo.local="$(mktemp -d)" '
        "-Daether.artifactResolver.postProcessor.trustedChecksums=true "
        "-Daether.artifactResolver.postProcessor.trustedChecksums.record=true "
        "-Daether.artifactResolver.postProcessor.trustedChecksums.checksumAlgorithms=SHA-256 "
        "-Daether.trustedChecksumsSource.summaryFile=true "
        '-Daether.trustedChecksumsSource.summaryFile.basedir="$PWD/.mvn/checksums"',
    ),
    *(
        Unlocked(
            pattern,
            "pins no hash: let Gradle record what a build takes, with all tasks that will run "
            "offline: gradle --write-verification-metadata sha256 build",
        )
        for pattern in ("gradle.lockfile", "build.gradle", "build.gradle.kts", "settings.gradle*")
    ),
    *_not_yet("sbt", "build.sbt"),
    *_not_yet("NuGet", "packages.lock.json", "*.csproj", "*.fsproj", "*.sln"),
    *_not_yet("Composer", "composer.lock", "composer.json"),
    Unlocked("deno.json", "is locked by `deno install`"),
    Unlocked("deno.jsonc", "is locked by `deno install`"),
    *_not_yet("conda", "conda-lock.yml", "environment.yml", "environment.yaml", "pixi.lock"),
    *_not_yet("Hex", "mix.lock", "rebar.lock"),
    *_not_yet("pub", "pubspec.lock", "pubspec.yaml"),
    *_not_yet("CocoaPods", "Podfile.lock", "Podfile"),
    *_not_yet("Swift's package manager", "Package.resolved", "Package.swift"),
    *_not_yet("Haskell", "stack.yaml.lock", "cabal.project.freeze", "*.cabal"),
    *_not_yet("Conan", "conan.lock", "conanfile.txt", "conanfile.py"),
    *_not_yet("vcpkg", "vcpkg.json"),
    *_not_yet("renv", "renv.lock"),
    *_not_yet("Julia", "Manifest.toml"),
    *_not_yet("Crystal", "shard.lock"),
    *_not_yet("opam", "*.opam.locked"),
    *_not_yet("Helm", "Chart.lock"),
    *_not_yet("Terraform", ".terraform.lock.hcl"),
    *_not_yet("Nix", "flake.lock"),
)
"""What is told about such files where no lockfile is found. A room's own lockfile comes first."""


_ALLOWED_PROTOCOLS = word("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
_SUBMODULES = (
    _ALLOWED_PROTOCOLS,
    word("GIT_CONFIG_PARAMETERS", "'fetch.recurseSubmodules=false'"),
)
_WHEELHOUSE = Boundary(
    paths=("pip/wheelhouse/*", "pip/cache/http/**", "pip/cache/http-v2/**"),
    artifacts=("pip/wheelhouse/*",),
    repositories=("pip/git/*",),
    settings=(
        path("PIP_CACHE_DIR", "pip/cache"),
        path("PIP_FIND_LINKS", "pip/wheelhouse"),
        word("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        word("PIP_NO_INDEX", "1"),
        *_SUBMODULES,
    ),
)


def _corepack(client: str) -> Boundary:
    """A package manager, for corepack."""
    return Boundary(
        paths=(f"corepack/v1/{client}/**",),
        artifacts=(f"corepack/v1/{client}/**",),
        settings=(
            path("COREPACK_HOME", "corepack"),
            word("COREPACK_DEFAULT_TO_LATEST", "0"),
            word("COREPACK_ENABLE_NETWORK", "0"),
        ),
    )


def _written_by_maven(folder: str) -> tuple[str, ...]:
    """What lies beside artifacts in a repository."""
    return (f"{folder}/**/maven-metadata-local.xml", f"{folder}/**/_remote.repositories")


BUILTIN = (
    Room(
        name="npm",
        module="vendorpack.formats.npm",
        family="javascript",
        lockfiles=("npm-shrinkwrap.json", "package-lock.json"),
        precedence=True,
        boundary=_corepack("npm")
        | Boundary(
            paths=("npm/_cacache/content-v2/**", "npm/_cacache/index-v5/**"),
            repositories=("npm/git/*",),
            settings=(
                path("npm_config_cache", "npm"),
                word("npm_config_offline", "true"),
                address("npm_config_registry"),
            ),
        ),
    ),
    Room(
        name="pnpm",
        module="vendorpack.formats.pnpm",
        family="javascript",
        lockfiles=("pnpm-lock.yaml", "pnpm-lock.*.yaml"),
        boundary=_corepack("pnpm")
        | Boundary(
            paths=(
                "pnpm/store/v3/files/**",
                "pnpm/store/v3/*/integrity.json",
                "pnpm/store/v3/*/integrity-not-built.json",
                "pnpm/store/v10/files/**",
                "pnpm/store/v10/index/**",
                "pnpm/store/v10/projects",
                "pnpm/store/v10/*/integrity.json",
                "pnpm/store/v10/*/integrity-not-built.json",
                "pnpm/store/v11/files/**",
                "pnpm/store/v11/index.db",
                "pnpm/store/v11/links/*/*/*/*/node_modules/**",
            ),
            repositories=("pnpm/store/git/*",),
            settings=(
                path("npm_config_store_dir", "pnpm/store"),
                path("pnpm_config_store_dir", "pnpm/store"),
                word("npm_config_manage_package_manager_versions", "false"),
                word("npm_config_offline", "true"),
                word("pnpm_config_frozen_store", "true"),
                word("pnpm_config_minimum_release_age", "0"),
                word("pnpm_config_offline", "true"),
                word("pnpm_config_pm_on_fail", "ignore"),
                word("pnpm_config_trust_lockfile", "true"),
            ),
        ),
    ),
    Room(
        name="bun",
        module="vendorpack.formats.bun",
        family="javascript",
        lockfiles=("bun.lock", "bun.lockb"),
        precedence=True,
        boundary=Boundary(
            paths=("bun/cache/**",),
            settings=(path("BUN_INSTALL_CACHE_DIR", "bun/cache"), address("BUN_CONFIG_REGISTRY")),
        ),
    ),
    Room(
        name="deno",
        module="vendorpack.formats.deno",
        family="javascript",
        lockfiles=("deno.lock",),
        boundary=Boundary(
            paths=("deno/npm/**", "deno/remote/**"),
            settings=(path("DENO_DIR", "deno"), word("DENO_NO_UPDATE_CHECK", "1")),
        ),
    ),
    Room(
        name="yarn-classic",
        module="vendorpack.formats.yarn_classic",
        client="yarn",
        family="javascript",
        lockfiles=("yarn.lock",),
        marker="# yarn lockfile v1",
        boundary=_corepack("yarn")
        | Boundary(
            paths=("yarn-classic/*",),
            artifacts=("yarn-classic/*",),
            settings=(
                path("YARN_YARN_OFFLINE_MIRROR", "yarn-classic"),
                word("YARN_YARN_OFFLINE_MIRROR_PRUNING", "false"),
                word("SKIP_YARN_COREPACK_CHECK", "true"),
            ),
        ),
    ),
    Room(
        name="yarn-berry",
        module="vendorpack.formats.yarn_berry",
        client="yarn",
        family="javascript",
        lockfiles=("yarn.lock",),
        marker="__metadata:",
        boundary=_corepack("yarn")
        | Boundary(
            paths=("yarn-berry/cache/*.zip",),
            artifacts=("yarn-berry/cache/*.zip",),
            settings=(
                path("YARN_GLOBAL_FOLDER", "yarn-berry"),
                word("YARN_ENABLE_HARDENED_MODE", "false"),
                word("YARN_ENABLE_MIRROR", "true"),
                word("YARN_ENABLE_NETWORK", "false"),
                word("YARN_ENABLE_TELEMETRY", "false"),
            ),
        ),
    ),
    Room(
        name="uv",
        module="vendorpack.formats.uv",
        family="python",
        lockfiles=("uv.lock", "*.py.lock"),
        boundary=Boundary(
            paths=(
                "uv/archive-v*/**",
                "uv/build-wheels/*",
                "uv/sdists-v*/**",
                "uv/wheels-v*/**",
            ),
            repositories=("uv/git/*",),
            artifacts=("uv/build-wheels/*",),
            settings=(
                path("UV_CACHE_DIR", "uv"),
                path("UV_FIND_LINKS", "uv/build-wheels"),
                word("UV_OFFLINE", "1"),
                *_SUBMODULES,
            ),
        ),
    ),
    Room(
        name="poetry",
        module="vendorpack.formats.poetry",
        family="python",
        lockfiles=("poetry.lock",),
        boundary=Boundary(
            paths=("poetry/artifacts/**", "poetry/cache/repositories/**"),
            artifacts=("poetry/artifacts/**",),
            repositories=("poetry/git/*",),
            settings=(
                path("POETRY_CACHE_DIR", "poetry"),
                word("POETRY_EXPERIMENTAL_SYSTEM_GIT_CLIENT", "true"),
                word("POETRY_SYSTEM_GIT_CLIENT", "true"),
                *_SUBMODULES,
            ),
        ),
    ),
    Room(
        name="pipenv",
        module="vendorpack.formats.pipenv",
        family="python",
        lockfiles=("Pipfile.lock",),
        boundary=_WHEELHOUSE | Boundary(settings=(path("PIPENV_CACHE_DIR", "pip/cache"),)),
    ),
    Room(
        name="pdm",
        module="vendorpack.formats.pdm",
        family="python",
        lockfiles=("pdm.lock",),
        boundary=_WHEELHOUSE
        | Boundary(
            paths=(
                "pip/simple/*/index.html",
                "pip/requirements-pdm.txt",
                "pip/requirements-pdm-git.txt",
            ),
            settings=(
                path("PDM_PYPI_URL", "pip/simple", "file://"),
                word("PDM_CHECK_UPDATE", "0"),
            ),
        ),
    ),
    Room(
        name="pip",
        module="vendorpack.formats.pip",
        family="python",
        lockfiles=("pylock.toml", "pylock.*.toml", "requirements.txt", "requirements*.txt"),
        boundary=_WHEELHOUSE,
        loose="requirements*.txt",
        pin="--hash",
        content=r"[A-Za-z0-9][\w.-]*(\[[\w ,.-]+\])?\s*==\s*[\w.+!-]+\s*([;#\\].*|--hash=.*)?",
    ),
    Room(
        name="cargo",
        module="vendorpack.formats.cargo",
        family="cargo",
        lockfiles=("Cargo.lock",),
        boundary=Boundary(
            paths=(
                "cargo/registry/cache/*/*.crate",
                "cargo/registry/index/*/.cache/**",
                "cargo/registry/index/*/config.json",
            ),
            repositories=("cargo/git/db/*", "cargo/registry/index/*"),
            artifacts=("cargo/registry/cache/*/*.crate",),
            settings=(
                path("CARGO_HOME", "cargo"),
                word("CARGO_NET_OFFLINE", "true"),
                address("CARGO_REGISTRIES_*_INDEX"),
            ),
        ),
    ),
    Room(
        name="gomod",
        module="vendorpack.formats.gomod",
        family="gomod",
        lockfiles=("go.work", "go.sum"),
        stand_in="go.mod",
        precedence=True,
        boundary=Boundary(
            paths=tuple(f"go/cache/download/**/@v/*.{kind}" for kind in ("info", "mod", "zip")),
            artifacts=("go/cache/download/**/@v/*.mod", "go/cache/download/**/@v/*.zip"),
            settings=(
                path("GOMODCACHE", "go"),
                word("GOPROXY", "off"),
                path("GOPROXY", "go/cache/download", "file://"),
                word("GONOSUMDB", "golang.org/toolchain"),
                word("GOTOOLCHAIN", "local", "auto"),
            ),
        ),
    ),
    Room(
        name="bundler",
        module="vendorpack.formats.bundler",
        family="bundler",
        lockfiles=("gems.locked", "Gemfile.lock", "Gemfile.*.lock", "*.gemfile.lock"),
        suffix=".lock",
        boundary=Boundary(
            paths=("bundler/cache/*.gem",),
            artifacts=("bundler/cache/*.gem",),
            repositories=("bundler/user/git/*", "bundler/submodules/*"),
            settings=(
                _ALLOWED_PROTOCOLS,
                path("BUNDLE_CACHE_PATH", "bundler/cache"),
                path("BUNDLE_USER_CACHE", "bundler/user"),
                word("BUNDLE_FROZEN", "true"),
                word("BUNDLE_GLOBAL_GEM_CACHE", "true"),
            ),
        ),
    ),
    Room(
        name="maven",
        module="vendorpack.formats.maven",
        family="maven",
        lockfiles=(
            ".mvn/checksums/checksums*.sha256",
            ".mvn/checksums/checksums*.sha512",
            "lockfile.json",
        ),
        marker='  "artifactId"',
        marked=("lockfile.json",),
        together=True,
        boundary=Boundary(
            paths=("maven/repository/**",),
            artifacts=("maven/repository/**",),
            made=_written_by_maven("maven/repository"),
            arguments=(
                Arguments(
                    "MAVEN_ARGS",
                    (
                        Word("-o"),
                        Word("-Dmaven.repo.local=", Base.HOME, ".m2/repository"),
                        Word("-Dmaven.repo.local.tail=", Base.PREFIX, "maven/repository"),
                    ),
                ),
                Arguments(
                    "MAVEN_OPTS", (Word("-Dmaven.repo.local=", Base.PREFIX, "maven/repository"),)
                ),
            ),
        ),
    ),
    Room(
        name="gradle",
        module="vendorpack.formats.gradle",
        family="gradle",
        lockfiles=("gradle/verification-metadata.xml",),
        boundary=Boundary(
            paths=("gradle/vendorpack-repository/**",),
            artifacts=("gradle/vendorpack-repository/**",),
            made=_written_by_maven("gradle/vendorpack-repository"),
            texts=(
                (
                    "gradle/init.d/vendorpack.gradle",
                    "c7cb7d889211216f9bfb1015db9d9375971610438ca052bdc717bb0d22552344",
                ),
            ),
            settings=(path("GRADLE_USER_HOME", "gradle"),),
        ),
    ),
    Room(
        name="extras",
        module="vendorpack.formats.extras",
        family="extras",
        lockfiles=(
            "artifacts.lock.yaml",
            "gradle/wrapper/gradle-wrapper.properties",
            ".mvn/wrapper/maven-wrapper.properties",
        ),
        marker="distributionSha256Sum",
        marked=("gradle-wrapper.properties", "maven-wrapper.properties"),
        together=True,
        supplement=True,
        boundary=Boundary(
            paths=(
                "extras/chromedriver/chromedriver",
                "extras/cypress/*/Cypress/**",
                "extras/electron/*/*.zip",
                "extras/ffmpeg/ffmpeg",
                "extras/files/**",
                "extras/maven/wrapper/dists/*/*/**",
                "extras/node-gyp/*/*/node.lib",
                "extras/node-gyp/*/include/node/**",
                "extras/node-gyp/*/installVersion",
                "extras/playwright/*/**",
                "extras/prisma/libquery_engine.node",
                "extras/prisma/schema-engine",
                "extras/puppeteer/chrome/*/**",
                "extras/puppeteer/chrome-headless-shell/*/**",
                "extras/uv-python/*/*",
                "gradle/wrapper/dists/*/*/*.zip",
                "npm/_libvips/*",
                "npm/_prebuilds/*",
            ),
            artifacts=(
                "extras/electron/*/*.zip",
                "extras/files/**",
                "extras/node-gyp/*/*/node.lib",
                "extras/uv-python/*/*",
                "gradle/wrapper/dists/*/*/*.zip",
                "npm/_libvips/*",
                "npm/_prebuilds/*",
            ),
            settings=(
                path("CHROMEDRIVER_FILEPATH", "extras/chromedriver/chromedriver"),
                path("CYPRESS_CACHE_FOLDER", "extras/cypress"),
                path("FFMPEG_BIN", "extras/ffmpeg/ffmpeg"),
                path("GRADLE_USER_HOME", "gradle"),
                path("MAVEN_USER_HOME", "extras/maven"),
                path("PLAYWRIGHT_BROWSERS_PATH", "extras/playwright"),
                path("PRISMA_QUERY_ENGINE_LIBRARY", "extras/prisma/libquery_engine.node"),
                path("PRISMA_SCHEMA_ENGINE_BINARY", "extras/prisma/schema-engine"),
                path("PUPPETEER_CACHE_DIR", "extras/puppeteer"),
                path("UV_PYTHON_INSTALL_MIRROR", "extras/uv-python", "file://"),
                path("VENDORPACK_FILES", "extras/files"),
                path("electron_config_cache", "extras/electron"),
                path("npm_config_cache", "npm"),
                path("npm_config_devdir", "extras/node-gyp"),
            ),
        ),
    ),
)


@functools.cache
def rooms() -> tuple[Room, ...]:
    """All rooms: the built-in ones in their order, then third parties' by name."""
    if not _third_parties():
        return BUILTIN
    from importlib.metadata import entry_points  # noqa: PLC0415 - dear, and seldom needed

    extra = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)
    return BUILTIN + tuple(cast(Room, point.load()) for point in extra)


def _third_parties() -> bool:
    """Whether any installed distribution names our entry-point group.

    A look into the files: `importlib.metadata` takes longer than all else `key` does.
    """
    group = f"[{ENTRY_POINT_GROUP}]".encode()
    for folder in sys.path:
        with contextlib.suppress(OSError), os.scandir(folder or ".") as entries:
            for entry in entries:
                if entry.name.endswith((".dist-info", ".egg-info")):
                    with contextlib.suppress(OSError):
                        if group in Path(entry.path, "entry_points.txt").read_bytes():
                            return True
    return False


def unlocked() -> tuple[Unlocked, ...]:
    """`UNLOCKED` without the names that are some room's lockfiles (a third party's, perhaps)."""
    patterns = [pattern for room in rooms() for pattern in room.lockfiles]
    return tuple(one for one in UNLOCKED if not any(fnmatchcase(one.pattern, p) for p in patterns))


def named_client(family: str, read: Callable[[str], bytes | None]) -> tuple[str, str] | None:
    """The client that a project's own files name for a family, and where; None if none is named.

    read: a file of the project's folder by name, None if there is no such file.
    """
    if family not in CHOOSERS:
        return None
    chooser = importlib.import_module(CHOOSERS[family])
    return cast("tuple[str, str] | None", chooser.named_client(read))


def load(name: str) -> Format:
    """Import the room of format `name`. Raises `UsageError` if there is none."""
    for room in BUILTIN:
        if room.name == name:
            break
    else:
        for room in rooms():
            if room.name == name:
                break
        else:
            raise UsageError(
                f"no format is named {name!r}",
                fix="Known formats: " + ", ".join(room.name for room in rooms()) + ".",
            )
    return cast(Format, importlib.import_module(room.module).FORMAT)


def room_of_lockfile(name: str) -> str:
    """The format whose lockfiles are called `name`. Raises `UsageError` if there is none."""
    for room in rooms():
        if any(fnmatchcase(name, pattern) for pattern in room.lockfiles):
            return room.name
    raise UsageError(f"no format reads lockfiles named {name!r}")


def supplement() -> Supplement:
    """The room whose lockfile takes files by address. Raises `UsageError` if there is none."""
    name = next((room.name for room in rooms() if room.supplement), None)
    if name is None:
        raise UsageError("no format here takes single files")
    return cast(Supplement, load(name))


def boundary_of(name: str) -> Boundary | None:
    """What bundles of format `name` may hold; None if it is not known here."""
    return next((room.boundary for room in rooms() if room.name == name), None)
