"""pip 23 and 26 install from a bundle with the network cut off."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.corpus import corpus
from tests.real.clients import PROJECTS, Machine, client, copy_project, extract, pack
from tests.real.ways import Way
from tests.world import World
from tests.world.distributions import installable_wheel, wheel
from tests.world.git import GitHost, Repository
from tests.world.pypi import PypiIndex
from vendorpack.target import this_machine

pytestmark = pytest.mark.real

VERSIONS = ("23", "26")
IMPORT = (
    "import docopt, idna, pluggy, simplejson, six, toolz; "
    "print(pluggy.__version__, simplejson.__version__, toolz.__version__)"
)


def pip(version: str) -> Path:
    return client(f"pip-{version}") / "bin" / "pip"


def target_of(pip: Path) -> str:
    """This machine, with the Python that pip runs in."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    python = subprocess.run([pip.parent / "python", "-c", ask], capture_output=True, text=True)
    return f"{this_machine()}-py{python.stdout.strip()}"


def environment(here: Machine, pip: Path, folder: Path | None = None) -> Path:
    """An empty virtual environment's Python."""
    folder = folder or here.folder / "venv"
    here.offline(pip.parent / "python", "-m", "venv", "--without-pip", folder, cwd=here.folder)
    return folder / "bin" / "python"


