"""Bundles in container builds: the Dockerfiles of docs/containers.md, built without a network."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import PROJECTS, copy_project, pack
from tests.real.docs import dockerfile
from tests.real.engines import (
    Buildah,
    Built,
    DebianRegistry,
    Docker,
    buildah,
    docker_registry,
    dockerd,
)
from tests.real.roots import ROOTS, write_root

pytestmark = [pytest.mark.real, pytest.mark.network]


@dataclass(frozen=True)
class Project:
    """A project of tests/real/projects, and what its image is to print."""

    name: str
    lockfile: str
    prints: str


NPM = Project("hello-npm", "package-lock.json", "...installed offline\n")
CLIENTS = {
    "npm": NPM,
    "pip": Project("hello-requirements", "requirements.txt", "1.17.0 1.5.0\n"),
    "go": Project("hello-go", "go.sum", "hello en\n"),
    "cargo": Project("hello-cargo", "Cargo.lock", '{"greeting":"hello"}\n'),
}
WAYS = ("add", "mount", "image-copy", "image-mount")
ENGINES = {"docker": WAYS, "classic": ("add", "image-copy"), "podman_like": WAYS}
"""The ways that each engine can; `classic` is Docker's builder before BuildKit."""
BUILDS = [
    *(
        (client, engine, way)
        for client in ("npm", "pip", "go")
        for engine, ways in ENGINES.items()
        for way in ways
    ),
    # It compiles for long: every engine and every way once.
    ("cargo", "docker", "mount"),
    ("cargo", "docker", "image-mount"),
    ("cargo", "classic", "add"),
    ("cargo", "podman_like", "image-copy"),
]


# -- the page ------------------------------------------------------------------------------


_MOUNTED = re.compile(
    r"ARG DEPS\nFROM \$\{DEPS\} AS deps\n\n"
    r"FROM (?P<image>[^\n]+)\n"
    r"(?P<files>.+)"
    r"RUN --mount=type=bind,from=deps,target=/opt/deps(?:,rw)? \\\n"
    r"    \. /opt/deps/vendorpack\.env && (?P<command>[^\n]+)\n"
    r"(?P<rest>.+)",
    re.DOTALL,
)


def recipe(way: str, client: str) -> str:
    """A way's Dockerfile, which the page has for npm, with another client's four parts."""
    if way == "image-mount":
        return dockerfile(way if client == "npm" else client)
    text = dockerfile(way)
    npm, other = (_MOUNTED.fullmatch(recipe("image-mount", name)) for name in ("npm", client))
    assert npm is not None and other is not None
    for part in npm.groupdict():
        assert text.count(npm[part]) == 1, (way, part)
        text = text.replace(npm[part], other[part])
    return text


# -- engines, base images and bundles ------------------------------------------------------


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    with dockerd() as running:
        yield running


@pytest.fixture(scope="module")
def classic(docker: Docker) -> Docker:
    return dataclasses.replace(docker, buildkit=False)


@pytest.fixture(scope="module")
def podman_like() -> Iterator[Buildah]:
    with buildah() as ready:
        yield ready


def give_bases(engine: Docker | Buildah, text: str) -> None:
    """See to it that the engine has the base images of a Dockerfile."""
    for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        if image in ROOTS and not engine.has(image):
            # Not in a folder of pytest, which would keep it: some are large.
            with tempfile.TemporaryDirectory(prefix="vp-root-") as folder:
                write_root(image, Path(folder, "root.tar"))
                engine.add_base(image, Path(folder, "root.tar"))


@dataclass(frozen=True)
class Plain:
    """Every client's bundle as a plain tar, which all engines take, packed when first needed."""

    folder: Path
    registry: str
    cli: Cli

    def file(self, client: str) -> Path:
        """The bundle."""
        project, file = CLIENTS[client], self.folder / client / "deps.tar"
        if not file.exists():
            file.parent.mkdir()
            pack(self.cli, PROJECTS / project.name / project.lockfile, "-o", file)
        return file

    def image(self, client: str) -> str:
        """A reference to it in the registry."""
        target = f"{self.registry}/plain/{client}"
        return tag(self.cli.ok("push", self.file(client), target).out)


