"""Commits of private repositories, over https with a login and over ssh, for every client.

The real client locks where the server is at hand; behind the gap its ordinary command finds the
commit in the bundle, under the very address it knows.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.real.clients import client, tool
from tests.real.test_bundler import bundler, gemspec, pure
from tests.real.test_cargo import member, name_of, toolchain
from tests.real.test_pip import target_of
from tests.real.ways import Way
from tests.world import World, basic
from tests.world.git import GitHost, Repository

pytestmark = pytest.mark.real

LOGIN = "someone:canary-password"
TRANSPORTS = ("https", "ssh")


@dataclass(frozen=True)
class Remote:
    """Where a folder's bare repositories are served, and what opens that."""

    url: str
    options: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    home: Mapping[str, str] = field(default_factory=dict)


@pytest.fixture(params=TRANSPORTS)
def remote(request: pytest.FixtureRequest, world: World, served: Path) -> Remote:
    if request.param in ("ssh", "core.sshCommand"):
        ssh = world.ssh(served)
        options = ("--allow-host", ssh.host, "--git-config")
        if request.param == "core.sshCommand":
            config = f"[core]\n\tsshCommand = {ssh.command}\n"
            return Remote(ssh.url, options, home={".gitconfig": config})
        return Remote(ssh.url, options, {"GIT_SSH_COMMAND": ssh.command})
    site = world.site(tls=True)
    kind = "smart" if request.param == "https" else request.param
    host = site.mount("git", GitHost(served, kind), login=basic(LOGIN))
    netrc = "machine 127.0.0.1 login someone password canary-password\n"
    return Remote(host.url, ("--allow-host", f"127.0.0.1:{site.port}"), home={".netrc": netrc})


@pytest.mark.parametrize("remote", [*TRANSPORTS, "core.sshCommand", "named", "dumb"], indirect=True)
def test_cargo(world: World, remote: Remote, served: Path, tmp_path: Path) -> None:
    """A branch, an annotated tag and a revision, also from servers that know only names.

    The branch has a submodule, by an address that counts from the repository's own.
    """
    extra = Repository(tmp_path / "extra")
    extra.commit({"name.rs": name_of("branch")})
    extra.publish(served)
    library = Repository(tmp_path / "library")
    library.commit({"Cargo.toml": member("library"), "src/lib.rs": name_of("tagged")})
    library.git("tag", "-a", "v1", "-m", "x")
    revision = library.commit({"src/lib.rs": name_of("revision")})
    library.submodule("../extra.git", extra)
    library.commit({"src/lib.rs": b'include!("../extra/name.rs");'})
    library.publish(served)
    of = f'package = "library", git = "{remote.url}/library.git"'
    way = Way(
        files={
            "Cargo.toml": member("app").decode()
            + f'[dependencies]\na = {{ {of}, branch = "main" }}\nb = {{ {of}, tag = "v1" }}\n'
            + f'c = {{ {of}, rev = "{revision}" }}\n',
            "src/main.rs": 'fn main() { println!("{} {} {}", a::NAME, b::NAME, c::NAME) }\n',
        },
        home=remote.home,
        lock=[("cargo", "generate-lockfile")],
        install=[("cargo", "build", "--frozen")],
        proof=("target/debug/app",),
        said="branch tagged revision",
        path=[Path(tool("cargo")).parent],
        locking={**remote.environ, **toolchain(), "CARGO_NET_GIT_FETCH_WITH_CLI": "true"},
        packing=remote.environ,
        installing=toolchain(),
        options=remote.options,
    )
    way.go(world, tmp_path)


BACKEND = """
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "greeting-1.0.0-py3-none-any.whl"
    info = "greeting-1.0.0.dist-info"
    files = {
        "greeting.py": open("greeting.py").read(),
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: greeting\\nVersion: 1.0.0\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\\n" for path in files))
    return name
"""
"""A build backend that lies in the repository itself, and needs nothing."""
PYTHON = (".venv/bin/python", "-c", "import greeting; print(greeting.NAME)")


@pytest.fixture
def greeting(served: Path, tmp_path: Path) -> str:
    """A Python project's repository: its commit."""
    repository = Repository(tmp_path / "greeting")
    pyproject = b"""[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "greeting"
version = "1.0.0"
requires-python = ">=3.11"
"""
    commit = repository.commit(
        {
            "pyproject.toml": pyproject,
            "backend.py": BACKEND.encode(),
            "greeting.py": b"NAME = 'from git'\n",
        }
    )
    repository.publish(served)
    return commit


def project(remote: Remote) -> str:
    return f"""[project]
name = "app"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["greeting @ git+{remote.url}/greeting.git"]
"""


@pytest.mark.parametrize("version", ["23", "26"])
def test_pip(world: World, remote: Remote, greeting: str, tmp_path: Path, version: str) -> None:
    program = client(f"pip-{version}") / "bin/pip"
    requirement = f"greeting @ git+{remote.url}/greeting.git@{greeting}\n"
    way = Way(
        files={"requirements.txt": requirement},
        home=remote.home,
        install=[
            (program.parent / "python", "-m", "venv", "--without-pip", ".venv"),
            (program, "--python", ".venv/bin/python", "install", "-r", "requirements.txt"),
        ],
        proof=PYTHON,
        said="from git",
        packing=remote.environ,
        options=(*remote.options, "--target", target_of(program)),
    )
    way.go(world, tmp_path)


