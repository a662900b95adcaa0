"""go.sum and go.work to artifacts, and where they are fetched from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.world.modules import h1, project
from vendorpack.errors import DiscoveryError, LockfileError, UnsupportedError, VendorpackError
from vendorpack.formats.gomod import FORMAT
from vendorpack.formats.gomod.modfile import directives
from vendorpack.formats.gomod.modules import ModuleFile
from vendorpack.model import Credential, Lockfile, Options

A, B = h1({"a": b"a"}), h1({"b": b"b"})
PROXY = "https://proxy.golang.org"


def read(
    folder: Path, files: str | Mapping[str, str | bytes], environ: Mapping[str, str] | None = None
) -> Lockfile:
    content = files if isinstance(files, Mapping) else {"go.sum": files}
    return FORMAT.read(project(folder / "p", content, environ), Options())


def test_a_line_is_a_zip_or_a_go_mod(tmp_path: Path) -> None:
    lockfile = read(
        tmp_path,
        f"example.com/Big/x v1.2.3-RC.1 {A}\r\n"
        "\n"
        f"example.com/Big/x v1.2.3-RC.1/go.mod {B}\n"
        f"a.example v2.0.0+incompatible {A}\n"
        f"a.example v2.0.0+incompatible {A}\n"
        f"a.example v2.0.0+incompatible h2:whatever\n"
        # Once written for what is no module; go drops it.
        f"b.example v1.0.0/go.mod {h1({'go.mod': b''})}\n",
    )
    assert [(a.name, a.version, a.url, a.purl, a.where) for a in lockfile.artifacts] == [
        (
            "a.example",
            "v2.0.0+incompatible",
            f"{PROXY}/a.example/@v/v2.0.0+incompatible.zip",
            "pkg:golang/a.example@v2.0.0%2Bincompatible",
            "go.sum:4",
        ),
        (
            "example.com/Big/x",
            "v1.2.3-RC.1",
            f"{PROXY}/example.com/!big/x/@v/v1.2.3-!r!c.1.mod",
            "pkg:golang/example.com/Big/x@v1.2.3-RC.1#go.mod",
            "go.sum:3",
        ),
        (
            "example.com/Big/x",
            "v1.2.3-RC.1",
            f"{PROXY}/example.com/!big/x/@v/v1.2.3-!r!c.1.zip",
            "pkg:golang/example.com/Big/x@v1.2.3-RC.1",
            "go.sum:1",
        ),
    ]
    assert {a.sources for a in lockfile.artifacts} == {(a.url,) for a in lockfile.artifacts}
    assert all(a.integrity.algorithms == ("h1",) for a in lockfile.artifacts)


@pytest.mark.parametrize(
    ("lock", "where"),
    [
        ("a.example v1.0.0\n", "go.sum:1"),
        (f"\na.example v1.0.0 {A} x\n", "go.sum:2"),
        ("a.example v1.0.0 h1:short\n", "go.sum:1"),
        ("a.example v1.0.0 h1:!!!!\n", "go.sum:1"),
        ("a.example v1.0.0 nokind\n", "go.sum:1"),
        (f"a.example 1.0.0 {A}\n", "go.sum:1"),
        (f"a.example v1.0.0/../x {A}\n", "go.sum:1"),
        (f"../a.example v1.0.0 {A}\n", "go.sum:1"),
        (f"a.example/../b v1.0.0 {A}\n", "go.sum:1"),
        (f"a.example/.git v1.0.0 {A}\n", "go.sum:1"),
        (f"/a.example v1.0.0 {A}\n", "go.sum:1"),
        (f"a.example//b v1.0.0 {A}\n", "go.sum:1"),
        (f"a.example/{'x' * 300} v1.0.0 {A}\n", "go.sum:1"),
        (f"a.example\\b v1.0.0 {A}\n", "go.sum:1"),
        (f"\u00e4.example v1.0.0 {A}\n", "go.sum:1"),
        (f"a.example\0 v1.0.0 {A}\n", "go.sum:1"),
        (f"a.example v1.0.0 {A}\na.example v1.0.0 {B}\n", "go.sum:2"),
    ],
)
def test_what_is_no_go_sum_says_where(tmp_path: Path, lock: str, where: str) -> None:
    with pytest.raises(LockfileError) as caught:
        read(tmp_path, lock)
    assert caught.value.where == where


WORKSPACE = """// a workspace
go 1.22

