"""Bundles of small real projects, by their ids: the same on any machine, any day.

An id may change only with the format's `layout_version`, or with what its key is made of; then it
is changed here too. What sdists are built with is left out, as the index decides that on the day.
Bundler's and extras' bundles have files of the tests' own servers, and are not here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import PROJECTS, pack

pytestmark = [pytest.mark.real, pytest.mark.network]

TARGET = "linux-x86_64-gnu"
GOLDEN = {
    "hello-npm/package-lock.json": (
        "81501a6e395dcee70044090fe27133672fdcddfa829771af24e0ebdafb0ec53f"
    ),
    "hello-pnpm/pnpm-lock.yaml": "167c2622783db4a9e20b0087d96c212cec4a5cd18e7f980b3562156f7474cd36",
    "hello-yarn-1/yarn.lock": "de9cfce92dd0bf58eed9d5d0930ca4eb9d0d16449313606d46dcb1879d8ea8cd",
    "hello-yarn-3/yarn.lock": "3cf4e49e7594974888c6e6ac12d2c7fc56772da3381525a159a63908db1174f2",
    "hello-yarn-4/yarn.lock": "fd3d381f440e12539aee0f59293a51764c68235b91ceee550560946bde97feaf",
    "hello-bun/bun.lock": "10e09a33aa67995f984ce4a20dbe45b6a8ce2edd84ce2d71bd5c8e8616283492",
    "hello-deno/deno.lock": "6c0375de064ebc28229a579ae41b9ccbd1dcfc2364a0bbb8de88323c1c12252f",
    "hello-cargo/Cargo.lock": "bccb34955c306899e7a8b6641069149cc757b756a8d4aeb9177edc17965ab33c",
    "hello-go/go.sum": "c6b23f9691bdc0df0f4bcb4cc8b62567561345600a2ef1c1c052e8e2a202f7cb",
    "hello-maven": "401177991ad3f2b6fc541fa7a573a93de856c5fae3126774a02db11b91c1787e",
    "hello-gradle": "68584c7429d88baa30d74342d3a2754d61f9750cb9c21ee473681de2a5bc1601",
}
PYTHON = {
    "pip": (
        "hello-pip/requirements.txt",
        "9865b21249abc8ec663e6177c11d31cad33f6a7aa95f872988495bca3e963d22",
    ),
    "uv": (
        "hello-uv/uv.lock",
        "4aa4da3d8a18c320f9d079faaee24682951b32d34e822baa27360898c5ae33f5",
    ),
    "poetry": (
        "hello-poetry/poetry.lock",
        "f2200b14375b1f1d5800a31db8e35d0059e65b8af604ca49c1408b8c7169ddec",
    ),
    "pdm": (
        "hello-pdm/pdm.lock",
        "4e08f15c9e0b280c0d177edaf9897227869984ec06a166c398158745b8b5372e",
    ),
    "pipenv": (
        "hello-pipenv/Pipfile.lock",
        "c648c83197d19c6c50f019d56c270213fa520a6610a61b8a6e86e60a54537d3a",
    ),
}


def id_of(real_cli: Cli, bundles: Path, lockfile: str, *options: str) -> str:
    """As `pack` prints it, and so without a look at what this machine is."""
    done = pack(real_cli, PROJECTS / lockfile, *options, "-o", bundles / "deps.tar.zst")
    return done.out.split()[-1]


@pytest.mark.parametrize("lockfile", GOLDEN)
def test_the_id(real_cli: Cli, bundles: Path, lockfile: str) -> None:
    assert id_of(real_cli, bundles, lockfile, "--target", TARGET) == GOLDEN[lockfile]


@pytest.mark.parametrize("format_name", PYTHON)
def test_the_id_of_a_python_format(real_cli: Cli, bundles: Path, format_name: str) -> None:
    lockfile, golden = PYTHON[format_name]
    options = ("--target", f"{TARGET}-py3.12", f"--{format_name}-build-deps", "no")
    assert id_of(real_cli, bundles, lockfile, *options) == golden
