"""uv 0.6 to 0.13 install from a bundle with the network cut off."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.corpus import corpus
from tests.real.clients import PROJECTS, Machine, client, copy_project, extract, pack

pytestmark = [pytest.mark.real, pytest.mark.network]

VERSIONS = ("0.6", "0.8", "0.10", "0.12", "0.13")
"""One at least for each generation of uv's buckets."""
SYNC = ("sync", "--frozen", "--offline", "--no-progress")
PYTHON = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
ENV = {"UV_PYTHON": str(PYTHON), "UV_PYTHON_DOWNLOADS": "never"}
IMPORTS = "import click, docopt, hello, hello_lib, idna, markupsafe, pytest, six, tomli_w"


def uv(version: str) -> Path:
    return client(f"uv-{version}") / "bin/uv"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_small_project(version: str, real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """Wheels, sdists, direct addresses, and two packages of the workspace that are built."""
    project = copy_project(PROJECTS / "hello-uv", tmp_path / "project")
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = Machine(tmp_path)
    target.offline(uv(version), *SYNC, cwd=project, prefix=prefix, env=ENV)
    assert {p: p.read_bytes() for p in before} == before  # nothing of the user's is edited
    shown = target.offline(
        ".venv/bin/python", "-c", f"{IMPORTS}; print(docopt.__version__, idna.__version__)",
        cwd=project,
    )  # fmt: skip
    assert shown == "0.6.2 3.10\n"


def test_groups_and_extras(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    project = copy_project(PROJECTS / "hello-uv", tmp_path / "project")
    bundle = bundles / "deps.tar.zst"
    pack(real_cli, project, "--no-dev", "--group", "docs", "--group", "color", "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    target = Machine(tmp_path)
    chosen = ("--no-dev", "--group", "docs", "--extra", "color")
    target.offline(uv("0.13"), *SYNC, *chosen, cwd=project, prefix=prefix, env=ENV)
    target.offline(".venv/bin/python", "-c", "import colorama, mistune", cwd=project)
    missing = target.attempt(uv("0.13"), *SYNC, cwd=project, prefix=prefix, env=ENV)
    assert missing.code != 0


@pytest.fixture(scope="module")
def benchmark(real_cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A real project of 77 packages, and its bundle."""
    source = copy_project(corpus("uv-benchmark"), tmp_path_factory.mktemp("benchmark") / "project")
    bundle = source.parent / "deps.tar.zst"
    pack(real_cli, source, "-o", bundle)
    return source, bundle


@pytest.mark.parametrize("way", ["tar", "prefix", "cache", "run"])
def test_a_large_project(
    way: str, benchmark: tuple[Path, Path], real_cli: Cli, tmp_path: Path
) -> None:
    source, bundle = benchmark
    project = copy_project(source, tmp_path / "project")
    target = Machine(tmp_path)
    install: list[str | Path] = [uv("0.13"), *SYNC, "--no-install-project"]
    unpacking = Cli(tmp_path, environ={"HOME": str(target.home)})
    if way == "tar":
        target.offline(*install, cwd=project, prefix=extract(bundle, tmp_path / "deps"), env=ENV)
    elif way == "prefix":
        unpacking.ok("unpack", bundle, "--prefix", tmp_path / "deps")
        target.offline(*install, cwd=project, prefix=tmp_path / "deps", env=ENV)
    elif way == "cache":
        unpacking.ok("unpack", bundle)
        assert (target.home / ".cache/uv/archive-v0").is_dir()
        target.offline(*install, cwd=project, env=ENV)
    else:
        vendorpack = unpacking.argv("run", bundle, "--")
        env = {**ENV, "PYTHONPATH": unpacking.env()["PYTHONPATH"]}
        target.offline(*vendorpack, *install, cwd=project, env=env)
    out = target.offline(".venv/bin/poetry", "--version", cwd=project)
    assert out.startswith("Poetry (version 2.")


def test_a_lockfile_for_another_python(real_cli: Cli, bundles: Path) -> None:
    target = ("--target", "linux-x86_64-gnu-py3.14")
    pack(real_cli, corpus("uv-fastapi"), *target, "-o", bundles / "deps.tar.zst")
    shown = real_cli.ok("show", bundles / "deps.tar.zst", "--json").json
    locked = [a for a in shown["artifacts"] if "build" not in a["why"]]
    assert len(locked) == 78
    assert {a["trust"] for a in locked} == {"lockfile"}
    assert [a["name"] for a in locked if a["url"].endswith(".tar.gz")] == ["dkimpy"]
