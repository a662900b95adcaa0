"""Lines that go.sum or go.work.sum lacks are found in the go.mod files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Cli
from tests.world.go import GoProxy
from tests.world.server import Reply
from tests.world.site import Site
from vendorpack.formats.gomod.graph import Graph, Main, missing, needed, read_mod
from vendorpack.formats.gomod.modules import Module, version_order

A, B, C, D = (Module(f"x.example/{name}", "v1.0.0") for name in "abcd")


def mod(path: str, go: str, *requires: Module, more: str = "") -> bytes:
    lines = "".join(f"require {m.path} {m.version}\n" for m in requires)
    return f"module {path}\ngo {go}\n{lines}{more}".encode()


def lacks(main: bytes, have: dict[Module, bytes]) -> list[Module]:
    top = read_mod(main, "go.mod")
    found = missing(Graph(Main((top,)), have.get), have, ())
    return [module for module, suffix, _ in found if suffix == "mod"]


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
    have = {A: mod(A.path, "1.16")}
    assert lacks(mod("main", "1.22", A, B, more=more), have) == expected


def test_a_circle_ends() -> None:
    have = {A: mod(A.path, "1.16", B), B: mod(B.path, "1.16", A)}
    assert lacks(mod("main", "1.16", A), have) == []


@pytest.mark.parametrize("workspace", [True, False])
@pytest.mark.parametrize("lacks", ["a go.mod", "a zip"])
def test_the_command_line_names_the_lines(tmp_path: Path, workspace: bool, lacks: str) -> None:
    with Site() as site:
        proxy = site.mount("go", GoProxy())
        requires = [B] if lacks == "a go.mod" else []
        files = {"go.mod": mod(A.path, "1.16", *requires), "a.go": b""}
        sums = proxy.publish(A.path, A.version, files)
        project = tmp_path / "project"
        project.mkdir()
        (project / "go.mod").write_bytes(mod("main.example/m", "1.22", A))
        (project / "go.sum").write_text(sums if requires else sums.partition("\n")[2])
        if workspace:
            (project / "go.work").write_text("go 1.22\nuse .\n")
        done = Cli(tmp_path, environ={"GOPROXY": proxy.url})("pack", project)
    line = "x.example/b v1.0.0/go.mod (by x.example/a@v1.0.0)" if requires else "x.example/a v1.0.0"
    assert done.code == 4 and f"  {line}" in done.err
    command = "go list -deps -test ./..." if workspace else "go mod tidy"
    assert f"`{command}`" in done.err
    assert not (tmp_path / "deps.tar.zst").exists()


def test_a_line_that_is_left_out_is_not_missing(tmp_path: Path) -> None:
    """--exclude says that whoever builds does without."""
    with Site() as site:
        proxy = site.mount("go", GoProxy())
        gone = GoProxy().publish(B.path, B.version, {"go.mod": mod(B.path, "1.16")})
        sums = proxy.publish(A.path, A.version, {"go.mod": mod(A.path, "1.16", B), "a.go": b""})
        project = tmp_path / "project"
        project.mkdir()
        (project / "go.mod").write_bytes(mod("main.example/m", "1.22", A))
        (project / "go.sum").write_text(sums + gone)
        cli = Cli(tmp_path, environ={"GOPROXY": proxy.url})
        assert cli("pack", project).code == 7
        cli.ok("pack", project, "--exclude", B.path)


def test_versions_in_order() -> None:
    """The example of the specification of semantic versions, and go's own kinds."""
    dated = "0.20200101000000-0123456789ab"
    texts = [f"v0.0.0-{dated[2:]}", "v0.9.0", "v1.0.0-alpha", "v1.0.0-alpha.1", "v1.0.0-alpha.beta"]
    texts += ["v1.0.0-beta", "v1.0.0-beta.2", "v1.0.0-beta.11", "v1.0.0-rc.1", "v1.0.0"]
    texts += [f"v1.0.1-{dated}", "v1.0.1", "v1.9.0", "v1.10.0", "v2.0.0+incompatible"]
    backwards = texts[::-1]
    assert sorted(backwards, key=version_order) == texts


