"""Go modules from private repositories: packed by their commits, built with the network cut off.

go itself fetches them where the server is at hand and writes go.sum; that the zips made here are
accepted means that their hashes are go's.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import Machine
from tests.real.test_gomod import VERSIONS, folder_of
from tests.real.ways import Way
from tests.world import World, basic
from tests.world.git import GitHost, Repository
from tests.world.go import GoPages

pytestmark = pytest.mark.real

LOGIN = "someone:canary-password"
NETRC = "machine git.example login someone password canary-password\n"
PRIVATE = {"GOPRIVATE": "git.example", "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"}


def https(world: World, served: Path, pages: Mapping[str, str] | None = None) -> dict[str, str]:
    """Serve the repositories at https://git.example/NAME, to who logs in: the environment."""
    site = world.site(tls=True, names=["git.example"])
    site.mount("", GitHost(served), login=basic(LOGIN))
    for path in pages or {}:
        site.mount(path, GoPages({"": (pages or {})[path]}), login=basic(LOGIN))
    return world.internet(git_example=site)


def mod(path: str, go: str = "1.20") -> bytes:
    return f"module {path}\n\ngo {go}\n".encode()


def lib(name: str) -> bytes:
    return f'package lib\n\nconst Name = "{name}"\n'.encode()


def every_rule(folder: Path, served: Path) -> tuple[list[str], dict[str, str]]:
    """Repositories around each rule for zips: module@version of all, and their pages."""
    root = "git.example/one.git"
    one = Repository(folder / "one")
    one.commit({"a.go": lib("legacy"), "big.bin": bytes(range(256)) * 300})
    one.git("tag", "v0.0.1")
    one.git("tag", "v3.0.0")  # no go.mod: +incompatible
    one.commit(
        {
            "go.mod": mod(root),
            "LICENSE": b"the root's\n",
            ".gitattributes": b"*.bat text eol=crlf\n*.id ident\nsecret export-ignore\n"
            b"*.sub export-subst\n*.u16 working-tree-encoding=UTF-16LE\n",
            "a.bat": b"echo\ngo\n",
            "a.id": b"$Id$\n",
            "a.sub": b"$Format:%H$\n",
            "a.u16": "text\n".encode("utf-16-le"),
            "secret": b"is in it",
            "sp ace.txt": b"x",
            "\u00e4/\u00fc.txt": b"x",
            ".hg_archival.txt": b"x",
            "d/" * 60 + "deep.txt": b"x",
            "vendor/modules.txt": b"# x\n",
            "vendor/x/y.go": b"package y\n",
            "pkg/vendor/vendor.go": b"package vendor\n",
            "pkg/vendor/z/z.go": b"package z\n",
            "sub/go.mod": mod(f"{root}/sub"),
            "sub/lib.go": lib("sub"),
            "sub/vendor/z/z.go": b"package z\n",
            "licensed/go.mod": mod(f"{root}/licensed", "1.24"),
            "licensed/LICENSE": b"its own\n",
            "licensed/vendor/modules.txt": b"# x\n",
            "licensed/pkg/vendor/vendor.go": b"package vendor\n",
            "licensed/pkg/vendor/z/z.go": b"package z\n",
            "v2/go.mod": mod(f"{root}/v2"),
            "v2/lib.go": lib("v2 in a folder"),
            "sub/v3/go.mod": mod(f"{root}/sub/v3"),
            "sub/v3/lib.go": lib("v3 in a folder"),
            "not/GO.MOD": b"",
            "not/a.go": b"package a\n",
            ".git-like/x": b"x",
        }
    )
    (one.folder / "link.go").symlink_to("a.go")
    (one.folder / "sub/LICENSE.md").symlink_to("../LICENSE")
    one.commit({"run.sh": b"#!/bin/sh\n"})
    for tag in ("v1.0.0", "sub/v1.0.0", "licensed/v1.0.0", "v2.0.0", "sub/v3.0.0"):
        one.git("tag", tag)
    one.git("tag", "-a", "v1.1.0-rc.1", "-m", "annotated")
    inner = one.git("rev-parse", "HEAD")
    tip = one.commit({"a.go": lib("newer")})
    one.git("checkout", "-q", "-b", "v4")
    one.commit({"go.mod": mod(f"{root}/v4")})
    one.git("tag", "v4.0.0")
    one.publish(served)

    two = Repository(folder / "two")
    two.commit({"x/go.mod": mod("git.example/team/two/v2"), "LICENSE": b"x", "x/l.go": lib("x")})
    two.git("tag", "x/v2.0.0")
    two.commit({"go.mod": mod("git.example/team/two"), ".gitattributes": b"* text eol=crlf\n"})
    two.git("tag", "v1.0.0")
    two.commit({"y/go.mod": mod("git.example/team/two/y"), "y/a.go": b"package y\n"})
    two.git("tag", "y/v1.0.0")
    two.publish(served)

    def pseudo(base: str, commit: str) -> str:
        return f"{base}20010909014640-{commit[:12]}"

    modules = [
        f"{root}@v0.0.1",
        f"{root}@v3.0.0+incompatible",
        f"{root}@v1.0.0",
        f"{root}@v1.1.0-rc.1",
        f"{root}@{pseudo('v1.1.0-rc.1.0.', tip)}",
        f"{root}/sub@v1.0.0",
        f"{root}/sub@{pseudo('v1.0.1-0.', tip)}",
        f"{root}/licensed@v1.0.0",
        f"{root}/v2@v2.0.0",
        f"{root}/sub/v3@v3.0.0",
        f"{root}/v4@v4.0.0",
        "git.example/team/two@v1.0.0",
        "git.example/team/two/y@v1.0.0",
    ]
    assert inner != tip
    said = "git.example/team/two git https://git.example/two.git"
    return modules, dict.fromkeys(("team/two", "team/two/y"), said)


