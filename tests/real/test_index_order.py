"""One name on two indexes: offline goes in what the client itself takes online.

`left` is an sdist, built with `tool`, which a private and a public index both have; nothing locks
that. What was built says which `tool` did it. Each project is installed twice: online by the
client alone, and from a bundle with the network cut off. Where a client takes the newest of what
several indexes have, packed is what the first one has, and that is said: no public index may
answer for a private name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import Machine, client, copy_project, extract
from tests.real.test_pip import target_of
from tests.real.test_private_registries import PYTHON, trust
from tests.real.ways import Command, online
from tests.world import World
from tests.world.backends import backend_wheel, source
from tests.world.distributions import sha256
from tests.world.pypi import PypiIndex

pytestmark = pytest.mark.real

OLD, NEW = "private 1.5", "public 9.0"
UV_PYTHON = {
    "UV_PYTHON": str(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")),
    "UV_PYTHON_DOWNLOADS": "never",
}


@dataclass(frozen=True)
class Indexes:
    """A private index with `left` and an old `tool`, and a public one with a new `tool`."""

    private: PypiIndex
    public: PypiIndex

    def put(self, text: str) -> str:
        """A text with the addresses put in."""
        return text.replace("PRIVATE", self.private.simple).replace("PUBLIC", self.public.simple)

    @property
    def allowed(self) -> tuple[str, ...]:
        """Options of `pack` that allow both."""
        hosts = (self.private.url.split("/")[2], self.public.url.split("/")[2])
        return tuple(word for host in hosts for word in ("--allow-host", host))

    @property
    def sdist_hash(self) -> str:
        """What locks `left`."""
        return sha256(self.private.files["left-1.0.0.tar.gz"])


@pytest.fixture
def indexes(world: World) -> Indexes:
    private = world.site(tls=True).mount("private", PypiIndex())
    public = world.site(tls=True).mount("public", PypiIndex())
    private.publish(*source("left", "tool", "tool"))
    private.publish(*backend_wheel("tool", "1.5", OLD))
    public.publish(*backend_wheel("tool", "9.0", NEW))
    return Indexes(private, public)


@dataclass(frozen=True)
class Install:
    """A project, and how its client locks and installs it.

    files, environ, home: with PRIVATE and PUBLIC in place of the indexes' addresses.
    environ: what the user has set while locking, packing and installing online.
    everywhere: what is set at the target too. there: what is set only there.
    said: what `pack` says. offline: what is typed at the target, where that is something else.
    """

    files: Mapping[str, str]
    install: Sequence[Command]
    lock: Sequence[Command] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    everywhere: Mapping[str, str] = field(default_factory=dict)
    home: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()
    path: Sequence[Path] = ()
    there: Mapping[str, str] = field(default_factory=dict)
    offline: Sequence[Command] = ()
    said: str = ""

    def answers(self, world: World, indexes: Indexes, folder: Path) -> tuple[str, str]:
        """What was built online, and what from the bundle."""
        project = folder / "project"
        _write(project, self.files, indexes)
        _write(folder / "home", self.home, indexes)
        environ = {name: indexes.put(text) for name, text in self.environ.items()}
        here = Machine(folder, self.path).env({**trust(world), **environ, **self.everywhere})
        for command in self.lock:
            online(command, project, here)
        there = copy_project(project, folder / "there" / "project")
        for command in self.install:
            online(command, project, here)
        taken = online(PYTHON, project, here).strip()
        cli = Cli(folder, environ={**world.environ, **environ})
        options = (*self.options, *indexes.allowed)
        done = cli.ok("pack", there, *options, "-o", folder / "deps.tar.zst")
        prefix = extract(folder / "deps.tar.zst", folder / "deps")
        machine = Machine(folder / "there", self.path)
        environ = {**self.everywhere, **self.there}
        for command in self.offline or self.install:
            machine.offline(*command, cwd=there, prefix=prefix, env=environ)
        built = machine.offline(*PYTHON, cwd=there, prefix=prefix, env=environ).strip()
        assert self.said in done.err
        assert built == taken or "would take the newest of all of them" in done.err
        return taken, built


def _write(folder: Path, files: Mapping[str, str], indexes: Indexes) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(indexes.put(text))


# -- uv ------------------------------------------------------------------------------------

PROJECT = """[project]
name = "app"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["left"]
"""
PRIVATE = '[[tool.uv.index]]\nname = "own"\nurl = "PRIVATE"\n'
PUBLIC = '[[tool.uv.index]]\nname = "all"\nurl = "PUBLIC"\n'
EXPLICIT = PRIVATE + "explicit = true\n" + '[tool.uv.sources]\nleft = { index = "own" }\n'
DEFAULT = "default = true\n"
BEST = '[tool.uv]\nindex-strategy = "unsafe-best-match"\n'
OLD_WAY = '[tool.uv]\nextra-index-url = ["PRIVATE"]\nindex-url = "PUBLIC"\n'
OWN_FILE = '[[index]]\nurl = "PRIVATE"\n[[index]]\nurl = "PUBLIC"\ndefault = true\n'

UV = {
    "default": (PRIVATE + PUBLIC + DEFAULT, {}, {}, {}, OLD),
    "default-first": (PUBLIC + DEFAULT + PRIVATE, {}, {}, {}, OLD),
    "private-is-default": (PRIVATE + DEFAULT + PUBLIC, {}, {}, {}, NEW),
    "two-and-their-order": (PUBLIC + PRIVATE, {}, {}, {}, NEW),
    "explicit": (EXPLICIT + PUBLIC + DEFAULT, {}, {}, {}, NEW),
    "best-match": (BEST + PRIVATE + PUBLIC + DEFAULT, {}, {}, {}, NEW),
    "best-match-of-the-environment": (
        PRIVATE + PUBLIC + DEFAULT,
        {"UV_INDEX_STRATEGY": "unsafe-best-match"},
        {},
        {},
        NEW,
    ),
    "environment": ("", {"UV_INDEX": "PRIVATE", "UV_DEFAULT_INDEX": "PUBLIC"}, {}, {}, OLD),
    "environment-before-project": (PRIVATE, {"UV_INDEX": "all=PUBLIC"}, {}, {}, NEW),
    "old-environment": (
        "",
        {"UV_EXTRA_INDEX_URL": "PRIVATE", "UV_INDEX_URL": "PUBLIC"},
        {},
        {},
        OLD,
    ),
    "old-settings": (OLD_WAY, {}, {}, {}, OLD),
    "uv.toml": (PUBLIC, {}, {"uv.toml": OWN_FILE}, {}, OLD),
    "user's": ("", {}, {}, {".config/uv/uv.toml": OWN_FILE}, OLD),
    "project-before-user": (PUBLIC, {}, {}, {".config/uv/uv.toml": OWN_FILE}, NEW),
}


@pytest.mark.parametrize("case", UV)
def test_uv(world: World, indexes: Indexes, tmp_path: Path, case: str) -> None:
    settings, environ, files, home, taken = UV[case]
    uv = client("uv-0.13") / "bin/uv"
    way = Install(
        files={"pyproject.toml": PROJECT + settings, **files},
        lock=[(uv, "lock")],
        install=[(uv, "sync", "--frozen")],
        environ=environ,
        everywhere=UV_PYTHON,
        home=home,
    )
    assert way.answers(world, indexes, tmp_path) == (taken, taken)


OWN_BUILD = """[project]
name = "left"
version = "1.0.0"
requires-python = ">=3.11"
[build-system]
requires = ["tool"]
build-backend = "tool"
[tool.uv.sources]
tool = { index = "own" }
"""


def test_uv_source_of_a_build_requirement(world: World, indexes: Indexes, tmp_path: Path) -> None:
    """uv then asks the very index; offline it has to be told not to, which `pack` says."""
    explicit = PRIVATE + "explicit = true\n"
    uv = client("uv-0.13") / "bin/uv"
    way = Install(
        files={"pyproject.toml": OWN_BUILD + explicit + PUBLIC + DEFAULT},
        lock=[(uv, "lock")],
        install=[(uv, "sync", "--frozen", "--no-editable")],
        everywhere=UV_PYTHON,
        there={"UV_NO_SOURCES_PACKAGE": "tool"},
        said="UV_NO_SOURCES_PACKAGE=tool",
    )
    assert way.answers(world, indexes, tmp_path) == (OLD, OLD)


# -- Poetry --------------------------------------------------------------------------------

POETRY_PROJECT = (
    PROJECT.replace('"left"', '"left==1.0.0"') + "[tool.poetry]\npackage-mode = false\n"
)


def _source(name: str, priority: str) -> str:
    return (
        f'[[tool.poetry.source]]\nname = "{name.lower()}"\nurl = "{name}"\n'
        f'priority = "{priority}"\n'
    )


POETRY = {
    "primary": (_source("PRIVATE", "primary") + _source("PUBLIC", "primary"), NEW, OLD),
    "public-first": (_source("PUBLIC", "primary") + _source("PRIVATE", "primary"), NEW, NEW),
    "supplemental": (_source("PRIVATE", "supplemental") + _source("PUBLIC", "primary"), NEW, NEW),
    "supplemental-public": (
        _source("PUBLIC", "supplemental") + _source("PRIVATE", "primary"),
        OLD,
        OLD,
    ),
    "explicit": (_source("PRIVATE", "explicit") + _source("PUBLIC", "primary"), NEW, NEW),
}
"""Sources, what Poetry builds with online, and what is packed."""


@pytest.mark.parametrize("version", ["2.0", "2.5"])
@pytest.mark.parametrize("case", POETRY)
def test_poetry(world: World, indexes: Indexes, tmp_path: Path, case: str, version: str) -> None:
    sources, taken, packed = POETRY[case]
    poetry = client(f"poetry-{version}") / "bin/poetry"
    left = 'left = { version = "1.0.0", source = "private" }\n' if case == "explicit" else ""
    way = Install(
        files={
            "pyproject.toml": POETRY_PROJECT
            + (f"[tool.poetry.dependencies]\n{left}" if left else "")
            + sources
        },
        lock=[(poetry, "lock")],
        install=[(poetry, "install", "--no-interaction")],
        everywhere={"POETRY_VIRTUALENVS_IN_PROJECT": "true"},
        path=[Path(sys.base_prefix, "bin")],
    )
    assert way.answers(world, indexes, tmp_path) == (taken, packed)


@pytest.mark.parametrize("version", ["2.0", "2.5"])
def test_poetry_falls_back(world: World, indexes: Indexes, tmp_path: Path, version: str) -> None:
    """The supplemental source answers where the primary one has no version that is asked for."""
    indexes.private.publish(*source("left", "tool>=9", "tool"))
    sources = _source("PRIVATE", "primary") + _source("PUBLIC", "supplemental")
    poetry = client(f"poetry-{version}") / "bin/poetry"
    way = Install(
        files={"pyproject.toml": POETRY_PROJECT + sources},
        lock=[(poetry, "lock")],
        install=[(poetry, "install", "--no-interaction")],
        everywhere={"POETRY_VIRTUALENVS_IN_PROJECT": "true"},
        path=[Path(sys.base_prefix, "bin")],
    )
    assert way.answers(world, indexes, tmp_path) == (NEW, NEW)


# -- pip, Pipenv ---------------------------------------------------------------------------

PIP = {
    "private-first": ("--index-url PRIVATE\n--extra-index-url PUBLIC\n", {}, NEW, OLD),
    "public-first": ("--index-url PUBLIC\n--extra-index-url PRIVATE\n", {}, NEW, NEW),
    "environment": ("", {"PIP_INDEX_URL": "PRIVATE", "PIP_EXTRA_INDEX_URL": "PUBLIC"}, NEW, OLD),
    "file-before-environment": ("--index-url PRIVATE\n", {"PIP_INDEX_URL": "PUBLIC"}, OLD, OLD),
}
"""Options, environment, what pip builds with online, and what is packed."""


@pytest.mark.parametrize("version", ["23", "26"])
@pytest.mark.parametrize("case", PIP)
def test_pip(world: World, indexes: Indexes, tmp_path: Path, case: str, version: str) -> None:
    options, environ, taken, packed = PIP[case]
    pip = client(f"pip-{version}") / "bin/pip"
    way = Install(
        files={"requirements.txt": f"{options}left==1.0.0 --hash=sha256:{indexes.sdist_hash}\n"},
        install=[
            (pip.parent / "python", "-m", "venv", "--without-pip", ".venv"),
            (pip, "--python", ".venv/bin/python", "install", "-r", "requirements.txt"),
        ],
        environ=environ,
        options=("--target", target_of(pip)),
    )
    assert way.answers(world, indexes, tmp_path) == (taken, packed)


PIPENV = {
    "first": (("PRIVATE", "PUBLIC"), None, "", OLD, OLD),
    "named": (("PUBLIC", "PRIVATE"), "private", "", OLD, OLD),
    "all": (("PRIVATE", "PUBLIC"), None, "[pipenv]\ninstall_search_all_sources = true\n", NEW, OLD),
}
"""Sources, the one that is locked, settings, what pipenv builds with online, and what is packed."""


@pytest.mark.parametrize("case", PIPENV)
def test_pipenv(world: World, indexes: Indexes, tmp_path: Path, case: str) -> None:
    names, named, settings, taken, packed = PIPENV[case]
    pipenv = client("pipenv") / "bin/pipenv"
    sources = [{"name": n.lower(), "url": indexes.put(n), "verify_ssl": True} for n in names]
    pin = {"hashes": [f"sha256:{indexes.sdist_hash}"], "version": "==1.0.0"}
    meta = {"hash": {"sha256": "0" * 64}, "pipfile-spec": 6, "requires": {}, "sources": sources}
    lock = {
        "_meta": meta,
        "default": {"left": pin | ({"index": named} if named else {})},
        "develop": {},
    }
    tables = "".join(
        f'[[source]]\nname = "{s["name"]}"\nurl = "{s["url"]}"\nverify_ssl = true\n'
        for s in sources
    )
    way = Install(
        files={
            "Pipfile": tables + '[packages]\nleft = "==1.0.0"\n' + settings,
            "Pipfile.lock": json.dumps(lock, indent=4),
        },
        install=[(pipenv, "sync")],
        everywhere={
            "PIPENV_VENV_IN_PROJECT": "1",
            "PIPENV_PYTHON": str(pipenv.parent / "python"),
        },
        options=("--target", target_of(pipenv)),
    )
    assert way.answers(world, indexes, tmp_path) == (taken, packed)


# -- PDM -----------------------------------------------------------------------------------

PDM = {
    "mirror": ("", {"PDM_PYPI_URL": "PRIVATE"}, OLD, OLD),
    "default-first": ("all=PUBLIC own=PRIVATE", {}, NEW, NEW),
    "private-first": ("pypi=PRIVATE all=PUBLIC", {}, NEW, OLD),
    "included": ("pypi=PUBLIC own=PRIVATE=tool+left", {}, OLD, OLD),
}
"""Sources, environment, what PDM builds with online, and what is packed.

