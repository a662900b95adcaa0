"""Where pip finds files beside its indexes, installed from a bundle with the network cut off."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import client
from tests.real.test_pip import target_of
from tests.real.test_private_registries import PYTHON
from tests.real.ways import Way
from tests.world import Site, World
from tests.world.distributions import installable_wheel, sha256
from tests.world.pypi import PypiIndex
from tests.world.server import Reply, Request
from tests.world.site import Service

pytestmark = pytest.mark.real

NAME = "left-1.0.0-py3-none-any.whl"
WHEEL = installable_wheel("left", "1.0.0", {"left.py": b"NAME = 'left'\n"})
PINNED = f"left==1.0.0 --hash=sha256:{sha256(WHEEL)}\n"


class FlatPage(Service):
    """One page of links, with the files beside it."""

    def answer(self, path: str, request: Request) -> Reply:
        if path == NAME:
            return Reply(WHEEL)
        other = '<a href="other-1.0-py3-none-any.whl">other</a>'
        page = f'<html><body>{other}<a href="{NAME}">{NAME}</a></body></html>'
        return Reply(page.encode(), headers={"Content-Type": "text/html"})


@pytest.fixture
def site(world: World) -> Site:
    made = world.site(tls=True)
    made.mount("flat", FlatPage())
    made.mount("pypi", PypiIndex())
    return made


def way(
    version: str,
    text: str,
    *allowed: str,
    packing: Mapping[str, str] | None = None,
    installing: Mapping[str, str] | None = None,
) -> Way:
    pip = client(f"pip-{version}") / "bin/pip"
    return Way(
        files={"requirements.txt": text},
        install=[
            (pip.parent / "python", "-m", "venv", "--without-pip", ".venv"),
            (pip, "--python", ".venv/bin/python", "install", "-r", "requirements.txt"),
        ],
        proof=PYTHON,
        said="left",
        packing=packing or {},
        installing=installing or {},
        options=("--target", target_of(pip), *(w for a in allowed for w in ("--allow-host", a))),
    )


@pytest.mark.parametrize("version", ["23", "26"])
@pytest.mark.parametrize("options", ["--no-index\n", "--index-url INDEX\n"])
def test_a_page(world: World, site: Site, tmp_path: Path, version: str, options: str) -> None:
    page = f"--find-links {site.url}/flat/stable.html\n"
    options = options.replace("INDEX", f"{site.url}/pypi/simple")
    way(version, options + page + PINNED, site.url.split("/")[2]).go(world, tmp_path)


def test_a_page_of_the_configuration(world: World, site: Site, tmp_path: Path) -> None:
    packing = {"PIP_FIND_LINKS": f"{site.url}/flat/", "PIP_INDEX_URL": f"{site.url}/pypi/simple"}
    way("26", PINNED, packing=packing).go(world, tmp_path)


@pytest.mark.parametrize("version", ["23", "26"])
@pytest.mark.parametrize(
    "text",
    [
        f"--find-links wheels/sub\n{PINNED}",
        f"./wheels/sub/{NAME} --hash=sha256:{sha256(WHEEL)}\n",
    ],
)
def test_files_of_the_project(world: World, tmp_path: Path, version: str, text: str) -> None:
    """They come with the project; nothing of them is packed, and no index is asked."""
    (tmp_path / "project/wheels/sub").mkdir(parents=True)
    (tmp_path / "project/wheels/sub" / NAME).write_bytes(WHEEL)
    prefix = way(version, text).go(world, tmp_path)
    assert not [*prefix.rglob("*.whl")]


@pytest.mark.parametrize("name", ["lint.txt", "requirements/main.txt", "pinned"])
def test_a_requirements_file_of_another_name(
    world: World, site: Site, tmp_path: Path, name: str
) -> None:
    """It is known by what is in it, where it is named."""
    project = tmp_path / "project" / name
    project.parent.mkdir(parents=True)
    text = f"# by hand\n--index-url {site.url}/pypi/simple\n{PINNED}"
    project.write_text(text)
    cli = Cli(tmp_path, environ=world.environ)
    done = cli(
        "pack", project, "--allow-host", site.url.split("/")[2], "-o", tmp_path / "d.tar.zst"
    )
    assert done.code == 7 and "no index has a project named left" in done.err
    project.write_text("this == that, they say\n")
    assert "not a lockfile that vendorpack knows" in cli("pack", project).err


@pytest.mark.parametrize("version", ["23", "26"])
def test_plain_http(world: World, tmp_path: Path, version: str) -> None:
    site = world.site()
    site.mount("flat", FlatPage())
    host = site.url.split("/")[2]
    text = f"left @ {site.url}/flat/{NAME} --hash=sha256:{sha256(WHEEL)}\n"
    trusting = {"PIP_TRUSTED_HOST": host}
    made = way(version, text, site.url, installing=trusting)
    made = Way(**{**vars(made), "options": (*made.options, "--pip-old-cache", "yes")})
    made.go(world, tmp_path)
    done = Cli(tmp_path)("pack", tmp_path / "project", *made.options, "-o", tmp_path / "x.tar.zst")
    assert f"PIP_TRUSTED_HOST={host}" in done.err
