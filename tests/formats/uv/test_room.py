"""From uv.lock to artifacts: which packages, which files, from where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.world.distributions import LINUX, MAC, WINDOWS, options, project
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.python.builds.wheels import BuildingLockfile
from vendorpack.formats._shared.python.index import DEFAULT_FILES, DEFAULT_INDEX
from vendorpack.formats.uv import FORMAT
from vendorpack.formats.uv.cache import digest
from vendorpack.formats.uv.choose import UvArtifact
from vendorpack.model import Lockfile, Options

INDEX = "https://index.example/simple"
FILES = "https://files.example"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def a_file(filename: str, seed: str = "0") -> str:
    return f'{{ url = "{FILES}/{filename}", hash = "sha256:{seed * 64}", size = 10 }}'


def package(
    name: str, *wheels: str, sdist: bool = False, version: str = "1.0", more: str = ""
) -> str:
    """A package of the index; wheels by their tags."""
    files = ", ".join(a_file(f"{name}-{version}-{tags}.whl") for tags in wheels)
    return "\n".join(
        [
            "[[package]]",
            f'name = "{name}"',
            f'version = "{version}"',
            f'source = {{ registry = "{INDEX}" }}',
            f"wheels = [{files}]",
            f"sdist = {a_file(f'{name}-{version}.tar.gz')}" if sdist else "",
            more,
            "",
        ]
    )


ANY = "py3-none-any"
HEAD = "version = 1\nrevision = 3\n"
ROOT = """
[[package]]
name = "app"
version = "0.1"
source = { editable = "." }
dependencies = [
    { name = "a" },
    { name = "win", marker = "sys_platform == 'win32'" },
]
[package.optional-dependencies]
fast = [{ name = "fast" }]
[package.dev-dependencies]
dev = [{ name = "tester" }]
docs = [{ name = "writer" }]
"""
SIMPLE = HEAD + ROOT + "".join(
    [
        package("a", ANY, more='dependencies = [{ name = "b", extra = ["x"] }]'),
        package("b", ANY, more='[package.optional-dependencies]\nx = [{ name = "c" }]'),
        package("c", ANY),
        package("fast", "cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-macosx_11_0_arm64"),
        package("tester", ANY, more='dependencies = [{ name = "c" }]'),
        package("unused", ANY),
        package("win", "py3-none-win_amd64"),
        package("writer", ANY),
    ]
)  # fmt: skip


def read(
    folder: Path,
    lock: str,
    chosen: Options,
    environ: Mapping[str, str] | None = None,
    **files: str,
) -> Lockfile:
    named = {name.replace("_", "."): text for name, text in files.items()}
    return FORMAT.read(project(folder, "uv.lock", {"uv.lock": lock, **named}, environ), chosen)


def found(lockfile: Lockfile) -> dict[str, tuple[str, ...]]:
    """File name to the reasons it was chosen for."""
    return {a.filename: a.why for a in lockfile.artifacts if isinstance(a, UvArtifact)}


def names(lockfile: Lockfile) -> list[str]:
    return [a.name for a in lockfile.artifacts]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (options(LINUX), ["a", "b", "c", "tester"]),
        (options(LINUX, dev=False), ["a", "b", "c"]),
        (options(WINDOWS), ["a", "b", "c", "tester", "win"]),
        (options(LINUX, groups=["fast", "docs"]), ["a", "b", "c", "fast", "tester", "writer"]),
        (options(LINUX, groups=["FAST", "d?cs"]), ["a", "b", "c", "fast", "tester", "writer"]),
        (options(LINUX, dev=False, groups=["*"]), ["a", "b", "c", "fast", "tester", "writer"]),
        (options(), ["a", "b", "c", "tester", "win"]),
    ],
)
def test_the_walk(tmp_path: Path, chosen: Options, expected: list[str]) -> None:
    assert names(read(tmp_path, SIMPLE, chosen)) == expected


def test_reasons(tmp_path: Path) -> None:
    lockfile = read(tmp_path, SIMPLE, options(LINUX, groups=["fast", "docs"]))
    assert {a.name: a.why for a in lockfile.artifacts} == {
        "a": (),
        "b": (),
        "c": (),
        "fast": ("extra fast",),
        "tester": ("dev",),
        "writer": ("group docs",),
    }


def test_default_groups_of_the_project(tmp_path: Path) -> None:
    pyproject = '[tool.uv]\ndefault-groups = ["docs"]\n'
    lockfile = read(tmp_path, SIMPLE, options(LINUX), pyproject_toml=pyproject)
    assert names(lockfile) == ["a", "b", "c", "writer"]
    every = read(
        tmp_path, SIMPLE, options(LINUX), pyproject_toml='[tool.uv]\ndefault-groups = "all"\n'
    )
    assert names(every) == ["a", "b", "c", "tester", "writer"]


def test_a_group_nobody_has_is_said(tmp_path: Path) -> None:
    (warning,) = read(tmp_path, SIMPLE, options(LINUX, groups=["nope"])).warnings
    assert "nope" in warning.what


def test_files_by_target(tmp_path: Path) -> None:
    tags = ("cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-macosx_11_0_arm64")
    lock = HEAD + ROOT.replace('"fast"', '"d"') + package("d", *tags, sdist=True)
    lock += "".join(package(name, ANY) for name in ("a", "tester", "win", "writer"))
    by_target = {
        target: [
            f for f in found(read(tmp_path, lock, options(target, groups=["fast"]))) if f[0] == "d"
        ]
        for target in (LINUX, MAC, WINDOWS)
    }
    assert by_target == {
        LINUX: ["d-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"],
        MAC: ["d-1.0-cp312-cp312-macosx_11_0_arm64.whl"],
        WINDOWS: ["d-1.0.tar.gz"],
    }
    everywhere = found(read(tmp_path, lock, options(groups=["fast"])))
    assert [f for f in everywhere if f.startswith("d-")] == [*by_target[MAC], *by_target[LINUX]]


def test_no_binary_takes_the_sdist(tmp_path: Path) -> None:
    lock = HEAD + ROOT + "".join(
        package(n, ANY, sdist=True) for n in ("a", "win", "fast", "tester", "writer")
    )  # fmt: skip
    settings = '[tool.uv]\nno-binary-package = ["A"]\n'
    lockfile = read(tmp_path, lock, options(LINUX), pyproject_toml=settings)
    assert list(found(lockfile)) == ["a-1.0.tar.gz", "tester-1.0-py3-none-any.whl"]


def test_what_no_target_can_install_is_said(tmp_path: Path) -> None:
    lock = SIMPLE.replace("a-1.0-py3-none-any", "a-1.0-py3-none-win_amd64")
    lockfile = read(tmp_path, lock, options(LINUX))
    assert "a" not in names(lockfile)
    assert "a 1.0 has no file for linux-x86_64-gnu-py3.12" in [w.what for w in lockfile.warnings]


def test_forks_and_conflicts(tmp_path: Path) -> None:
    """A version a platform, and an extra that excludes another: of the latter both are taken."""
    registry = f'source = {{ registry = "{INDEX}" }}'
    edges = [
        f"""name = "n", version = "1.0", {registry}, marker = "sys_platform == 'win32'\"""",
        f"""name = "n", version = "2.0", {registry}, marker = "sys_platform != 'win32'\"""",
        """name = "t", version = "1.0", marker = "extra == 'cpu' and sys_platform == 'linux'\"""",
        """name = "t", version = "2.0", marker = "extra != 'cpu' or sys_platform == 'win32'\"""",
    ]
    lock = HEAD + '[[package]]\nname = "app"\nsource = { virtual = "." }\ndependencies = ['
    lock += ", ".join(f"{{ {edge} }}" for edge in edges) + "]\n"
    lock += "".join(package(n, ANY, version=v) for n in ("n", "t") for v in ("1.0", "2.0"))
    linux = read(tmp_path, lock, options(LINUX)).artifacts
    assert [(a.name, a.version) for a in linux] == [("n", "2.0"), ("t", "1.0"), ("t", "2.0")]
    windows = read(tmp_path, lock, options(WINDOWS)).artifacts
    assert [(a.name, a.version) for a in windows] == [("n", "1.0"), ("t", "2.0")]


