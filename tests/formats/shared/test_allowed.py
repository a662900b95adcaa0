"""Whose install scripts a project lets run, by each client's own list."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest

from vendorpack.digest import Integrity
from vendorpack.formats._shared.npm import allowed
from vendorpack.model import Artifact
from vendorpack.project import Host, Project

BOTH, NONE, A, B = {"a", "@s/b"}, set[str](), {"a"}, {"@s/b"}


def artifact(name: str) -> Artifact:
    return Artifact(
        name=name, version="1.0.0", purl="", url=None, integrity=Integrity(), where="lock:1"
    )


@pytest.mark.parametrize(
    ("client", "files", "runs"),
    [
        ("npm", {}, BOTH),
        ("npm", {".npmrc": "ignore-scripts=true\n"}, NONE),
        ("npm", {"package.json": {"allowScripts": {"a@1.0.0 || 1.0.1": True, "@s/b": False}}}, A),
        ("npm", {"package.json": {"allowScripts": {"@s/b": True}}}, B),
        ("pnpm", {"package.json": {"pnpm": {"onlyBuiltDependencies": ["a"]}}}, A),
        ("pnpm", {"package.json": {"pnpm": {"neverBuiltDependencies": ["a"]}}}, B),
        ("pnpm", {"pnpm-workspace.yaml": "onlyBuiltDependencies: ['@s/b']\n"}, B),
        ("pnpm", {"pnpm-workspace.yaml": "allowBuilds: {a: true, '@s/b': false}\n"}, A),
        ("pnpm", {"pnpm-workspace.yaml": "ignoredBuiltDependencies: ['@s/b']\n"}, A),
        ("pnpm", {"pnpm-workspace.yaml": "ignoreScripts: true\n"}, NONE),
        ("pnpm", {"pnpm-workspace.yaml": "dangerouslyAllowAllBuilds: true\n"
          "onlyBuiltDependencies: []\n"}, BOTH),
        ("pnpm", {}, BOTH),
        ("yarn_berry", {}, BOTH),
        ("yarn_berry", {".yarnrc.yml": "enableScripts: false\n"}, NONE),
        ("yarn_berry", {".yarnrc.yml": "enableScripts: false\n",
          "package.json": {"dependenciesMeta": {"a": {"built": True}}}}, A),
        ("yarn_berry", {"package.json": {"dependenciesMeta": {"a": {"built": False}}}}, B),
        ("yarn_classic", {".npmrc": "ignore-scripts=true\n"}, NONE),
        ("bun", {}, BOTH),
        ("bun", {"package.json": {"trustedDependencies": ["@s/b"]}}, B),
        ("bun", {"package.json": {"trustedDependencies": []}}, NONE),
    ],
)  # fmt: skip
def test_what_runs(client: str, files: dict[str, object], runs: set[str], tmp_path: Path) -> None:
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text)
    project = Project(tmp_path, PurePosixPath("lock"), Host({}, tmp_path / "home", "linux"))
    judge = getattr(allowed, client)(project)
    assert {name for name in ("a", "@s/b") if judge(artifact(name))} == runs
