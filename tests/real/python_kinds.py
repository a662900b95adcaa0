"""One small project with five kinds of dependencies, in the lockfile of every Python client.

`projects/five-kinds` has what the clients themselves locked, `projects/five-kinds-submodules`
the same of a commit with a submodule, `projects/five-kinds-address` of a direct URL for the client
that installs none; but for one thing: their repositories lie at
`http://git.example`, in whose place comes the loopback's address. Commits' ids are always the
same. `table` says what came of it, for the README.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.real.clients import client
from tests.world.git import Repository

# -- what is installed ---------------------------------------------------------------------

COMMIT = "88c8c0b43c68fe3b6ed1d1700ea8fcf324a4f9ad"
GREETING = {
    "pyproject.toml": b"""[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "greeting"
version = "1.2.3"
requires-python = ">=3.11"
""",
    "src/greeting/__init__.py": b'VERSION = "1.2.3"\n',
}
KINDS = {
    "sdist only": "docopt-0.6.2.tar.gz",
    "setuptools-scm": "zipp-3.21.0.tar.gz",
    "C code": "crcmod-1.7.tar.gz",
    "git commit": f"greeting.git#{COMMIT}",
    "direct URL": "idna-3.10-py3-none-any.whl",
}
"""Kind to what its package is packed from."""
ORIGIN = """
import json
from importlib.metadata import distribution

def origin(name):
    return json.loads(distribution(name).read_text("direct_url.json"))
"""
PROOFS = {
    "sdist only": (
        "import docopt; print('docopt', docopt.__version__)",
        "docopt 0.6.2",
    ),
    "setuptools-scm": (
        "import zipp; print('zipp', distribution('zipp').version, zipp.Path.__name__)",
        "zipp 3.21.0 Path",
    ),
    "C code": (
        "import crcmod._crcfunext, crcmod.predefined as crc\n"
        "print('crcmod', crcmod._crcfunext.__file__[-3:], hex(crc.mkCrcFun('crc-32')(b'crc')))",
        "crcmod .so 0x7c6287fd",
    ),
    "git commit": (
        "import greeting\n"
        "print('greeting', greeting.VERSION, origin('greeting')['vcs_info']['commit_id'])",
        f"greeting 1.2.3 {COMMIT}",
    ),
    "direct URL": (
        "import idna; print('idna', idna.__version__, origin('idna')['url'].rpartition('/')[2])",
        "idna 3.10 idna-3.10-py3-none-any.whl",
    ),
}
"""Kind to a program that imports its package, and what that says."""

SUBMODULES = "commit with submodules"
SUBMODULES_COMMIT = "ae1ef6af218e622d03e0f0373ddd034e97607bb1"
PHRASE = {
    "pyproject.toml": b"""[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"

[project]
name = "phrase"
version = "1.0"
description = "Has its words from a submodule."
requires-python = ">=3.11"
""",
    "phrase/__init__.py": b"from phrase.words import WORDS as WORDS\n",
}
SUBMODULES_PROOF = "import phrase; print(phrase.WORDS)"
SUBMODULES_PROVEN = "of a submodule\n"


def greeting(folder: Path) -> str:
    """Publish the repository with the five kinds' commit: its id."""
    repository = Repository(folder / "greeting")
    repository.commit({"README": b"A first commit, which is not packed.\n"})
    commit = repository.commit(GREETING)
    repository.publish(folder)
    return commit


def phrase(folder: Path, words: str) -> str:
    """Publish two repositories, one the other's submodule at the address `words`: its commit."""
    inner = Repository(folder / "words")
    inner.commit({"__init__.py": b'WORDS = "of a submodule"\n'})
    inner.publish(folder)
    outer = Repository(folder / "phrase")
    outer.commit(PHRASE)
    outer.git("submodule", "--quiet", "add", inner.url, "phrase/words")
    modules = outer.folder / ".gitmodules"
    modules.write_text(modules.read_text().replace(inner.url, words))
    commit = outer.commit({})
    outer.publish(folder)
    return commit


TEMPLATE_HOST = "http://git.example"


@dataclass(frozen=True)
class Template:
    """A project with a lockfile for every client, and the commit that those lock.

    publish: makes the repositories in a folder that will be served at an address; answers with
        the commit's id.
    """

    folder: str
    commit: str
    publish: Callable[[Path, str], str]


FIVE_KINDS = Template("five-kinds", COMMIT, lambda folder, _: greeting(folder))
ADDRESS = Template("five-kinds-address", "", lambda _, __: "")
RELATIVE = Template(
    "five-kinds-submodules", SUBMODULES_COMMIT, lambda folder, _: phrase(folder, "../words.git")
)
FULL = Template(
    "five-kinds-submodules",
    SUBMODULES_COMMIT,
    lambda folder, host: phrase(folder, f"{host}/words.git"),
)

# -- by whom -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Locked:
    """A project as one kind of client locks it: a folder of the template."""

    folder: str
    lockfiles: tuple[str, ...]
    options: tuple[str, ...] = ()

    def files(self, project: Path) -> list[Path]:
        """The lockfiles that the project has."""
        return [path for name in self.lockfiles if (path := project / name).is_file()]


CLIENT, LOCKFILE = "client", "lockfile"
SPACES, NO_PYLOCK, OLD_CACHE, APART, ABOVE, ITSELF = range(1, 7)
NOTES = {
    SPACES: "pip splits `PIP_FIND_LINKS` at spaces: unpack to a folder without any.",
    NO_PYLOCK: "pip 23 takes `pylock.toml` for a requirements file, and refuses it.",
    OLD_CACHE: "Pack with `--pip-old-cache yes`: pip before 23.3 has another HTTP cache.",
    APART: "pip takes no commit in a file with hashes. Put commits into a file of their own "
    "(`requirements-git.txt`, `pylock.git.toml`), for a second `pip install -r`.",
    ABOVE: "uv before 0.12 looks for submodules whose addresses are relative (`../words.git`) "
    "beside its own cache. Full addresses work.",
    ITSELF: "PDM asks for a file by its address itself, offline too. Packing says so, and has "
    "requirements for pip in the bundle: `pip install -r deps/pip/requirements-pdm.txt`.",
}


@dataclass(frozen=True)
class Client:
    """A client, and how it installs a project.

    name: the folder it is installed in. title: what the table calls it.
    arguments: of the ordinary command; pip's names a file in the end, and is run for each.
    refuses: what it says if it cannot read the lockfile at all.
    refused: kinds that it does not install, to what it says of one.
    refuses_relative: what it says of submodules whose addresses are relative, if it cannot.
    notes: column of the table to a number of `NOTES`.
    """

    name: str
    title: str
    locked: Locked
    arguments: tuple[str, ...]
    refuses: str = ""
    refuses_relative: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}-{self.locked.lockfiles[0]}"

    def program(self) -> Path:
        """The client's program; skips the test if it is not installed."""
        return client(self.name) / "bin" / self.name.partition("-")[0]

    @property
    def kinds(self) -> list[str]:
        """The kinds that it installs, and so its project has."""
        return [kind for kind in KINDS if kind not in self.refused]

    @property
    def proof(self) -> tuple[str, str]:
        """A program that imports all of its project's packages, and what that prints."""
        programs, said = zip(*(PROOFS[kind] for kind in self.kinds), strict=True)
        return "\n".join((ORIGIN, *programs)), "".join(f"{line}\n" for line in said)

    @property
    def wants_environment(self) -> bool:
        """Whether it makes none itself."""
        return self.arguments[-1] == "-r"

    def commands(self, project: Path) -> Iterator[tuple[str, ...]]:
        """The arguments of every command that installs the project."""
        if not self.wants_environment:
            yield self.arguments
            return
        for path in self.locked.files(project):
            yield (*self.arguments, path.name)

    def row(self) -> tuple[str, ...]:
        """What the table says."""
        found = dict.fromkeys((*KINDS, SUBMODULES), "no" if self.refuses else "✓")
        if self.refuses_relative:
            found[SUBMODULES] = "no"
        found |= dict.fromkeys(self.refused, "no")
        said = {CLIENT: self.title, LOCKFILE: f"`{self.locked.lockfiles[0]}`", **found}
        return tuple(
            f"{text} ({self.notes[column]})" if column in self.notes else text
            for column, text in said.items()
        )


REQUIREMENTS = Locked(
    "pip", ("requirements.txt", "requirements-git.txt"), ("--pip-old-cache", "yes")
)
PYLOCK = Locked("pylock", ("pylock.toml", "pylock.git.toml"))
UV = Locked("uv", ("uv.lock",))
POETRY = Locked("poetry", ("poetry.lock",))
PIPENV = Locked("pipenv", ("Pipfile.lock",))
PDM = Locked("pdm", ("pdm.lock",), ("--pdm-no-binary", "zipp"))

_PIP = ("--python", ".venv/bin/python", "install", "-r")
_SYNC = ("sync", "--frozen")
_COMMITS = {LOCKFILE: SPACES, "git commit": APART}
_ABOVE = {SUBMODULES: ABOVE}
_PDM = ("install", "--frozen-lockfile")
_ADDRESS = {"direct URL": "ConnectError"}
_NO_SUCH_FOLDER = "git-v0/db/words.git' does not exist"

CLIENTS = (
    Client(
        *("pip-23", "pip 23.2", REQUIREMENTS, _PIP), notes={**_COMMITS, "direct URL": OLD_CACHE}
    ),
    Client("pip-26", "pip 26.3", REQUIREMENTS, _PIP, notes=_COMMITS),
    Client(
        *("pip-23", "pip 23.2", PYLOCK, _PIP, "Invalid requirement"), notes={LOCKFILE: NO_PYLOCK}
    ),
    Client("pip-26", "pip 26.3", PYLOCK, _PIP, notes=_COMMITS),
    Client("uv-0.6", "uv 0.6", UV, _SYNC, refuses_relative=_NO_SUCH_FOLDER, notes=_ABOVE),
    Client("uv-0.8", "uv 0.8", UV, _SYNC, refuses_relative=_NO_SUCH_FOLDER, notes=_ABOVE),
    Client("uv-0.10", "uv 0.10", UV, _SYNC, refuses_relative=_NO_SUCH_FOLDER, notes=_ABOVE),
    Client("uv-0.12", "uv 0.12", UV, _SYNC),
    Client("uv-0.13", "uv 0.13", UV, _SYNC),
    Client("poetry-2.0", "Poetry 2.0", POETRY, ("install", "--no-interaction")),
    Client("poetry-2.5", "Poetry 2.5", POETRY, ("install", "--no-interaction")),
    Client("pipenv", "Pipenv 2026.10", PIPENV, ("sync",), notes={LOCKFILE: SPACES}),
    Client("pdm-2.22", "PDM 2.22", PDM, _PDM, refused=_ADDRESS, notes={"direct URL": ITSELF}),
    Client("pdm-2.29", "PDM 2.29", PDM, _PDM, refused=_ADDRESS, notes={"direct URL": ITSELF}),
)


def table() -> str:
    """The table and its notes, in Markdown; neighbours that are alike in one row."""
    lines = ["| " + " | ".join((CLIENT, LOCKFILE, *KINDS, SUBMODULES)) + " |"]
    lines.append("|---" * (3 + len(KINDS)) + "|")
    for cells, rows in itertools.groupby((c.row() for c in CLIENTS), key=lambda row: row[1:]):
        names = [row[0] for row in rows]
        program = names[0].partition(" ")[0]
        versions = ", ".join(name.partition(" ")[2] for name in names)
        lines.append("| " + " | ".join((f"{program} {versions}", *cells)) + " |")
    notes = [f"{number}. {text}" for number, text in sorted(NOTES.items())]
    return "\n".join([*lines, "", *notes, ""])


def settings(program: Path) -> dict[str, str]:
    """What each client has to be told so that it takes this Python, and `.venv`."""
    return {
        "UV_PYTHON": str(Path(sys.base_prefix, "bin/python3")),
        "UV_PYTHON_DOWNLOADS": "never",
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_PYTHON": str(program.parent / "python"),
    }
