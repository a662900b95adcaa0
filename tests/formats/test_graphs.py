"""Who asks for whom, as each room reads it from a lockfile of its own.

The project is the same wherever its lockfile can say it: it asks for `a` and, for development,
`tool`; `a` asks for `b` in version 2 and, on Windows, for `win`; `b` 2 asks for `a` (a circle), and
`tool` for `b` in version 1, which asks for nothing.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pytest

from vendorpack.formats import load
from vendorpack.model import Graph, Options
from vendorpack.project import Host, Project
from vendorpack.target import parse_target

SRI = "sha512-" + base64.b64encode(bytes(64)).decode()
HEX = "0" * 64
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LINUX = Options(targets=(parse_target("linux-x86_64-gnu-py3.12"),))
ALL = {"a@1.0.0": ["b@2.0.0"], "b@1.0.0": [], "b@2.0.0": ["a@1.0.0"], "tool@1.0.0": ["b@1.0.0"]}
DIRECT = ["a@1.0.0", "tool@1.0.0"]


def graph_of(folder: Path, room: str, files: dict[str, str], options: Options = LINUX) -> Graph:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    project = Project(folder, PurePosixPath(next(iter(files))), Host({}, folder / "home", "linux"))
    lockfile = load(room).read(project, options)
    assert lockfile.graph is not None
    return lockfile.graph


def short(purl: str) -> str:
    """`pkg:npm/%40s/a@1.0?x=y` as `@s/a@1.0`."""
    return unquote(purl.partition("?")[0].partition("/")[2])


def said(graph: Graph) -> dict[str, list[str]]:
    return {short(purl): sorted(map(short, asked)) for purl, asked in graph.requires.items()}


def direct(graph: Graph) -> list[str] | None:
    return None if graph.direct is None else sorted(map(short, graph.direct))


# -- npm -------------------------------------------------------------------------------------


def npm_entry(name: str, version: str = "1.0.0", **more: object) -> dict[str, object]:
    address = f"https://registry.npmjs.org/{name}/-/{name}-{version}.tgz"
    return {"version": version, "resolved": address, "integrity": SRI, **more}


NPM = {
    "": {"workspaces": ["app"], "devDependencies": {"tool": "1"}},
    "app": {"name": "app", "dependencies": {"a": "1"}},
    "node_modules/app": {"resolved": "app", "link": True},
    "node_modules/a": npm_entry(
        "a",
        dependencies={"b": "2"},
        optionalDependencies={"win": "1"},
        peerDependencies={"absent": "*"},
    ),
    "node_modules/b": npm_entry("b", "2.0.0", peerDependencies={"a": "1"}),
    "node_modules/tool": npm_entry("tool", dev=True, dependencies={"b": "1"}),
    "node_modules/tool/node_modules/b": npm_entry("b", dev=True),
    "node_modules/win": npm_entry("win", optional=True, os=["win32"]),
}


def package_lock(packages: object, version: int = 3) -> dict[str, str]:
    key = "packages" if version > 1 else "dependencies"
    return {"package-lock.json": json.dumps({"lockfileVersion": version, key: packages})}


def test_npm(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, "npm", package_lock(NPM))
    assert said(graph) == ALL and direct(graph) == DIRECT


def test_npm_with_a_package_manager(tmp_path: Path) -> None:
    manifest = {"package.json": json.dumps({"packageManager": "npm@10.9.9"})}
    graph = graph_of(tmp_path, "npm", package_lock(NPM) | manifest)
    assert said(graph) == ALL and direct(graph) == ["a@1.0.0", "npm@10.9.9", "tool@1.0.0"]


def test_npm_without_development(tmp_path: Path) -> None:
    options = Options(targets=LINUX.targets, dev=False)
    graph = graph_of(tmp_path, "npm", package_lock(NPM), options)
    assert said(graph) == {key: ALL[key] for key in ("a@1.0.0", "b@2.0.0")}
    assert direct(graph) == ["a@1.0.0"]


def test_npm_of_version_1(tmp_path: Path) -> None:
    """It does not say what the project asks for."""
    lock = {
        "a": npm_entry("a", requires={"b": "2"}),
        "b": npm_entry("b", "2.0.0", requires={"a": "1"}),
        "tool": npm_entry(
            "tool", dev=True, requires={"b": "1"}, dependencies={"b": npm_entry("b")}
        ),
    }
    graph = graph_of(tmp_path, "npm", package_lock(lock, 1))
    assert said(graph) == ALL and direct(graph) is None


@pytest.mark.parametrize("asked", [[], "b", {"b": 3, "": "1", "../..": "1"}, None])
def test_npm_with_odd_requests(tmp_path: Path, asked: object) -> None:
    """npm does not look at them once it has locked."""
    lock = {"": {}, "node_modules/a": npm_entry("a", dependencies=asked)}
    assert said(graph_of(tmp_path, "npm", package_lock(lock))) == {"a@1.0.0": []}


def test_npm_with_a_place_beyond_measure(tmp_path: Path) -> None:
    place = "node_modules/a/" * 200_000 + "node_modules/b"
    asked = dict.fromkeys(map(str, range(1000)), "1")
    graph = graph_of(tmp_path, "npm", package_lock({place: npm_entry("b", dependencies=asked)}))
    assert said(graph) == {"b@1.0.0": []}


# -- pnpm ------------------------------------------------------------------------------------

PNPM_9 = f"""lockfileVersion: '9.0'
importers:
  .:
    devDependencies:
      tool: {{specifier: '1', version: 1.0.0}}
  app:
    dependencies:
      a: {{specifier: '1', version: 1.0.0(b@2.0.0)}}
