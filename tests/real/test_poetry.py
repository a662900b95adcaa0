"""Poetry 2.0 and 2.5 install from a bundle with the network cut off."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.corpus import corpus
from tests.real.clients import PROJECTS, Machine, client, copy_project, extract, pack

pytestmark = [pytest.mark.real, pytest.mark.network]

VERSIONS = ("2.0", "2.5")
"""Before and after the HTTP cache changed its form."""
INSTALL = ("install", "--no-interaction")
ENV = {"POETRY_VIRTUALENVS_IN_PROJECT": "true"}


def poetry(version: str) -> Path:
    return client(f"poetry-{version}") / "bin/poetry"


def machine(folder: Path) -> Machine:
    return Machine(folder, [Path(sys.base_prefix, "bin")])


@pytest.mark.parametrize("project", ["hello-poetry", "hello-poetry-source"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_small_project(
    version: str, project: str, real_cli: Cli, bundles: Path, tmp_path: Path
) -> None:
    """Wheels, sdists and direct addresses; from the default index, and from a named one."""
    folder = copy_project(PROJECTS / project, tmp_path / "project")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    pack(real_cli, folder, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    target.offline(poetry(version), *INSTALL, cwd=folder, prefix=prefix, env=ENV)
    assert {p: p.read_bytes() for p in before} == before  # nothing of the user's is edited
    shown = target.offline(
        ".venv/bin/python", "-c", "import click, docopt, idna, markupsafe, pytest, tomli_w; "
        "print(docopt.__version__, idna.__version__)", cwd=folder,
    )  # fmt: skip
    assert shown == "0.6.2 3.10\n"


def test_groups_and_extras(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    folder = copy_project(PROJECTS / "hello-poetry", tmp_path / "project")
    bundle = bundles / "deps.tar.zst"
    pack(real_cli, folder, "--no-dev", "--group", "docs", "--group", "color", "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    target = machine(tmp_path)
    chosen = ("--only", "main,docs", "--extras", "color")
    target.offline(poetry("2.5"), *INSTALL, *chosen, cwd=folder, prefix=prefix, env=ENV)
    target.offline(".venv/bin/python", "-c", "import colorama, mistune", cwd=folder)
    missing = target.attempt(poetry("2.5"), *INSTALL, cwd=folder, prefix=prefix, env=ENV)
    assert missing.code != 0


def test_a_native_cache(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    folder = copy_project(PROJECTS / "hello-poetry", tmp_path / "project")
    pack(real_cli, folder, "-o", bundles / "deps.tar.zst")
    target = machine(tmp_path)
    Cli(tmp_path, environ={"HOME": str(target.home)}).ok("unpack", bundles / "deps.tar.zst")
    assert (target.home / ".cache/pypoetry/artifacts").is_dir()
    target.offline(poetry("2.5"), *INSTALL, cwd=folder, env=ENV)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_large_project(version: str, real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """A real project of 79 packages, one of them a commit."""
    folder = copy_project(corpus("poetry-poetry"), tmp_path / "project")
    done = real_cli("pack", folder, "--allow-host", "github.com", "-o", bundles / "deps.tar.zst")
    if done.code == 7:
        # No client is missing, but one dependency is a commit at a host that not all can reach.
        pytest.skip(f"the git host of a dependency cannot be reached:\n{done.err}")
    assert done.code == 0, done.err
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    install = (*INSTALL, "--no-root")
    target.offline(poetry(version), *install, cwd=folder, prefix=prefix, env=ENV)
    target.offline(".venv/bin/python", "-c", "import poetry.core, pytest, requests", cwd=folder)
