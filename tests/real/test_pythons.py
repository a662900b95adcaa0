"""One lock, each Python: packed for it, and installed with it where it is there.

Pythons are looked for in PATH and below `~/.pyenv`. At least one has to be there.
"""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import Machine, client, copy_project, extract, miss, pack
from tests.real.ways import online

pytestmark = [pytest.mark.real, pytest.mark.network]

MINORS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.14t", "3.15", "3.15t")
PROJECT = """[project]
name = "app"
version = "1.0.0"
requires-python = ">=3.9"
dependencies = ["markupsafe==3.0.4", "docopt==0.6.2", "tomli==2.0.1 ; python_version < '3.11'"]
"""
PROOF = (
    "import docopt, markupsafe._speedups, sys, sysconfig\n"
    "if sys.version_info < (3, 11): import tomli\n"
    "threads = 't' if sysconfig.get_config_var('Py_GIL_DISABLED') else ''\n"
    "print('%d.%d' % sys.version_info[:2] + threads)"
)


def python(minor: str) -> Path | None:
    """An interpreter of that minor version; None if there is none here."""
    below = sorted(glob.glob(f"{Path.home()}/.pyenv/versions/*/bin/python{minor}"))
    found = below[-1] if below else shutil.which(f"python{minor}")
    return Path(found) if found else None


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its lock, for all Pythons, and requirements from that."""
    folder = tmp_path_factory.mktemp("pythons") / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT)
    uv = client("uv-0.13") / "bin/uv"
    export = ("export", "--no-emit-project", "--quiet", "-o", "requirements.txt")
    found = next(found for minor in MINORS if (found := python(minor)) is not None)
    settings = {"UV_PYTHON": str(found), "UV_PYTHON_DOWNLOADS": "never"}
    settings |= {name: os.environ[name] for name in ("SSL_CERT_FILE",) if name in os.environ}
    for command in ((uv, "lock"), (uv, *export)):
        online(command, folder, Machine(folder.parent).env(settings))
    return folder


def target(minor: str) -> str:
    return f"linux-x86_64-gnu-py{minor}"


@pytest.mark.parametrize("minor", MINORS)
def test_uv_and_pip(real_cli: Cli, locked: Path, tmp_path: Path, minor: str) -> None:
    project = copy_project(locked, tmp_path / "project")
    bundle, by_pip = tmp_path / "deps.tar.zst", tmp_path / "pip.tar.zst"
    pack(real_cli, project / "uv.lock", "--target", target(minor), "-o", bundle)
    pack(real_cli, project / "requirements.txt", "--target", target(minor), "-o", by_pip)
    abi = f"cp{minor.replace('.', '').rstrip('t')}-cp{minor.replace('.', '')}-"
    for packed in (bundle, by_pip):
        artifacts = real_cli.ok("show", packed, "--json").json["artifacts"]
        files = {a["name"]: a["url"].rpartition("/")[2] for a in artifacts if not a["why"]}
        assert abi in files["markupsafe"]
        assert ("tomli" in files) == (minor in ("3.9", "3.10"))
    found = python(minor)
    if found is None:
        pytest.skip(f"python{minor} is not here")
    here = Machine(tmp_path, [found.parent])
    # pip 23 runs on 3.14 at most, pip 26 on 3.10 at least.
    pip = client("pip-26" if minor.startswith("3.15") else "pip-23") / "bin/pip"
    uv = client("uv-0.13") / "bin/uv"
    settings = {"UV_PYTHON": str(found), "UV_PYTHON_DOWNLOADS": "never"}
    prefix = extract(bundle, tmp_path / "uv-deps")
    here.offline(uv, "sync", "--frozen", cwd=project, prefix=prefix, env=settings)
    said = here.offline(".venv/bin/python", "-c", PROOF, cwd=project)
    assert said.splitlines()[-1] == minor
    shutil.rmtree(project / ".venv")
    prefix = extract(by_pip, tmp_path / "pip-deps")
    here.offline(found, "-m", "venv", "--without-pip", ".venv", cwd=project)
    install = (pip, "--python", ".venv/bin/python", "install", "-r", "requirements.txt")
    here.offline(*install, cwd=project, prefix=prefix)
    said = here.offline(".venv/bin/python", "-c", PROOF, cwd=project)
    assert said.splitlines()[-1] == minor


def test_a_python_is_here() -> None:
    if not any(map(python, MINORS)):
        miss("no Python from 3.9 to 3.15 is in PATH or below ~/.pyenv")
