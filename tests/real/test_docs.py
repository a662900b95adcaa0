"""The documentation does what it says: every command of it is run, as it stands on the page.

A section's blocks are typed one after another into one terminal (`tests.real.docs`), in a copy
of a small project, by `sh -e`, with the network cut off from all but vendorpack's own downloads.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.engine.test_remote_store import s3
from tests.real import test_bundler, test_cargo
from tests.real.clients import PROJECTS, Machine, client, copy_project, tool
from tests.real.docs import Block, Kit, Page, Terminal, dockerfile
from tests.real.engines import buildah, docker_registry, dockerd
from tests.real.python_kinds import settings
from tests.real.roots import write_root
from tests.real.test_downloads import Internet
from tests.real.test_downloads import archives as downloads
from tests.real.test_extras import headers, node_version
from tests.real.test_pip import environment, target_of
from tests.world import World
from tests.world.files import zip_of
from tests.world.gems import gem_world
from vendorpack.target import this_machine

pytestmark = [pytest.mark.real, pytest.mark.network]

__all__ = ["s3"]  # the fixture


@dataclass(frozen=True)
class Scene:
    """Where a section's blocks are typed.

    project: below tests/real/projects. needs: fixtures that return kits. before: what the section
    takes for granted, typed first. after: typed last, fails if it did not work. recipe: the
    Dockerfile of docs/containers.md that lies in the project.
    """

    project: str
    needs: tuple[str, ...]
    after: str
    before: str = ""
    recipe: str = ""


PYTHON_TARGET = "linux-x86_64-gnu-py3.12"
SUBSTITUTED = {
    "registry.example/": "the address of a registry on the loopback",
    "sha256:…": "the digest of the image that was just pushed",
    "24.19.0": "the version of the Node that is here",
    PYTHON_TARGET: "this machine, and the Python that the client has here",
}
"""All that is typed otherwise than it is written, and what is typed for it."""

NODE = "node:22-slim"
INSTALLED = "test -f node_modules/kleur/package.json"
BUILT = 'test -n "$(docker images --quiet)"'
OLD = "vendorpack pack --no-dev -o old.tar.zst\n"
DEPS_1 = "vendorpack pack --target linux-x86_64-gnu --no-dev -o deps-1.tar.zst\n"
DELTA_2 = "vendorpack pack --target linux-x86_64-gnu --base deps-1.tar.zst -o delta-2.tar.zst\n"
UNPACKED_1 = "vendorpack unpack deps-1.tar.zst --prefix /opt/deps\n"
SIGNER = """\
mkdir ~/.ssh && ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519
echo "you@example.com $(cat ~/.ssh/id_ed25519.pub)" > allowed_signers
"""
OFFLINE_INSTALL = f". /opt/deps/vendorpack.env && npm ci && {INSTALLED}"

SCENES: Mapping[tuple[str, str], Scene] = {
    ("README.md", "Use it"): Scene(
        "hello-npm",
        ("npm", "registry"),
        before=f"{OLD}vendorpack pack -o deps.tar\n",
        after=f"{INSTALLED} && test -d ~/.npm/_cacache",
    ),
    ("docs/rehearse.md", "Rehearsing the gap"): Scene(
        "hello-npm", ("npm",), after="test ! -e node_modules"
    ),
    ("docs/project-file.md", "A project's own options"): Scene(
        "hello-npm", (), after="grep -q '^target = ' vendorpack.toml && vendorpack key"
    ),
    ("docs/extras.md", "An app with bcrypt and Playwright"): Scene(
        "hello-extras",
        ("npm", "node_and_browsers"),
        after="test -x node_modules/bcrypt/lib/binding/napi-v3/bcrypt_lib.node",
    ),
    ("docs/fleet.md", "Many repositories"): Scene(
        "hello-npm", (), after="test -s fleet.json && ls /mnt/deps/bundles/v1/*.tar.zst"
    ),
    ("docs/fleet.md", "On a cluster"): Scene("hello-npm", (), after="ls /mnt/deps/cas/sha256/*/*"),
    ("docs/npm.md", "npm"): Scene("hello-npm", ("npm",), after=INSTALLED),
    ("docs/pnpm.md", "pnpm"): Scene("hello-pnpm", ("pnpm",), after=INSTALLED),
    ("docs/bun.md", "Bun"): Scene("hello-bun", ("bun",), after="bun index.ts"),
    ("docs/deno.md", "Deno"): Scene(
        "hello-deno", ("deno",), after="deno run --frozen --cached-only --allow-env main.ts"
    ),
    ("docs/maven.md", "Maven"): Scene(
        "hello-maven", ("maven",), after="test -f target/small-1.0.jar"
    ),
    ("docs/gradle.md", "Gradle"): Scene(
        "hello-gradle", ("gradle",), before="ip link set lo up\n", after="test -d build/libs"
    ),
    ("docs/yarn.md", "Yarn 1 (Classic)"): Scene("hello-yarn-1", ("yarn_1",), after=INSTALLED),
    ("docs/yarn.md", "Yarn 2, 3 and 4 (Berry)"): Scene(
        "hello-yarn-4", ("yarn_4",), after=INSTALLED
    ),
    ("docs/cargo.md", "Cargo"): Scene("hello-cargo", ("cargo",), after="target/debug/hello"),
    ("docs/go.md", "Go modules"): Scene("hello-go", ("go",), after="go run ."),
    ("docs/bundler.md", "Bundler"): Scene(
        "", ("gems",), after="bundle exec ruby -e 'require %(chain1)'"
    ),
    ("docs/pip.md", "pip"): Scene(
        "hello-pip", ("pip",), after="python -c 'import idna, six, simplejson'"
    ),
    ("docs/pip.md", "pylock.toml"): Scene(
        "hello-pip", ("pip",), after="python -c 'import docopt, idna, six'"
    ),
    ("docs/pdm.md", "PDM"): Scene(
        "hello-pdm", ("pdm",), after=".venv/bin/python -c 'import docopt, iniconfig, requests'"
    ),
    ("docs/uv.md", "uv"): Scene(
        "hello-uv", ("uv",), after=".venv/bin/python -c 'import click, docopt, hello, pytest'"
    ),
    ("docs/poetry.md", "Poetry"): Scene(
        "hello-poetry", ("poetry",), after=".venv/bin/python -c 'import click, docopt, pytest'"
    ),
    ("docs/pipenv.md", "Pipenv"): Scene(
        "hello-pipenv", ("pipenv",), after=".venv/bin/python -c 'import docopt, idna, requests'"
    ),
    ("docs/air-gap.md", "The first time"): Scene(
        "hello-npm", ("npm", "ssh"), before=SIGNER, after=INSTALLED
    ),
    ("docs/air-gap.md", "What a reviewer asks for"): Scene(
        "hello-npm",
        ("npm", "ssh"),
        before=SIGNER + DEPS_1,
        after="grep -q pkg:npm/kleur@ deps-1.cdx.json && grep -q pkg:npm/kleur@ deps-1.spdx.json",
    ),
    ("docs/air-gap.md", "Licences"): Scene(
        "hello-npm", ("npm",), before=DEPS_1, after="test -e deps.tar.zst"
    ),
    ("docs/air-gap.md", "Without vendorpack inside"): Scene(
        "hello-npm", ("npm",), before=DEPS_1, after=f"npm ci --omit=dev && {INSTALLED}"
    ),
    ("docs/air-gap.md", "Every time after"): Scene(
        "hello-npm", ("npm",), before=DEPS_1 + UNPACKED_1, after=OFFLINE_INSTALL
    ),
    ("docs/air-gap.md", "A delta without vendorpack inside"): Scene(
        "hello-npm",
        ("npm",),
        before=DEPS_1 + UNPACKED_1 + DELTA_2,
        after=f"vendorpack verify /opt/deps && {OFFLINE_INSTALL}",
    ),
    ("docs/ci.md", "vendorpack in CI"): Scene(
        "hello-npm", (), before=OLD, after="vendorpack verify deps.tar.zst"
    ),
    ("docs/ci.md", "Many projects"): Scene(
        "hello-npm", (), before="mkdir -p /mnt/deps\n", after="test -f project-*.tar.zst"
    ),
    ("docs/ci.md", "A store for the team"): Scene(
        "hello-npm", ("bucket",), after="vendorpack verify deps.tar.zst"
    ),
    ("docs/bundle-format.md", "The bundle format"): Scene(
        "hello-npm", ("python",), after="test $(python3 read_bundle.py deps.tar.zst | wc -l) = 9"
    ),
    ("docs/containers.md", "Add a tar"): Scene("hello-npm", ("docker",), BUILT, recipe="add"),
    ("docs/containers.md", "Mount an image"): Scene(
        "hello-npm", ("docker", "registry"), BUILT, recipe="image-mount"
    ),
    ("docs/containers.md", "Without a registry"): Scene(
        "hello-npm", ("docker", "podman_like"), BUILT, recipe="image-mount"
    ),
    ("docs/containers.md", "push and pull"): Scene(
        "hello-npm",
        ("registry", "digest"),
        before="vendorpack pack\n",
        after="vendorpack verify deps.tar.zst",
    ),
}


# -- clients -------------------------------------------------------------------------------


def javascript(name: str) -> Kit:
    return Kit([client(name) / "node_modules/.bin", client("node") / "bin"])


@pytest.fixture
def npm() -> Kit:
    return javascript("npm-11")


@pytest.fixture
def pnpm() -> Kit:
    return javascript("pnpm-11")


@pytest.fixture
def bun(tmp_path: Path) -> Kit:
    folder = tmp_path / "bun"
    folder.mkdir()
    (folder / "bun").symlink_to(client("bun-1.4") / "node_modules/bun/bin/bun.exe")
    return Kit([folder])


@pytest.fixture
def deno() -> Kit:
    return Kit([client("deno-2.9") / "node_modules/deno"])


@pytest.fixture
def maven(tmp_path: Path) -> Kit:
    (folder,) = client("maven-3.9").glob("apache-maven-*")
    # Java asks the system, not HOME, who the user is.
    return Kit([folder / "bin"], {"MAVEN_OPTS": f"-Duser.home={tmp_path / 'home'}"})


@pytest.fixture
def gradle() -> Kit:
    # Its daemon would outlive the test.
    no_daemon = {"GRADLE_OPTS": "-Dorg.gradle.daemon=false"}
    return Kit([Path(tool("gradle")).parent], no_daemon)


@pytest.fixture
def yarn_1(tmp_path: Path) -> Kit:
    # As root Yarn 1 has a cache that all users share, whatever HOME is.
    kit = javascript("yarn-1")
    return Kit(kit.path, {"YARN_CACHE_FOLDER": str(tmp_path / "cache")})


@pytest.fixture
def yarn_4() -> Kit:
    return javascript("yarn-4")


@pytest.fixture
def cargo() -> Kit:
    return Kit([Path(tool("cargo")).parent], test_cargo.toolchain())


@pytest.fixture
def go() -> Kit:
    # Else the test's folder could not be removed by just anybody.
    return Kit([Path(tool("go")).parent], {"GOFLAGS": "-modcacherw"})


@pytest.fixture
def python(tmp_path: Path) -> Kit:
    """A virtual environment in which all is installed that these tests run with."""
    venv = tmp_path / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (site,) = venv.glob("lib/python3*/site-packages")
    (site / "tests.pth").write_text(sysconfig.get_path("purelib"))
    return Kit([venv / "bin"])


def python_client(program: Path, folder: Path) -> Kit:
    """The client alone, without the Python that lies beside it, and `.venv` in the project."""
    folder.mkdir()
    (folder / program.name).symlink_to(program)
    words = {PYTHON_TARGET: target_of(program)}
    return Kit([folder, Path(sys.base_prefix, "bin")], settings(program), words)


@pytest.fixture
def pip(tmp_path: Path) -> Kit:
    """pip 26, which installs into an empty virtual environment."""
    folder = tmp_path / "venv"
    program = client("pip-26") / "bin/pip"
    python = environment(Machine(tmp_path), program, folder)
    (folder / "bin/pip").write_text(f'#!/bin/sh\nexec {program} --python {python} "$@"\n')
    (folder / "bin/pip").chmod(0o755)
    return Kit([folder / "bin"], words={PYTHON_TARGET: target_of(program)})


@pytest.fixture
def uv(tmp_path: Path) -> Kit:
    return python_client(client("uv-0.13") / "bin/uv", tmp_path / "uv")


@pytest.fixture
def poetry(tmp_path: Path) -> Kit:
    return python_client(client("poetry-2.5") / "bin/poetry", tmp_path / "poetry")


@pytest.fixture
def pipenv(tmp_path: Path) -> Kit:
    return python_client(client("pipenv") / "bin/pipenv", tmp_path / "pipenv")


@pytest.fixture
def pdm(tmp_path: Path) -> Kit:
    return python_client(client("pdm-2.29") / "bin/pdm", tmp_path / "pdm")


@pytest.fixture
def gems(tmp_path: Path) -> Iterator[Kit]:
    """Gems that need each other, on a server of their own, and a project locked to them."""
    built = test_bundler.Built(tmp_path / "built")
    built.build(*test_bundler.chain(built, "Chain", 2))
    made = gem_world(tmp_path / "repositories")
    main = made.sources["main"]
    main.releases += [built.release("chain0"), built.release("chain1", needs="chain0:~> 1.0")]
    project = tmp_path / "locked"
    project.mkdir()
    (project / "Gemfile").write_text(f'source "{made.url("main")}"\ngem "chain1"\n')
    with made.server:
        bundle = test_bundler.bundler("system")
        test_bundler.lock(Machine(tmp_path / "locking"), bundle, project)
        env = test_bundler.credentials() | {"BUNDLE_PATH": str(tmp_path / "installed")}
        yield Kit([Path(tool("bundle")).parent], env, project=project)


@pytest.fixture
def ssh() -> Kit:
    return Kit([Path(tool("ssh-keygen")).parent])


# -- services ------------------------------------------------------------------------------


@pytest.fixture
def registry() -> Iterator[Kit]:
    with docker_registry() as running:
        yield Kit(words={"registry.example/": f"{running.host}/"})


@pytest.fixture
def node_and_browsers(tmp_path: Path) -> Iterator[Kit]:
    """Node's headers, as this Node has them, and what stands in for Playwright's browsers."""
    program = client("node") / "bin/node"
    version = node_version(program).removeprefix("v")
    release = f"https://nodejs.org/download/release/v{version}/node-v{version}-headers.tar.gz"
    browsers = {url: data for url, data in downloads().items() if "cdn.playwright.dev" in url}
    chromium = next(url for url in browsers if "chromium-headless-shell" in url)
    browsers[chromium.replace("chromium-headless-shell", "chromium")] = zip_of(
        {"chrome-linux/chrome": b"#!/bin/sh\n"}
    )
    with World(tmp_path) as world:
        environ = Internet.of(world, {**browsers, release: headers(program)}, tmp_path).environ
        yield Kit(env=environ, words={"24.19.0": version})


@pytest.fixture
def digest(real_cli: Cli, tmp_path: Path) -> Kit:
    """What stands for the digest of hello-npm's image."""
    options = ("--oci", tmp_path / "image", "--json")
    made = real_cli.ok("pack", "package-lock.json", *options, cwd=PROJECTS / "hello-npm").json
    return Kit(words={"sha256:…": made["oci"]["digest"]})


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The root of a base image."""
    with tempfile.TemporaryDirectory(prefix="vp-docs-") as folder:
        write_root(NODE, Path(folder, "node.tar"))
        yield Path(folder, "node.tar")


@pytest.fixture(scope="module")
def docker(node: Path) -> Iterator[Kit]:
    with dockerd() as running:
        running.add_base(NODE, node)
        env = {"DOCKER_HOST": f"unix://{running.socket}", "DOCKER_BUILDKIT": "1"}
        # The client beside the daemon, where there are several.
        yield Kit([Path("/usr/bin")], env)


@pytest.fixture(scope="module")
def podman_like(node: Path) -> Iterator[Kit]:
    with buildah() as ready:
        ready.add_base(NODE, node)
        storage = ready.folder / "storage.conf"
        storage.write_text(
            f"[storage]\ndriver = 'overlay'\n"
            f"graphroot = '{ready.folder}/root'\nrunroot = '{ready.folder}/run'\n"
        )
        env = {
            "CONTAINERS_STORAGE_CONF": str(storage),
            "CONTAINERS_REGISTRIES_CONF": str(ready.folder / "none.conf"),
            "BUILDAH_ISOLATION": "oci",
            "BUILDAH_RUNTIME": "runc",
        }
        yield Kit(env=env)


@pytest.fixture
def bucket(s3: Mapping[str, str], python: Kit) -> Kit:
    """An S3 that has the pages' bucket, and a pip."""
    address = f"{s3['AWS_ENDPOINT_URL']}/team-deps"
    urllib.request.urlopen(urllib.request.Request(address, method="PUT")).close()
    return Kit(env=s3, online={"pip": f"{python.path[0]}/python -m pip"})