@pytest.fixture(scope="module")
def registry() -> Iterator[DebianRegistry]:
    with docker_registry() as running:
        yield running


@pytest.fixture(scope="module")
def plain(
    real_cli: Cli, registry: DebianRegistry, tmp_path_factory: pytest.TempPathFactory
) -> Plain:
    return Plain(tmp_path_factory.mktemp("plain"), registry.host, real_cli)


@dataclass(frozen=True)
class Bundles:
    """hello-npm in the other forms."""

    folder: Path
    key: str
    digest: str
    """Of the image with the compressed bundle."""


@pytest.fixture(scope="module")
def bundles(real_cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    folder = tmp_path_factory.mktemp("containers")
    project = PROJECTS / NPM.name
    pack(real_cli, project, "-o", folder / "deps.tar", "--oci", folder / "plain-image.tar")
    options = ("-o", folder / "deps.tar.zst", "--oci", folder / "image", "--json")
    answer = pack(real_cli, project, *options).json
    return Bundles(folder, answer["key"], answer["oci"]["digest"])


@pytest.fixture(scope="module")
def compressed(registry: DebianRegistry, bundles: Bundles, real_cli: Cli) -> str:
    """A reference to hello-npm's compressed bundle."""
    target = f"{registry.host}/zstd/npm"
    return tag(real_cli.ok("push", bundles.folder / "deps.tar.zst", target).out)


def tag(pushed: str) -> str:
    """`HOST/REPOSITORY:KEY` of what `vendorpack push` prints."""
    return pushed.partition("@")[0]


def attempt(
    engine: Docker | Buildah,
    text: str,
    into: Path,
    deps: Path | str,
    project: Project = NPM,
) -> Built:
    """Build a project with a Dockerfile, as the image `into.name`. deps: a file or an image."""
    give_bases(engine, text)
    copy_project(PROJECTS / project.name, into)
    (into / "Dockerfile").write_text(text)
    if isinstance(deps, str):
        return engine.build(into, ("--build-arg", f"DEPS={deps}"))
    (into / deps.name).hardlink_to(deps)
    return engine.build(into)


def build(
    engine: Docker | Buildah,
    text: str,
    into: Path,
    deps: Path | str,
    project: Project = NPM,
) -> None:
    """As `attempt`; and a container of the image prints the right thing."""
    done = attempt(engine, text, into, deps, project)
    assert done.code == 0, done.out
    assert engine.start(into.name) == project.prints


# -- what every engine can -----------------------------------------------------------------


@pytest.mark.parametrize(("client", "engine", "way"), BUILDS)
def test_every_client_by_every_way(
    client: str,
    engine: str,
    way: str,
    plain: Plain,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    builder: Docker | Buildah = request.getfixturevalue(engine)
    deps = plain.image(client) if way.startswith("image") else plain.file(client)
    into = tmp_path / f"{client}-{way}"
    build(builder, recipe(way, client), into, deps, CLIENTS[client])


@pytest.mark.parametrize("engine", ["docker", "podman_like"])
def test_a_later_build_sees_nothing_of_what_was_written_to_a_mounted_image(
    plain: Plain, tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    builder: Docker | Buildah = request.getfixturevalue(engine)
    head, mount, _ = dockerfile("image-mount").partition("RUN --mount=")
    assert mount
    mount += "type=bind,from=deps,target=/opt/deps"
    steps = {
        "writes": f"{mount},rw cp package.json /opt/deps/written",
        "looks": f"{mount} test -e /opt/deps/vendorpack.env -a ! -e /opt/deps/written",
    }
    for name, step in steps.items():
        done = attempt(builder, f"{head}{step}\n", tmp_path / name, plain.image("npm"))
        assert done.code == 0, done.out


# -- Docker --------------------------------------------------------------------------------


def test_a_mounted_tar_is_in_no_layer(plain: Plain, docker: Docker, tmp_path: Path) -> None:
    build(docker, dockerfile("mount"), tmp_path / "mount", plain.file("npm"))
    assert "deps" not in docker.start("mount", "ls", "/opt")


@pytest.mark.parametrize(
    ("engine", "way"),
    [("docker", "image-copy"), ("docker", "image-mount"), ("classic", "image-copy")],
)
def test_docker_takes_a_compressed_image(
    compressed: str,
    plain: Plain,
    tmp_path: Path,
    engine: str,
    way: str,
    request: pytest.FixtureRequest,
) -> None:
    """A daemon older than 23 knows no zstd."""
    docker: Docker = request.getfixturevalue(engine)
    # A layer is known by what it is uncompressed: the plain one must not be there already.
    for image in (compressed, plain.image("npm")):
        docker.forget(image)
    if docker.version >= (23,):
        build(docker, dockerfile(way), tmp_path / way, compressed)
        return
    done = attempt(docker, dockerfile(way), tmp_path / way, compressed)
    assert done.code != 0 and "invalid tar header" in done.out


def test_docker_loads_the_tar_of_an_image(bundles: Bundles, docker: Docker, tmp_path: Path) -> None:
    """Without a registry: from a file that was carried over."""
    done = docker("load", "-i", bundles.folder / "plain-image.tar")
    assert done.code == 0 and f"deps:{bundles.key}" in done.out
    build(docker, dockerfile("image-mount"), tmp_path / "loaded", f"deps:{bundles.key}")


def test_old_docker_does_not_extract_zstd(bundles: Bundles, docker: Docker, tmp_path: Path) -> None:
    """Why the page says `ADD deps.tar`."""
    if docker.version >= (23,):
        pytest.skip("this Docker does, or races: see the page")
    text = dockerfile("add").replace("deps.tar", "deps.tar.zst")
    done = attempt(docker, text, tmp_path / "zstd", bundles.folder / "deps.tar.zst")
    assert done.code != 0 and "vendorpack.env" in done.out


# -- buildah (and podman, which builds with it) --------------------------------------------


def test_buildah_extracts_zstd(bundles: Bundles, podman_like: Buildah, tmp_path: Path) -> None:
    text = dockerfile("add").replace("deps.tar", "deps.tar.zst")
    build(podman_like, text, tmp_path / "zstd", bundles.folder / "deps.tar.zst")


@pytest.mark.parametrize("way", ["image-copy", "image-mount"])
@pytest.mark.parametrize("place", ["registry", "layout"])
def test_buildah_takes_a_compressed_image(
    bundles: Bundles,
    compressed: str,
    podman_like: Buildah,
    tmp_path: Path,
    way: str,
    place: str,
) -> None:
    deps = compressed if place == "registry" else f"oci:{bundles.folder}/image"
    build(podman_like, dockerfile(way), tmp_path / way, deps)


# -- a real registry -----------------------------------------------------------------------


def test_a_real_registry(
    registry: DebianRegistry, bundles: Bundles, real_cli: Cli, tmp_path: Path
) -> None:
    bundle = bundles.folder / "deps.tar.zst"
    target = f"{registry.host}/team/again"
    running = [real_cli.start("push", bundle, target) for _ in range(2)]
    outputs = {process.communicate(timeout=60)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert outputs == {f"{target}:{bundles.key}@{bundles.digest}"}
    again = real_cli.ok("push", bundle, target, "--json").json
    assert not again["pushed"] and again["digest"] == bundles.digest
    got = tmp_path / "got.tar.zst"
    for name in (f":{bundles.key}", f"@{bundles.digest}"):
        real_cli.ok("pull", f"{target}{name}", "-o", got)
        assert got.read_bytes() == bundle.read_bytes()
        got.unlink()
    fresh = Cli(tmp_path)
    made = fresh.ok("pack", PROJECTS / "hello-npm", "-o", got, "--from", target, "--json").json
    assert made["pulled"].startswith(target) and made["key"] == bundles.key
    got.unlink()
    data = bundle.read_bytes()
    victim = registry.blob(hashlib.sha256(data).hexdigest())
    assert victim.read_bytes() == data
    try:
        victim.write_bytes(data[:-1000] + bytes(1000))
        done = real_cli("pull", f"{target}:{bundles.key}", "-o", got)
        assert done.code == 8 and not got.exists(), done.err
    finally:
        victim.write_bytes(data)
