"""Installs with their scripts on, from a bundle: bcrypt, better-sqlite3, esbuild and sharp.

bcrypt is compiled, by node-gyp, from Node's headers, on each Node. better-sqlite3 is compiled once,
and comes prebuilt to each client, as prebuild-install asks for it; with VENDORPACK_WHOLE_MATRIX set
each client compiles it, on each Node.

The hosts that Node and GitHub have for such files are stood in for by one on the loopback, as a
company's mirror would be.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import re
import shlex
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli import Cli
from tests.real.addons import SOURCE
from tests.real.clients import (
    PROJECTS,
    Machine,
    client,
    copy_project,
    extract,
    pack,
    tool,
    users,
)
from tests.real.test_downloads import ELECTRON, VERSIONS, Internet, archives
from tests.real.test_npm import npm
from tests.real.test_rehearse import with_npm
from tests.real.ways import Way, online
from tests.world import World
from tests.world.files import Files, artifacts_lock, tar_gz
from tests.world.npm import sri

pytestmark = [pytest.mark.real, pytest.mark.network]

SQLITE = "12.11.1"
NODE_RELEASES = "https://nodejs.org/download/release"
DEPENDENCIES = {
    "bcrypt": "5.1.1",
    "better-sqlite3": SQLITE,
    "esbuild": "0.25.12",
    "sharp": "0.34.5",
}
PROOFS = {
    "bcrypt": ("require('bcrypt').compareSync('w', require('bcrypt').hashSync('w', 4))", "true"),
    "better-sqlite3": (
        "new (require('better-sqlite3'))(':memory:').prepare('select 6 * 7 as n').get().n",
        "42",
    ),
    "esbuild": (
        "require('esbuild').transformSync('let a: number = 1', { loader: 'ts' }).code.trim()",
        "let a = 1;",
    ),
    "sharp": ("typeof require('sharp').versions.vips", "string"),
}
"""What shows that each works, and what it prints."""
NODE_GYP = "11.5.0"
CLIENTS = ("npm-10", "npm-11", "pnpm-9", "pnpm-10", "yarn-1", "yarn-4", "bun-1.4")
WHOLE = "VENDORPACK_WHOLE_MATRIX" in os.environ
"""Every client on every Node compiles all: each takes a minute or two."""
COMPILED = tuple(name for name in DEPENDENCIES if WHOLE or name != "better-sqlite3")
OLDER = [
    ("node-20", "npm-11"),
    ("node-20", "pnpm-10"),
    ("node-22", "npm-11"),
    ("node-22", "yarn-4"),
]
PAIRS = [*itertools.product(("node-20", "node-22"), CLIENTS)] if WHOLE else OLDER
QUICK = {"CFLAGS": "-O0", "CXXFLAGS": "-O0"}
"""What compiles better-sqlite3 in seconds, not in minutes."""


def proof(names: Sequence[str]) -> str:
    """All are loaded first: Node.js 24 crashes where sharp is while a database is open."""
    loaded = [f"require('{name}')" for name in names]
    return ";".join([*loaded, *(f"console.log({PROOFS[name][0]})" for name in names)])


def manifest(names: Sequence[str]) -> str:
    """package.json. node-gyp is in it for clients that bring none, or one too new for the Node."""
    wanted = {name: DEPENDENCIES[name] for name in names}
    return json.dumps(
        {
            "name": "app",
            "version": "1.0.0",
            "private": True,
            "dependencies": wanted,
            "devDependencies": {"node-gyp": NODE_GYP},
            "resolutions": {"node-gyp": NODE_GYP},
            "allowScripts": dict.fromkeys(wanted, True),
            "trustedDependencies": [*wanted],
            "pnpm": {"onlyBuiltDependencies": [*wanted]},
        },
        indent=2,
    )


def node_version(node: Path) -> str:
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def headers(node: Path) -> bytes:
    """What nodejs.org has for this Node, from the folder that it was installed with."""
    version = node_version(node)
    folder = node.resolve().parent.parent / "include/node"
    files = {
        f"node-{version}/include/node/{path.relative_to(folder)}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    assert files, f"{folder} has no headers"
    return tar_gz(files)


class Outside(World):
    """Servers beside the real registry, which this machine trusts as it is set up to."""

    @property
    def environ(self) -> dict[str, str]:
        named = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_DIR", "SSL_CERT_FILE")
        return {name: os.environ[name] for name in named if name in os.environ}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Outside(tmp_path_factory.mktemp("world")) as running:
        yield running


@pytest.fixture(scope="module")
def mirror(world: World) -> Files:
    """Stands in for nodejs.org and github.com."""
    tool("g++"), tool("make")
    return world.site().mount("", Files())


def put_headers(mirror: Files, node: Path) -> str:
    version = node_version(node)
    name = f"node-{version}-headers.tar.gz"
    return mirror.put(f"node/{version}/{name}", headers(node))


def lock_of(mirror: Files, urls: Sequence[str]) -> str:
    return artifacts_lock(
        {
            url: hashlib.sha256(mirror.at[url.removeprefix(mirror.url + "/")]).hexdigest()
            for url in urls
        }
    )


@pytest.fixture(scope="module")
def prebuilt(mirror: Files, world: World, tmp_path_factory: pytest.TempPathFactory) -> str:
    """better-sqlite3, compiled by `npm ci` from a bundle, as its authors release it."""
    folder = tmp_path_factory.mktemp("prebuilt")
    node, script = npm("11")
    Way(
        files={
            "package.json": manifest(["better-sqlite3"]),
            "artifacts.lock.yaml": lock_of(mirror, [put_headers(mirror, node)]),
        },
        lock=[(node, script, "install", "--package-lock-only", "--ignore-scripts")],
        install=[(node, script, "ci")],
        proof=(node, "-p", "new (require('better-sqlite3'))(':memory:').open"),
        said="true",
        path=[node.parent],
        installing=QUICK,
        options=["--allow-host", mirror.origin],
    ).go(world, folder)
    built = folder / "target/project/node_modules/better-sqlite3/build/Release/better_sqlite3.node"
    abi = subprocess.run(
        [node, "-p", "process.versions.modules"], capture_output=True, text=True, check=True
    ).stdout.strip()
    name = f"better-sqlite3-v{SQLITE}-node-v{abi}-linux-x64.tar.gz"
    data = tar_gz({"build/Release/better_sqlite3.node": built.read_bytes()}, mode=0o755)
    return mirror.put(f"github/WiseLibs/better-sqlite3/releases/download/v{SQLITE}/{name}", data)


def commands(name: str, node: Path) -> tuple[list[Sequence[str | Path]], Sequence[str | Path]]:
    """How a client locks and installs, with its scripts."""
    kind, _, version = name.partition("-")
    if kind == "npm":
        script = npm(version)[1]
        lock = (node, script, "install", "--package-lock-only", "--ignore-scripts")
        return [lock], (node, script, "ci")
    if kind == "pnpm":
        script = client(name) / "node_modules/pnpm/bin/pnpm.cjs"
        return (
            [(node, script, "install", "--lockfile-only")],
            (node, script, "install", "--frozen-lockfile"),
        )
    if kind == "bun":
        program = client(name) / "node_modules/bun/bin/bun.exe"
        return [(program, "install", "--lockfile-only")], (program, "install", "--frozen-lockfile")
    if version == "1":
        script = client(name) / "node_modules/yarn/bin/yarn.js"
        return (
            [(node, script, "install", "--ignore-scripts"), ("rm", "-r", "node_modules")],
            (node, script, "install", "--frozen-lockfile", "--offline"),
        )
    script = client(name) / "node_modules/@yarnpkg/cli-dist/bin/yarn.js"
    return [(node, script, "install", "--mode=update-lockfile"), ("rm", "-rf", ".yarn")], (
        node,
        script,
        "install",
        "--immutable",
    )


def way(name: str, node: Path, mirror: Files, urls: Sequence[str], names: Sequence[str]) -> Way:
    """The packages, by a client on a Node, and what is packed beside them."""
    lock, install = commands(name, node)
    files = {"package.json": manifest(names), "artifacts.lock.yaml": lock_of(mirror, urls)}
    if name == "yarn-4":
        files[".yarnrc.yml"] = "nodeLinker: node-modules\nenableScripts: true\n"
    return Way(
        files=files,
        lock=lock,
        install=[install],
        proof=(node, "-e", proof(names)),
        said="\n".join(PROOFS[name][1] for name in names),
        path=[node.parent, client("bun-1.4") / "node_modules/.bin"],  # Bun's node-gyp is `bun x`
        installing=QUICK,
        options=["--allow-host", mirror.origin],
    )


@pytest.mark.parametrize("name", CLIENTS)
def test_scripts_run_offline(
    name: str, mirror: Files, prebuilt: str, world: World, tmp_path: Path
) -> None:
    node = client("node") / "bin/node"
    urls = [put_headers(mirror, node), prebuilt]
    way(name, node, mirror, urls, tuple(DEPENDENCIES)).go(world, tmp_path)


@pytest.mark.parametrize(("name", "version"), [*PAIRS, ("node", "npm-12")])
def test_each_node(name: str, version: str, mirror: Files, world: World, tmp_path: Path) -> None:
    """It compiles from the headers of that Node; npm 12 runs what `allowScripts` has."""
    node = client(name) / "bin/node"
    way(version, node, mirror, [put_headers(mirror, node)], COMPILED).go(world, tmp_path)


def test_headers_of_electron(mirror: Files, tmp_path: Path) -> None:
    """They are Node's in their place, and the addon has a few lines."""
    node, script = npm("11")
    version = VERSIONS["electron"]
    path = f"headers/v{version}/node-v{version}-headers.tar.gz"
    project = tmp_path / "project"
    project.mkdir()
    lock = lock_of(mirror, [mirror.put(path, headers(node))])
    (project / "artifacts.lock.yaml").write_text(lock)
    (project / "addon.c").write_text(SOURCE)
    target = {"target_name": "addon", "sources": ["addon.c"]}
    (project / "binding.gyp").write_text(json.dumps({"targets": [target]}))
    bundle = tmp_path / "deps.tar.zst"
    Cli(tmp_path).ok("pack", project, "--allow-host", mirror.origin, "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    there = Machine(tmp_path / "target", [node.parent])
    gyp = script.parent.parent / "node_modules/node-gyp/bin/node-gyp.js"
    electron = (f"--target={version}", "--dist-url=https://electronjs.org/headers")
    there.offline(node, gyp, "rebuild", *electron, cwd=project, prefix=prefix)
    answer = "require('./build/Release/addon').answer"
    assert there.offline(node, "-p", answer, cwd=project) == "42\n"


def test_rehearsal_is_clean_once_headers_are_packed(mirror: Files, tmp_path: Path) -> None:
    """bcrypt 5 asks for a prebuilt addon first, unless it is told to compile at once."""
    node = client("node") / "bin/node"
    project = copy_project(PROJECTS / "hello-addon", tmp_path / "project")
    cli = with_npm(tmp_path)
    bundle = tmp_path / "deps.tar.zst"
    options = ("--env", "npm_config_build_from_source=true", "--json")
    pack(cli, project)
    version = node_version(node)
    for user in users(cli):
        done = user("rehearse", *options, bundle, cwd=project)
        assert done.code == 14, done.err
        assert [row["address"] for row in done.json["reached"] if not row["harmless"]] == [
            f"{NODE_RELEASES}/{version}/node-{version}-headers.tar.gz"
        ]
    (project / "artifacts.lock.yaml").write_text(lock_of(mirror, [put_headers(mirror, node)]))
    pack(cli, project, "--allow-host", mirror.origin)
    for user in users(cli):
        done = user("rehearse", *options, bundle, cwd=project)
        assert done.code == 0, done.err
        assert not [row for row in done.json["reached"] if not row["harmless"]]


@pytest.fixture(scope="module")
def internet(
    mirror: Files, prebuilt: str, world: World, tmp_path_factory: pytest.TempPathFactory
) -> Internet:
    """nodejs.org and github.com themselves; what is Electron there was made for it."""
    node = client("node") / "bin/node"
    version = node_version(node)
    files = {url: data for url, data in archives().items() if url.endswith(ELECTRON)}
    files[f"{NODE_RELEASES}/{version}/node-{version}-headers.tar.gz"] = headers(node)
    place = prebuilt.removeprefix(f"{mirror.url}/")
    files[f"https://{place.replace('github', 'github.com', 1)}"] = mirror.at[place]
    return Internet.of(world, files, tmp_path_factory.mktemp("internet"))


def electron_of(mirror: Files) -> tuple[str, str]:
    """Electron's package, with the hash of the archive that was made; its address and integrity."""
    version = VERSIONS["electron"]
    url = f"https://registry.npmjs.org/electron/-/electron-{version}.tgz"
    with urllib.request.urlopen(url) as answer:
        archive = io.BytesIO(answer.read())
    with tarfile.open(fileobj=archive) as tar:
        found = {one.name: tar.extractfile(one) for one in tar}
        files = {name: file.read() for name, file in found.items() if file is not None}
    (made,) = (data for url, data in archives().items() if url.endswith(ELECTRON))
    hashes = {ELECTRON: hashlib.sha256(made).hexdigest()}
    files["package/checksums.json"] = json.dumps(hashes).encode()
    package = tar_gz(files)
    return mirror.put(f"npm/electron-{version}.tgz", package), sri(package)


SQLITE_WORKS = f"node -p {shlex.quote(PROOFS['better-sqlite3'][0])}"
ELECTRON_STARTS = "$(node -p 'require(\"electron\")')"


@pytest.mark.parametrize(
    ("name", "version", "proof", "shown"),
    [
        ("better-sqlite3", SQLITE, SQLITE_WORKS, "42"),
        ("electron", VERSIONS["electron"], ELECTRON_STARTS, "electron of the bundle"),
    ],
)
def test_rehearsed_until_nothing_lacks(
    name: str,
    version: str,
    proof: str,
    shown: str,
    mirror: Files,
    internet: Internet,
    world: World,
    tmp_path: Path,
) -> None:
    """The command that the first one names is typed, and the second has nothing to say."""
    node, script = npm("11")
    project = tmp_path / "project"
    project.mkdir()
    manifest = {"name": "app", "version": "1.0.0", "dependencies": {name: version}}
    (project / "package.json").write_text(json.dumps(manifest))
    (project / ".nvmrc").write_text(node_version(node))
    lock = (node, script, "install", "--package-lock-only", "--ignore-scripts")
    online(lock, project, Machine(tmp_path, [node.parent]).env(world.environ))
    if name == "electron":
        locked = json.loads((project / "package-lock.json").read_text())
        entry = locked["packages"]["node_modules/electron"]
        entry["resolved"], entry["integrity"] = electron_of(mirror)
        (project / "package-lock.json").write_text(json.dumps(locked))
    cli = with_npm(tmp_path, internet.environ)
    allowed = ("--allow-host", mirror.origin)
    install = ("sh", "-c", f"npm ci && {proof}")
    rehearse = ("rehearse", tmp_path / "deps.tar.zst", "--json", "--", *install)
    pack(cli, project, *allowed)
    first: dict[str, Any] = {}
    for user in users(cli):
        done = user(*rehearse, cwd=project)
        assert done.code == 14, done.err
        first = next(row for row in done.json["reached"] if not row["harmless"])
        release = f"/releases/download/v{version}/{name}-v{version}-"
        assert first["address"].startswith("https://github.com/") and release in first["address"]
        assert {by["folder"] for by in first["by"]} == {str(project / "node_modules" / name)}
    command = re.search("`vendorpack (extras [^`]+)`", first["remedy"])
    assert command is not None, first
    cli.ok(*command[1].split(), *allowed, cwd=project)
    assert f"download_url: {first['address']}" in (project / "artifacts.lock.yaml").read_text()
    pack(cli, project, *allowed)
    for user in users(cli):
        done = user(*rehearse, cwd=project)
        assert done.code == 0, done.err
        assert not [row for row in done.json["reached"] if not row["harmless"]]
        assert done.json["lacks"] == []
        assert shown in done.err.splitlines()  # with --json the command's output is there
