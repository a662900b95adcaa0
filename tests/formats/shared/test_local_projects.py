"""Projects in folders: found in each lock, read, and told from what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.memory import MemoryWorkshop
from tests.world.distributions import LINUX, options, project, wheel
from tests.world.pypi_memory import MemoryPypi
from vendorpack.errors import LockfileError, UsageError
from vendorpack.formats import pdm, pip, pipenv, poetry, uv
from vendorpack.formats._shared.python.builds.system import LEGACY_REQUIRES, BuildSystem
from vendorpack.formats._shared.python.local_projects import (
    LocalProject,
    folders_in,
    local_projects,
)
from vendorpack.model import Options
from vendorpack.room import Format

HATCH = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
FLIT = '[build-system]\nrequires = ["flit-core"]\nbuild-backend = "flit_core.api"\n'
TOOLS = {
    "hatchling-1-py3-none-any.whl": wheel("hatchling", "1", {}),
    "editables-0.5-py3-none-any.whl": wheel("editables", "0.5", {}),
    "flit_core-3-py3-none-any.whl": wheel("flit-core", "3", {}),
}
UV_LOCK = """version = 1
[[package]]
name = "app"
source = { editable = "." }
dependencies = [{ name = "lib" }]
[[package]]
name = "lib"
source = { directory = "../lib" }
[[package]]
name = "not-built"
source = { virtual = "virtual" }
"""
POETRY_LOCK = """[[package]]
name = "lib"
version = "1.0"
optional = false
python-versions = "*"
groups = ["main"]
files = []
develop = true
[package.source]
type = "directory"
url = "../lib"
[metadata]
lock-version = "2.1"
"""
PIPFILE_LOCK = """{"_meta": {"pipfile-spec": 6, "sources": [
  {"name": "pypi", "url": "https://pypi.org/simple", "verify_ssl": true}]},
 "default": {"lib": {"path": "../lib", "editable": true}, "app": {"file": "."}}, "develop": {}}
