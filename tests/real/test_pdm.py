"""PDM installs from a bundle with the network cut off, by its ordinary command."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import Machine, client, copy_project, extract, pack
from tests.real.test_pip import environment
from tests.real.ways import online
from tests.world import World
from tests.world.git import GitHost, Repository

pytestmark = [pytest.mark.real, pytest.mark.network]

VERSIONS = ("2.22", "2.29")
PROJECT = """[project]
name = "app"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["idna==3.7", "docopt==0.6.2", "markupsafe==2.1.5", "words"]
[dependency-groups]
dev = ["iniconfig==2.0.0"]
[build-system]
requires = ["pdm-backend"]
build-backend = "pdm.backend"
"""
PLAIN = """[project]
name = "app"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["idna==3.7", "docopt==0.6.2"]
[tool.pdm]
distribution = false
"""
IMPORT = "import app, docopt, idna, iniconfig, markupsafe, words; print(app.NAME, words.NAME)"


def pdm(version: str) -> Path:
    return client(f"pdm-{version}") / "bin/pdm"


def lock(pdm: Path, project: Path, here: Machine, *more: str) -> None:
    """What the user does first, online."""
    online((pdm, "lock", *more), project, here.env({"PDM_CHECK_UPDATE": "0"}))
    # What PDM keeps out of version control: they say which Python is meant, by its path.
    shutil.rmtree(project / ".venv", ignore_errors=True)
    (project / ".pdm-python").unlink(missing_ok=True)


@pytest.fixture
def here(tmp_path: Path) -> Machine:
    return Machine(tmp_path, [Path(sys.base_prefix, "bin")])


@pytest.mark.parametrize("version", VERSIONS)
def test_install(real_cli: Cli, tmp_path: Path, here: Machine, version: str) -> None:
    """Wheels, an sdist, C code without a wheel, a commit, and the project itself."""
    program = pdm(version)
    project = tmp_path / "project"
    with World(tmp_path) as world:
        host = world.site().mount("git", GitHost(tmp_path / "served"))
        repository = Repository(tmp_path / "words")
        commit = repository.commit(
            {
                "pyproject.toml": b'[project]\nname = "words"\nversion = "1.0"\n'
                b'[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
                "words.py": b"NAME = 'words'\n",
            }
        )
        repository.publish(tmp_path / "served")
        address = f"words @ git+{host.url}/words.git@{commit}"
        (project / "src/app").mkdir(parents=True)
        (project / "src/app/__init__.py").write_text("NAME = 'app'\n")
        (project / "pyproject.toml").write_text(PROJECT.replace('"words"', f'"{address}"'))
        lock(program, project, here)
        bundle = tmp_path / "deps.tar.zst"
        options = ("--allow-host", host.origin, "--pdm-no-binary", "markupsafe")
        pack(real_cli, project, *options, "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    for folder, _, files in os.walk(prefix, topdown=False):
        for name in files:
            Path(folder, name).chmod(0o444)
        Path(folder).chmod(0o555)
    app = copy_project(project, tmp_path / "there/app")
    there = Machine(tmp_path / "there", here.path)
    there.offline(program, "install", cwd=app, prefix=prefix)
    assert there.offline(".venv/bin/python", "-c", IMPORT, cwd=app) == "app words\n"
    for name in ("pyproject.toml", "pdm.lock"):
        assert (app / name).read_bytes() == (project / name).read_bytes()


def test_what_pdm_asks_itself_is_said_and_installed_by_pip(
    real_cli: Cli, tmp_path: Path, here: Machine
) -> None:
    """A lock with addresses: PDM would ask for those, offline too."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PLAIN)
    lock(pdm("2.29"), project, here, "--static-urls")
    done = pack(real_cli, project, "-o", tmp_path / "deps.tar.zst")
    assert "`pdm install` asks docopt, idna itself, offline too: install with `pip" in done.err
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    program = client("pip-26") / "bin/pip"
    python = environment(here, program)
    requirements = prefix / "pip/requirements-pdm.txt"
    here.offline(
        *(program, "--python", python, "install", "-r", requirements), cwd=tmp_path, prefix=prefix
    )
    here.offline(python, "-c", "import docopt, idna", cwd=tmp_path)


def test_groups(real_cli: Cli, tmp_path: Path, here: Machine) -> None:
    """`--no-dev` and a group of PEP 735: `pdm sync --prod`, and one group of two."""
    program = pdm("2.29")
    project = tmp_path / "project"
    project.mkdir()
    groups = '[dependency-groups]\ntest = ["iniconfig==2.0.0"]\nlint = ["toolz==1.0.0"]\n'
    (project / "pyproject.toml").write_text(PLAIN + groups)
    lock(program, project, here)
    bundle = tmp_path / "deps.tar.zst"
    pack(real_cli, project, "--no-dev", "--group", "test", "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    app = copy_project(project, tmp_path / "there/app")
    there = Machine(tmp_path / "there", here.path)
    there.offline(program, "sync", "--prod", cwd=app, prefix=prefix)
    there.offline(program, "install", "-G", "test", cwd=app, prefix=prefix)
    there.offline(".venv/bin/python", "-c", "import docopt, iniconfig", cwd=app)
    assert there.attempt(program, "install", "-G", "lint", cwd=app, prefix=prefix).code != 0
