"""Poetry 2.0 and 2.5 install from a bundle with the network cut off."""

from __future__ import annotations

import re
import subprocess
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


WHEEL = (
    '{file = "poetry_core-2.4.1-py3-none-any.whl", '
    'hash = "sha256:acf06f9537cd2625bdaec926d95d90b557ba15353bc71d27a3a8a441042b5316"}'
)


def from_the_index(project: Path) -> None:
    """Take the one dependency that is a commit from the index: not every machine reaches its host.

    Commits are packed and installed in other tests. What Poetry compares the lockfile with,
    its hash of pyproject.toml, is computed by Poetry.
    """
    pyproject, lock = project / "pyproject.toml", project / "poetry.lock"
    git = '"poetry-core @ git+https://github.com/python-poetry/poetry-core.git"'
    pyproject.write_text(pyproject.read_text().replace(git, '"poetry-core (==2.4.1)"'))
    code = "from poetry.factory import Factory as F; from pathlib import Path; "
    code += "print(F().create_poetry(Path.cwd()).locker._get_content_hash())"
    python = poetry("2.5").with_name("python")
    asked = subprocess.run([python, "-c", code], cwd=project, capture_output=True, text=True)
    text = lock.read_text()
    start = text.index('name = "poetry-core"')
    stop = text.index("[[package]]", start)
    block = text[start:stop].replace("files = []\ndevelop = false", f"files = [\n{WHEEL},\n]")
    block = block.partition("[package.source]")[0]
    text = text[:start] + block + text[stop:]
    lock.write_text(re.sub('content-hash = ".*"', f'content-hash = "{asked.stdout.strip()}"', text))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_large_project(version: str, real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """A real project of 79 packages."""
    folder = copy_project(corpus("poetry-poetry"), tmp_path / "project")
    from_the_index(folder)
    pack(real_cli, folder, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = machine(tmp_path)
    install = (*INSTALL, "--no-root")
    target.offline(poetry(version), *install, cwd=folder, prefix=prefix, env=ENV)
    target.offline(".venv/bin/python", "-c", "import poetry.core, pytest, requests", cwd=folder)
