"""plan, exists, --if-absent, and names of outputs; and the CI recipes that are made of them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli import CHECKOUT, Cli
from tests.engine.test_ci_snippets import Runner
from tests.world.npm import NpmRegistry

RECIPES = CHECKOUT / "docs/ci"


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def repository(npm: NpmRegistry, tmp_path: Path) -> Path:
    """Three projects, one of them in two ecosystems, in folders of any name."""
    folder = tmp_path / "repository"
    npm.lock(folder / "apps/web site", {"a": "1.0.0"})
    npm.lock(folder / "apps/api", {"a": "1.0.0", "b": "2.0.0"})
    npm.lock(folder, {"c": "3.0.0"})
    (folder / "apps/api/requirements.txt").write_text(f"six==1.0 --hash=sha256:{'0' * 64}\n")
    (folder / ".git").mkdir()
    return folder


def test_a_line_for_each_folder(repository: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    plan = lines(cli.ok("plan", "-r", "--target", "linux-x64", "--no-dev", cwd=repository).out)
    assert [line["folder"] for line in plan] == [".", "apps/api", "apps/web site"]
    assert [line["name"] for line in plan] == ["repository", "apps-api", "apps-web-site"]
    for line in plan:
        words = shlex.split(line["command"])
        assert words == ["vendorpack", "pack", *line["arguments"]]
        assert cli.ok("key", *words[2:], cwd=repository).out.strip() == line["key"]
    formats = [{lock["format"] for lock in line["lockfiles"]} for line in plan]
    assert formats == [{"npm"}, {"npm", "pip"}, {"npm"}]
    array = cli.ok("plan", "-r", "--array", cwd=repository).out
    assert [line["folder"] for line in json.loads(array)] == [line["folder"] for line in plan]
    assert len(array.splitlines()) == 1


def test_a_plan_of_a_repository_that_is_packed_whole(repository: Path, tmp_path: Path) -> None:
    """What its file says of `pack` is not what a job of the plan is to do."""
    cli = Cli(tmp_path)
    (repository / "vendorpack.toml").write_text("recursive = true\nno-dev = true\n")
    plan = lines(cli.ok("plan", cwd=repository).out)
    assert len(plan) == 3
    for line in plan:
        got = cli.ok("key", "--json", *line["arguments"], cwd=repository).json
        assert got["key"] == line["key"] and len(got["lockfiles"]) == len(line["lockfiles"])


def test_absent_and_there(repository: Path, tmp_path: Path) -> None:
    cli, store = Cli(tmp_path), tmp_path / "team"
    web = repository / "apps/web site"
    there = ("--store", store)
    missing = cli("exists", web, *there)
    assert missing.code == 7 and "no bundle with this key" in missing.err
    made = cli.ok("pack", web, *there, "--if-absent", "--json").json
    key = made["key"]
    for what in (web, key):
        assert cli.ok("exists", what, *there).out == f"{store} {key}\n"
    (tmp_path / "deps.tar.zst").unlink()
    answer = cli.ok("pack", web, *there, "--if-absent", "--json")
    assert answer.json == {"key": key, "skipped": True, "places": [str(store)]}
    assert not (tmp_path / "deps.tar.zst").exists()
    plan = lines(cli.ok("plan", "-r", repository, *there, "--if-absent").out)
    assert key not in [line["key"] for line in plan] and len(plan) == 2
    assert cli("pack", web, "--if-absent").code == 2
    assert cli("exists", web).code == 2
    assert cli("exists", key, web, *there).code == 2


def test_names_of_outputs(repository: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    web = repository / "apps/web site"
    key = cli.ok("key", web).out.strip()
    made = cli.ok("pack", web, "-o", "{name}-{key}.tar.zst", "--json").json
    assert made["path"] == f"apps-web-site-{key}.tar.zst"
    assert (tmp_path / made["path"]).is_file()
    done = cli("pack", web, "-o", "{kye}.tar.zst")
    assert done.code == 2 and "{kye}" in done.err and "{key}" in done.err
    cli.ok("pack", web, "--store", "team")
    cli.ok("store", "get", web, "--store", "team", "-o", "got-{name}.tar.zst")
    assert (tmp_path / "got-apps-web-site.tar.zst").is_file()


# -- recipes -------------------------------------------------------------------------------


class Site:
    """A machine of a CI service with a store on it, and a checkout of the repository."""

    def __init__(self, repository: Path, tmp_path: Path) -> None:
        self.runner = Runner(tmp_path / "ci")
        self.runner.workspace.rmdir()
        (repository / "apps/api/requirements.txt").unlink()  # nobody serves that one
        self.runner.workspace.symlink_to(repository)
        self.store = tmp_path / "team"
        self.environ = {"VENDORPACK_TEAM_STORE": str(self.store)}

    def bundles(self) -> set[str]:
        return {path.name[:64] for path in self.store.glob("bundles/v1/*")}

    def keys(self) -> set[str]:
        done = subprocess.run(
            ["vendorpack", "plan", "-r"],
            cwd=self.runner.workspace,
            env=self.runner.environ,
            capture_output=True,
            text=True,
            check=True,
        )
        return {line["key"] for line in lines(done.stdout)}


@pytest.fixture
def site(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(repository, tmp_path)
    monkeypatch.setenv("PATH", made.runner.environ["PATH"])
    return made


def test_the_recipe_for_github(site: Site, tmp_path: Path) -> None:
    recipe = yaml.safe_load((RECIPES / "github-matrix.yml").read_text())
    assert set(site.environ) <= set(recipe["env"])
    steps = {job: recipe["jobs"][job]["steps"] for job in ("plan", "pack")}
    assert recipe["jobs"]["pack"]["strategy"]["matrix"]["bundle"] == (
        "${{ fromJSON(needs.plan.outputs.bundles) }}"
    )

    def planned() -> list[dict[str, Any]]:
        output = tmp_path / "output"
        output.write_text("")
        environ = {**site.environ, "GITHUB_OUTPUT": str(output)}
        site.runner.run("bash", steps["plan"][-1]["run"], environ)
        name, _, value = output.read_text().partition("=")
        assert name == "bundles" and value.count("\n") == 1
        found: list[dict[str, Any]] = json.loads(value)
        return found

    matrix = planned()
    assert len(matrix) == 3
    last = steps["pack"][-1]
    for bundle in matrix:
        assert last["env"] == {"COMMAND": "${{ matrix.bundle.command }}"}
        site.runner.run("bash", last["run"], {**site.environ, "COMMAND": bundle["command"]})
    assert site.bundles() == site.keys()
    assert planned() == []


def test_the_recipe_for_gitlab(site: Site) -> None:
    recipe = yaml.safe_load((RECIPES / "gitlab-matrix.yml").read_text())
    assert set(site.environ) <= set(recipe["variables"])
    script = "\n".join(recipe["plan"]["script"])

    def planned() -> dict[str, Any]:
        site.runner.run("sh", script, site.environ)
        child: dict[str, Any] = yaml.safe_load((site.runner.workspace / "child.yml").read_text())
        return child

    child = planned()
    assert set(child) == {"pack repository", "pack apps-api", "pack apps-web-site"}
    for job in child.values():
        site.runner.run("sh", "\n".join(job["script"]), site.environ)
    assert site.bundles() == site.keys()
    assert [*planned()] == ["nothing to pack"]


def test_the_recipe_for_argo(site: Site, tmp_path: Path) -> None:
    recipe = yaml.safe_load((RECIPES / "argo.yml").read_text())
    templates = {one["name"]: one for one in recipe["spec"]["templates"]}
    steps = templates["deps"]["steps"]
    assert steps[1][0]["withParam"] == "{{steps.plan.outputs.result}}"
    # In place of a git host: what `git clone` would bring.
    git = Path(site.runner.environ["PATH"].split(os.pathsep)[0]) / "git"
    git.write_text(f'#!/bin/sh\nln -sfn "{site.runner.workspace.resolve()}" project\n')
    git.chmod(0o755)
    site.runner.workspace = tmp_path / "pod"
    site.runner.workspace.mkdir()

    def run(name: str, command: str) -> str:
        script = templates[name]["script"]
        assert script["command"] == ["sh", "-e"]
        values = {
            "workflow.parameters.store": str(site.store),
            "inputs.parameters.command": command,
        }
        environ = {
            row["name"]: re.sub(
                r"\{\{([\w.]+)\}\}", lambda m: values.get(m[1], "repository"), row["value"]
            )
            for row in script["env"]
        }
        done = subprocess.run(
            ["sh", "-e", "-c", script["source"]],
            cwd=site.runner.workspace,
            env={**site.runner.environ, **environ},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    items = json.loads(run("plan", ""))
    assert len(items) == 3
    for item in items:
        run("pack", item["command"])
    assert len(site.bundles()) == 3
    assert json.loads(run("plan", "")) == []
