"""Each Python client installs each kind of dependency from a bundle, with the network cut off.

The server that has the commits is gone by then. The README has the table of what came of it;
a test holds the two together.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli import CHECKOUT, Cli, Done
from tests.real.clients import PROJECTS, Machine, copy_project, extract, pack
from tests.real.python_kinds import (
    ADDRESS,
    CLIENTS,
    FIVE_KINDS,
    FULL,
    KINDS,
    LOCKFILE,
    ORIGIN,
    POETRY,
    PROOFS,
    RELATIVE,
    REQUIREMENTS,
    SPACES,
    SUBMODULES_PROOF,
    SUBMODULES_PROVEN,
    TEMPLATE_HOST,
    Client,
    Locked,
    Template,
    settings,
    table,
)
from tests.real.test_pip import environment, target_of
from tests.real.test_poetry import lock_again
from tests.world.git import git_server

pytestmark = [pytest.mark.real, pytest.mark.network]

READERS = [client for client in CLIENTS if not client.refuses]
PIPS = [client for client in CLIENTS if client.locked == REQUIREMENTS]
SPLITTERS = [client for client in CLIENTS if client.notes.get(LOCKFILE) == SPACES]

Bundled = Callable[[Template, Client], tuple[Path, Path]]
"""The project as a client locked it, and its bundle."""


@pytest.fixture(scope="module")
def bundled(real_cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Bundled:
    """Packs a lockfile for a target, once for all clients that read it."""

    @functools.cache
    def packed(template: Template, locked: Locked, target: str) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp(locked.folder)
        source = PROJECTS / template.folder / locked.folder
        project = copy_project(source, folder / "project")
        with git_server(folder) as host:
            commit = template.publish(folder, host)
            for path in filter(Path.is_file, project.rglob("*")):
                text = path.read_text().replace(TEMPLATE_HOST, host)
                path.write_text(text.replace(template.commit, commit))
            if locked == POETRY:
                lock_again(project)
            allowed = ("--allow-host", host, "--target", target, *locked.options)
            pack(real_cli, *locked.files(project), *allowed, "-o", folder / "deps.tar.zst")
        return project, folder / "deps.tar.zst"

    return lambda template, client: packed(template, client.locked, target_of(client.program()))


def install(client: Client, packed: tuple[Path, Path], folder: Path) -> Done:
    """Everything up to the first command that fails, on a machine that has the bundle alone."""
    source, bundle = packed
    program = client.program()
    project = copy_project(source, folder / "project")
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    here = Machine(folder, [Path(sys.base_prefix, "bin")])
    splits = client in SPLITTERS
    prefix = extract(bundle, folder / ("deps" if splits else "deps with spaces"))
    if client.wants_environment:
        environment(here, program, project / ".venv")
    done = Done(0, "", "")
    for command in client.commands(project):
        done = here.attempt(program, *command, cwd=project, prefix=prefix, env=settings(program))
        if done.code != 0:
            break
    assert {path: path.read_bytes() for path in before} == before  # nothing of the user's is edited
    return done


def told(project: Path, proof: str) -> str:
    """What the environment that was installed says."""
    python = project / ".venv/bin/python"
    return Machine(project.parent).offline(python, "-c", proof, cwd=project)


@pytest.mark.parametrize("client", READERS, ids=str)
def test_every_kind(client: Client, bundled: Bundled, real_cli: Cli, tmp_path: Path) -> None:
    packed = bundled(FIVE_KINDS, client)
    artifacts = real_cli.ok("show", packed[1], "--json").json["artifacts"]
    urls = sorted(a["url"] for a in artifacts if "build" not in a["why"])
    assert sorted(url.rpartition("/")[2] for url in urls) == sorted(KINDS[k] for k in client.kinds)
    done = install(client, packed, tmp_path)
    assert done.code == 0, done.out
    program, said = client.proof
    assert told(tmp_path / "project", program) == said


@pytest.mark.parametrize("client", READERS, ids=str)
def test_submodules(client: Client, bundled: Bundled, tmp_path: Path) -> None:
    """Relative addresses where the client knows what to make of them, else full ones."""
    template = FULL if client.refuses_relative else RELATIVE
    done = install(client, bundled(template, client), tmp_path)
    assert done.code == 0, done.out
    assert told(tmp_path / "project", SUBMODULES_PROOF) == SUBMODULES_PROVEN


@pytest.mark.parametrize("client", [c for c in CLIENTS if c.refuses_relative], ids=str)
def test_relative_submodules_are_refused(client: Client, bundled: Bundled, tmp_path: Path) -> None:
    done = install(client, bundled(RELATIVE, client), tmp_path)
    assert done.code != 0
    assert client.refuses_relative in done.out, done.out


@pytest.mark.parametrize("client", [c for c in CLIENTS if c.refused], ids=str)
def test_addresses_are_refused(client: Client, bundled: Bundled, tmp_path: Path) -> None:
    """And what packing says to type instead installs them."""
    source, bundle = bundled(ADDRESS, client)
    done = install(client, (source, bundle), tmp_path)
    assert done.code != 0
    assert client.refused["direct URL"] in done.out, done.out
    pip = next(one for one in reversed(CLIENTS) if one.locked == REQUIREMENTS)
    machine = Machine(tmp_path / "by pip")
    prefix = extract(bundle, tmp_path / "deps-for-pip")
    project = copy_project(source, machine.folder / "project")
    python = environment(machine, pip.program(), project / ".venv")
    requirements = prefix / "pip/requirements-pdm.txt"
    command = (pip.program(), "--python", python, "install", "-r", requirements)
    machine.offline(*command, cwd=project, prefix=prefix)
    program, said = PROOFS["direct URL"]
    assert told(project, ORIGIN + program) == said + "\n"


@pytest.mark.parametrize("client", [c for c in CLIENTS if c.refuses], ids=str)
def test_lockfiles_are_refused(client: Client, bundled: Bundled, tmp_path: Path) -> None:
    done = install(client, bundled(FIVE_KINDS, client), tmp_path)
    assert done.code != 0
    assert client.refuses in done.out, done.out


@pytest.mark.parametrize("client", PIPS, ids=str)
def test_pip_takes_no_commit_with_hashes(client: Client, bundled: Bundled, tmp_path: Path) -> None:
    source, bundle = bundled(FIVE_KINDS, client)
    project = copy_project(source, tmp_path / "one")
    requirements, commits = client.locked.files(project)
    requirements.write_text(requirements.read_text() + commits.read_text())
    done = install(client, (project, bundle), tmp_path)
    assert done.code != 0
    assert "Can't verify hashes for these requirements" in done.out, done.out


@pytest.mark.parametrize("client", SPLITTERS, ids=str)
def test_pip_splits_paths_at_spaces(client: Client, bundled: Bundled, tmp_path: Path) -> None:
    done = install(client, bundled(FIVE_KINDS, client), tmp_path / "with a space")
    assert done.code != 0
    assert "No matching distribution found" in done.out, done.out


def test_the_table_is_the_one_in_the_readme() -> None:
    assert table() in (CHECKOUT / "README.md").read_text(encoding="utf-8")
