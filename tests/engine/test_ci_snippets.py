"""The CI files of docs/ci: their scripts, run as the services run them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli import CHECKOUT, Cli
from tests.world.npm import NpmRegistry

SNIPPETS = CHECKOUT / "docs/ci"
PACKAGES = {"a": "1.0.0", "b": "2.0.0", "c": "3.0.0"}


class Runner:
    """A job's machine: `vendorpack` on its PATH, a workspace, and what survives in the cache."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "workspace"
        self.workspace.mkdir(parents=True)
        (folder / "bin").mkdir()
        program = folder / "bin/vendorpack"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m vendorpack "$@"\n')
        program.chmod(0o755)
        self.environ = Cli(folder).env()
        self.environ["PATH"] = f"{folder / 'bin'}{os.pathsep}{self.environ['PATH']}"

    def run(self, shell: str, script: str, environ: Mapping[str, str]) -> str:
        done = subprocess.run(
            [shell, "-e", "-c", script],
            cwd=self.workspace,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stderr


def github(runner: Runner, action: Mapping[str, Any], cache: dict[str, bytes]) -> dict[str, Any]:
    """Run the composite action's steps; `cache` is what actions/cache keeps."""
    temp = runner.workspace.parent / "temp"
    temp.mkdir()
    outputs: dict[str, dict[str, str]] = {}
    variables = {name: str(row.get("default", "")) for name, row in action["inputs"].items()}
    errors = ""
    key = ""

    def expand(text: str) -> str:
        def value(match: re.Match[str]) -> str:
            kind, name, *rest = match[1].split(".")
            return variables[name] if kind == "inputs" else outputs[name][rest[-1]]

        return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", value, text)

    for number, step in enumerate(action["runs"]["steps"]):
        if step["name"].startswith("Install"):
            continue
        if "uses" in step:
            assert step["uses"].startswith("actions/cache@")
            key = expand(step["with"]["key"])
            older = [k for k in cache if k.startswith(step["with"]["restore-keys"])]
            for found in ([key] if key in cache else older)[:1]:
                (runner.workspace / expand(step["with"]["path"])).write_bytes(cache[found])
            continue
        files = {n: temp / f"{n}{number}" for n in ("GITHUB_OUTPUT", "GITHUB_ENV")}
        environ = {n: expand(v) for n, v in step.get("env", {}).items()}
        paths = {n: str(path) for n, path in files.items()}
        errors += runner.run(
            step["shell"], step["run"], {**environ, **paths, "RUNNER_TEMP": str(temp)}
        )
        pairs = {n: _pairs(path) for n, path in files.items()}
        outputs[step.get("id", str(number))] = pairs["GITHUB_OUTPUT"]
        runner.environ |= pairs["GITHUB_ENV"]
    cache.setdefault(key, (runner.workspace / variables["bundle"]).read_bytes())
    return {"errors": errors, **{n: expand(row["value"]) for n, row in action["outputs"].items()}}


def _pairs(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


def test_the_github_action(npm: NpmRegistry, tmp_path: Path) -> None:
    action = yaml.safe_load((SNIPPETS / "github-action/action.yml").read_text())
    cache: dict[str, bytes] = {}
    said = []
    for number, packages in enumerate((PACKAGES, PACKAGES, {**PACKAGES, "b": "2.0.1"})):
        runner = Runner(tmp_path / str(number))
        npm.lock(runner.workspace, packages)
        npm.server.requests.clear()
        result = github(runner, action, cache)
        said.append((len(npm.server.requests), len(cache)))
        assert f"vendorpack-{result['key']}" in cache
        assert runner.environ["npm_config_cache"] == f"{result['prefix']}/npm"
        assert (Path(result["prefix"]) / "npm").is_dir()
    # Everything is fetched; nothing; one package.
    assert said == [(3, 1), (0, 1), (1, 2)]


def test_the_gitlab_jobs(npm: NpmRegistry, tmp_path: Path) -> None:
    jobs = yaml.safe_load((SNIPPETS / "gitlab.yml").read_text())
    assert jobs["pack"]["cache"]["key"] == "vendorpack-$VENDORPACK_KEY"
    kept = b""
    for number, packages in enumerate((PACKAGES, {**PACKAGES, "b": "2.0.1"})):
        runner = Runner(tmp_path / str(number))
        npm.lock(runner.workspace, packages)
        npm.server.requests.clear()
        runner.run("sh", "\n".join(jobs["key"]["script"]), jobs["variables"])
        assert len(_pairs(runner.workspace / "key.env")["VENDORPACK_KEY"]) == 64
        if kept:
            (runner.workspace / "deps.tar").write_bytes(kept)
        runner.run("sh", "\n".join(jobs["pack"]["script"]), jobs["variables"])
        assert len(npm.server.requests) == (1 if kept else 3)
        kept = (runner.workspace / "deps.tar").read_bytes()
        script = [line for line in jobs["install"]["script"] if line != "npm ci"]
        runner.run("sh", "\n".join([*script, 'test -d "$npm_config_cache"']), {})


def test_the_gitlab_component(npm: NpmRegistry, tmp_path: Path) -> None:
    """Each input is declared, and goes where it is meant; the jobs are those of gitlab.yml."""
    text = (SNIPPETS / "gitlab-component/templates/vendorpack.yml").read_text()
    declared = next(yaml.safe_load_all(text))["spec"]["inputs"]
    body = text.partition("\n---\n")[2]
    used = set(re.findall(r"\$\[\[ inputs\.([\w-]+) \]\]", body))
    assert used == declared.keys()
    inputs = {name: str(row.get("default", "")) for name, row in declared.items()}
    inputs |= {
        "package": "vendorpack.whl",
        "job": "deps",
        "options": "--no-dev",
        "prefix": "un/der",
    }
    jobs = yaml.safe_load(re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda m: inputs[m[1]], body))
    assert jobs.keys() == {"deps-key", "deps-pack", "deps-latest", ".deps"}
    key, pack, use = jobs["deps-key"], jobs["deps-pack"], jobs[".deps"]
    assert {need for job in jobs.values() for need in job.get("needs", ())} <= jobs.keys()
    assert pack["cache"]["key"] == "deps-$VENDORPACK_KEY"
    assert pack["artifacts"]["paths"] == pack["cache"]["paths"] == ["deps.tar"]
    runner = Runner(tmp_path)
    npm.lock(runner.workspace, PACKAGES)
    runner.run("sh", "\n".join(key["script"]), key["variables"])
    said = _pairs(runner.workspace / key["artifacts"]["reports"]["dotenv"])
    for _ in range(2):
        runner.run("sh", "\n".join(pack["script"]), pack["variables"])
    assert len(npm.server.requests) == len(PACKAGES)
    check = 'test -d "$npm_config_cache"'
    runner.run("sh", "\n".join([*use["before_script"], check]), {})
    show = "vendorpack show deps.tar --json > shown.json"
    runner.run("sh", show, {})
    shown = json.loads((runner.workspace / "shown.json").read_text())
    assert shown["key"] == said["VENDORPACK_KEY"]


SCHEMAS = {
    "github-action/action.yml": "vendor.github-actions",
    "github-matrix.yml": "vendor.github-workflows",
    "gitlab.yml": "vendor.gitlab-ci",
    "gitlab-matrix.yml": "vendor.gitlab-ci",
}


@pytest.mark.parametrize("name", [*SCHEMAS, "gitlab-component"])
def test_the_service_s_schema(name: str, tmp_path: Path) -> None:
    """The schemas that editors have; the command has them with it."""
    if importlib.util.find_spec("check_jsonschema") is None:
        pytest.skip("check-jsonschema is not installed: pip install -e '.[test]'")
    file, schema = SNIPPETS / name, SCHEMAS.get(name, "vendor.gitlab-ci")
    if name == "gitlab-component":
        text = (file / "templates/vendorpack.yml").read_text()
        file = tmp_path / "jobs.yml"
        file.write_text(text.partition("\n---\n")[2])

    def check(path: Path) -> int:
        command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert "error" not in done.stderr.lower(), done.stderr
        return done.returncode

    assert check(file) == 0
    wrong = yaml.safe_load(file.read_text())
    jobs = wrong.get("jobs", wrong)
    for part in jobs["runs"]["steps"] if "runs" in wrong else jobs.values():
        if isinstance(part, dict):
            part["no-such-key"] = {"a": "b"}
    (tmp_path / "wrong.yml").write_text(yaml.safe_dump(wrong))
    assert check(tmp_path / "wrong.yml") != 0
