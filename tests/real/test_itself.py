"""vendorpack crosses the gap itself, and is released: the commands of docs/air-gap.md and
docs/releasing.md, typed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.cli import CHECKOUT, Cli
from tests.engine.test_packaging import wheel
from tests.real.clients import PROJECTS, Machine, client, miss, tool
from tests.real.docs import Page

__all__ = ["wheel"]  # the fixture

pytestmark = [pytest.mark.real, pytest.mark.network]

AS_FILE, FILE_INSIDE, AS_PACKAGE, PACKAGE_INSIDE = (
    block.text
    for block in Page.read("docs/air-gap.md").blocks
    if block.section == "vendorpack itself"
)
BUILD, SIGN, _, CHECK = (block.text for block in Page.read("docs/releasing.md").blocks)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout on a machine with a network, and a bundle of some project."""
    folder = tmp_path_factory.mktemp("outside") / "checkout"
    unneeded = shutil.ignore_patterns(".git", "tests", "docs", "__pycache__", ".*_cache", "build")
    shutil.copytree(CHECKOUT, folder, symlinks=True, ignore=unneeded)
    Cli(folder.parent).ok("pack", PROJECTS / "hello-npm", "-o", folder / "deps-1.tar.zst")
    venv.create(folder.parent / "venv", with_pip=True)
    return folder


def typed_outside(script: str, checkout: Path) -> None:
    """Type it in a checkout; `vendorpack` is the one under test."""
    program = checkout.parent / "venv/bin/vendorpack"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m vendorpack "$@"\n')
    program.chmod(0o755)
    environ = Cli(checkout.parent).env()
    path = [program.parent, client("uv-0.13") / "bin", environ["PATH"]]
    done = subprocess.run(
        ["sh", "-ex", "-c", script],
        cwd=checkout,
        env={**environ, "PATH": os.pathsep.join(map(str, path)), "PIP_QUIET": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def bundle_id(bundle: Path) -> str:
    """What `verify` of the one under test prints of it."""
    return Cli(bundle.parent).ok("verify", bundle).out.split()[-1]


def inside(folder: Path, *brought: Path) -> tuple[Machine, Path]:
    """A machine with only Python, and a folder with what was brought there."""
    work = folder / "work"
    work.mkdir()
    for file in brought:
        shutil.copy(file, work)
    return Machine(folder, [Path(sys.base_prefix, "bin")]), work


def test_as_one_file(outside: Path, tmp_path: Path) -> None:
    typed_outside(AS_FILE, outside)
    pex, bundle = outside / "vendorpack.pex", outside / "deps-1.tar.zst"
    machine, work = inside(tmp_path, pex, bundle)
    assert bundle_id(bundle) in machine.offline("sh", "-ec", FILE_INSIDE, cwd=work)
    damaged = bytearray(bundle.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (work / "deps-1.tar.zst").write_bytes(damaged)
    assert machine.attempt("sh", "-ec", FILE_INSIDE, cwd=work).code == 10


def test_as_a_package(outside: Path, tmp_path: Path) -> None:
    tool("zstd")
    typed_outside("python -m pip wheel --no-deps -w dist .\n" + AS_PACKAGE, outside)
    brought = ("vendorpack.txt", "vendorpack.tar.zst", "deps-1.tar.zst")
    (wheel,) = (outside / "dist").glob("*.whl")
    machine, work = inside(tmp_path, wheel, *(outside / name for name in brought))
    known = bundle_id(outside / "deps-1.tar.zst")
    assert known in machine.offline("sh", "-ec", PACKAGE_INSIDE, cwd=work)
    assert '"pkg:pypi/zstandard@' in (outside / "vendorpack.cdx.json").read_text()


def test_a_release(outside: Path, tmp_path: Path) -> None:
    tool("ssh-keygen")
    home = Path(Cli(outside.parent).env()["HOME"])
    key = home / ".ssh/id_ed25519"
    key.parent.mkdir(parents=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    shutil.rmtree(outside / "dist", ignore_errors=True)
    typed_outside(BUILD + SIGN, outside)
    dist = outside / "dist"
    (wheel,), (_,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    shutil.copy(wheel, tmp_path)
    (dist / "allowed_signers").write_text(
        f"releases@example.com {key.with_suffix('.pub').read_text()}"
    )
    assert '"pkg:pypi/zstandard@' in (dist / "vendorpack.cdx.json").read_text()

    def check() -> int:
        return subprocess.run(["sh", "-ec", CHECK], cwd=dist, capture_output=True).returncode

    assert check() == 0
    wheel.write_bytes(wheel.read_bytes()[:-1])
    assert check() != 0
    wheel.unlink()
    typed_outside("export SOURCE_DATE_EPOCH=315532800\npython -m build --wheel", outside)
    assert wheel.read_bytes() == (tmp_path / wheel.name).read_bytes()


def test_a_single_file(wheel: Path, tmp_path: Path) -> None:
    """PyInstaller, told nothing but the file to begin with, takes every room along."""
    if importlib.util.find_spec("PyInstaller") is None:
        pytest.skip("PyInstaller is not installed: pip install -e '.[test]'")
    tool("objdump")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    begin = tmp_path / "begin.py"
    begin.write_text("from vendorpack.__main__ import main\nmain()\n")
    built = subprocess.run(
        [sys.executable, "-m", "PyInstaller", "--onefile", "--name=vendorpack", str(begin)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site), "PYINSTALLER_CONFIG_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    if built.returncode and "shared library" in built.stderr:
        miss("this Python has no shared library (Debian: libpython3.x)")
    assert built.returncode == 0, built.stderr[-2000:]
    program = str(tmp_path / "dist/vendorpack")
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    for room in Cli(tmp_path).ok("formats", "--json").json:
        command = [program, "formats", room["name"]]
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"format     {room['title']}\n")
    berry = [program, "key", str(PROJECTS / "hello-yarn-4-mixed")]
    assert subprocess.run(berry, env=environ, capture_output=True).returncode == 0