def test_workspaces_and_scripts(tmp_path: Path) -> None:
    workspace = HEAD + """
[manifest]
members = ["one", "two"]
[manifest.dependency-groups]
dev = [{ name = "tool", specifier = ">=1" }]
[[package]]
name = "one"
version = "0.1"
source = { editable = "one" }
dependencies = [{ name = "two" }]
[[package]]
name = "two"
version = "0.1"
source = { virtual = "two" }
dependencies = [{ name = "x" }]
""" + package("x", ANY) + package("tool", ANY)  # fmt: skip
    assert names(read(tmp_path, workspace, options(LINUX))) == ["tool", "x"]
    script = HEAD + '[manifest]\nrequirements = [{ name = "x" }]\n' + package("x", ANY)
    assert names(read(tmp_path, script, options(LINUX))) == ["x"]


SOURCES = HEAD + f"""
[[package]]
name = "app"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "w" }}, {{ name = "s" }}, {{ name = "g" }}, {{ name = "l" }}, {{ name = "d" }}
]
[[package]]
name = "w"
version = "1.0"
source = {{ url = "{FILES}/w-1.0-py3-none-any.whl" }}
wheels = [{{ url = "{FILES}/w-1.0-py3-none-any.whl", hash = "sha256:{"1" * 64}" }}]
[[package]]
name = "s"
version = "1.0"
source = {{ url = "{FILES}/s.tar.gz", subdirectory = "py" }}
sdist = {{ hash = "sha256:{"2" * 64}" }}
[[package]]
name = "g"
version = "1.0"
source = {{ git = "https://git.example/g.git?tag=v1&subdirectory=py#{COMMIT}" }}
[[package]]
name = "l"
version = "1.0"
source = {{ directory = "../l" }}
[[package]]
name = "d"
version = "1.0"
source = {{ registry = "{DEFAULT_INDEX.rstrip("/")}" }}
wheels = [{{ url = "{FILES}/d-1.0-py3-none-any.whl", hash = "sha256:{"3" * 64}" }}]
"""  # fmt: skip


