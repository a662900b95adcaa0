"""Poetry 2.0 and 2.5 install from a bundle with the network cut off."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.corpus import corpus
from tests.real.clients import PROJECTS, Machine, client, copy_project, extract, pack
from tests.world.git import Repository, git_server

pytestmark = [pytest.mark.real, pytest.mark.network]

VERSIONS = ("2.0", "2.5")
"""Before and after the HTTP cache changed its form."""
INSTALL = ("install", "--no-interaction")
ENV = {"POETRY_VIRTUALENVS_IN_PROJECT": "true"}


def poetry(version: str) -> Path:
    return client(f"poetry-{version}") / "bin/poetry"


def lock_again(project: Path) -> None:
    """Put into a lockfile what Poetry compares with `pyproject.toml`: a hash that it computes."""
    code = "from poetry.factory import Factory as F; from pathlib import Path; "
    code += "print(F().create_poetry(Path.cwd()).locker._get_content_hash())"
    python = poetry("2.5").with_name("python")
    asked = subprocess.run([python, "-c", code], cwd=project, stdout=subprocess.PIPE, check=True)
    line = f'content-hash = "{asked.stdout.decode().strip()}"'
    lock = project / "poetry.lock"
    lock.write_text(re.sub('content-hash = ".*"', line, lock.read_text()))


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


SDIST = """poetry-core==2.4.1 --no-binary=poetry-core \\
    --hash=sha256:89dceb6c10e9c6d8650a16183400e3c9ff9ddee13b0a81023b5575334a2b3744
"""
"""What is in the commit that the project locks, as the index has it."""


@pytest.fixture(scope="module")
def large(real_cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A real project of 79 packages, one of them a commit, and its bundle.

    Not every machine reaches that commit's host: it is served from the loopback instead, and
    the lockfile says so.
    """
    folder = tmp_path_factory.mktemp("large")
    repository = Repository(folder / "poetry-core")
    unpack_poetry_core(real_cli, folder)
    commit = repository.commit({})
    repository.publish(folder)
    project = copy_project(corpus("poetry-poetry"), folder / "project")
    lock, pyproject = project / "poetry.lock", project / "pyproject.toml"
    packages = tomllib.loads(lock.read_text())["package"]
    (locked,) = (p["source"] for p in packages if p.get("source", {}).get("type") == "git")
    with git_server(folder) as host:
        there = f"{host}/poetry-core.git"
        for path in (lock, pyproject):
            text = path.read_text().replace(locked["url"], there)
            path.write_text(text.replace(locked["resolved_reference"], commit))
        assert there in lock.read_text() and there in pyproject.read_text()
        lock_again(project)
        pack(real_cli, project, "--allow-host", host, "-o", folder / "deps.tar.zst")
    return project, folder / "deps.tar.zst"


def unpack_poetry_core(cli: Cli, folder: Path) -> None:
    """The files of the sdist into `folder`/poetry-core."""
    requirements = folder / "requirements.txt"
    requirements.write_text(SDIST)
    pack(cli, requirements, "--pip-build-deps", "no", "-o", folder / "sdist.tar.zst")
    (sdist,) = extract(folder / "sdist.tar.zst", folder / "sdist").glob("pip/wheelhouse/*.tar.gz")
    into = folder / "poetry-core"
    subprocess.run(["tar", "-xzf", sdist, "--strip-components=1", "-C", into], check=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_large_project(version: str, large: tuple[Path, Path], tmp_path: Path) -> None:
    source, bundle = large
    folder = copy_project(source, tmp_path / "project")
    prefix = extract(bundle, tmp_path / "deps")
    target = machine(tmp_path)
    install = (*INSTALL, "--no-root")
    target.offline(poetry(version), *install, cwd=folder, prefix=prefix, env=ENV)
    shown = target.offline(
        ".venv/bin/python", "-c", "import poetry.core, pytest, requests; "
        "from importlib.metadata import distribution; print(poetry.core.__version__, "
        "distribution('poetry-core').read_text('direct_url.json'))", cwd=folder,
    )  # fmt: skip
    number, _, origin = shown.partition(" ")
    commit = json.loads(origin)["vcs_info"]["commit_id"]
    assert number == "2.4.1"
    assert f'resolved_reference = "{commit}"' in (folder / "poetry.lock").read_text()