packages:
  a@1.0.0: {{resolution: {{integrity: {SRI}}}}}
  b@1.0.0: {{resolution: {{integrity: {SRI}}}}}
  b@2.0.0: {{resolution: {{integrity: {SRI}}}}}
  tool@1.0.0: {{resolution: {{integrity: {SRI}}}}}
  win@1.0.0: {{resolution: {{integrity: {SRI}}}, os: [win32]}}
snapshots:
  a@1.0.0(b@2.0.0):
    dependencies: {{b: 2.0.0}}
    optionalDependencies: {{win: 1.0.0}}
  b@1.0.0: {{}}
  b@2.0.0:
    dependencies: {{alias: a@1.0.0(b@2.0.0)}}
  tool@1.0.0:
    dependencies: {{b: 1.0.0}}
  win@1.0.0: {{optional: true}}
"""
PNPM_6 = f"""lockfileVersion: '6.0'
dependencies:
  a: {{specifier: '1', version: 1.0.0}}
devDependencies:
  tool: {{specifier: '1', version: 1.0.0}}
packages:
  /a@1.0.0:
    resolution: {{integrity: {SRI}}}
    dependencies: {{b: 2.0.0}}
  /b@1.0.0: {{resolution: {{integrity: {SRI}}}, dev: true}}
  /b@2.0.0:
    resolution: {{integrity: {SRI}}}
    dependencies: {{a: 1.0.0}}
  /tool@1.0.0:
    resolution: {{integrity: {SRI}}}
    dependencies: {{b: 1.0.0}}
    dev: true
"""


@pytest.mark.parametrize("lock", [PNPM_6, PNPM_9], ids=["6", "9"])
def test_pnpm(tmp_path: Path, lock: str) -> None:
    graph = graph_of(tmp_path, "pnpm", {"pnpm-lock.yaml": lock})
    assert said(graph) == ALL and direct(graph) == DIRECT


def test_pnpm_with_a_folder_of_the_project(tmp_path: Path) -> None:
    """What it asks for, the project does."""
    lock = f"""lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      lib: {{specifier: 'file:lib', version: 'file:lib'}}
packages:
  lib@file:lib: {{resolution: {{directory: lib, type: directory}}}}
  a@1.0.0: {{resolution: {{integrity: {SRI}}}}}
snapshots:
  lib@file:lib:
    dependencies: {{a: 1.0.0}}
  a@1.0.0: {{}}