def test_sources(tmp_path: Path) -> None:
    lockfile = read(tmp_path, SOURCES, options(LINUX))
    d, g, s, w = lockfile.artifacts
    assert isinstance(d, UvArtifact) and isinstance(g, UvArtifact)
    assert isinstance(s, UvArtifact) and isinstance(w, UvArtifact)
    assert d.root == "pypi"
    assert w.root == f"url/{digest(FILES + '/w-1.0-py3-none-any.whl')}"
    assert s.root == f"url/{digest(FILES + '/s.tar.gz#subdirectory=py')}"
    assert (s.url, s.subdirectory) == (f"{FILES}/s.tar.gz", "py")
    assert g.url == f"git+https://git.example/g.git?refs/tags/v1#{COMMIT}"
    assert (g.asked, g.subdirectory, g.filename) == ("https://git.example/g.git", "py", "")
    assert [digest.value.hex() for digest in g.integrity.digests] == [COMMIT]
    assert g.purl == f"pkg:pypi/g@1.0?vcs_url=git%2Bhttps%3A%2F%2Fgit.example%2Fg.git%40{COMMIT}"
    assert ["outside" in warning.what for warning in lockfile.warnings] == [True]
    other = read(tmp_path, SIMPLE, options(LINUX)).artifacts[0]
    assert isinstance(other, UvArtifact) and other.root == f"index/{digest(INDEX)}"


