"""doctor: what an install from a bundle lacks on this machine, before it is tried."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.cli import CHECKOUT, Cli, Done
from tests.engine.bundle_samples import Blobs
from vendorpack.bundle.manifest import Head, LockfileHash
from vendorpack.bundle.plan import Section
from vendorpack.bundle.writer import write_bundle
from vendorpack.commands.doctoring import Finding, Site, looked_for
from vendorpack.demands import Client, Contents, Library, served, version_of
from vendorpack.environment import env_file
from vendorpack.errors import UsageError
from vendorpack.formats import BUILTIN, load
from vendorpack.model import Entry, Environment, Json
from vendorpack.project import Host
from vendorpack.target import this_machine

CPU = this_machine().cpu


class Place:
    """A target: a folder that is all of its PATH, a project, a home, and a glibc."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.project = folder, folder / "project"
        for name in ("bin", "project", "home", "site"):
            (folder / name).mkdir()
        self.environ = {"PATH": str(folder / "bin")}

    def has(self, program: str, says: str) -> None:
        path = self.folder / "bin" / program
        path.write_text(f"#!/bin/sh\necho '{says}'\n")
        path.chmod(0o755)

    def glibc(self, version: str) -> None:
        (self.folder / "site/sitecustomize.py").write_text(
            f"import os\nos.confstr = lambda name: 'glibc {version}'\n"
        )

    def doctor(self, *more: str | Path) -> Done:
        path = f"{self.folder / 'site'}{os.pathsep}{CHECKOUT}"
        cli = Cli(self.folder, environ={**self.environ, "PYTHONPATH": path})
        return cli("doctor", "deps.tar.zst", "--project", self.project, *more)

    def bundle(
        self,
        room: str,
        paths: Sequence[str],
        options: dict[str, Json],
        files: Mapping[str, str] | None = None,
        git: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """A bundle of one format. files: name of an artifact to the end of its address."""
        environment = Environment((), git)
        artifacts: tuple[dict[str, Json], ...] = tuple(
            {"format": room, "name": name, "version": "1.0", "url": f"https://h.example/{end}"}
            for name, end in (files or {}).items()
        )
        head = Head(
            key="ab" * 32,
            lockfiles=(LockfileHash("the.lock", room, "cd" * 32),),
            layouts={room: load(room).layout_version},
            options={"the.lock": options},
            artifacts=artifacts,
            environment=environment,
        )
        sections = [
            Section("", False, [(Entry("vendorpack.env", env_file(environment)), None)]),
            Section(room, False, [(Entry(path, b"x"), None) for path in paths]),
        ]
        write_bundle(self.folder / "deps.tar.zst", head, sections, read_blob=Blobs().read, jobs=1)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_pnpm_too_old_for_the_store(place: Place) -> None:
    place.bundle("pnpm", ["pnpm/store/v11/files/00/ab"], {"targets": []})
    place.has("node", "v22.19.0")
    place.has("pnpm", "9.15.4")
    done = place.doctor()
    assert done.code == 17
    assert "NO  pnpm 9.15.4 at " in done.out and "takes pnpm 11 or newer" in done.out
    assert "pnpm's store v11" in done.out and "--pnpm-store" in done.out
    place.has("pnpm", "11.2.0")
    done = place.doctor()
    assert done.code == 0 and "ok  pnpm 11.2.0" in done.out and "ok  node 22.19.0" in done.out


def test_cargo_1_66(place: Place) -> None:
    place.bundle("cargo", ["cargo/registry/cache/x/a.crate"], {"compat": False})
    place.has("cargo", "cargo 1.66.1 (ad779e08b 2023-01-10)")
    place.has("cc", "")
    done = place.doctor()
    assert done.code == 17 and "NO  cargo 1.66.1 at " in done.out
    assert "takes cargo 1.85 or newer" in done.out and "--cargo-compat yes" in done.out
    place.bundle("cargo", ["cargo/registry/cache/x/a.crate"], {"compat": 1, "git-index": True})
    assert place.doctor().code == 0
    (place.folder / "bin/cc").unlink()
    done = place.doctor()
    assert done.code == 17 and "NO  there is no cc or gcc or clang" in done.out


WHEELS = {
    "new": f"new-1.0-cp312-cp312-manylinux_2_34_{CPU}.whl",
    "both": f"both-1.0-cp312-cp312-manylinux_2_28_{CPU}.manylinux2014_{CPU}.whl",
    "foreign": "foreign-1.0-cp312-cp312-manylinux_2_39_nocpu.whl",
    "pure": "pure-1.0-py3-none-any.whl",
}
FOR_312: dict[str, Json] = {"targets": [f"{this_machine()}-py3.12"]}


def test_a_glibc_too_old(place: Place) -> None:
    place.bundle("pip", ["pip/wheelhouse/pure-1.0-py3-none-any.whl"], FOR_312, WHEELS)
    place.has("pip", "pip 26.0 from /x (python 3.12)")
    place.has("python3", "Python 3.12.4")
    place.glibc("2.31")
    done = place.doctor()
    assert done.code == 17
    assert "NO  glibc 2.31 is too old: wheels of new 1.0 take 2.34" in done.out
    assert "gnu2.28" in done.out and "foreign" not in done.out
    place.glibc("2.34")
    assert "ok  glibc 2.34" in (done := place.doctor()).out and done.code == 0


def test_another_python(place: Place) -> None:
    place.bundle("pip", ["pip/wheelhouse/pure-1.0-py3-none-any.whl"], FOR_312)
    place.has("pip", "pip 26.0")
    place.has("python3", "Python 3.13.1")
    done = place.doctor()
    assert done.code == 17 and "NO  python3 3.13.1 at " in done.out
    assert "Install Python 3.12" in done.out
    place.has("python3.12", "Python 3.12.9")
    assert place.doctor().code == 0


def test_no_git(place: Place) -> None:
    git = (("https://git.example.com/a.git", "uv/git/a"),)
    place.bundle("uv", ["uv/wheels-v6/pypi/a"], FOR_312, {"a": "a-1.0.tar.gz"}, git)
    place.has("uv", "uv 0.12.1 (abc 2026-01-01)")
    place.has("python3.12", "Python 3.12.9")
    done = place.doctor()
    assert done.code == 17 and "NO  there is no git: commits are cloned" in done.out
    assert "apt-get install git" in done.out
    # What may do without is no failure.
    assert "?   there is no cc or gcc or clang: a 1.0 is built from source" in done.out
    assert "python3-dev" in done.out
    place.has("git", "git version 2.39")
    assert place.doctor().code == 0
    place.has("uv", "uv 0.13.2")
    assert "takes uv 0.10 and below 0.13" in place.doctor().out


@pytest.mark.parametrize("where", ["project", "home"])
def test_an_npmrc_that_wins_over_the_environment(place: Place, where: str) -> None:
    """tests/real/test_doctor.py sees that it does."""
    place.bundle("deno", ["deno/npm/registry.npmjs.org/a/1.0.0/x"], {"targets": []})
    place.has("deno", "deno 2.9.6 (stable, release)")
    config = place.folder / where / ".npmrc"
    config.write_text("; registry=https://a.example\nregistry=https://registry.npmjs.org/\n")
    assert place.doctor().code == 0
    config.write_text("\nregistry=https://u:hunter2@r.corp.example/\n")
    done = place.doctor()
    name = ".npmrc" if where == "project" else "~/.npmrc"
    assert done.code == 17 and f"NO  {name}:2: registry: Deno looks" in done.out
    assert "hunter2" not in done.out + done.err


@pytest.mark.parametrize(
    ("room", "path", "file", "line", "programs"),
    [
        ("bun", "bun/cache/a/x", "bunfig.toml", "disable = true", {"bun": "1.3.1"}),
        (
            "pnpm",
            "pnpm/store/v10/files/00/ab",
            "pnpm-workspace.yaml",
            "storeDir: /x",
            {"pnpm": "10.4.1", "node": "v22.1.0"},
        ),
        (
            "bundler",
            "bundler/cache/a.gem",
            ".bundle/config",
            'BUNDLE_CACHE_PATH: "x"',
            {"bundle": "2.6.1", "cc": ""},
        ),
        (
            "npm",
            "npm/_cacache/index-v5/a",
            "",
            "NPM_CONFIG_CACHE",
            {"npm": "11.1.0", "node": "v22.1.0"},
        ),
    ],
)
def test_settings_in_the_way(
    place: Place, room: str, path: str, file: str, line: str, programs: Mapping[str, str]
) -> None:
    place.bundle(room, [path], {"targets": []})
    for name, says in programs.items():
        place.has(name, says)
    assert place.doctor().code == 0
    if file:
        (place.project / file).parent.mkdir(exist_ok=True)
        (place.project / file).write_text(f"# {line}\n{line}\n")
    else:
        place.environ[line] = "/elsewhere"
    done = place.doctor()
    assert done.code == 17 and (f"{file}:2: " if file else f"{line} is set") in done.out


def test_a_library_that_an_sdist_is_compiled_against(place: Place) -> None:
    """Named where it is not found; it may lie where nobody looks, so it is no failure."""
    sources = {"MySQLclient": "mysqlclient-1.0.tar.gz", "lxml": "lxml-1.0-py3-none-any.whl"}
    place.bundle("pip", [], FOR_312, sources)
    place.has("pip", "pip 26.0")
    place.has("python3.12", "Python 3.12.9")
    headers = place.folder / "include"
    place.environ["CPATH"] = f":{headers}"
    (headers / "x86_64-linux-gnu/mysql").mkdir(parents=True)
    (headers / "x86_64-linux-gnu/mysql/mysql.h").touch()
    done = place.doctor()
    assert done.code == 0 and "xml" not in done.out
    assert "?   there is no pkg-config or pkgconf: MySQLclient 1.0 is built with it" in done.out
    assert f"ok  {headers}/x86_64-linux-gnu/mysql/mysql.h: MySQLclient 1.0 is compiled" in done.out


def test_a_library_that_is_not_there(tmp_path: Path) -> None:
    host = Host({"CPATH": str(tmp_path)}, tmp_path, "linux")
    site = Site(host, tmp_path, this_machine(), None)
    [found] = looked_for(Library(("nowhere/at/all.h", "b.h"), "a 1 takes it", "Install b."), site)
    assert found == Finding(None, "there is no nowhere/at/all.h: a 1 takes it", "Install b.")


def test_for_machines(place: Place) -> None:
    place.bundle("npm", ["npm/_cacache/index-v5/a"], {"targets": ["windows-x86_64"]})
    done = place.doctor("--json")
    assert done.code == 17 and done.json["good"] is False
    first = done.json["findings"][0]
    assert first["good"] is False and "packed for windows-x86_64" in first["what"]
    assert first["fix"] == f"Pack with --target {this_machine()}."


def test_it_writes_nothing_and_runs_nothing_else(place: Place) -> None:
    place.bundle("npm", ["npm/_cacache/index-v5/a"], {"targets": []})
    place.has("npm", "11.1.0")
    place.has("node", "v22.1.0")
    log = place.folder / "log"
    (place.folder / "bin/npm").write_text(f'#!/bin/sh\necho "$@" >> {log}\necho 11.1.0\n')
    before = sorted(place.folder.rglob("*"))
    assert place.doctor().code == 0
    assert log.read_text() == "--version\n"
    log.unlink()
    assert sorted(place.folder.rglob("*")) == before


@pytest.mark.parametrize("name", [room.name for room in BUILTIN])
def test_every_format_says_what_it_takes(name: str) -> None:
    found = load(name).demands(Contents((), (), ()))
    assert found or name == "extras"
    for client in (one for one in found if isinstance(one, Client)):
        assert (client.programs and client.otherwise.endswith(".")) or "\n" not in client.otherwise


def test_versions() -> None:
    assert served("1.85.0", [("1.85", "")]) and not served("1.84.9", [("1.85", "")])
    assert served("9.1", [("7", "10")]) and not served("10.0", [("7", "10")])
    assert served("10.0", [("7", "10"), ("10", "11")]) and served("1", [])
    assert version_of("3.13t") == (3, 13) and version_of("2.9.6-rc.1") == (2, 9, 6)
    with pytest.raises(UsageError):
        version_of("x")


def test_an_unpacked_bundle(place: Place) -> None:
    place.bundle("npm", ["npm/_cacache/index-v5/a"], {"targets": []})
    cli = Cli(place.folder)
    cli.ok("unpack", "deps.tar.zst", "--prefix", "deps")
    assert json.loads(cli("doctor", "deps", "--json").out)["id"] in cli.ok("show", "deps").out
    shutil.rmtree(place.folder / "deps")
    assert cli("doctor", "deps").code == 10