"""
    graph = graph_of(tmp_path, "pnpm", {"pnpm-lock.yaml": lock})
    assert said(graph) == {"a@1.0.0": []} and direct(graph) == ["a@1.0.0"]


# -- Yarn ------------------------------------------------------------------------------------


def yarn_1(name: str, keys: str, version: str, asks: str = "") -> str:
    address = f"https://registry.yarnpkg.com/{name}/-/{name}-{version}.tgz"
    asked = f"  dependencies:\n    {asks}\n" if asks else ""
    return f'{keys}:\n  version "{version}"\n  resolved "{address}"\n  integrity {SRI}\n{asked}\n'


YARN_1 = "# yarn lockfile v1\n\n" + "".join(
    (
        yarn_1("a", "a@1, a@^1.0.0", "1.0.0", 'b "2"'),
        yarn_1("b", "b@1", "1.0.0"),
        yarn_1("b", "b@2", "2.0.0", 'a "^1.0.0"'),
        yarn_1("tool", "tool@1", "1.0.0", 'b "1"'),
    )
)


def test_yarn_1(tmp_path: Path) -> None:
    """It does not say what the project asks for."""
    graph = graph_of(tmp_path, "yarn-classic", {"yarn.lock": YARN_1})
    assert said(graph) == ALL and direct(graph) is None


def test_yarn_1_of_a_request_that_nothing_answers(tmp_path: Path) -> None:
    lock = "# yarn lockfile v1\n\n" + yarn_1("a", "a@1", "1.0.0", 'b "3"') + yarn_1("b", "b@1", "1")
    assert said(graph_of(tmp_path, "yarn-classic", {"yarn.lock": lock})) == {"b@1": []}


def berry(key: str, resolution: str, *asks: str, link: str = "hard", more: str = "") -> str:
    name, _, reference = resolution.rpartition("@npm:")
    checksum = f"  checksum: 10c0/{'0' * 128}\n" if name else ""
    asked = "".join(f"    {ask}\n" for ask in asks)
    return (
        f'"{key}":\n  version: {reference or "0.0.0"}\n  resolution: "{resolution}"\n'
        + (f"  dependencies:\n{asked}" if asks else "")
        + f"{more}{checksum}  languageName: node\n  linkType: {link}\n\n"
    )


def berry_lock(*entries: str, version: int = 8, key: str = "10c0") -> dict[str, str]:
    head = f"__metadata:\n  version: {version}\n  cacheKey: {key}\n\n"
    return {"yarn.lock": head + "".join(entries)}


@pytest.mark.parametrize("npm", ["npm:", ""], ids=["4", "3"])
def test_yarn_berry(tmp_path: Path, npm: str) -> None:
    """Yarn 2 and 3 write requests without `npm:`; a patch is what it is made from."""
    patch = "a@patch:a@npm%3A1.0.0#./a.patch"
    lock = berry_lock(
        berry("app@workspace:app", "app@workspace:app", f'a: "{patch[2:]}"', link="soft"),
        berry("root@workspace:.", "root@workspace:.", f'tool: "{npm}1"', link="soft"),
        berry("a@npm:1.0.0, a@npm:^1.0.0", "a@npm:1.0.0", f'b: "{npm}2"', f'win: "{npm}1"'),
        berry(patch, f"{patch}::version=1.0.0&hash=000000", f'b: "{npm}2"'),
        berry("b@npm:1", "b@npm:1.0.0"),
        berry("b@npm:2", "b@npm:2.0.0", f'a: "{npm}^1.0.0"'),
        berry("tool@npm:1", "tool@npm:1.0.0", f'b: "{npm}1"'),
        berry("win@npm:1", "win@npm:1.0.0", more="  conditions: os=win32\n"),
    )
    graph = graph_of(tmp_path, "yarn-berry", lock)
    assert said(graph) == ALL and direct(graph) == DIRECT


def test_yarn_berry_of_resolutions(tmp_path: Path) -> None:
    """They lead a request elsewhere: known by its name, if that is one package's alone."""
    lock = berry_lock(
        berry("root@workspace:.", "root@workspace:.", 'a: "npm:1"', link="soft"),
        berry("a@npm:1", "a@npm:1.0.0", 'b: "npm:^7"'),
        berry("b@npm:1", "b@npm:1.0.0", 'c: "npm:^7"'),
        berry("c@npm:1", "c@npm:1.0.0"),
        berry("c@npm:2", "c@npm:2.0.0"),
    )
    graph = graph_of(tmp_path, "yarn-berry", lock)
    assert said(graph) == {"a@1.0.0": ["b@1.0.0"], "c@1.0.0": [], "c@2.0.0": []}


# -- Bun, Deno -------------------------------------------------------------------------------