# -- what is run ---------------------------------------------------------------------------


@pytest.mark.parametrize("where", SCENES, ids="/".join)
def test_what_the_page_says(
    where: tuple[str, str], real_cli: Cli, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    page, section = where
    scene = SCENES[where]
    blocks = [b for b in Page.read(page).blocks if b.section == section and runs_here(b)]
    assert blocks, "nothing to run is left there"
    kits = [request.getfixturevalue(name) for name in scene.needs]
    source = next((kit.project for kit in kits if kit.project), PROJECTS / scene.project)
    project = copy_project(source, tmp_path / "project")
    if scene.recipe:
        (project / "Dockerfile").write_text(dockerfile(scene.recipe))
    for block in Page.read(page).blocks:
        if block.mark.startswith("file: "):
            (project / block.mark.removeprefix("file: ")).write_text(block.text)
    assert all(kit.words.keys() <= SUBSTITUTED.keys() for kit in kits)
    terminal = Terminal(Machine(tmp_path), real_cli, kits)
    script = "\n".join([scene.before, *(block.text for block in blocks), scene.after])
    done = terminal.run(script, project)
    assert done.code == 0, f"{blocks[0]}\n{done.out}"


def runs_here(block: Block) -> bool:
    """Whether it is typed into a scene's terminal."""
    return block.language == "sh" and not block.mark.startswith(("not run:", "ci:"))


# -- a session -----------------------------------------------------------------------------


SECONDS = re.compile(r"\b\d+(\.\d+)? ?m?s\b")


def test_the_session_of_the_readme(npm: Kit, tmp_path: Path) -> None:
    """What it prints today is what the README shows; a line of `…` stands for any lines."""
    if str(this_machine()) != "linux-x86_64-gnu":
        pytest.skip("the README shows linux-x86_64-gnu")
    (block,) = [b for b in Page.read("README.md").blocks if b.language == "console"]
    commands = re.findall(r"^\$ (.*)$", block.text, re.MULTILINE)
    script = "".join(f"cat <<'.'\n$ {command}\n.\n{command}\n" for command in commands)
    project = copy_project(PROJECTS / "hello-npm", tmp_path / "project")
    done = Terminal(Machine(tmp_path), Cli(tmp_path), [npm]).run(script, project)
    lines = SECONDS.sub("0 s", block.text).splitlines()
    pattern = "".join(r"(.*\n)*" if line == "…" else f"{re.escape(line)}\n" for line in lines)
    assert done.code == 0 and re.fullmatch(pattern, SECONDS.sub("0 s", done.out)), done.out