def test_access(tmp_path: Path) -> None:
    pyproject = """
[[tool.uv.index]]
name = "my-index"
url = "https://private.example:8443/simple"
[[tool.uv.index]]
url = "https://user:p%40ss@other.example/simple"
"""
    environ = {
        "UV_INDEX_MY_INDEX_USERNAME": "me",
        "UV_INDEX_MY_INDEX_PASSWORD": "secret",
        "UV_INDEX": "named=https://third.example/simple https://fourth.example/simple",
    }
    lockfile = read(tmp_path, SIMPLE, options(LINUX), environ, pyproject_toml=pyproject)
    hosts = {"private.example:8443", "other.example", "third.example", "fourth.example"}
    # https://index.example is the lockfile's own word, and no permission.
    assert lockfile.access.origins == {
        DEFAULT_INDEX.removesuffix("/simple/"),
        DEFAULT_FILES.rstrip("/"),
        *(f"https://{host}" for host in hosts),
    }
    assert {c.prefix: c.header for c in lockfile.access.credentials} == {
        "https://private.example:8443/": "Basic bWU6c2VjcmV0",
        "https://other.example/": "Basic dXNlcjpwQHNz",
    }
    assert "secret" not in repr(lockfile) and "bWU6" not in repr(lockfile)


ORDERED = """
[[tool.uv.index]]
name = "zzz"
url = "https://zzz.example/simple"
[[tool.uv.index]]
name = "gpu"
url = "https://gpu.example/simple"
explicit = true
[[tool.uv.index]]
url = "https://files.example/flat.html"
format = "flat"
[[tool.uv.index]]
url = "https://me:pw@aaa.example/simple"
"""


@pytest.mark.parametrize(
    ("more", "environ", "expected"),
    [
        ("", {}, ["zzz.example", "aaa.example", "pypi.org"]),
        ("default = true\n", {}, ["zzz.example", "aaa.example"]),
        (
            "default = true\n",
            {"UV_DEFAULT_INDEX": "https://d.example/simple", "UV_INDEX": "https://e.example/s"},
            ["e.example", "zzz.example", "d.example"],
        ),
        (
            '[tool.uv]\nindex-url = "https://i.example/simple"\n'
            'extra-index-url = ["https://x.example/simple"]\n',
            {},
            ["zzz.example", "aaa.example", "x.example", "i.example"],
        ),
    ],
)
def test_indexes_of_builds_in_uvs_order(
    tmp_path: Path, more: str, environ: Mapping[str, str], expected: list[str]
) -> None:
    """As its documentation has it: never an explicit one, the default last."""
    lockfile = read(tmp_path, SIMPLE, options(LINUX), environ, pyproject_toml=ORDERED + more)
    assert isinstance(lockfile, BuildingLockfile) and lockfile.plan is not None
    assert [urlsplit(base).netloc for (base,) in lockfile.plan.tiers] == expected
    assert not lockfile.plan.own_indexes


def test_index_strategy_and_sources(tmp_path: Path) -> None:
    pyproject = ORDERED + (
        '[tool.uv]\nindex-strategy = "unsafe-best-match"\n'
        '[tool.uv.sources]\nMy_Tool = { index = "gpu" }\nother = { path = "x" }\n'
    )
    lockfile = read(tmp_path, SIMPLE, options(LINUX), pyproject_toml=pyproject)
    assert isinstance(lockfile, BuildingLockfile) and lockfile.plan is not None
    assert len(lockfile.plan.tiers) == 1
    assert lockfile.plan.own_indexes == {"my-tool": "https://gpu.example/simple"}


def test_extra_build_dependencies(tmp_path: Path) -> None:
    """uv's own answer to what a build computes; they are for that package alone, and in the key."""
    pyproject = """[tool.uv]
extra-build-dependencies = { My_Pkg = ["tool>=1", { requirement = "torch" }], none = [] }
"""
    lockfile = read(tmp_path, SIMPLE, options(LINUX), pyproject_toml=pyproject)
    assert isinstance(lockfile, BuildingLockfile) and lockfile.plan is not None
    assert lockfile.plan.extra_of == {"my-pkg": ("tool>=1", "torch"), "none": ()}
    files = {"uv.lock": SIMPLE, "pyproject.toml": pyproject}
    with_them = FORMAT.fingerprint(project(tmp_path / "1", "uv.lock", files), options(LINUX))
    plain = project(tmp_path / "2", "uv.lock", {"uv.lock": SIMPLE})
    assert with_them != FORMAT.fingerprint(plain, options(LINUX))