def test_what_a_build_may_ask_for() -> None:
    newer = Module(B.path, "v1.1.0")
    have = {
        A: mod(A.path, "1.22", newer),
        B: mod(B.path, "1.16", C),
        newer: mod(B.path, "1.16"),
        C: mod(C.path, "1.16"),
    }
    top = read_mod(mod("main", "1.22", A, B), "go.mod")
    main = Main((top,))
    # A build reads no more of A than its go.mod, and takes the older B; `go list -m all` the newer.
    zips = {m for m, suffix in needed(main, have.get) if suffix == "zip"}
    mods = {m for m, suffix in needed(main, have.get) if suffix == "mod"}
    assert mods == {A, B, newer, C}
    assert zips == {A, B, newer, C}
    have[A] = mod(A.path, "1.16", B)
    main = Main((read_mod(mod("main", "1.22", A, newer), "go.mod"),))
    assert {m for m, suffix in needed(main, have.get) if suffix == "zip"} == {A, newer, C}


@pytest.mark.parametrize("of", ["nothing requires it", "its go.mod is required", "it is required"])
def test_a_line_whose_module_is_gone(tmp_path: Path, of: str) -> None:
    with Site() as site, Site() as elsewhere:
        proxy, other = site.mount("go", GoProxy()), elsewhere.mount("go", GoProxy())
        gone = other.publish(B.path, B.version, {"go.mod": mod(B.path, "1.16")})
        requires = {"nothing requires it": [], "it is required": [B]}
        sums = proxy.publish(
            A.path, A.version, {"go.mod": mod(A.path, "1.16", *requires.get(of, [B])), "a.go": b""}
        )
        if of == "its go.mod is required":
            sums += proxy.publish(B.path, "v1.1.0", {"go.mod": mod(B.path, "1.16")})
        project = tmp_path / "project"
        project.mkdir()
        main = [A] if of != "its go.mod is required" else [A, Module(B.path, "v1.1.0")]
        (project / "go.mod").write_bytes(mod("main.example/m", "1.22", *main))
        (project / "go.sum").write_text(sums + gone)
        cli = Cli(tmp_path, environ={"GOPROXY": proxy.url})
        done = cli("pack", project, "-o", tmp_path / "deps.tar.zst")
    if of == "nothing requires it":
        assert done.code == 0 and done.err.count("left out") == 2
        assert "go.sum:3" in done.err and "go.sum:4" in done.err and "go mod tidy" in done.err
    else:
        assert done.code == 7 and "x.example/b v1.0.0" in done.err and "go.sum:" in done.err


@pytest.mark.parametrize(("mark", "code"), [(",", 7), ("|", 0)])
def test_proxies_in_order(tmp_path: Path, mark: str, code: int) -> None:
    """The next one is asked for what the first does not have; after a failure only if so asked."""
    with Site() as first, Site() as second:
        empty, proxy = first.mount("go", GoProxy()), second.mount("go", GoProxy())
        sums = proxy.publish(A.path, A.version, {"go.mod": mod(A.path, "1.16"), "a.go": b""})
        project = tmp_path / "project"
        project.mkdir()
        (project / "go.mod").write_bytes(mod("main.example/m", "1.22", A))
        (project / "go.sum").write_text(sums)
        environ = {"GOPROXY": f"{empty.url}{mark}{proxy.url}{mark}direct"}
        Cli(tmp_path, environ=environ).ok("pack", project, "-o", tmp_path / "deps.tar.zst")
        for kind in ("mod", "zip"):
            path = f"/go/x.example/a/@v/v1.0.0.{kind}"
            first.next[path] = [Reply(b"go away", 401)]
        other = Cli(tmp_path, "other", environ)
        done = other("pack", project, "-o", tmp_path / "other.tar.zst")
    assert done.code == code
    if mark == ",":
        assert "401" in done.err
