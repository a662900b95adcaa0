"""The lines that packing asks of go.sum are those that go reads: around every border of the graph.

Module graphs are made up; go reads each with a complete go.sum, and what it then has in its cache
is compared with what packing asks for, error by error, of a go.sum that has zips alone.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import Machine
from tests.real.test_gomod import VERSIONS, folder_of
from tests.world.go import GoProxy
from tests.world.site import Site

pytestmark = pytest.mark.real

OWN = "main.example/m"


def mod(path: str, go: str, requires: Sequence[str] = (), *more: str) -> str:
    """A go.mod. requires: `b 2` is x.example/b v1.2.0."""
    lines = [f"module {path}", *([f"go {go}"] if go else [])]
    lines += [f"require {named(one)}" for one in requires]
    return "\n".join([*lines, *more, ""])


def named(short: str) -> str:
    name, minor = short.split()
    return f"{name if '/' in name else f'x.example/{name}'} v1.{minor}.0"


@dataclass(frozen=True)
class Graph:
    """modules: `b 2` to the go version and the requirements of it. files: the project's."""

    modules: Mapping[str, tuple[str, Sequence[str]]]
    files: Mapping[str, str]
    members: Sequence[str] = field(default=())


CHAIN = {"a 0": ("1.21", ["b 0"]), "b 0": ("1.16", ["c 0"]), "c 0": ("1.16", [])}
OLD = {**CHAIN, "a 0": ("1.16", ["b 0"])}


def single(go: str, modules: Mapping[str, tuple[str, Sequence[str]]], *more: str) -> Graph:
    return Graph(modules, {"go.mod": mod(OWN, go, ["a 0"], *more)})


def workspace(
    modules: Mapping[str, tuple[str, Sequence[str]]], *mods: str, work: str = "", **files: str
) -> Graph:
    members = [f"m{number}" for number in range(len(mods))]
    uses = "".join(f"use ./{member}\n" for member in members)
    held = {f"{member}/go.mod": text for member, text in zip(members, mods, strict=True)}
    return Graph(modules, {"go.work": f"go 1.21\n{uses}{work}", **held, **files}, members)


RAISED = {
    "a 0": ("1.21", ["b 0"]),
    "a 1": ("1.21", ["b 1", "d 0"]),
    "b 0": ("1.21", ["c 0"]),
    "b 1": ("1.21", ["c 1"]),
    "c 0": ("1.21", []),
    "c 1": ("1.21", ["d 1"]),
    "d 0": ("1.21", []),
    "d 1": ("1.21", []),
}
LOCAL = mod("x.example/local", "1.16", ["c 0"])

GRAPHS = {
    "pruned over pruned": single("1.21", CHAIN),
    "pruned over unpruned": single("1.17", OLD),
    "without a go line": single("1.21", {**CHAIN, "a 0": ("", ["b 0"])}),
    "unpruned over pruned": single("1.16", CHAIN),
    "just pruned": single("1.17", {**CHAIN, "a 0": ("1.17", ["b 0"])}),
    "replaced": single(
        "1.21", {**OLD, "d 2": ("1.16", [])}, f"replace {named('b 0')} => {named('d 2')}"
    ),
    "replaced at another version": single("1.21", OLD, f"replace {named('b 1')} => {named('c 0')}"),
    "excluded": single("1.21", OLD, f"exclude {named('b 0')}"),
    "a circle": single("1.21", {"a 0": ("1.16", [f"{OWN} 1"]), f"{OWN} 1": ("1.16", ["a 0"])}),
    "a folder": Graph(
        OLD,
        {
            "go.mod": mod(OWN, "1.21", ["a 0"], "replace x.example/a => ../local"),
            "../local/go.mod": LOCAL,
        },
    ),
    "a workspace": workspace(CHAIN, mod(OWN, "1.21", ["a 0"])),
    "an unpruned member": workspace(CHAIN, mod(OWN, "1.16", ["a 0"]), mod("n.example/n", "1.21")),
    "two versions": workspace(
        RAISED,
        mod(OWN, "1.21", ["a 0", "b 0", "c 0"]),
        mod("n.example/n", "1.21", ["a 1", "b 1", "c 1", "d 1"]),
    ),
    "a requirement raises": workspace(
        RAISED, mod(OWN, "1.21", ["a 0", "b 0", "c 0"]), mod("n.example/n", "1.21", ["b 1"])
    ),
    "a member by its version": workspace(
        {"a 0": ("1.16", [f"{OWN} 1"]), f"{OWN} 1": ("1.16", ["b 0"]), "b 0": ("1.16", [])},
        mod(OWN, "1.21", ["a 0"]),
    ),
    "the workspace replaces": workspace(
        {**OLD, "d 2": ("1.16", [])},
        mod(OWN, "1.21", ["a 0"], f"replace {named('b 0')} => {named('d 2')}"),
        work="replace x.example/b => ./local\n",
        **{"local/go.mod": LOCAL},
    ),
    "a member excludes": workspace(
        OLD, mod(OWN, "1.21", ["a 0"]), mod("n.example/n", "1.21", [], f"exclude {named('b 0')}")
    ),
}


