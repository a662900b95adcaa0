"""A release whose wheel is too new for the glibc: the client builds its sdist, as online."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.clients import client
from tests.real.test_pip import target_of
from tests.real.test_private_registries import PYTHON, trust
from tests.real.ways import Way
from tests.world import World
from tests.world.distributions import installable_wheel, sdist, sha256
from tests.world.pypi import PypiIndex

pytestmark = pytest.mark.real

MINOR = sys.version_info.minor
NEWER = f"left-1.0.0-cp3{MINOR}-cp3{MINOR}-manylinux_2_45_x86_64.whl"
BACKEND = b"""import zipfile


def build_wheel(folder, settings=None, metadata=None):
    name = "left-1.0.0-py3-none-any.whl"
    info = "left-1.0.0.dist-info/"
    files = {
        "left.py": "NAME = 'left'\\n",
        info + "METADATA": "Metadata-Version: 2.1\\nName: left\\nVersion: 1.0.0\\n",
        info + "WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\n"
        "Tag: py3-none-any\\n",
        info + "RECORD": "",
    }
    with zipfile.ZipFile(f"{folder}/{name}", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name
"""
SOURCE = {
    "PKG-INFO": b"Metadata-Version: 2.1\nName: left\nVersion: 1.0.0\n",
    "own_backend.py": BACKEND,
    "pyproject.toml": b"[build-system]\nrequires = []\n"
    b"build-backend = 'own_backend'\nbackend-path = ['.']\n",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with World(tmp_path) as made:
        yield made


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
    index = published(world)
    uv = client("uv-0.13") / "bin/uv"
    python = {
        "UV_PYTHON": str(Path(sys.base_prefix, "bin", f"python3.{MINOR}")),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    project = f"""[project]
name = "app"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["left==1.0.0"]
[[tool.uv.index]]
url = "{index.simple}"
default = true
"""
    way = Way(
        files={"pyproject.toml": project},
        lock=[(uv, "lock")],
        install=[(uv, "sync", "--frozen")],
        proof=PYTHON,
        said="left",
        locking=python | trust(world),
        installing=python,
    )
    way.go(world, tmp_path)