A source is its name, its address, and what it includes, if it says so.
"""


@pytest.mark.parametrize("version", ["2.22", "2.29"])
@pytest.mark.parametrize("case", PDM)
def test_pdm(world: World, indexes: Indexes, tmp_path: Path, case: str, version: str) -> None:
    named, environ, taken, packed = PDM[case]
    pdm = client(f"pdm-{version}") / "bin/pdm"
    sources = "".join(
        '[[tool.pdm.source]]\nname = "{}"\nurl = "{}"\ninclude_packages = {}\n'.format(
            name, url, "".join(included).split("+") if included else []
        )
        for name, url, *included in (source.split("=") for source in named.split())
    )
    pip = client("pip-26") / "bin/pip"
    requirements = '"$VENDORPACK_PREFIX/pip/requirements-pdm.txt"'
    by_pip = [
        (pip.parent / "python", "-m", "venv", "--without-pip", ".venv"),
        ("sh", "-c", f"{pip} --python .venv/bin/python install -r {requirements}"),
    ]
    way = Install(
        files={"pyproject.toml": PROJECT + "[tool.pdm]\ndistribution = false\n" + sources},
        lock=[(pdm, "lock"), ("rm", "-rf", ".venv", ".pdm-python")],
        install=[(pdm, "install")],
        environ=environ or {"PDM_PYPI_URL": "PUBLIC"},
        everywhere={"PDM_CHECK_UPDATE": "0"},
        offline=by_pip if sources else (),
        options=("--target", target_of(pip)),
        path=[Path(sys.base_prefix, "bin")],
    )
    assert way.answers(world, indexes, tmp_path) == (taken, packed)