@pytest.mark.parametrize("version", VERSIONS)
def test_zips_are_those_that_go_makes(
    world: World, served: Path, tmp_path: Path, version: str
) -> None:
    """go.sum has the hashes of go's own zips; packing accepts no other."""
    modules, pages = every_rule(tmp_path, served)
    if version == "1.21":  # it refuses what is written for newer ones
        modules = [module for module in modules if "licensed" not in module]
    environ = {**world.environ, **https(world, served, pages), **PRIVATE}
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.netrc").write_text(NETRC)
    go = subprocess.run(
        ["go", "mod", "download", "-json", *modules],
        cwd=tmp_path,
        env=Machine(tmp_path, [folder_of(version)]).env(environ),
        capture_output=True,
        text=True,
    )
    assert go.returncode == 0, go.stdout + go.stderr
    lines = []
    for text in go.stdout.replace("\n}\n", "\n}\0").split("\0")[:-1]:
        got = json.loads(text)
        lines.append(f"{got['Path']} {got['Version']} {got['Sum']}\n")
        lines.append(f"{got['Path']} {got['Version']}/go.mod {got['GoModSum']}\n")
    assert len(lines) == 2 * len(modules)
    project = tmp_path / "project"
    project.mkdir()
    (project / "go.sum").write_text("".join(lines))
    (project / "go.mod").write_text("module app\n\ngo 1.20\n")
    cli = Cli(tmp_path, environ=environ)
    cli.ok("pack", project, "-o", tmp_path / "deps.tar.zst")
    again = Cli(tmp_path, "other", environ)
    again.ok("pack", project, "-o", tmp_path / "again.tar.zst")
    assert (tmp_path / "deps.tar.zst").read_bytes() == (tmp_path / "again.tar.zst").read_bytes()
    shown = cli.ok("show", tmp_path / "deps.tar.zst", "--json").json["artifacts"]
    urls = {record["url"] for record in shown if record["name"] == "git.example/team/two/y"}
    assert urls == {"git+https://git.example/two.git?refs/tags/y/v1.0.0"}
    cli.ok("verify", tmp_path / "deps.tar.zst", "--lockfile", project / "go.sum")


MAIN = """package main

import (
	lib "git.example/lib.git"
	sub "git.example/lib.git/sub"
	two "git.example/lib.git/v2"
	three "git.example/lib.git/v3"
	tip "git.example/tip.git"
)

func main() { println(lib.Name, sub.Name, two.Name, three.Name, tip.Name) }
"""