def test_bun(tmp_path: Path) -> None:
    asked = {"dependencies": {"b": "2"}, "optionalDependencies": {"win": "1"}}
    packages = {
        "app": ["app@workspace:app"],
        "lib": ["lib@file:lib", {"dependencies": {"a": "1"}}],
        "a": ["a@1.0.0", "", asked, SRI],
        "b": ["b@2.0.0", "", {"peerDependencies": {"a": "1"}}, SRI],
        "tool": ["tool@1.0.0", "", {"dependencies": {"b": "1"}}, SRI],
        "tool/b": ["b@1.0.0", "", {}, SRI],
        "win": ["win@1.0.0", "", {"os": "win32"}, SRI],
    }
    workspaces = {
        "": {"devDependencies": {"tool": "1"}},
        "app": {"name": "app", "dependencies": {"lib": "file:lib"}},
    }
    lock = {"lockfileVersion": 1, "workspaces": workspaces, "packages": packages}
    files = {"bun.lock": json.dumps(lock)}
    graph = graph_of(tmp_path, "bun", files)
    assert said(graph) == ALL and direct(graph) == DIRECT
    # What a folder of the project asks for is installed without development dependencies too.
    production = graph_of(tmp_path, "bun", files, Options(targets=LINUX.targets, dev=False))
    assert said(production) == {key: ALL[key] for key in ("a@1.0.0", "b@2.0.0")}


DENO = {
    "version": "5",
    "specifiers": {
        "npm:a@1": "1.0.0_b@2.0.0",
        "npm:b@1": "1.0.0",
        "npm:tool@1": "1.0.0",
        "jsr:@s/own@1": "1.0.0",
        "jsr:@s/other@1": "1.0.0",
    },
    "jsr": {
        "@s/own@1.0.0": {"integrity": HEX, "dependencies": ["jsr:@s/other", "npm:b@1"]},
        "@s/other@1.0.0": {"integrity": HEX},
    },
    "npm": {
        "a@1.0.0_b@2.0.0": {
            "integrity": SRI,
            "dependencies": ["other@npm:b@2.0.0"],
            "optionalDependencies": ["win"],
            "optionalPeers": ["absent"],
        },
        "b@1.0.0": {"integrity": SRI},
        "b@2.0.0": {"integrity": SRI, "dependencies": ["a"]},
        "tool@1.0.0": {"integrity": SRI, "dependencies": ["b@1.0.0"]},
        "win@1.0.0": {"integrity": SRI, "os": ["win32"]},
    },
    "workspace": {
        "packageJson": {"dependencies": ["npm:tool@1"]},
        "members": {"app": {"dependencies": ["jsr:@s/own@1"]}},
    },
}


def test_deno(tmp_path: Path) -> None:
    """`npm:a@1` is imported somewhere, and `npm:b@1` by a package on JSR."""
    graph = graph_of(tmp_path, "deno", {"deno.lock": json.dumps(DENO)})
    assert said(graph) == ALL | {
        "@s/own@1.0.0": ["@s/other@1.0.0", "b@1.0.0"],
        "@s/other@1.0.0": [],
    }
    assert direct(graph) == ["@s/own@1.0.0", *DIRECT]


def test_deno_with_modules_by_address(tmp_path: Path) -> None:
    """Who imports them is not known."""
    lock = {**DENO, "remote": {"https://deno.land/x/mod.ts": HEX}}
    graph = graph_of(tmp_path, "deno", {"deno.lock": json.dumps(lock)})
    assert direct(graph) is None and len(graph.requires) == 6


# -- Python ----------------------------------------------------------------------------------


def uv_package(name: str, version: str = "1.0.0", more: str = "") -> str:
    file = f"https://files.pythonhosted.org/packages/{name}-{version}-py3-none-any.whl"
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\n{more}'
        'source = { registry = "https://pypi.org/simple" }\n'
        f'wheels = [{{ url = "{file}", hash = "sha256:{HEX}" }}]\n\n'
    )


