"""A release whose wheel is too new for the glibc: the client builds its sdist, as online."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.real.clients import client
from tests.real.test_pip import target_of
from tests.real.test_private_registries import PYTHON, poetry_way, uv_way
from tests.real.ways import Way
from tests.world import World
from tests.world.backends import backend
from tests.world.distributions import installable_wheel, sdist, sha256
from tests.world.pypi import PypiIndex

pytestmark = pytest.mark.real

MINOR = sys.version_info.minor
NEWER = f"left-1.0.0-cp3{MINOR}-cp3{MINOR}-manylinux_2_45_x86_64.whl"
SOURCE = {
    "PKG-INFO": b"Metadata-Version: 2.1\nName: left\nVersion: 1.0.0\n",
    "own_backend.py": backend("left"),
    "pyproject.toml": b"[build-system]\nrequires = []\n"
    b"build-backend = 'own_backend'\nbackend-path = ['.']\n"
    b"[project]\nname = 'left'\nversion = '1.0.0'\n",
}


def published(world: World) -> PypiIndex:
    index = world.site(tls=True).mount("pypi", PypiIndex())
    index.publish(NEWER, installable_wheel("left", "1.0.0", {"left.py": b"raise SystemExit(1)\n"}))
    index.publish("left-1.0.0.tar.gz", sdist("left", "1.0.0", SOURCE))
    return index


@pytest.mark.parametrize("version", ["23", "26"])
@pytest.mark.parametrize("glibc", ["", "2.36"])
def test_pip(world: World, tmp_path: Path, version: str, glibc: str) -> None:
    index = published(world)
    program = client(f"pip-{version}") / "bin/pip"
    hashes = "".join(f" --hash=sha256:{sha256(data)}" for data in index.files.values())
    target = target_of(program).replace("-gnu", f"-gnu{glibc}")
    way = Way(
        files={"requirements.txt": f"--index-url {index.simple}\nleft==1.0.0{hashes}\n"},
        install=[
            (program.parent / "python", "-m", "venv", "--without-pip", ".venv"),
            (program, "--python", ".venv/bin/python", "install", "-r", "requirements.txt"),
        ],
        proof=PYTHON,
        said="left",
        options=("--target", target, "--allow-host", index.url.split("/")[2]),
    )
    way.go(world, tmp_path)


def test_uv(world: World, tmp_path: Path) -> None:
    uv_way("0.13", published(world).simple, world, {}).go(world, tmp_path)


def test_poetry(world: World, tmp_path: Path) -> None:
    poetry_way("2.5", published(world).simple, world, {}).go(world, tmp_path)


def test_two_targets_in_one_bundle(world: World, tmp_path: Path) -> None:
    """The newer one's wheel, and for the older one the sdist, which is installed here."""
    index = published(world)
    program = client("pip-26") / "bin/pip"
    hashes = "".join(f" --hash=sha256:{sha256(data)}" for data in index.files.values())
    target = target_of(program)
    old, new = target.replace("-gnu", "-gnu2.36"), target.replace("-gnu", "-gnu2.45")
    way = Way(
        files={"requirements.txt": f"--index-url {index.simple}\nleft==1.0.0{hashes}\n"},
        install=[
            (program.parent / "python", "-m", "venv", "--without-pip", ".venv"),
            (program, "--python", ".venv/bin/python", "install", "-r", "requirements.txt"),
        ],
        proof=PYTHON,
        said="left",
        options=("--target", old, "--target", new, "--allow-host", index.url.split("/")[2]),
    )
    prefix = way.go(world, tmp_path)
    files = sorted(path.name for path in (prefix / "pip/wheelhouse").iterdir())
    assert files == [NEWER, "left-1.0.0.tar.gz"]
