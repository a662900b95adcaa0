"""Files that one client locks and another installs, from a bundle with the network cut off.

pylock.toml (PEP 751) as uv, PDM, pip and Poetry's export write it, requirements by pip-tools; and
what of uv's installs from requirements: `uv pip sync`, `uv tool install`.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import Machine, client, copy_project, extract, pack
from tests.real.test_pip import environment, target_of
from tests.real.ways import Command, online

pytestmark = [pytest.mark.real, pytest.mark.network]

PROJECT = """[project]
name = "app"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["idna==3.7", "docopt==0.6.2", "markupsafe==3.0.3"]
[tool.pdm]
distribution = false
[tool.poetry]
package-mode = false
[[tool.poetry.source]]
name = "simple"
url = "https://pypi.org/simple/"
priority = "primary"
"""
IMPORT = "import docopt, idna, markupsafe"
UV = {
    "UV_PYTHON": str(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")),
    "UV_PYTHON_DOWNLOADS": "never",
}
TRUSTED = {
    name: os.environ[name]
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")
    if name in os.environ
}
PYLOCKS = ("uv", "pdm", "pip", "poetry")


def locking(name: str) -> list[Command]:
    """What is typed to have a pylock.toml, or requirements, made."""
    if name == "uv":
        uv = client("uv-0.13") / "bin/uv"
        export = ("--format", "pylock.toml", "--no-emit-project", "-q", "-o", "pylock.toml")
        return [(uv, "lock"), (uv, "export", *export)]
    if name == "pdm":
        pdm = client("pdm-2.29") / "bin/pdm"
        return [(pdm, "lock"), (pdm, "export", "-f", "pylock", "-o", "pylock.toml")]
    if name == "pip":
        pip = client("pip-26") / "bin/pip"
        return [(pip, "lock", "-r", "asked.txt", "-o", "pylock.toml")]
    if name == "poetry":
        poetry = client("poetry-export") / "bin/poetry"
        return [(poetry, "lock"), (poetry, "export", "-f", "pylock.toml", "-o", "pylock.toml")]
    compile_ = client("pip-tools") / "bin/pip-compile"
    return [(compile_, "--generate-hashes", "-q", "-o", "requirements.txt", "asked.txt")]


def locked(name: str, folder: Path) -> Path:
    """The project, with that lock alone."""
    project = folder / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "asked.txt").write_text("idna==3.7\ndocopt==0.6.2\nmarkupsafe==3.0.3\n")
    here = Machine(folder, [Path(sys.base_prefix, "bin")])
    for command in locking(name):
        online(command, project, here.env(UV | TRUSTED))
    shutil.rmtree(project / ".venv", ignore_errors=True)
    return project


@pytest.mark.parametrize("name", [*PYLOCKS, "pip-tools"])
def test_pip_installs(real_cli: Cli, tmp_path: Path, name: str) -> None:
    project = locked(name, tmp_path)
    file = "requirements.txt" if name == "pip-tools" else "pylock.toml"
    pip = client("pip-26") / "bin/pip"
    bundle = tmp_path / "deps.tar.zst"
    pack(real_cli, project / file, "--target", target_of(pip), "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    there = Machine(tmp_path / "there")
    app = copy_project(project, there.folder / "app")
    python = environment(there, pip, app / ".venv")
    there.offline(pip, "--python", python, "install", "-r", file, cwd=app, prefix=prefix)
    there.offline(python, "-c", IMPORT, cwd=app)


def test_uv_installs_from_requirements(real_cli: Cli, tmp_path: Path) -> None:
    """`uv pip sync` and `uv tool install`, told where the folder of wheels is."""
    project = locked("pip-tools", tmp_path)
    uv = client("uv-0.13") / "bin/uv"
    bundle = tmp_path / "deps.tar.zst"
    options = ("--target", target_of(client("pip-26") / "bin/pip"))
    pack(real_cli, project / "requirements.txt", *options, "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    there = Machine(tmp_path / "there")
    app = copy_project(project, there.folder / "app")
    wheels = ("--offline", "--no-index", "--find-links", prefix / "pip/wheelhouse")
    there.offline(uv, "venv", ".venv", cwd=app, env=UV)
    # The environment is named: with UV_PYTHON it would be that interpreter's own, which `sync`
    # empties of everything else.
    into = ("--python", app / ".venv/bin/python")
    sync = (uv, "pip", "sync", *into, "--require-hashes", "requirements.txt", *wheels)
    there.offline(*sync, cwd=app, prefix=prefix)
    there.offline(".venv/bin/python", "-c", IMPORT, cwd=app)
    tool = (uv, "tool", "install", "idna==3.13", *wheels)
    assert there.attempt(*tool, cwd=app, prefix=prefix, env=UV).code != 0  # not in the bundle


def test_uv_tool(real_cli: Cli, tmp_path: Path) -> None:
    requirements = tmp_path / "tool.txt"
    requirements.write_text("cowsay==6.1\n")
    uv = client("uv-0.13") / "bin/uv"
    compiling = (uv, "pip", "compile", "--generate-hashes", "-q", "tool.txt", "-o", "locked.txt")
    online(compiling, tmp_path, Machine(tmp_path).env(UV | TRUSTED))
    bundle = tmp_path / "deps.tar.zst"
    options = ("--target", target_of(client("pip-26") / "bin/pip"))
    pack(real_cli, tmp_path / "locked.txt", *options, "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    there = Machine(tmp_path / "there")
    wheels = ("--offline", "--no-index", "--find-links", prefix / "pip/wheelhouse")
    there.home.mkdir(parents=True)
    there.offline(uv, "tool", "install", "cowsay==6.1", *wheels, cwd=there.folder, env=UV)
    program = there.home / ".local/bin/cowsay"
    assert "moo" in there.offline(program, "-t", "moo", cwd=there.folder)