def test_uv(tmp_path: Path) -> None:
    lock = (
        'version = 1\nrequires-python = ">=3.12"\n\n[[package]]\nname = "app"\n'
        'version = "0"\nsource = { virtual = "." }\ndependencies = [{ name = "a" }]\n'
        '[package.dev-dependencies]\ndev = [{ name = "tool" }, { name = "win" }]\n\n'
    )
    windows = '{ name = "win", marker = "sys_platform == \'win32\'" }'
    lock += uv_package(
        "a", more=f'dependencies = [{{ name = "b", version = "2.0.0" }}, {windows}]\n'
    )
    lock += uv_package("b") + uv_package("b", "2.0.0", 'dependencies = [{ name = "a" }]\n')
    lock += uv_package("tool", more='dependencies = [{ name = "b", version = "1.0.0" }]\n')
    lock += uv_package("win")  # is packed, but `a` asks for it on Windows only
    graph = graph_of(tmp_path, "uv", {"uv.lock": lock})
    assert said(graph) == ALL | {"win@1.0.0": []} and direct(graph) == [*DIRECT, "win@1.0.0"]


def poetry_package(name: str, version: str = "1.0.0", more: str = "", group: str = "main") -> str:
    file = f'{{file = "{name}-{version}-py3-none-any.whl", hash = "sha256:{HEX}"}}'
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = false\n'
        f'python-versions = "*"\ngroups = ["{group}"]\nfiles = [{file}]\n{more}\n'
    )


POETRY = (
    poetry_package(
        "a",
        more='[package.dependencies]\nb = {version = ">=2", markers = "python_version > \\"3\\""}\n'
        'win = {version = "*", markers = "sys_platform == \\"win32\\""}\n',
    )
    + poetry_package("b", group="dev")
    + poetry_package("b", "2.0.0", '[package.dependencies]\nA = "*"\n')
    + poetry_package("tool", more='[package.dependencies]\nb = "<2"\n', group="dev")
    + poetry_package("win")
    + '[metadata]\nlock-version = "2.1"\npython-versions = "*"\ncontent-hash = "0"\n'
)
PYPROJECT = (
    '[project]\nname = "app"\ndependencies = ["A>=1"]\n'
    '[tool.poetry.group.dev.dependencies]\ntool = "*"\n'
)


def test_poetry(tmp_path: Path) -> None:
    """Where a name is locked in several versions, the one that its constraint lets through."""
    files = {"poetry.lock": POETRY, "pyproject.toml": PYPROJECT}
    graph = graph_of(tmp_path, "poetry", files)
    assert said(graph) == ALL | {"win@1.0.0": []} and direct(graph) == DIRECT


def test_poetry_without_the_project(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, "poetry", {"poetry.lock": POETRY})
    assert said(graph) == ALL | {"win@1.0.0": []} and direct(graph) is None


def test_poetry_with_words_that_only_poetry_knows(tmp_path: Path) -> None:
    """What is not understood is not ruled out."""
    lock = POETRY.replace('b = "<2"', 'b = "^1.0 || nonsense"').replace(
        'A = "*"', 'A = {version = "*", markers = "nonsense"}'
    )
    graph = graph_of(tmp_path, "poetry", {"poetry.lock": lock})
    assert said(graph)["tool@1.0.0"] == ["b@1.0.0", "b@2.0.0"]
    assert said(graph)["b@2.0.0"] == ["a@1.0.0"]


def pdm_package(name: str, version: str = "1.0.0", *asks: str, more: str = "") -> str:
    file = f'{{file = "{name}-{version}-py3-none-any.whl", hash = "sha256:{HEX}"}}'
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\ngroups = ["default"]\n{more}'
        f"dependencies = {json.dumps(asks)}\nfiles = [{file}]\n\n"
    )


def test_pdm(tmp_path: Path) -> None:
    """A package with extras has a table of its own. What the project asks for is not said."""
    lock = (
        '[metadata]\ngroups = ["default"]\nstrategy = ["inherit_metadata"]\n'
        'lock_version = "4.5.0"\n\n'
        + pdm_package("a", "1.0.0", "win; sys_platform == 'win32'")
        + pdm_package("a", "1.0.0", "a==1.0.0", "B>=2", more='extras = ["x"]\n')
        + pdm_package("b")
        + pdm_package("b", "2.0.0", "a[x]")
        + pdm_package("tool", "1.0.0", "b<2; extra == 'y'")
        + pdm_package("win")
        + pdm_package("odd", "1.0.0", "=?")
    )
    graph = graph_of(tmp_path, "pdm", {"pdm.lock": lock})
    assert said(graph) == ALL | {"win@1.0.0": []} and direct(graph) is None


