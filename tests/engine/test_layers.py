"""Who may import whom, read from the source: the folders' rules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import vendorpack
from vendorpack.formats import BUILTIN

ENGINE = Path(vendorpack.__file__).parent
ROOMS = (ENGINE / "formats").resolve()
OPEN_TO_ROOMS = {
    "dataclass",
    "demands",
    "digest",
    "errors",
    "model",
    "project",
    "redact",
    "room",
    "target",
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def engine_files() -> list[Path]:
    return [p for p in ENGINE.rglob("*.py") if "formats" not in p.relative_to(ENGINE).parts]


def test_the_engine_names_no_room() -> None:
    names = "|".join(re.escape(room.name) for room in BUILTIN)
    assert len(engine_files()) > 20
    for path in engine_files():
        for module in imports(path):
            assert not re.match(rf"vendorpack\.formats\.({names}|_shared)", module), (path, module)


@pytest.mark.parametrize("room", [r.module.rpartition(".")[2] for r in BUILTIN] + ["_shared"])
def test_a_room_knows_only_the_model_and_what_is_shared(room: str) -> None:
    files = list((ROOMS / room).rglob("*.py"))
    assert files
    for path in files:
        for module in imports(path):
            if not module.startswith("vendorpack"):
                continue
            parts = module.split(".")
            if parts[1:2] == ["formats"]:
                assert len(parts) > 2 and parts[2] in {room, "_shared"}, (path, module)
            elif len(parts) > 1:
                assert parts[1] in OPEN_TO_ROOMS, (path, module)


def test_a_shared_topic_knows_no_ecosystem_but_its_own() -> None:
    neutral = {"text", "archives", "git", "browsers"}
    topics = {p.name for p in (ROOMS / "_shared").iterdir() if (p / "__init__.py").exists()}
    assert topics > neutral
    for path in (ROOMS / "_shared").rglob("*.py"):
        topic = path.relative_to(ROOMS / "_shared").parts[0]
        for module in imports(path):
            parts = module.split(".")
            if parts[:3] == ["vendorpack", "formats", "_shared"] and len(parts) > 3:
                assert parts[3] in {topic} | neutral, (path, module)


@pytest.mark.parametrize("folder", sorted(ENGINE.rglob("__init__.py")), ids=str)
def test_a_folder_says_what_lives_in_it(folder: Path) -> None:
    assert ast.get_docstring(ast.parse(folder.read_text(encoding="utf-8")))


def test_no_command_imports_the_contract() -> None:
    """It is for rooms' tests, and brings in all of the engine."""
    for path in (p for p in engine_files() if p.name != "contract.py"):
        assert "vendorpack.contract" not in imports(path), path


def test_no_room_is_forgotten() -> None:
    folders = {p.parent.name for p in ROOMS.glob("*/__init__.py")} - {"_shared"}
    assert folders == {room.module.rpartition(".")[2] for room in BUILTIN}
