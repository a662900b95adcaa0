"""GOINSECURE, GOVCS, GOAUTH and `direct` behind proxies: honoured, or said at pack."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import Machine
from tests.real.test_gomod import folder_of
from tests.real.test_gomod_private import NETRC, PRIVATE, https, lib, mod
from tests.real.ways import Way, online
from tests.world import World
from tests.world.git import GitHost, Repository
from tests.world.go import GoPages, GoProxy
from tests.world.site import Site

pytestmark = pytest.mark.real

_CLOSED = 9  # the port of a service that nobody runs
SUFFIXED, PAGED = "git.example/lib.git", "git.example/team/paged"
MAIN = (
    f'package main\n\nimport (\n\ta "{SUFFIXED}"\n\tb "{PAGED}"\n)\n\n'
    "func main() { println(a.Name, b.Name) }\n"
)


def repositories(folder: Path, served: Path) -> None:
    for name, path in (("lib", SUFFIXED), ("paged", PAGED)):
        one = Repository(folder / name)
        one.commit({"go.mod": mod(path), "lib.go": lib(name)})
        one.git("tag", "v1.0.0")
        one.publish(served)


def project(folder: Path, sums: str, *requires: str) -> Path:
    folder.mkdir()
    lines = "".join(f"require {one} v1.0.0\n" for one in requires)
    (folder / "go.mod").write_text(f"module app\n\ngo 1.22\n\n{lines}")
    (folder / "go.sum").write_text(sums)
    return folder


def plain_http(world: World, served: Path) -> dict[str, str]:
    """git.example, whose plain http alone is at hand."""
    site = world.site()
    site.mount("", GitHost(served))
    site.mount("team/paged", GoPages({"": f"{PAGED} git http://git.example/paged.git"}))
    address = world.internet(git_example=site)["HTTPS_PROXY"]
    return dict.fromkeys(("HTTP_PROXY", "http_proxy"), address)


def test_plain_http_by_goinsecure(world: World, served: Path, tmp_path: Path) -> None:
    repositories(tmp_path, served)
    settings = {
        **plain_http(world, served),
        "HTTPS_PROXY": f"http://127.0.0.1:{_CLOSED}",
        "GOPRIVATE": "git.example",
        "GOTOOLCHAIN": "local",
    }
    allowed = {**settings, "GOINSECURE": "git.example/*", "GOFLAGS": "-modcacherw"}
    requires = "".join(f"require {path} v1.0.0\n" for path in (SUFFIXED, PAGED))
    way = Way(
        files={"go.mod": f"module app\n\ngo 1.20\n\n{requires}", "main.go": MAIN},
        lock=[("go", "mod", "tidy")],
        install=[("go", "build", "-o", "out", ".")],
        proof=("./out",),
        said="lib paged",
        path=[folder_of("system")],
        locking=allowed,
        packing=allowed,
        installing={"GOFLAGS": "-modcacherw"},
    )
    way.go(world, tmp_path / "way")
    project = tmp_path / "way/project"
    refused = Cli(tmp_path, environ={**world.environ, **settings})("pack", project)
    assert refused.code == 7 and "https://git.example/" in refused.err
    everywhere = Cli(tmp_path, environ={**world.environ, **allowed, "GOINSECURE": "*"})
    done = everywhere("pack", project)
    assert done.code == 6 and "--allow-host http://git.example" in done.err


def test_a_page_that_leads_to_plain_http(world: World, served: Path, tmp_path: Path) -> None:
    repositories(tmp_path, served)
    pages = {"team/paged": f"{PAGED} git http://git.example/paged.git"}
    environ = {**world.environ, **https(world, served, pages), "GOPRIVATE": "git.example"}
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.netrc").write_text(NETRC)
    app = project(tmp_path / "app", f"{PAGED} v1.0.0 h1:{'A' * 43}=\n", PAGED)
    done = Cli(tmp_path, environ=environ)("pack", app)
    assert done.code == 6 and "--allow-host http://git.example" in done.err, done.err


@pytest.mark.parametrize(
    ("rules", "code", "said"),
    [
        ("git.example:hg|svn", 6, "GOVCS does not allow git for git.example/lib.git"),
        ("private:hg", 6, "GOVCS does not allow git"),
        ("public:hg,git.example/other:off", 0, ""),
        ("git.example/lib.git:git,*:off", 0, ""),
        ("git.example", 5, "GOVCS has a rule that is none: 'git.example'"),
    ],
)
@pytest.mark.parametrize("saved", [False, True])
def test_version_control_by_govcs(
    world: World, served: Path, tmp_path: Path, rules: str, code: int, said: str, saved: bool
) -> None:
    repositories(tmp_path, served)
    environ = {**world.environ, **https(world, served), "GOPRIVATE": "git.example"}
    sums = "".join(f"{SUFFIXED} {v} h1:{'A' * 43}=\n" for v in ("v1.0.0", "v1.0.0/go.mod"))
    app = project(tmp_path / "app", sums, SUFFIXED)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/.netrc").write_text(NETRC)
    if saved:  # by `go env -w`
        (tmp_path / "env").write_text(f"GOVCS={rules}\n")
        environ["GOENV"] = str(tmp_path / "env")
    else:
        environ["GOVCS"] = rules
    done = Cli(tmp_path, environ=environ)("pack", app)
    assert said in done.err
    assert done.code == (code or 8), done.err  # that hash is nobody's


@pytest.mark.parametrize(
    ("auth", "warned"), [("netrc", False), ("off", False), ("git /home; netrc", True)]
)
def test_programs_of_goauth_are_named(tmp_path: Path, auth: str, warned: bool) -> None:
    with Site() as site:
        proxy = site.mount("go", GoProxy())
        files = {"go.mod": mod("x.example/a"), "a.go": lib("a")}
        sums = proxy.publish("x.example/a", "v1.0.0", files)
        app = project(tmp_path / "app", sums, "x.example/a")
        cli = Cli(tmp_path, environ={"GOPROXY": proxy.url, "GOAUTH": auth})
        done = cli.ok("pack", app)
    assert ("GOAUTH names a program, which is not asked" in done.err) is warned


@pytest.mark.parametrize(
    ("path", "auth", "opened"),
    [
        (PAGED, "netrc", True),
        (PAGED, "off", False),
        (SUFFIXED, "off", True),  # no page is asked for it, and git has logins of its own
    ],
)
def test_no_login_by_goauth(
    world: World, served: Path, tmp_path: Path, path: str, auth: str, opened: bool
) -> None:
    repositories(tmp_path, served)
    pages = {"team/paged": f"{PAGED} git https://git.example/paged.git"}
    environ = {**world.environ, **https(world, served, pages), **PRIVATE}
    here = Machine(tmp_path, [folder_of("system")])
    here.home.mkdir()
    (here.home / ".netrc").write_text(NETRC)
    app = project(tmp_path / "app", "", path)
    (app / "main.go").write_text(f'package main\n\nimport _ "{path}"\n\nfunc main() {{}}\n')
    online(("go", "mod", "tidy"), app, here.env({**environ, "GOAUTH": "netrc"}))
    environ["GOAUTH"] = auth
    again = here.env({**environ, "GOMODCACHE": str(tmp_path / "again")})
    done = subprocess.run(["go", "mod", "download"], cwd=app, env=again, capture_output=True)
    assert (done.returncode == 0) is opened, done.stderr
    packed = Cli(tmp_path, environ=environ)("pack", app)
    assert packed.code == (0 if opened else 7), packed.err
    assert ("the netrc file is not to be read for it" in packed.err) is not opened


@pytest.mark.parametrize("mark", [",", "|"])
def test_direct_behind_a_proxy_is_said(tmp_path: Path, mark: str) -> None:
    with Site() as site:
        empty, full = site.mount("empty", GoProxy()), GoProxy()
        files = {"go.mod": mod("x.example/a"), "a.go": lib("a")}
        sums = full.publish("x.example/a", "v1.0.0", files)
        app = project(tmp_path / "app", sums, "x.example/a")
        asked = {}
        for last in ("direct", "off"):
            cli = Cli(tmp_path, environ={"GOPROXY": f"{empty.url}{mark}{last}"})
            asked[last] = cli("pack", app)
    for last, done in asked.items():
        assert done.code == 7 and "x.example/a" in done.err
        assert ("add x.example/a to GOPRIVATE" in done.err) is (last == "direct"), done.err