@pytest.mark.parametrize(
    ("room", "files"),
    [
        ("pip", {"requirements.txt": f"a==1.0.0 --hash=sha256:{HEX}\n"}),
        ("gomod", {"go.sum": "m.test/a v1.0.0 h1:" + "A" * 43 + "=\n"}),
    ],
    ids=["pip", "gomod"],
)
def test_a_list_is_no_graph(tmp_path: Path, room: str, files: dict[str, str]) -> None:
    with pytest.raises(AssertionError):
        graph_of(tmp_path, room, files)


# -- cargo, Bundler ---------------------------------------------------------------------------

CRATES = "registry+https://github.com/rust-lang/crates.io-index"


def crate(name: str, version: str, *asks: str, source: str | None = CRATES) -> str:
    where = f'source = "{source}"\n' if source else ""
    checksum = f'checksum = "{HEX}"\n' if source == CRATES else ""
    asked = f"dependencies = {json.dumps(asks)}\n" if asks else ""
    return f'[[package]]\nname = "{name}"\nversion = "{version}"\n{where}{checksum}{asked}\n'


def test_cargo(tmp_path: Path) -> None:
    """Of a git repository all its packages are one, and what it asks for is a crate too."""
    git = f"git+https://git.example/own.git?branch=main#{COMMIT}"
    lock = "version = 4\n\n" + "".join(
        (
            crate("app", "0.1.0", "a", "tool", source=None),
            crate("a", "1.0.0", "b 2.0.0"),
            crate("b", "1.0.0"),
            crate("b", "2.0.0", f"a 1.0.0 ({CRATES})"),
            crate("tool", "1.0.0", "b 1.0.0", "part"),
            crate("own", "1.0.0", "part", "a", source=git),
            crate("part", "1.0.0", "own", source=git),
        )
    )
    graph = graph_of(tmp_path, "cargo", {"Cargo.lock": lock})
    own = f"own@{COMMIT}"
    assert said(graph) == ALL | {"tool@1.0.0": ["b@1.0.0", own], own: ["a@1.0.0"]}
    assert direct(graph) == DIRECT


def test_cargo_of_the_first_days(tmp_path: Path) -> None:
    """The project had a table of its own."""
    lock = (
        f'[root]\nname = "app"\nversion = "0.1.0"\ndependencies = ["a 1.0.0 ({CRATES})"]\n\n'
        + crate("a", "1.0.0").replace(f'checksum = "{HEX}"\n', "")
        + f'[metadata]\n"checksum a 1.0.0 ({CRATES})" = "{HEX}"\n'
    )
    graph = graph_of(tmp_path, "cargo", {"Cargo.lock": lock})
    assert said(graph) == {"a@1.0.0": []} and direct(graph) == ["a@1.0.0"]


def test_bundler(tmp_path: Path) -> None:
    """A need is for a name: for all variants of the gem, or the commit that has it."""
    lock = f"""GIT
  remote: https://git.example/own.git
  revision: {COMMIT}
  specs:
    own (1.0)
      b

PATH
  remote: .
  specs:
    app (0.1)
      tool

GEM
  remote: https://rubygems.org/
  specs:
    a (1.0.0)
      b (>= 2)
    b (2.0.0)
      a
    b (2.0.0-x86_64-linux)
    tool (1.0.0)
      own

PLATFORMS
  x86_64-linux

DEPENDENCIES
  a (~> 1.0)
  app!
  own!
"""
    graph = graph_of(tmp_path, "bundler", {"Gemfile.lock": lock}, Options())
    own = f"own@{COMMIT}"
    variants = {purl for purl in graph.requires if short(purl) == "b@2.0.0"}
    assert len(variants) == 2
    (a,) = (purl for purl in graph.requires if short(purl) == "a@1.0.0")
    assert graph.requires[a] == variants
    assert sorted(len(graph.requires[purl]) for purl in variants) == [0, 1]
    (commit,) = (purl for purl in graph.requires if short(purl) == own)
    assert graph.requires[commit] == variants
    assert said(graph)["tool@1.0.0"] == [own]
    assert direct(graph) == ["a@1.0.0", own, "tool@1.0.0"]