def service(folder: Path, served: Path) -> tuple[dict[str, str], Repository]:
    """A service's sources, and the first of the private repositories that it needs."""
    root = "git.example/lib.git"
    one = Repository(folder / "lib")
    one.commit({"go.mod": mod(root), "lib.go": lib("lib"), "LICENSE": b"x"})
    one.git("tag", "v1.0.0")
    one.commit({"sub/go.mod": mod(f"{root}/sub"), "sub/lib.go": lib("sub")})
    one.git("tag", "-a", "sub/v1.2.0", "-m", "x")
    one.commit({"v2/go.mod": mod(f"{root}/v2"), "v2/lib.go": lib("v2")})
    one.git("tag", "v2.0.0")
    one.git("checkout", "-q", "-b", "v3")
    one.commit({"go.mod": mod(f"{root}/v3"), "lib.go": lib("v3")})
    one.git("tag", "v3.0.0")
    one.publish(served)
    tip = Repository(folder / "tip")
    commit = tip.commit({"go.mod": mod("git.example/tip.git"), "lib.go": lib("behind the tip")})
    tip.commit({"lib.go": lib("the tip")})
    tip.publish(served)
    required = {
        root: "v1.0.0",
        f"{root}/sub": "v1.2.0",
        f"{root}/v2": "v2.0.0",
        f"{root}/v3": "v3.0.0",
        "git.example/tip.git": f"v0.0.0-20010909014640-{commit[:12]}",
    }
    lines = "".join(f"require {path} {version}\n" for path, version in required.items())
    return {"go.mod": f"module app\n\ngo 1.20\n\n{lines}", "main.go": MAIN}, one


@pytest.mark.parametrize(
    ("transport", "version"), [*(("https", version) for version in VERSIONS), ("ssh", "system")]
)
def test_a_service(
    world: World, served: Path, tmp_path: Path, transport: str, version: str
) -> None:
    """Over https with a token in ~/.netrc; over ssh by the user's own insteadOf."""
    files, _ = service(tmp_path, served)
    options: tuple[str, ...] = ()
    if transport == "https":
        environ, home = https(world, served), {".netrc": NETRC}
    else:
        ssh = world.ssh(served)
        environ, options = {"GIT_SSH_COMMAND": ssh.command}, ("--git-config",)
        home = {".gitconfig": f'[url "{ssh.url}/"]\n\tinsteadOf = https://git.example/\n'}
    way = Way(
        files=files,
        home=home,
        lock=[("go", "mod", "tidy")],
        install=[("go", "build", "-o", "out", "."), ("go", "mod", "download")],
        proof=("./out",),
        said="lib sub v2 v3 behind the tip",
        path=[folder_of(version)],
        locking={**environ, **PRIVATE},
        packing={**environ, **PRIVATE},
        installing={"GOFLAGS": "-modcacherw"},
        options=options,
    )
    way.go(world, tmp_path)


def test_a_repository_that_was_changed(world: World, served: Path, tmp_path: Path) -> None:
    files, repository = service(tmp_path, served)
    environ = {**world.environ, **https(world, served), **PRIVATE}
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.netrc").write_text(NETRC)
    project = tmp_path / "project"
    project.mkdir()
    for name, text in files.items():
        (project / name).write_text(text)
    env = Machine(tmp_path, [folder_of("system")]).env(environ)
    subprocess.run(["go", "mod", "tidy"], cwd=project, env=env, check=True, capture_output=True)
    bundle = tmp_path / "deps.tar.zst"
    alone = Cli(tmp_path, environ={**environ, "GOPRIVATE": "*"})("pack", project, "-o", bundle)
    assert alone.code == 6 and "--allow-host git.example" in alone.err
    (tmp_path / "home/.netrc").unlink()
    unknown = Cli(tmp_path, environ=environ)("pack", project, "-o", bundle)
    assert unknown.code == 7 and "go.sum:" in unknown.err and "--git-config" in unknown.err
    (tmp_path / "home/.netrc").write_text(NETRC)
    repository.git("checkout", "-q", "v1.0.0")
    repository.commit({"lib.go": lib("something else")})
    origin = str(served / "lib.git")
    for commands, code, message in (
        ([["tag", "-f", "v1.0.0"], ["push", "-f", origin, "v1.0.0"]], 8, "The tag was moved"),
        ([["push", origin, ":v1.0.0"]], 7, "the repository has no refs/tags/v1.0.0"),
    ):
        for command in commands:
            repository.git(*command)
        changed = Cli(tmp_path, message, environ)("pack", project, "-o", bundle)
        assert changed.code == code and message in changed.err, changed.err
        assert "go.sum:" in changed.err and "canary" not in changed.err
        assert not bundle.exists()
