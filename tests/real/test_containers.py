"""Bundles in container builds: the Dockerfiles of docs/containers.md, built without a network."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli import CHECKOUT, Cli
from tests.real.clients import PROJECTS, pack
from tests.real.engines import (
    BASE,
    Buildah,
    DebianRegistry,
    Docker,
    buildah,
    docker_registry,
    dockerd,
    write_base,
)

pytestmark = [pytest.mark.real, pytest.mark.network]

PAGE = CHECKOUT / "docs/containers.md"
RUN = ("node", "out.mjs")
PRINTED = "...installed offline\n"
REQUIREMENTS = """\
six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274
pluggy==1.5.0 --hash=sha256:44e1ad92c8ca002de6377e165f3e0f1be63266ab4d554740532335b9d75ea669
"""


@dataclass(frozen=True)
class Bundles:
    """hello-npm packed in every form, and the base image's root."""

    folder: Path
    key: str
    image: str
    """Digest of the image with the compressed bundle."""

    def context(self, recipe: str, into: Path, *files: str, rename: str | None = None) -> Path:
        """A build context: the project, the page's Dockerfile and some of the bundles."""
        for name in ("package.json", "package-lock.json", "index.ts"):
            into.mkdir(exist_ok=True)
            shutil.copy(PROJECTS / "hello-npm" / name, into)
        for name in files:
            (into / name).hardlink_to(self.folder / name)
        text = dockerfile(recipe).replace("node:22-slim", BASE).replace("python:3.13-slim", BASE)
        if rename is not None:
            assert "deps.tar" in text
            text = text.replace("deps.tar", rename)
        (into / "Dockerfile").write_text(text)
        return into