def test_a_script_has_settings_of_its_own(tmp_path: Path) -> None:
    script = """# /// script
# dependencies = []
# [[tool.uv.index]]
# url = "https://script.example/simple"
# ///
"""
    files = {"x.py.lock": SIMPLE, "x.py": script, "pyproject.toml": ORDERED}
    lockfile = FORMAT.read(project(tmp_path, "x.py.lock", files), options(LINUX))
    assert "https://script.example" in lockfile.access.origins
    assert "https://zzz.example" not in lockfile.access.origins


def test_the_fingerprint_has_what_decides(tmp_path: Path) -> None:
    plain = project(tmp_path / "1", "uv.lock", {"uv.lock": SIMPLE})
    assert FORMAT.fingerprint(plain, options(LINUX)) == FORMAT.fingerprint(plain, options(LINUX))
    others = [
        FORMAT.fingerprint(plain, options(MAC)),
        FORMAT.fingerprint(plain, options(LINUX, dev=False)),
        FORMAT.fingerprint(plain, options(LINUX, groups=["fast"])),
        *(
            FORMAT.fingerprint(
                project(tmp_path / str(n), "uv.lock", {"uv.lock": SIMPLE, "pyproject.toml": text}),
                options(LINUX),
            )
            for n, text in enumerate(
                (
                    '[tool.uv]\nno-binary-package = ["x"]\n',
                    "[tool.uv]\ndefault-groups = []\n",
                    '[build-system]\nrequires = ["hatchling"]\n',
                    ORDERED,
                    f"{ORDERED}default = true\n",
                ),
                2,
            )
        ),
    ]
    assert FORMAT.fingerprint(plain, options(LINUX)) not in others
    unrelated = project(
        tmp_path / "9", "uv.lock", {"uv.lock": SIMPLE, "uv.toml": "offline = true\n"}
    )
    assert FORMAT.fingerprint(unrelated, options(LINUX)) == FORMAT.fingerprint(
        plain, options(LINUX)
    )


BAD = {
    "version 2": ("version = 1", "version = 2", "uv.lock"),
    "no version": ("version = 1\n", "", "uv.lock"),
    "not TOML": ("[[package]]", "[[package", "uv.lock:4"),
    "hash": ("sha256:0", "sha256:x", "uv.lock:"),
    "short hash": ("sha256:" + "0" * 64, "sha256:00", "uv.lock:"),
    "size": ("size = 10", "size = -1", "uv.lock:"),
    "size of text": ("size = 10", 'size = "10"', "uv.lock:"),
    "name": ('name = "b"\nversion', 'name = "../b"\nversion', "uv.lock:"),
    "file name": ("c-1.0-py3-none-any.whl", "..%2Fc-1.0-py3-none-any.whl", "uv.lock:"),
    "address": (f"{FILES}/a-", "https://files example/a-", "uv.lock:"),
    "no host": (f"{FILES}/a-", "file:///a-", "uv.lock:"),
    "marker": ("sys_platform == 'win32'", "sys_platform = 'win32'", "uv.lock:"),
    "source": ('registry = "', 'cloud = "', "uv.lock:"),
    "missing package": ('name = "b"\nversion', 'name = "bb"\nversion', "uv.lock:"),
    "dependencies": ('dependencies = [{ name = "c" }]', 'dependencies = ["c"]', "uv.lock:"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_lockfiles(tmp_path: Path, what: str) -> None:
    old, new, where = BAD[what]
    assert old in SIMPLE
    with pytest.raises(LockfileError) as caught:
        read(tmp_path, SIMPLE.replace(old, new), options(LINUX, WINDOWS))
    assert caught.value.where is not None and caught.value.where.startswith(where)


def test_a_commit_has_to_be_whole(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="full commit"):
        read(tmp_path, SOURCES.replace(COMMIT, COMMIT[:10]), options(LINUX))


def test_native_roots_and_a_broken_configuration(tmp_path: Path) -> None:
    host = project(tmp_path, "uv.lock", {}, {"XDG_CACHE_HOME": "/cache"}).host
    assert FORMAT.native_roots(host) == {"uv": Path("/cache/uv")}
    with pytest.raises(LockfileError, match=r"not valid TOML"):
        read(tmp_path, SIMPLE, options(LINUX), uv_toml="[")