@pytest.mark.network
@pytest.mark.parametrize("version", VERSIONS)
def test_requirements(real_cli: Cli, bundles: Path, tmp_path: Path, version: str) -> None:
    client_pip = pip(version)
    source = PROJECTS / "hello-pip"
    bundle = bundles / "deps.tar.zst"
    options = ["--target", target_of(client_pip), "--pip-old-cache", "yes"]
    pack(real_cli, source / "requirements.txt", *options, "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    app = copy_project(source, tmp_path / "app")
    here = Machine(tmp_path)
    python = environment(here, client_pip)
    here.offline(
        *(client_pip, "--python", python, "install", "-r", "requirements.txt"),
        cwd=app,
        prefix=prefix,
    )
    assert here.offline(python, "-c", IMPORT, cwd=app) == "1.5.0 3.19.3 1.0.0\n"
    for name in ("requirements.txt", "base.txt"):
        assert (app / name).read_bytes() == (source / name).read_bytes()


@pytest.mark.network
def test_a_changed_file_is_noticed_by_pip(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    client_pip = pip("26")
    source = PROJECTS / "hello-pip"
    bundle = bundles / "deps.tar.zst"
    options = ["--format", "pip", "--target", target_of(client_pip)]
    pack(real_cli, source / "base.txt", *options, "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    (six,) = prefix.glob("pip/wheelhouse/six-*.whl")
    six.write_bytes(wheel("six", "1.17.0", {"six.py": b"print('evil')"}))
    here = Machine(tmp_path)
    python = environment(here, client_pip)
    done = here.attempt(
        *(client_pip, "--python", python, "install", "-r", source / "base.txt"),
        cwd=tmp_path,
        prefix=prefix,
    )
    assert done.code != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.out


@pytest.mark.network
def test_pylock(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    client_pip = pip("26")
    source = PROJECTS / "hello-pip"
    bundle = bundles / "deps.tar.zst"
    pack(real_cli, source / "pylock.toml", "--target", target_of(client_pip), "-o", bundle)
    prefix = extract(bundle, tmp_path / "deps")
    here = Machine(tmp_path)
    python = environment(here, client_pip)
    here.offline(
        *(client_pip, "--python", python, "install", "-r", source / "pylock.toml"),
        cwd=tmp_path,
        prefix=prefix,
    )
    here.offline(python, "-c", "import docopt, idna, six", cwd=tmp_path)


@pytest.mark.network
def test_the_same_pack_again_is_the_same(real_cli: Cli, bundles: Path) -> None:
    for name in ("a.tar.zst", "b.tar.zst"):
        lockfile = PROJECTS / "hello-pip/requirements.txt"
        pack(real_cli, lockfile, "--target", "linux-x86_64-gnu-py3.12", "-o", bundles / name)
    assert (bundles / "a.tar.zst").read_bytes() == (bundles / "b.tar.zst").read_bytes()


@pytest.mark.network
def test_a_build_lock_keeps_what_sdists_are_built_with(tmp_path: Path) -> None:
    """Packing again, from an empty store, gives the same bytes; and a comment is kept."""
    app = copy_project(PROJECTS / "hello-pip", tmp_path / "app")
    options = ("--target", f"{this_machine()}-py3.11", "--pip-build-lock", "build.toml")
    lock = app / "build.toml"
    first, second = (Cli(tmp_path, store) for store in ("store1", "store2"))
    requirements, bundle = app / "requirements.txt", tmp_path / "deps.tar.zst"
    pack(first, requirements, *options, "-o", bundle)
    assert "setuptools-scm" in lock.read_text()
    unchanged = (lock.read_bytes(), bundle.read_bytes())
    bundle.unlink()
    pack(second, requirements, *options, "-o", bundle)
    assert (lock.read_bytes(), bundle.read_bytes()) == unchanged
    key = second.ok("key", requirements, *options).out.strip()
    assert second.ok("show", bundle, "--json").json["key"] == key

    lock.write_text("# ours\n" + lock.read_text())
    pack(second, requirements, *options, "-o", bundle)
    assert lock.read_text().startswith("# ours\n")


def test_a_commit_that_is_built_with_a_wheel(tmp_path: Path) -> None:
    """A git requirement of a folder in a repository; its build needs a package of the index."""
    program = pip("26")
    repository = Repository(tmp_path / "demo")
    backend = (
        b"def build_wheel(folder, *_):\n"
        b"    import helper, pathlib\n"
        b"    pathlib.Path(folder, helper.NAME).write_bytes(helper.WHEEL)\n"
        b"    return helper.NAME\n"
        b"def get_requires_for_build_wheel(*_): return []\n"
    )
    toml = b"[build-system]\nrequires = ['helper']\nbuild-backend = 'back'\nbackend-path = ['.']\n"
    repository.commit({"readme": b"a commit that is not packed"})
    commit = repository.commit({"sub/pyproject.toml": toml, "sub/back.py": backend})
    repository.publish(tmp_path / "served")
    built = installable_wheel("demo", "1", {"demo.py": b"NAME = 'built'"})
    code = f"NAME = 'demo-1-py3-none-any.whl'\nWHEEL = {built!r}\n".encode()
    with World(tmp_path) as world:
        site = world.site(tls=True)
        git = site.mount("git", GitHost(tmp_path / "served"))
        index = site.mount("pypi", PypiIndex())
        index.publish(
            "helper-1-py3-none-any.whl", installable_wheel("helper", "1", {"helper.py": code})
        )
        requirement = f"demo @ git+{git.url}/demo.git@{commit}#subdirectory=sub\n"
        way = Way(
            files={"requirements.txt": requirement},
            install=[
                (program.parent / "python", "-m", "venv", "--without-pip", ".venv"),
                (program, "--python", ".venv/bin/python", "install", "-r", "requirements.txt"),
            ],
            proof=(".venv/bin/python", "-c", "import demo; print(demo.NAME)"),
            said="built",
            packing={"PIP_INDEX_URL": index.simple},
            options=("--target", target_of(program)),
        )
        way.go(world, tmp_path)


@pytest.mark.parametrize(("name", "pins"), [("main", 184), ("tests", 48)])
def test_a_real_project_is_read(real_cli: Cli, name: str, pins: int, tmp_path: Path) -> None:
    lockfile = corpus("pip-warehouse") / f"{name}.txt"
    options = ["--target", "linux-x86_64-gnu-py3.14", "--dry-run", "--json", "--format", "pip"]
    plan = pack(real_cli, lockfile, *options, "-o", tmp_path / "x.tar.zst").json
    assert len({artifact["name"] for artifact in plan["artifacts"]}) == pins
