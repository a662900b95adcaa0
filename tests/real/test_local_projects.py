"""Each Python client builds the user's own projects with the network cut off.

One lies in the project's folder, one beside it; uv and Poetry build the project itself too.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import PROJECTS, Machine, copy_project, extract, pack
from tests.real.python_kinds import CLIENTS, REQUIREMENTS, UV, Client, Locked, settings
from tests.real.test_pip import target_of
from tests.real.test_python_kinds import install, told

pytestmark = [pytest.mark.real, pytest.mark.network]

BUILDERS = [client for client in CLIENTS if not client.refuses]
PROOF = "import inner, outer; print(inner.NAME, outer.NAME)"

Bundled = Callable[..., tuple[Path, Path]]
"""The project as a client locked it, and its bundle; given are the client and more options."""


def workspace(locked: Locked, folder: Path) -> Path:
    """The project with one package below it, and one beside it."""
    source = PROJECTS / "local-projects"
    project = copy_project(source / locked.folder, folder / "project")
    copy_project(source / "inner", project / "inner")
    copy_project(source / "outer", folder / "outer")
    return project


@pytest.fixture(scope="module")
def bundled(real_cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Bundled:
    """Packs a lockfile for a target, once for all clients that read it."""

    @functools.cache
    def packed(locked: Locked, target: str, options: tuple[str, ...]) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp(locked.folder)
        project = workspace(locked, folder)
        bundle = folder / "deps.tar.zst"
        pack(real_cli, *locked.files(project), "--target", target, *options, "-o", bundle)
        return project, bundle

    return lambda client, *options: packed(client.locked, target_of(client.program()), options)


@pytest.mark.parametrize("client", BUILDERS, ids=str)
def test_they_are_built(client: Client, bundled: Bundled, tmp_path: Path) -> None:
    packed = bundled(client)
    shutil.copytree(packed[0].parent / "outer", tmp_path / "outer")
    done = install(client, packed, tmp_path)
    assert done.code == 0, done.out
    assert told(tmp_path / "project", PROOF) == "inner outer\n"


@pytest.mark.parametrize("client", [c for c in BUILDERS if c.locked == REQUIREMENTS], ids=str)
def test_pip_builds_what_no_lockfile_names(
    client: Client, bundled: Bundled, tmp_path: Path
) -> None:
    """The usual second step of an image: the project itself, whose dependencies are there."""
    source, bundle = bundled(client, "--pip-build-projects", ".")
    shutil.copytree(source.parent / "outer", tmp_path / "outer")
    assert install(client, (source, bundle), tmp_path).code == 0
    here = Machine(tmp_path)
    prefix = extract(bundle, tmp_path / "again")
    program, project = client.program(), tmp_path / "project"
    own = (*client.arguments[:-1], "--no-deps", ".")
    here.offline(program, *own, cwd=project, prefix=prefix, env=settings(program))
    assert told(project, "import app; print(app.NAME)") == "app\n"


@pytest.mark.parametrize("client", [c for c in BUILDERS if c.locked == UV][-1:], ids=str)
def test_nothing_is_built_from_a_bundle_without(
    client: Client, bundled: Bundled, tmp_path: Path
) -> None:
    packed = bundled(client, "--uv-build-deps", "no")
    shutil.copytree(packed[0].parent / "outer", tmp_path / "outer")
    done = install(client, packed, tmp_path)
    # Whichever of the projects it comes to first.
    assert done.code != 0 and "Failed to resolve requirements from `build-system" in done.out
    assert "was not found in the cache" in done.out, done.out