def by_chance(seed: int) -> Graph:
    """Of seven modules with three versions each, and a workspace of up to three members."""
    chance = random.Random(seed)
    names = "abcdefg"
    versions = [f"{name} {minor}" for name in names for minor in range(3)]

    def requires() -> list[str]:
        return [
            f"{name} {chance.randrange(3)}" for name in chance.sample(names, chance.randint(0, 3))
        ]

    modules = {one: (chance.choice(["", "1.16", "1.17", "1.21"]), requires()) for one in versions}
    mods = [
        mod(f"main.example/{name}", chance.choice(["1.16", "1.17", "1.21"]), requires())
        for name in "mno"[: chance.randint(1, 3)]
    ]
    return workspace(modules, *mods, work=f"replace x.example/g => {named('f 1')}\n")


GRAPHS |= {f"by chance, {seed}": by_chance(seed) for seed in range(3)}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def read_by_go(version: str, project: Path, folder: Path, proxy: str) -> set[str]:
    """The modules, as go.sum names them, whose go.mod is in go's cache once it has the graph."""
    env = {
        "GOMODCACHE": str(folder / "cache"),
        "GOPROXY": proxy,
        "GONOSUMDB": "*",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-modcacherw",
    }
    done = subprocess.run(
        ["go", "mod", "graph"],
        cwd=project,
        env=Machine(folder, [folder_of(version)]).env(env),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    base = folder / "cache/cache/download"
    return {f"{p.parent.parent.relative_to(base)} {p.stem}" for p in base.rglob("*.mod")}


@pytest.mark.parametrize("name", GRAPHS)
def test_the_lines_are_those_that_go_reads(tmp_path: Path, name: str) -> None:
    graph = GRAPHS[name]
    with Site() as site:
        proxy = site.mount("go", GoProxy())
        zips, mods = [], {}
        for short, (go, requires) in graph.modules.items():
            path, version = named(short).split()
            files = {"go.mod": mod(path, go, requires).encode(), "a.go": b"package a\n"}
            one, line = proxy.publish(path, version, files).splitlines(keepends=True)
            zips.append(one)
            mods[f"{path} {version}"] = line
        sums = [f"{member}/go.sum" for member in graph.members] or ["go.sum"]
        whole = dict.fromkeys(sums, "".join([*zips, *mods.values()]))
        project = write(tmp_path / "whole/project", {**graph.files, **whole})
        read = {v: read_by_go(v, project, tmp_path / v, proxy.url) for v in VERSIONS}
        assert read["1.21"] == read["system"] == read["1.27"]

        project = write(tmp_path / "project", graph.files)
        asked: set[str] = set()
        cli = Cli(tmp_path, environ={"GOPROXY": proxy.url})
        for _ in range(len(mods) + 1):
            write(project, {sums[0]: "".join([*zips, *(mods[one] for one in sorted(asked))])})
            done = cli("pack", project, "-o", tmp_path / "deps.tar.zst")
            if done.code == 0:
                break
            lines = re.findall(r"^  (\S+ \S+)/go\.mod \(by ", done.err, re.M)
            assert done.code == 4 and lines and not asked & {*lines}, done.err
            asked |= {*lines}
    assert asked == read["system"]
