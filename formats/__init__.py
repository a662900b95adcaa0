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
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from vendorpack.boundary import Boundary, address, path, word
from vendorpack.errors import UsageError
from vendorpack.model import Format

ENTRY_POINT_GROUP = "vendorpack.formats"


@dataclass(frozen=True, slots=True)
class Room:
    """How a format is recognised before its code is imported.

    lockfiles: file-name patterns (fnmatch); where several lie in one folder the first wins.
    precedence: whether that is so for the client too, and needs no mention.
    family: clients that install into the same project; two lockfiles of one family in one
        folder are ambiguous unless they are named.
    marker: how a line of the lockfile begins, where a file name is shared by two rooms.
    boundary: the paths and variables of its bundles, of all layout versions there ever were; a
        bundle that holds any other is refused.
    """

    name: str
    module: str
    family: str
    lockfiles: tuple[str, ...]
    boundary: Boundary
    precedence: bool = False
    marker: str = ""


_SUBMODULES = (
    word("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh"),
    word("GIT_CONFIG_PARAMETERS", "'fetch.recurseSubmodules=false'"),
)
_WHEELHOUSE = Boundary(
    paths=("pip/wheelhouse/*", "pip/cache/http/**", "pip/cache/http-v2/**"),
    repositories=("pip/git/*",),
    settings=(
        path("PIP_CACHE_DIR", "pip/cache"),
        path("PIP_FIND_LINKS", "pip/wheelhouse"),
        word("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        word("PIP_NO_INDEX", "1"),
        *_SUBMODULES,
    ),
)

BUILTIN = (
    Room(
        name="npm",
        module="vendorpack.formats.npm",
        family="javascript",
        lockfiles=("npm-shrinkwrap.json", "package-lock.json"),
        precedence=True,
        boundary=Boundary(
            paths=("npm/_cacache/content-v2/**", "npm/_cacache/index-v5/**"),
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
        lockfiles=("pnpm-lock.yaml",),
        boundary=Boundary(
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
            ),
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
        family="javascript",
        lockfiles=("yarn.lock",),
        marker="# yarn lockfile v1",
        boundary=Boundary(
            paths=("yarn-classic/*",),
            settings=(
                path("YARN_YARN_OFFLINE_MIRROR", "yarn-classic"),
                word("YARN_YARN_OFFLINE_MIRROR_PRUNING", "false"),
            ),
        ),
    ),
    Room(
        name="yarn-berry",
        module="vendorpack.formats.yarn_berry",
        family="javascript",
        lockfiles=("yarn.lock",),
        marker="__metadata:",
        boundary=Boundary(
            paths=("yarn-berry/cache/*.zip",),
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
        | Boundary(paths=("pip/requirements-pdm.txt", "pip/requirements-pdm-git.txt")),
    ),
    Room(
        name="pip",
        module="vendorpack.formats.pip",
        family="python",
        lockfiles=("pylock.toml", "pylock.*.toml", "requirements.txt", "requirements*.txt"),
        boundary=_WHEELHOUSE,
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
            repositories=("cargo/git/db/*",),
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
        precedence=True,
        boundary=Boundary(
            paths=tuple(f"go/cache/download/**/@v/*.{kind}" for kind in ("info", "mod", "zip")),
            settings=(
                path("GOMODCACHE", "go"),
                word("GOPROXY", "off"),
                word("GOTOOLCHAIN", "local"),
            ),
        ),
    ),
    Room(
        name="bundler",
        module="vendorpack.formats.bundler",
        family="bundler",
        lockfiles=("gems.locked", "Gemfile.lock"),
        precedence=True,
        boundary=Boundary(
            paths=("bundler/cache/*.gem",),
            repositories=("bundler/user/git/*",),
            settings=(
                path("BUNDLE_CACHE_PATH", "bundler/cache"),
                path("BUNDLE_USER_CACHE", "bundler/user"),
                word("BUNDLE_FROZEN", "true"),
                word("BUNDLE_GLOBAL_GEM_CACHE", "true"),
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


def boundary_of(name: str) -> Boundary | None:
    """What bundles of format `name` may hold; None if it is not known here."""
    return next((room.boundary for room in rooms() if room.name == name), None)
