"""A build backend of the project's own asks for more: the option that `pack` prints mends it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import Machine, client, copy_project, extract
from tests.real.test_pip import target_of
from tests.real.test_private_registries import PYTHON
from tests.world import World
from tests.world.backends import backend_wheel
from tests.world.distributions import sdist, sha256
from tests.world.pypi import PypiIndex

pytestmark = pytest.mark.real

MANIFEST = b"""[project]
name = "left"
version = "1.0.0"
[build-system]
requires = []
build-backend = "own.hooks"
backend-path = ["packaging"]
"""
HOOKS = b"""
def get_requires_for_build_wheel(settings=None):
    return ["tool >= 1.5"]

def build_wheel(folder, settings=None, metadata=None):
    import tool
    return tool.build_wheel(folder, settings, metadata)
"""


@pytest.mark.parametrize("version", ["23", "26"])
def test_pip(world: World, tmp_path: Path, version: str) -> None:
    index = world.site(tls=True).mount("pypi", PypiIndex())
    index.publish(*backend_wheel("tool", "1.5", "built"))
    files = {
        "PKG-INFO": b"Metadata-Version: 2.1\nName: left\nVersion: 1.0.0\n",
        "pyproject.toml": MANIFEST,
        "packaging/own/__init__.py": b"",
        "packaging/own/hooks.py": HOOKS,
    }
    index.publish("left-1.0.0.tar.gz", sdist("left", "1.0.0", files))
    project = tmp_path / "project"
    project.mkdir()
    (project / "requirements.txt").write_text(
        f"--index-url {index.simple}\n"
        f"left==1.0.0 --hash=sha256:{sha256(index.files['left-1.0.0.tar.gz'])}\n"
    )
    pip = client(f"pip-{version}") / "bin/pip"
    cli = Cli(tmp_path, environ=world.environ)
    options = ("--target", target_of(pip), "--allow-host", index.url.split("/")[2])
    said = cli.ok("pack", project, *options, "-o", tmp_path / "first.tar.zst").err
    printed = re.search(r'left 1\.0\.0 is built .* with (--\S+) "([^"]*)", which its code', said)
    assert printed is not None, said
    done = cli.ok("pack", project, *options, *printed.groups(), "-o", tmp_path / "deps.tar.zst")
    assert "left 1.0.0 is built" not in done.err
    assert _installed(pip, project, tmp_path / "first.tar.zst", tmp_path / "first") is None
    assert _installed(pip, project, tmp_path / "deps.tar.zst", tmp_path / "second") == "built"


def _installed(pip: Path, project: Path, bundle: Path, folder: Path) -> str | None:
    """What was built offline says; None if it was not built."""
    there = copy_project(project, folder / "project")
    prefix = extract(bundle, folder / "deps")
    machine = Machine(folder)
    machine.offline(pip.parent / "python", "-m", "venv", "--without-pip", ".venv", cwd=there)
    install = (pip, "--python", ".venv/bin/python", "install", "-r", "requirements.txt")
    done = machine.attempt(*install, cwd=there, prefix=prefix)
    if done.code != 0:
        assert "No matching distribution found for tool" in done.out
        return None
    return machine.offline(*PYTHON, cwd=there).strip()
