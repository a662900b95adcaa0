"""Installs that fetch files by themselves, or lack a package, rehearsed with the real clients.

By root and by an ordinary user, who are told the same.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import PROJECTS, Machine, client, copy_project, pack, tool, users
from tests.real.test_bundler import Built, bundler, chain
from tests.real.test_cargo import toolchain
from tests.real.test_pip import environment, target_of
from tests.world import World
from tests.world.gems import GemSource

pytestmark = [pytest.mark.real, pytest.mark.network]


def with_npm(folder: Path, environ: Mapping[str, str] | None = None) -> Cli:
    """With `npm` and `node` among the programs."""
    npm = folder / "programs/npm"
    npm.parent.mkdir()
    npm.symlink_to(client("npm-11") / "node_modules/npm/bin/npm-cli.js")
    machine = Machine(folder, [npm.parent, client("node") / "bin"])
    return Cli(folder, environ={"PATH": machine.env()["PATH"], **(environ or {})})


def test_npm_and_an_addon(tmp_path: Path) -> None:
    """bcrypt 5: node-pre-gyp asks for a prebuilt one, then node-gyp for Node's headers."""
    project = copy_project(PROJECTS / "hello-addon", tmp_path / "project")
    cli = with_npm(tmp_path)
    pack(cli, project)
    before = {p: p.read_bytes() for p in project.rglob("*")}
    for user in users(cli):
        done = user("rehearse", tmp_path / "deps.tar.zst", "--json", cwd=project)
        assert done.code == 14, done.err
        rows = {row["address"]: row for row in done.json["reached"] if not row["harmless"]}
        prebuilt, headers = rows
        assert prebuilt.startswith(
            "https://github.com/kelektiv/node.bcrypt.js/releases/download/v5.1.1/"
        )
        assert headers.startswith("https://nodejs.org/download/release/v")
        assert headers.endswith("-headers.tar.gz")
        for row in rows.values():
            assert {by["folder"] for by in row["by"]} == {str(project / "node_modules/bcrypt")}
        assert {p: p.read_bytes() for p in project.rglob("*")} == before
        # Without its scripts it reaches for nothing.
        without = ["npm", "ci", "--ignore-scripts"]
        done = user("rehearse", tmp_path / "deps.tar.zst", "--", *without, cwd=project)
        assert done.code == 0, done.out + done.err


@dataclass(frozen=True)
class Case:
    """A project, what to leave out of its bundle, and what the client then lacks.

    remedy: a part of it. env: what the client needs of this machine.
    """

    project: Path
    without: Sequence[str]
    lacks: str
    remedy: str
    command: Sequence[str | Path]
    options: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)


def pip_case(folder: Path) -> Case:
    """An sdist, without what it is built with."""
    project = copy_project(PROJECTS / "hello-pip", folder / "project")
    pip = client("pip-26") / "bin/pip"
    python = environment(Machine(folder), pip, project / "venv")  # a new one for each rehearsal
    return Case(
        project / "requirements.txt",
        ["--pip-build-deps", "no"],
        "setuptools>=40.8.0",
        '--pip-extra-build-requires "setuptools>=40.8.0"',
        [pip, "--python", python, "install", "-r", "requirements.txt"],
        options=["--target", target_of(pip)],
    )


def cargo_case(folder: Path) -> Case:
    project = copy_project(PROJECTS / "hello-cargo", folder / "project")
    return Case(
        project,
        ["--exclude", "serde_json"],
        "serde_json",
        "what Cargo.lock names is packed",
        ["cargo", "build", "--frozen"],
        env=toolchain(),
    )


def go_case(folder: Path) -> Case:
    project = copy_project(PROJECTS / "hello-go", folder / "project")
    return Case(
        project,
        ["--exclude", "github.com/BurntSushi/toml"],
        "the module that main.go:7:2 imports",
        "what go.sum names is packed",
        ["go", "build", "./..."],
        env={"GOCACHE": str(folder / "cache")},
    )


def bundler_case(folder: Path, gems: GemSource) -> Case:
    built = Built(folder / "built")
    built.build(*chain(built, "Chain", 2))
    gems.releases += [built.release("chain0"), built.release("chain1", needs="chain0:~> 1.0")]
    project = folder / "project"
    project.mkdir()
    (project / "Gemfile").write_text(f'source "{gems.url}"\ngem "chain1"\n')
    command = bundler("system")
    env = Machine(folder).env()
    subprocess.run([*command, "lock"], cwd=project, env=env, check=True, capture_output=True)
    return Case(
        project,
        ["--exclude", "chain0"],
        "chain0-1.0.0",
        "what Gemfile.lock names is packed",
        [*command, "install", "--local"],
        options=["--allow-host", gems.origin],
        env={"BUNDLE_PATH": "vendor"},
    )


@pytest.mark.parametrize("name", ["pip", "cargo", "go", "bundler"])
def test_what_an_offline_client_says_that_it_lacks(name: str, world: World, tmp_path: Path) -> None:
    """Without a package it is named, with its own exit code; with all there is silence, and 0."""
    if name == "bundler":
        case = bundler_case(tmp_path, world.site().mount("", GemSource()))
    else:
        case = {"pip": pip_case, "cargo": cargo_case, "go": go_case}[name](tmp_path)
    folder = case.project if case.project.is_dir() else case.project.parent
    programs = [Path(tool("cargo")).parent, Path(tool("go")).parent] if name != "pip" else []
    cli = Cli(tmp_path, environ={"PATH": Machine(tmp_path, programs).env()["PATH"]})
    given = [word for item in case.env.items() for word in ("--env", "=".join(item))]
    words = ("rehearse", tmp_path / "deps.tar.zst", *given, "--", *case.command)
    pack(cli, case.project, *case.options, *case.without)
    for user in users(cli):
        done = user(*words, cwd=folder)
        assert done.code not in (0, 14), done.out + done.err
        lines = done.out.splitlines()
        assert lines[-2] == f"lacks {case.lacks}", done.out + done.err
        assert case.remedy in lines[-1]
        assert "reached for" not in done.out
    pack(cli, case.project, *case.options)
    for user in users(cli):
        done = user(*words, cwd=folder)
        assert done.code == 0, done.out + done.err
        said = [line for line in done.out.splitlines() if line.startswith(("lacks ", "reached "))]
        assert said == []