def dockerfile(recipe: str) -> str:
    """The page's Dockerfile below `<!-- recipe: NAME -->`."""
    pattern = rf"<!-- recipe: {recipe} -->\n```dockerfile\n(.*?)```"
    found = re.findall(pattern, PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1, recipe
    text: str = found[0]
    return text


@pytest.fixture(scope="module")
def bundles(real_cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    folder = tmp_path_factory.mktemp("containers")
    project = PROJECTS / "hello-npm"
    pack(real_cli, project, "-o", folder / "deps.tar", "--oci", folder / "plain-image.tar")
    options = ("-o", folder / "deps.tar.zst", "--oci", folder / "image", "--json")
    answer = pack(real_cli, project, *options).json
    pack(real_cli, project, "--oci", folder / "image.tar")
    write_base(folder / "root.tar")
    return Bundles(folder, answer["key"], answer["oci"]["digest"])


@pytest.fixture(scope="module")
def registry() -> Iterator[DebianRegistry]:
    with docker_registry() as running:
        yield running


@pytest.fixture(scope="module")
def pushed(registry: DebianRegistry, bundles: Bundles, real_cli: Cli) -> dict[str, str]:
    """References to the pushed bundle, as vendorpack prints them."""
    found = {}
    for name in ("deps.tar.zst", "deps.tar"):
        target = f"{registry.host}/team/{'zstd' if name.endswith('zst') else 'plain'}"
        found[name] = real_cli.ok("push", bundles.folder / name, target).out.strip()
    return found


@pytest.fixture(scope="module")
def docker(bundles: Bundles) -> Iterator[Docker]:
    with dockerd() as running:
        done = running("import", "-", BASE, stdin=bundles.folder / "root.tar")
        assert done.code == 0, done.out
        yield running


@pytest.fixture(scope="module")
def podman_like(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    with buildah() as ready:
        context = tmp_path_factory.mktemp("base")
        (context / "root.tar").hardlink_to(bundles.folder / "root.tar")
        (context / "Dockerfile").write_text("FROM scratch\nADD root.tar /\n")
        done = ready.build(context)
        assert done.code == 0, done.out
        assert ready("tag", context.name, BASE).code == 0
        yield ready


# -- Docker --------------------------------------------------------------------------------


@pytest.mark.parametrize("buildkit", [True, False])
def test_docker_adds_a_tar(
    bundles: Bundles, docker: Docker, tmp_path: Path, buildkit: bool
) -> None:
    context = bundles.context("add", tmp_path / "add", "deps.tar")
    done = docker.build(context, buildkit=buildkit)
    assert done.code == 0, done.out
    assert docker.start("add", *RUN) == PRINTED


def test_docker_mounts_a_tar(bundles: Bundles, docker: Docker, tmp_path: Path) -> None:
    context = bundles.context("mount", tmp_path / "mount", "deps.tar")
    done = docker.build(context)
    assert done.code == 0, done.out
    assert docker.start("mount", *RUN) == PRINTED
    listing = docker("run", "--rm", "--network=none", "mount", "ls", "/opt").out
    assert "deps" not in listing  # it is in no layer


@pytest.mark.parametrize(
    ("recipe", "buildkit"), [("image-copy", True), ("image-copy", False), ("image-mount", True)]
)
@pytest.mark.parametrize("bundle", ["deps.tar.zst", "deps.tar"])
def test_docker_takes_the_pushed_image(
    bundles: Bundles,
    docker: Docker,
    pushed: dict[str, str],
    tmp_path: Path,
    recipe: str,
    buildkit: bool,
    bundle: str,
) -> None:
    """A daemon older than 23 knows no zstd; the plain tar it takes as well."""
    old = docker.version < (23,)
    # A layer is known by what it is uncompressed: the plain one must not be there already.
    assert docker("system", "prune", "--all", "--force").code == 0
    image = docker("import", "-", BASE, stdin=bundles.folder / "root.tar")
    assert image.code == 0, image.out
    context = bundles.context(recipe, tmp_path / recipe)
    args = ("--build-arg", f"DEPS={pushed[bundle].partition('@')[0]}")
    done = docker.build(context, args, buildkit=buildkit)
    if old and bundle.endswith(".zst"):
        assert done.code != 0 and "invalid tar header" in done.out
        return
    assert done.code == 0, done.out
    assert docker.start(recipe, *RUN) == PRINTED


def test_docker_loads_the_tar_of_an_image(bundles: Bundles, docker: Docker, tmp_path: Path) -> None:
    """Without a registry: from a file that was carried over."""
    done = docker("load", "-i", bundles.folder / "plain-image.tar")
    assert done.code == 0 and f"deps:{bundles.key}" in done.out
    context = bundles.context("image-mount", tmp_path / "loaded")
    done = docker.build(context, ("--build-arg", f"DEPS=deps:{bundles.key}"))
    assert done.code == 0, done.out
    assert docker.start("loaded", *RUN) == PRINTED


def test_old_docker_does_not_extract_zstd(bundles: Bundles, docker: Docker, tmp_path: Path) -> None:
    """Why the page says `ADD deps.tar`."""
    if docker.version >= (23,):
        pytest.skip("this Docker does, or races: see the page")
    context = bundles.context("add", tmp_path / "zstd", "deps.tar.zst", rename="deps.tar.zst")
    done = docker.build(context)
    assert done.code != 0 and "vendorpack.env" in done.out


# -- buildah (and podman, which builds with it) --------------------------------------------


@pytest.mark.parametrize(
    ("recipe", "bundle"), [("add", "deps.tar"), ("add", "deps.tar.zst"), ("mount", "deps.tar")]
)
def test_buildah_takes_a_file(
    bundles: Bundles, podman_like: Buildah, tmp_path: Path, recipe: str, bundle: str
) -> None:
    context = bundles.context(recipe, tmp_path / recipe, bundle, rename=bundle)
    done = podman_like.build(context)
    assert done.code == 0, done.out
    assert podman_like.start(recipe, *RUN) == PRINTED


@pytest.mark.parametrize("recipe", ["image-copy", "image-mount"])
@pytest.mark.parametrize("place", ["registry", "layout"])
def test_buildah_takes_an_image(
    bundles: Bundles,
    podman_like: Buildah,
    pushed: dict[str, str],
    tmp_path: Path,
    recipe: str,
    place: str,
) -> None:
    deps = pushed["deps.tar.zst"].partition("@")[0]
    if place == "layout":
        deps = f"oci:{bundles.folder}/image:{bundles.key}"
    context = bundles.context(recipe, tmp_path / recipe)
    done = podman_like.build(context, ("--build-arg", f"DEPS={deps}"))
    assert done.code == 0, done.out
    assert podman_like.start(recipe, *RUN) == PRINTED


# -- pip ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheels(
    registry: DebianRegistry, real_cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A requirements file, and the reference to its bundle (a plain tar, for any Docker)."""
    folder = tmp_path_factory.mktemp("wheels")
    (folder / "requirements.txt").write_text(REQUIREMENTS)
    pack(real_cli, folder, "-o", folder / "deps.tar")
    pushed = real_cli.ok("push", folder / "deps.tar", f"{registry.host}/team/wheels").out
    return folder / "requirements.txt", pushed.partition("@")[0]


@pytest.mark.parametrize("engine", ["docker", "podman_like"])
def test_pip(
    wheels: tuple[Path, str],
    bundles: Bundles,
    tmp_path: Path,
    engine: str,
    request: pytest.FixtureRequest,
) -> None:
    builder: Docker | Buildah = request.getfixturevalue(engine)
    requirements, deps = wheels
    context = bundles.context("pip", tmp_path / "pip")
    shutil.copy(requirements, context)
    done = builder.build(context, ("--build-arg", f"DEPS={deps}"))
    assert done.code == 0, done.out
    script = "import pluggy, six; print(six.__version__, pluggy.__version__)"
    assert builder.start("pip", "python", "-c", script) == "1.17.0 1.5.0\n"


# -- a real registry -----------------------------------------------------------------------


def test_a_real_registry(
    registry: DebianRegistry, bundles: Bundles, real_cli: Cli, tmp_path: Path
) -> None:
    bundle = bundles.folder / "deps.tar.zst"
    target = f"{registry.host}/team/again"
    running = [real_cli.start("push", bundle, target) for _ in range(2)]
    outputs = {process.communicate(timeout=60)[0].strip() for process in running}
    assert [process.returncode for process in running] == [0, 0]
    assert outputs == {f"{target}:{bundles.key}@{bundles.image}"}
    again = real_cli.ok("push", bundle, target, "--json").json
    assert not again["pushed"] and again["digest"] == bundles.image
    got = tmp_path / "got.tar.zst"
    for name in (f":{bundles.key}", f"@{bundles.image}"):
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