use (
\t./one // first
\t"./deep/two"
)
use `three`
replace example.com/x => ./x
"""


def test_a_workspace_is_the_union_of_its_members(tmp_path: Path) -> None:
    files = {
        "go.work": WORKSPACE,
        "go.work.sum": f"a.example v1.0.0/go.mod {A}\n",
        "one/go.sum": f"a.example v1.0.0/go.mod {A}\nb.example v1.0.0 {B}\n",
        "deep/two/go.sum": f"c.example v1.0.0 {A}\n",
        "unused/go.sum": f"d.example v1.0.0 {A}\n",
    }
    lockfile = read(tmp_path, files)
    assert [(a.name, a.where) for a in lockfile.artifacts] == [
        ("a.example", "go.work.sum:1"),
        ("b.example", "one/go.sum:2"),
        ("c.example", "deep/two/go.sum:1"),
    ]
    fingerprint = FORMAT.fingerprint(project(tmp_path / "p", files), Options())
    assert sorted(fingerprint) == ["deep/two/go.sum", "go.work.sum", "one/go.sum"]
    crlf = files | {"one/go.sum": files["one/go.sum"].replace("\n", "\r\n")}
    assert FORMAT.fingerprint(project(tmp_path / "p", crlf), Options()) == fingerprint
    assert FORMAT.companions("go.work") == ("go.work.sum",)
    assert FORMAT.companions("go.sum") == ("go.mod",)
    conflict = files | {"deep/two/go.sum": f"b.example v1.0.0 {A}\n"}
    with pytest.raises(LockfileError, match="another hash") as caught:
        read(tmp_path, conflict)
    assert caught.value.where == "one/go.sum:2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("use x", [("use", ["x"])]),
        ("use (\n)\nuse()\nuse (\nx\n)", [("use", ["x"])]),
        ("use (x)", None),
        ('use "a b"', [("use", ["a b"])]),
        ("// only\n\n", []),
        ("use x//y (z)", [("use", ["x"])]),
        (")", None),
        ('use "open', None),
        (b"\xff", None),
    ],
)
def test_directives(text: str | bytes, expected: list[tuple[str, list[str]]] | None) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    if expected is None:
        with pytest.raises(LockfileError):
            list(directives(data, "go.mod"))
    else:
        assert [(verb, words) for verb, words, _ in directives(data, "go.mod")] == expected


LINE = f"example.com/x v1.0.0 {A}\n"


@pytest.mark.parametrize(
    ("environ", "sources"),
    [
        ({}, [PROXY]),
        ({"GOPROXY": ""}, [PROXY]),
        ({"GOPROXY": f"{PROXY},direct"}, [PROXY]),
        ({"GOPROXY": "https://a.example/go/,https://b.example|direct"}, 2),
        ({"GOPROXY": "https://user:secret@a.example/go,off"}, ["https://a.example/go"]),
        ({"GOPRIVATE": "example.org,*.example.com"}, [PROXY]),
        ({"GOPRIVATE": "example.com", "GONOPROXY": "none"}, [PROXY]),
        ({"GOPRIVATE": "example.com/x/y"}, [PROXY]),
    ],
)
def test_proxies(tmp_path: Path, environ: dict[str, str], sources: list[str] | int) -> None:
    lockfile = read(tmp_path, LINE, environ)
    (artifact,) = lockfile.artifacts
    path = "/example.com/x/@v/v1.0.0.zip"
    assert artifact.url == PROXY + path
    expected = (
        ["https://a.example/go", "https://b.example"] if isinstance(sources, int) else sources
    )
    assert list(artifact.sources) == [proxy + path for proxy in expected]
    assert "secret" not in repr(lockfile)
    if "secret" in environ.get("GOPROXY", ""):
        assert lockfile.access.credentials == (
            Credential("https://a.example/go/", "Basic dXNlcjpzZWNyZXQ="),
        )


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"GOPROXY": "off"}, "no proxy to ask for example.com/x"),
        ({"GOPROXY": "file:///srv/proxy"}, "not an https address"),
        ({"GOPROXY": "nonsense"}, "not an https address"),
    ],
)
def test_a_proxy_that_cannot_be_asked(
    tmp_path: Path, environ: dict[str, str], message: str
) -> None:
    with pytest.raises(UnsupportedError, match=message) as caught:
        read(tmp_path, LINE, environ)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("environ", "names_host"),
    [
        ({"GOPROXY": "direct"}, False),
        ({"GOPROXY": "off", "GOPRIVATE": "example.com"}, True),
        ({"GOPRIVATE": "*.com/[^a]"}, False),
        ({"GONOPROXY": "example.com/*", "GOPRIVATE": "none"}, True),
        ({"GOPRIVATE": "*"}, False),
    ],
)
def test_what_comes_from_version_control(
    tmp_path: Path, environ: dict[str, str], names_host: bool
) -> None:
    """Its host is allowed if the user's own configuration names that, not only the lockfile."""
    lockfile = read(tmp_path, LINE, environ)
    (artifact,) = lockfile.artifacts
    assert isinstance(artifact, ModuleFile)
    assert artifact.is_direct and artifact.url is None  # its page is asked
    assert ("https://example.com" in lockfile.access.origins) is names_host