"""
PDM_LOCK = """[metadata]
groups = ["default"]
strategy = ["inherit_metadata"]
lock_version = "4.5.0"
[[package]]
name = "lib"
version = "1.0"
path = "../lib"
groups = ["default"]
"""
PYLOCK = """lock-version = "1.0"
created-by = "x"
[[packages]]
name = "lib"
[packages.directory]
path = "../lib"
editable = true
[[packages]]
name = "app"
directory = { path = "./", editable = true }
"""
REQUIREMENTS = "-e ../lib[x]\n./\n"
LOCKS: list[tuple[Format, str, str, list[str]]] = [
    (uv.FORMAT, "uv.lock", UV_LOCK, [".", "../lib"]),
    (poetry.FORMAT, "poetry.lock", POETRY_LOCK, ["../lib"]),
    (pipenv.FORMAT, "Pipfile.lock", PIPFILE_LOCK, [".", "../lib"]),
    (pdm.FORMAT, "pdm.lock", PDM_LOCK, ["../lib"]),
    (pip.FORMAT, "pylock.toml", PYLOCK, [".", "../lib"]),
    (pip.FORMAT, "requirements.txt", REQUIREMENTS, [".", "../lib"]),
]
each_lock = pytest.mark.parametrize(("room", "name", "text", "folders"), LOCKS)


def with_lib(folder: Path, manifest: str = FLIT) -> None:
    (folder / "lib").mkdir(exist_ok=True)
    (folder / "lib/pyproject.toml").write_text(manifest)


@each_lock
def test_each_lock(tmp_path: Path, room: Format, name: str, text: str, folders: list[str]) -> None:
    with_lib(tmp_path)
    here = project(tmp_path, name, {name: text, "pyproject.toml": HATCH})
    warnings = room.read(here, options(LINUX)).warnings
    said = [warning.what for warning in warnings if "not packed" in warning.what]
    assert len(said) == 1 and said[0].endswith("(../lib) and is not packed")
    known = {".": [["hatchling"], ["editables~=0.3"]], "../lib": [["flit-core"], []]}
    key = room.fingerprint(here, options(LINUX))
    assert key["local-builds"] == {folder: known[folder] for folder in folders}
    with_lib(tmp_path, HATCH)
    assert room.fingerprint(here, options(LINUX)) != key


@each_lock
def test_nothing_is_read_for_who_wants_no_builds(
    tmp_path: Path, room: Format, name: str, text: str, folders: list[str]
) -> None:
    with_lib(tmp_path, "\n[")
    here = project(tmp_path, name, {name: text, "pyproject.toml": FLIT})
    off = Options(targets=options(LINUX).targets, extra={f"{room.name}-build-deps": "no"})
    assert room.read(here, off).artifacts == ()
    assert room.fingerprint(here, off)["local-builds"] == {}
    with pytest.raises(LockfileError, match="not valid TOML") as caught:
        room.read(here, options(LINUX))
    assert caught.value.where == "../lib/pyproject.toml:2"


def test_a_folder_that_is_not_here(tmp_path: Path) -> None:
    here = project(tmp_path, "requirements.txt", {"requirements.txt": "./lib\n"})
    (said,) = pip.FORMAT.read(here, options(LINUX)).warnings
    assert "./lib is local" in said.what and "nor what it is built with" in said.what
    assert said.where == "requirements.txt:1"


def test_what_looks_like_a_folder() -> None:
    lock = b"""
{file = "a-1.0.whl"}, {file = "a-1.0.tar.gz"}
url = "https://files.example/x"
url = "lib"
"path": "./pip\xc3\xa4n", "path": "back\\slash"
path = "nul\x00"
source = { editable = "e" }, { directory = "d" }, { virtual = "v" }
"""
    assert [*folders_in(lock)] == ["./pip\u00e4n", "d", "e", "lib"]


@pytest.mark.parametrize("folder", ["/etc", "~/x", "gone", "file", "x" * 200])
def test_folders_without_a_project(tmp_path: Path, folder: str) -> None:
    here = project(tmp_path, "uv.lock", {"uv.lock": "", "file": ""})
    assert local_projects(here, [folder]) == ()
    with pytest.raises(UsageError, match="there is no project in the folder"):
        local_projects(here, [], [folder])


def test_old_projects(tmp_path: Path) -> None:
    here = project(tmp_path, "uv.lock", {"uv.lock": "", "old/setup.py": "boom()"})
    assert local_projects(here, [], ["./old/"]) == (
        LocalProject("old", BuildSystem(LEGACY_REQUIRES), "old/pyproject.toml"),
    )


def test_a_build_lock_has_them(tmp_path: Path) -> None:
    """Also of a project that has no other dependencies, and whatever is newer by then."""
    here = project(tmp_path, "requirements.txt", {"requirements.txt": "", "pyproject.toml": HATCH})
    extra = {"pip-build-projects": ".", "pip-build-lock": "build.toml"}
    asked = Options(targets=options(LINUX).targets, extra=extra)
    workshop = MemoryWorkshop()
    lockfile, packed = MemoryPypi(TOOLS).packed(pip.FORMAT, here, asked, workshop)
    assert [(one.artifact.name, one.artifact.why) for one in packed] == [
        ("editables", ("build", "build of .")),
        ("hatchling", ("build", "build of .")),
    ]
    side = pip.FORMAT.side_files(here, lockfile, packed, workshop)
    (here.folder / "build.toml").write_bytes(side["build.toml"])
    newer = {**TOOLS, "hatchling-2-py3-none-any.whl": wheel("hatchling", "2", {})}
    lockfile, again = MemoryPypi(newer).packed(pip.FORMAT, here, asked, workshop)
    assert [one.blob for one in again] == [one.blob for one in packed]
    assert pip.FORMAT.side_files(here, lockfile, again, workshop) == side
    (here.folder / "pyproject.toml").write_text(HATCH.replace('g"]', 'g>=1"]'))
    _, changed = MemoryPypi(newer).packed(pip.FORMAT, here, asked, workshop)
    assert ("hatchling", "2") in {(one.artifact.name, one.artifact.version) for one in changed}


def test_poetry_builds_itself_with_a_script(tmp_path: Path) -> None:
    lock = POETRY_LOCK[POETRY_LOCK.index("[metadata]") :]
    for build, folders in [
        ('build = "build.py"', ["."]),
        ('[tool.poetry.build]\nscript = "build.py"', ["."]),
        ("[tool.poetry.build]\ngenerate-setup-file = true", []),
        ("", []),
    ]:
        manifest = f"{FLIT}[tool.poetry]\n{build}\n"
        here = project(tmp_path, "poetry.lock", {"poetry.lock": lock, "pyproject.toml": manifest})
        found = poetry.FORMAT.fingerprint(here, options(LINUX))["local-builds"]
        assert isinstance(found, dict) and [*found] == folders
