"""Lines that go.sum or go.work.sum lacks are found in the go.mod files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Cli
from tests.world.go import GoProxy
from tests.world.site import Site
from vendorpack.formats.gomod.graph import Main, missing, read_mod
from vendorpack.formats.gomod.modules import Module

A, B, C, D = (Module(f"x.example/{name}", "v1.0.0") for name in "abcd")


def mod(path: str, go: str, *requires: Module, more: str = "") -> bytes:
    lines = "".join(f"require {m.path} {m.version}\n" for m in requires)
    return f"module {path}\ngo {go}\n{lines}{more}".encode()


def lacks(main: bytes, have: dict[Module, bytes]) -> list[Module]:
    top = read_mod(main, "go.mod")
    return [m for m, _ in missing(Main((top,), known=frozenset([top.path])), have.get)]


@pytest.mark.parametrize(
    ("go", "of_a", "expected"),
    [
        ("1.22", "1.22", []),  # what A requires is not read
        ("1.22", "1.16", [C]),  # A is old: all that it leads to is
        ("1.16", "1.22", [C]),
        ("1.22.3", "1.17rc1", []),
    ],
)
def test_how_far_go_reads(go: str, of_a: str, expected: list[Module]) -> None:
    have = {A: mod(A.path, of_a, B), B: mod(B.path, "1.16", C)}
    assert lacks(mod("main", go, A), have) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", [B]),
        ("replace x.example/b => ../b\n", []),
        ("replace x.example/b v1.0.0 => x.example/d v1.0.0\n", [D]),
        ("replace x.example/b v1.1.0 => ../b\n", [B]),
        ("exclude x.example/b v1.0.0\n", []),
    ],
)
def test_what_is_in_place_of_a_requirement(more: str, expected: list[Module]) -> None:
    have = {A: mod(A.path, "1.16", Module("main", "v0.1.0"))}
    assert lacks(mod("main", "1.22", A, B, more=more), have) == expected


def test_a_circle_ends() -> None:
    have = {A: mod(A.path, "1.16", B), B: mod(B.path, "1.16", A)}
    assert lacks(mod("main", "1.16", A), have) == []


@pytest.mark.parametrize("workspace", [True, False])
def test_the_command_line_names_the_lines(tmp_path: Path, workspace: bool) -> None:
    with Site() as site:
        proxy = site.mount("go", GoProxy())
        sums = proxy.publish(A.path, A.version, {"go.mod": mod(A.path, "1.16", B), "a.go": b""})
        project = tmp_path / "project"
        project.mkdir()
        (project / "go.mod").write_bytes(mod("main.example/m", "1.22", A))
        (project / "go.sum").write_text(sums)
        if workspace:
            (project / "go.work").write_text("go 1.22\nuse .\n")
        cli = Cli(tmp_path, environ={"GOPROXY": proxy.url})
        done = cli("pack", project)
    assert "x.example/b v1.0.0/go.mod" in done.err
    if workspace:
        assert done.code == 4 and "`go list -m all`" in done.err
        assert not (tmp_path / "deps.tar.zst").exists()
    else:
        assert done.code == 0 and "go mod tidy" in done.err