@pytest.mark.parametrize(
    ("path", "version", "address"),
    [
        ("github.com/a/b", "v1.0.0", "git+https://github.com/a/b?refs/tags/v1.0.0"),
        ("github.com/a/b/sub/v2", "v2.0.0", "git+https://github.com/a/b?refs/tags/sub/v2.0.0"),
        ("github.com/a/b/v2", "v2.0.0-rc.1", "git+https://github.com/a/b?refs/tags/v2.0.0-rc.1"),
        ("example.com/x/y.git/z", "v1.0.0", "git+https://example.com/x/y?refs/tags/z/v1.0.0"),
        ("example.com/y.git", "v3.0.0+incompatible", "git+https://example.com/y?refs/tags/v3.0.0"),
        (
            "example.com/y.git/v2",
            "v2.0.1-0.20200102030405-0123456789ab",
            "git+https://example.com/y#0123456789ab",
        ),
        (
            "example.com/y.git",
            "v0.0.0-20200102030405-0123456789ab",
            "git+https://example.com/y#0123456789ab",
        ),
    ],
)
def test_a_path_that_says_where_it_is_kept(
    tmp_path: Path, path: str, version: str, address: str
) -> None:
    line = LINE.replace("example.com/x", path).replace("v1.0.0", version)
    (artifact,) = read(tmp_path, line, {"GOPRIVATE": "*"}).artifacts
    assert artifact.url == address


@pytest.mark.parametrize(
    ("go", "listed", "disagrees"),
    [
        ("1.22", "# example.com/x v1.0.0\n## explicit; go 1.20\nexample.com/x\n", False),
        ("1.22", "# example.com/x v1.0.0 => ../x\n## explicit\n# example.com/x => ../x\n", False),
        ("1.22", "# example.com/x v0.9.0\n## explicit\n", True),
        ("1.22", "# example.com/x v1.0.0\nexample.com/x\n", True),
        ("1.22", "", True),
        ("1.13", "# example.com/x v0.9.0\n", False),
    ],
)
def test_a_vendor_folder_that_go_refuses(
    tmp_path: Path, go: str, listed: str, disagrees: bool
) -> None:
    files = {
        "go.sum": LINE,
        "go.mod": f"module app\n\ngo {go}\n\nrequire example.com/x v1.0.0\n",
        "vendor/modules.txt": listed,
    }
    lockfile = FORMAT.read(project(tmp_path, files), Options())
    said = [warning.what for warning in lockfile.warnings]
    assert any("disagree about example.com/x" in what for what in said) is disagrees


