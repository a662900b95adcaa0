"""Bundles in container builds: the Dockerfiles of docs/containers.md, built without a network."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
import re
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.engine.carried import Travel
from tests.real.clients import PROJECTS, copy_project, pack
from tests.real.docs import Page, dockerfile
from tests.real.engines import (
    Buildah,
    Built,
    DebianRegistry,
    Docker,
    Podman,
    buildah,
    docker_registry,
    dockerd,
    podman,
)
from tests.real.roots import ROOTS, write_root

pytestmark = [pytest.mark.real, pytest.mark.network]


Engine = Docker | Buildah | Podman


@dataclass(frozen=True)
class Project:
    """A project of tests/real/projects, and what its image is to print."""

    name: str
    lockfile: str
    prints: str


PAGE = Page.read("docs/containers.md")
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
    *(("npm", engine, way) for engine, ways in ENGINES.items() for way in ways),
    # It builds by buildah's code.
    ("npm", "real_podman", "add"),
    ("npm", "real_podman", "image-mount"),
    # The others take longer: every engine and every way once.
    ("pip", "docker", "image-copy"),
    ("pip", "docker", "image-mount"),
    ("pip", "classic", "add"),
    ("pip", "podman_like", "mount"),
    ("cargo", "docker", "mount"),
    ("cargo", "docker", "image-mount"),
    ("cargo", "classic", "add"),
    ("cargo", "podman_like", "image-copy"),
    ("go", "docker", "add"),
    ("go", "classic", "image-copy"),
    ("go", "podman_like", "mount"),
    ("go", "podman_like", "image-mount"),
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


@pytest.fixture(scope="module")
def real_podman() -> Iterator[Podman]:
    with podman() as ready:
        yield ready


def give_bases(engine: Engine, text: str) -> None:
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

    def file(self, client: str, *options: str) -> Path:
        """The bundle."""
        project, file = CLIENTS[client], self.folder / "".join([client, *options]) / "deps.tar"
        if not file.exists():
            file.parent.mkdir()
            pack(self.cli, PROJECTS / project.name / project.lockfile, "-o", file, *options)
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
    engine: Engine,
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
    engine: Engine,
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
    builder: Engine = request.getfixturevalue(engine)
    deps = plain.image(client) if way.startswith("image") else plain.file(client)
    into = tmp_path / f"{client}-{way}"
    build(builder, recipe(way, client), into, deps, CLIENTS[client])


@pytest.mark.parametrize("engine", ["docker", "podman_like"])
def test_a_later_build_sees_nothing_of_what_was_written_to_a_mounted_image(
    plain: Plain, tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    builder: Engine = request.getfixturevalue(engine)
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


RECIPES = {
    "user": ("npm", "image"),
    "user-copy": ("go", "image"),
    "optional": ("npm", "image"),
    "distroless": ("npm", "file"),
    "alpine": ("npm", "file"),
}
"""A recipe that stands by itself on the page, and what it takes."""


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("user", "docker"),
        ("user", "real_podman"),
        ("user-copy", "podman_like"),  # it compiles for long
        ("optional", "docker"),
        ("optional", "podman_like"),
        ("optional", "real_podman"),
        ("distroless", "docker"),
        ("alpine", "real_podman"),
    ],
)
def test_a_recipe(
    name: str, engine: str, plain: Plain, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    builder: Engine = request.getfixturevalue(engine)
    client, what = RECIPES[name]
    options = ("--target", f"linux-{platform.machine()}-musl") if name == "alpine" else ()
    deps = plain.image(client) if what == "image" else plain.file(client, *options)
    build(builder, dockerfile(name), tmp_path / name, deps, CLIENTS[client])


def test_the_lines_of_a_recipe_are_those_that_are_printed(plain: Plain) -> None:
    printed = plain.cli.ok(
        "env", plain.file("npm"), "--prefix", "/opt/deps", "--shell", "dockerfile"
    ).out
    assert printed in dockerfile("distroless")


@pytest.mark.parametrize("engine", ["docker", "podman_like", "real_podman"])
def test_a_recipe_without_its_bundle(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """npm is left to its own settings then."""
    builder: Engine = request.getfixturevalue(engine)
    text, command, _ = dockerfile("optional").partition("npm ci\n")
    assert command
    text += 'test "$(npm config get offline)" = false\n'
    copy_project(PROJECTS / NPM.name, tmp_path / "without")
    (tmp_path / "without/Dockerfile").write_text(text)
    give_bases(builder, text)
    done = builder.build(tmp_path / "without")
    assert done.code == 0, done.out


@pytest.mark.parametrize("engine", ["docker", "podman_like", "real_podman"])
def test_a_folder_as_a_named_context(
    engine: str, plain: Plain, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    builder: Engine = request.getfixturevalue(engine)
    if isinstance(builder, Docker) and builder.version < (23,):
        pytest.skip("this Docker knows no named contexts: see the page")
    plain.cli.ok("unpack", plain.file("npm"), "--prefix", tmp_path / "deps")
    text = dockerfile("optional")
    copy_project(PROJECTS / NPM.name, tmp_path / "named")
    (tmp_path / "named/Dockerfile").write_text(text)
    give_bases(builder, text)
    done = builder.build(tmp_path / "named", ("--build-context", f"deps={tmp_path}/deps"))
    assert done.code == 0, done.out
    assert builder.start("named") == NPM.prints


@pytest.mark.parametrize("engine", ["docker", "real_podman"])
def test_an_install_with_a_read_only_root(
    engine: str, plain: Plain, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """As the page types it."""
    builder: Docker | Podman = request.getfixturevalue(engine)
    (block,) = (b for b in PAGE.blocks if b.section == "Run with a read-only root")
    (words,) = re.findall(r"^docker (run .+)", block.text.replace("\\\n", ""), re.MULTILINE)
    project = copy_project(PROJECTS / NPM.name, tmp_path / "project")
    plain.cli.ok("unpack", plain.file("npm"), "--prefix", project / "deps")
    variables = plain.cli.ok(
        "env", project / "deps", "--prefix", "/opt/deps", "--shell", "env-file"
    ).out
    (project / "deps.env").write_text(variables)
    give_bases(builder, "FROM node:22-slim\n")
    words = words.replace("$PWD", str(project)).replace("deps.env", f"{project}/deps.env")
    done = builder("run", *builder.limits, *shlex.split(words)[1:])
    assert done.code == 0, done.out
    assert (project / "node_modules/kleur/package.json").is_file()


def test_a_tar_in_the_context_is_copied_with_it(
    plain: Plain, docker: Docker, tmp_path: Path
) -> None:
    """Why the recipes name what they copy."""
    head = "FROM node:22-slim\nADD deps.tar /opt/deps/\nWORKDIR /app\nCOPY . .\n"
    text = f"{head}RUN test -f deps.tar -a -f /opt/deps/vendorpack.env\n"
    done = attempt(docker, text, tmp_path / "twice", plain.file("npm"))
    assert done.code == 0, done.out
    (tmp_path / "twice/.dockerignore").write_text("deps.tar\n")
    assert docker.build(tmp_path / "twice").code != 0


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


def test_podman_loads_the_tar_of_an_image(
    bundles: Bundles, real_podman: Podman, tmp_path: Path
) -> None:
    done = real_podman("load", "-i", bundles.folder / "plain-image.tar")
    assert done.code == 0 and f"deps:{bundles.key}" in done.out
    build(real_podman, dockerfile("image-mount"), tmp_path / "loaded", f"deps:{bundles.key}")


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


def test_a_signature_goes_through_a_real_registry(registry: DebianRegistry, tmp_path: Path) -> None:
    """One that knows no referrers: the list of signatures is under a tag."""

    def store(sha256: str, data: bytes) -> None:
        registry.blob(sha256).write_bytes(data)

    for name, way in (("carried", Travel.tampered), ("foreign", Travel.foreign)):
        folder = tmp_path / name
        folder.mkdir()
        travel = Travel(
            folder,
            f"{registry.host}/team/{name}",
            blob=lambda sha256: registry.blob(sha256).read_bytes(),
            store=store,
        )
        cli = travel.begin()
        travel.there_and_back(cli)
        way(travel, cli)
