"""The wheel: every room inside, nothing beside, and it runs without the checkout."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.real.clients import tool
from vendorpack.formats import BUILTIN

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the wheel, is not installed")
    out = tmp_path_factory.mktemp("dist")
    code = "import sys; from hatchling.builders.wheel import WheelBuilder as B; "
    code += "print(*B('.').build(directory=sys.argv[1], versions=['standard']))"
    subprocess.run(
        [sys.executable, "-c", code, str(out)], cwd=CHECKOUT, check=True, capture_output=True
    )
    (built,) = out.glob("*.whl")
    return built


def test_every_module_is_inside(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, package in (("vendorpack", "vendorpack"), ("formats", "vendorpack/formats")):
        for path in (CHECKOUT / folder).rglob("*.py"):
            relative = path.relative_to(CHECKOUT / folder)
            if relative.parts[0] != "formats":
                assert f"{package}/{relative.as_posix()}" in names
    assert "vendorpack/py.typed" in names
    tops = {name.partition("/")[0] for name in names}
    assert all(top == "vendorpack" or top.endswith(".dist-info") for top in tops), tops


def test_an_index_gets_the_readme_without_links_to_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert "Pages on [containers](docs/containers.md), [air gaps](docs/air-gap.md)" in readme
    assert "Pages on containers, air gaps" in text
    linked = re.findall(r"\]\(([^)]*)\)", text)
    assert [address for address in linked if not address.startswith(("#", "https://"))] == []


def test_it_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    site = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    code = "import vendorpack.formats as f; print(f.__file__); [f.load(r.name) for r in f.BUILTIN]"
    ours = {p for p in sys.path if p.endswith("site-packages")}
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sorted(ours)])}
    done = subprocess.run(
        [str(tmp_path / "venv/bin/python"), "-c", code],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(site))
    assert BUILTIN


def test_only_what_belongs_there_is_at_the_top() -> None:
    if not (CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        [tool("git"), "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    tops = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    assert tops <= {
        "pyproject.toml", "vendorpack", "formats", "tests", "CHANGELOG.md",
        "README.md", "LICENSE", "docs", ".ci", ".gitignore", ".github",
    }  # fmt: skip