@pytest.mark.usefixtures("greeting")
@pytest.mark.parametrize("version", ["0.8", "0.13"])
def test_uv(world: World, remote: Remote, tmp_path: Path, version: str) -> None:
    uv = client(f"uv-{version}") / "bin/uv"
    python = {
        "UV_PYTHON": str(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    way = Way(
        files={"pyproject.toml": project(remote)},
        home=remote.home,
        lock=[(uv, "lock")],
        install=[(uv, "sync", "--frozen")],
        proof=PYTHON,
        said="from git",
        locking={**remote.environ, **python},
        packing=remote.environ,
        installing=python,
        options=remote.options,
    )
    way.go(world, tmp_path)


@pytest.mark.usefixtures("greeting")
@pytest.mark.parametrize("version", ["2.0", "2.5"])
def test_poetry(world: World, remote: Remote, tmp_path: Path, version: str) -> None:
    poetry = client(f"poetry-{version}") / "bin/poetry"
    local = {"POETRY_VIRTUALENVS_IN_PROJECT": "true"}
    way = Way(
        files={"pyproject.toml": project(remote) + "[tool.poetry]\npackage-mode = false\n"},
        home=remote.home,
        lock=[(poetry, "lock")],
        install=[(poetry, "install", "--no-interaction")],
        proof=PYTHON,
        said="from git",
        path=[Path(sys.base_prefix, "bin")],
        locking={**remote.environ, **local, "POETRY_SYSTEM_GIT_CLIENT": "true"},
        packing=remote.environ,
        installing=local,
        options=remote.options,
    )
    way.go(world, tmp_path)


@pytest.mark.parametrize("pin", ["", ', tag: "v1"'], ids=["branch", "annotated tag"])
@pytest.mark.parametrize("version", ["system", "2.6", "4"])
def test_bundler(
    world: World, remote: Remote, served: Path, tmp_path: Path, version: str, pin: str
) -> None:
    """Of an annotated tag, Bundler locks the tag's own id."""
    repository = Repository(tmp_path / "gitty")
    repository.commit(
        {
            "gitty.gemspec": gemspec("gitty").encode(),
            "lib/gitty.rb": pure("Gitty", "NAME = 'from git'").encode(),
        }
    )
    repository.git("tag", "-a", "v1", "-m", "x")
    repository.publish(served)
    bundle = bundler(version)
    jobs = {"BUNDLE_JOBS": "1"}
    way = Way(
        files={"Gemfile": f'gem "gitty", git: "{remote.url}/gitty.git"{pin}\n'},
        home=remote.home,
        lock=[(*bundler("system"), "lock")],
        install=[(*bundle, "install", "--local")],
        proof=(*bundle, "exec", "ruby", "-e", "Bundler.require; puts Gitty::NAME"),
        said="from git",
        locking={**remote.environ, **jobs},
        packing=remote.environ,
        installing=jobs | {"BUNDLE_PATH": str(tmp_path / "installed")},
        options=remote.options,
    )
    way.go(world, tmp_path)


@pytest.mark.parametrize("version", ["system", "2.6", "4"])
def test_bundler_with_submodules(
    world: World, remote: Remote, served: Path, tmp_path: Path, version: str
) -> None:
    """One by its full address, that has one by an address which counts from its own.

    Of the gem's own, Bundler before 4 counts such addresses from its cache, network or not.
    """
    deep, words = Repository(tmp_path / "deep"), Repository(tmp_path / "words")
    deep.commit({"deep.rb": pure("Deep", "NAME = 'deep'").encode()})
    words.submodule("../deep.git", deep)
    words.commit({"words.rb": b"require_relative 'deep/deep'\n"})
    repository = Repository(tmp_path / "gitty")
    repository.submodule("../words.git" if version == "4" else f"{remote.url}/words.git", words)
    repository.commit(
        {
            "gitty.gemspec": gemspec("gitty").encode(),
            "lib/gitty.rb": b"require_relative '../words/words'\n",
        }
    )
    for made in (deep, words, repository):
        made.publish(served)
    bundle = bundler(version)
    jobs = {"BUNDLE_JOBS": "1"}
    gem = f'gem "gitty", git: "{remote.url}/gitty.git", submodules: true'
    way = Way(
        files={"Gemfile": gem + "\n"},
        home=remote.home,
        # Bundler checks submodules out while it locks, which older ones cannot do with relative
        # addresses.
        lock=[(*bundler(version if version == "4" else "system"), "lock")],
        install=[(*bundle, "install", "--local")],
        proof=(*bundle, "exec", "ruby", "-e", "Bundler.require; puts Deep::NAME"),
        said="deep",
        locking={**remote.environ, **jobs},
        packing=remote.environ,
        installing=jobs | {"BUNDLE_PATH": str(tmp_path / "installed")},
        options=remote.options,
    )
    way.go(world, tmp_path)
