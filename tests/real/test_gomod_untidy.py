"""A go.mod that is not tidy: what go does with it, and what packing says of it before.

Modules are made up, and go.sum has all of their lines: what it lacks, packing refuses in any case.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import Machine, extract
from tests.real.test_gomod import VERSIONS, folder_of
from tests.real.test_gomod_graph import mod, named
from tests.world.go import GoProxy
from tests.world.site import Site

pytestmark = pytest.mark.real

MODULES = {
    "a 0": ("1.17", ["b 1"]),
    "old 0": ("", ["b 1"]),
    "b 0": ("1.17", []),
    "b 1": ("1.17", []),
    "new 0": ("1.20", []),
    "strict 0": ("1.21.1", []),
}
NEEDED = "updates to go.mod needed"


@dataclass(frozen=True)
class Case:
    """A go.mod, and what the project imports.

    refused: whether go refuses to load it. said: what packing says, if anything.
    """

    go: str
    requires: list[str]
    imports: str
    refused: bool = False
    said: str = ""


B1 = "x.example/b v1.1.0 is required by x.example/"
STRICT = "x.example/strict v1.0.0 asks for go 1.21.1"

CASES = {
    "tidy": Case("1.17", ["a 0", "b 1"], "a"),
    "more than is imported": Case("1.17", ["a 0", "b 1", "new 0"], "a"),
    "older than required": Case("1.17", ["a 0", "b 0"], "a", True, B1),
    "older than an old one requires": Case("1.17", ["old 0", "b 0"], "old", True, B1),
    "older, unpruned": Case("1.16", ["a 0", "b 0"], "a", True, B1),
    "older, and nothing leads there": Case("1.17", ["a 0", "b 0"], "b", False, B1),
    "twice": Case("1.17", ["b 0", "b 1"], "b", True, "x.example/b v1.1.0 is required by go.mod:"),
    "an older go before it was strict": Case("1.18", ["new 0"], "new"),
    "an older go": Case("1.21.0", ["strict 0"], "strict", True, STRICT),
    "a much older go": Case("1.18", ["strict 0"], "strict", True, STRICT),
    # Only the sources tell, which packing does not read.
    "it lacks what is imported at one remove": Case("1.17", ["a 0"], "a", True),
}


@pytest.mark.parametrize("name", CASES)
def test_what_go_does_and_what_packing_says(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    with Site() as site:
        proxy = site.mount("go", GoProxy())
        sums = []
        for short, (go, requires) in MODULES.items():
            path, version = named(short).split()
            uses = "".join(f'import _ "{named(one).split()[0]}"\n' for one in requires)
            files = {
                "go.mod": mod(path, go, requires).encode(),
                "lib.go": f"package lib\n\n{uses}".encode(),
            }
            sums.append(proxy.publish(path, version, files))
        app = tmp_path / "app"
        app.mkdir()
        (app / "go.mod").write_text(mod("main.example/m", case.go, case.requires))
        (app / "go.sum").write_text("".join(sums))
        (app / "app.go").write_text(f'package app\n\nimport _ "x.example/{case.imports}"\n')
        cli = Cli(tmp_path, environ={"GOPROXY": proxy.url})
        done = cli.ok("pack", app, "-o", tmp_path / "deps.tar.zst")
    assert ("go.mod is not tidy" in done.err) is bool(case.said), done.err
    assert case.said in done.err
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    for version in VERSIONS:
        here = Machine(tmp_path / version, [folder_of(version)])
        command = ("go", "list", "-deps", "./...")  # reads what a build reads, and compiles nothing
        done = here.attempt(*command, cwd=app, prefix=prefix, env={"GOFLAGS": "-modcacherw"})
        assert (NEEDED in done.out) is (done.code != 0) is case.refused, done.out
