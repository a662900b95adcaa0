"""pipenv installs from a bundle with the network cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import PROJECTS, Machine, client, copy_project, extract, pack
from tests.real.test_pip import target_of

pytestmark = [pytest.mark.real, pytest.mark.network]


def test_sync(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    pipenv = client("pipenv") / "bin" / "pipenv"
    source = PROJECTS / "hello-pipenv"
    bundle = bundles / "deps.tar.zst"
    pack(real_cli, source / "Pipfile.lock", "--target", target_of(pipenv), "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    app = copy_project(source, tmp_path / "app")
    here = Machine(tmp_path)
    settings = {"PIPENV_VENV_IN_PROJECT": "1", "PIPENV_PYTHON": str(pipenv.parent / "python")}
    here.offline(pipenv, "sync", "--dev", cwd=app, prefix=prefix, env=settings)
    python = app / ".venv/bin/python"
    here.offline(python, "-c", "import docopt, idna, iniconfig, requests, socks", cwd=app)
    assert (app / "Pipfile.lock").read_bytes() == (source / "Pipfile.lock").read_bytes()
