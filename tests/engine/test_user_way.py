"""Tests with real clients go the user's way, read from their source.

A room that a test calls by itself is proven alone: whether the command line, the writer and tar
bring its work to the client is not. So nothing under tests/real reaches a room.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.engine.test_layers import imports

REAL = Path(__file__).parents[1] / "real"
FILES = sorted(REAL.glob("*.py"))
OWN = "vendorpack.target"
"""What tests may ask vendorpack itself: what this machine is called."""
BESIDE_THE_ENGINE = ("tests.memory", "tests.world.pypi_memory", "tests.formats")


def faults(path: Path) -> list[str]:
    found = []
    for module in imports(path):
        if module.partition(".")[0] == "vendorpack" and not f"{module}.".startswith(f"{OWN}."):
            found.append(module)
        if any(f"{module}.".startswith(f"{name}.") for name in BESIDE_THE_ENGINE):
            found.append(module)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in ("import_module", "__import__"):
                found.append(name)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_room_is_called_directly(path: Path) -> None:
    assert faults(path) == []


@pytest.mark.parametrize(
    "text",
    [
        "from vendorpack.formats.npm import FORMAT",
        "from vendorpack.formats import load",
        "import vendorpack.pack",
        "from vendorpack import pack",
        "from tests.memory import MemoryWorkshop",
        "import importlib; importlib.import_module('vendorpack.formats.npm')",
    ],
)
def test_what_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "test.py").write_text(text)
    assert faults(tmp_path / "test.py")