def test_variables_that_go_itself_saved(tmp_path: Path) -> None:
    saved = tmp_path / "home/.config/go/env"
    saved.parent.mkdir(parents=True)
    saved.write_text("# saved\nGOPROXY=https://a.example\nGOMODCACHE=/srv/cache\n")
    (artifact,) = read(tmp_path, LINE).artifacts
    assert artifact.sources == ("https://a.example/example.com/x/@v/v1.0.0.zip",)
    host = project(tmp_path / "p", {"go.sum": LINE}).host
    assert FORMAT.native_roots(host) == {"go": Path("/srv/cache")}
    host = project(tmp_path / "p", {"go.sum": LINE}, {"GOENV": "off", "GOPATH": "/g:/h"}).host
    assert FORMAT.native_roots(host) == {"go": Path("/g/pkg/mod")}
    host = project(tmp_path / "p", {"go.sum": LINE}, {"GOENV": "off"}).host
    assert FORMAT.native_roots(host) == {"go": tmp_path / "home/go/pkg/mod"}


def test_warnings(tmp_path: Path) -> None:
    files = {
        "go.sum": LINE,
        "go.mod": "module example.com/y\n\ngo 1.22\n\ntoolchain go1.23.4\n",
        "vendor/modules.txt": "",
    }
    lockfile = read(tmp_path, files)
    assert [warning.where for warning in lockfile.warnings] == ["go.mod:5", "vendor"]
    assert "go1.23.4" in lockfile.warnings[0].what


def test_a_missing_or_unreadable_lockfile(tmp_path: Path) -> None:
    here = project(tmp_path / "p", {"go.sum": LINE})
    (tmp_path / "p/go.sum").unlink()
    with pytest.raises(VendorpackError):
        FORMAT.read(here, Options())


LOCAL = """module app

go 1.22

require own.example/lib v0.0.0

replace own.example/lib => ./lib
"""


@pytest.mark.parametrize("manifest", ["module app\n\ngo 1.22\n", LOCAL])
def test_a_go_mod_that_needs_no_go_sum(tmp_path: Path, manifest: str) -> None:
    lockfile = read(tmp_path, {"go.mod": manifest})
    assert lockfile.artifacts == ()
    assert lockfile.warnings == ()


def test_a_go_mod_that_needs_a_go_sum_and_has_none(tmp_path: Path) -> None:
    with pytest.raises(DiscoveryError, match=r"a\.example v1\.0\.0") as caught:
        read(tmp_path, {"go.mod": LOCAL + "require a.example v1.0.0\n"})
    assert caught.value.where == "go.mod:8"
    assert "go mod tidy" in str(caught.value.fix)


def test_a_go_mod_that_is_named_beside_its_go_sum(tmp_path: Path) -> None:
    files = {
        "go.mod": "module app\n\nrequire a.example v1.0.0\n",
        "go.sum": f"a.example v1.0.0 {A}\n",
    }
    lockfile = read(tmp_path, files)
    assert [(a.name, a.where) for a in lockfile.artifacts] == [("a.example", "go.sum:1")]
    assert FORMAT.companions("go.mod") == ("go.sum",)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("go 1.99", "go 1.99 or newer"),
        ("go 2.0rc1", "go 2.0rc1 or newer"),
        ("go 1.27.3", None),
        ("go x", None),
        ("go 1.99\ntoolchain go1.99.2", "go1.99.2 is what it names"),
    ],
)
def test_a_go_newer_than_any_is_warned_of(tmp_path: Path, lines: str, said: str | None) -> None:
    found = read(tmp_path, {"go.mod": f"module app\n{lines}\n"}).warnings
    assert len(found) == (said is not None)
    assert said is None or said in found[0].what
