"""A project's own options: vendorpack.toml and [tool.vendorpack]."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.cli import CHECKOUT, Cli
from tests.real.docs import Page
from tests.world.npm import NpmRegistry
from vendorpack.cli import app
from vendorpack.cli.options import ROOM_OPTIONS
from vendorpack.cli.project_file import table
from vendorpack.errors import UsageError
from vendorpack.settings import Known, above

LINUX = 'target = ["linux-x86_64-gnu"]\n'


@pytest.fixture
def project(npm: NpmRegistry, tmp_path: Path) -> Path:
    """Two folders with a lockfile each, in a repository."""
    folder = tmp_path / "project"
    npm.lock(folder / "web", {"a": "1.0.0"})
    npm.lock(folder / "api", {"b": "2.0.0"})
    (folder / ".git").mkdir()
    return folder


def key(cli: Cli, *args: str | Path, cwd: Path | None = None) -> str:
    return cli.ok("key", *args, cwd=cwd).out.strip()


HOSTS = {
    "a Linux laptop": ("Linux", "x86_64", ""),
    "a Mac": ("Darwin", "arm64", ""),
    "a container in CI": ("Linux", "aarch64", "musl"),
}


def on_host(name: str, folder: Path) -> Cli:
    """The command where Python says that it is another machine."""
    system, machine, libc = HOSTS[name]
    place = folder / re.sub(r"\W", "-", name)
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(
        "import os, platform\n"
        f"platform.system = lambda: {system!r}\nplatform.machine = lambda: {machine!r}\n"
        + ("os.confstr = lambda name: None\n" if libc == "musl" else "")
    )
    return Cli(folder, store=f"store-{place.name}", environ={"PYTHONPATH": f"{place}:{CHECKOUT}"})


def test_one_key_on_three_hosts(project: Path, tmp_path: Path) -> None:
    hosts = [on_host(name, tmp_path) for name in HOSTS]
    assert len({key(cli, project / "web") for cli in hosts}) == 3
    (project / "vendorpack.toml").write_text(LINUX + "no-dev = true\n")
    keys = {key(cli, project / "web") for cli in hosts}
    typed = ("--no-project-config", "--target", "linux-x86_64-gnu", "--no-dev")
    assert keys == {key(hosts[0], project / "web", *typed)}
    ids = {cli.ok("pack", project / "web", "-o", f"{cli.store}.tar.zst").out[-65:] for cli in hosts}
    assert len(ids) == 1


def test_all_commands_agree(project: Path, tmp_path: Path) -> None:
    """Typed nowhere, as if typed everywhere."""
    store, lockfile = tmp_path / "team", project / "web/package-lock.json"
    (project / "vendorpack.toml").write_text(
        f'{LINUX}no-dev = true\noutput = "out.tar.zst"\nstore = "../team"\n'
    )
    cli, web = Cli(tmp_path), project / "web"
    wanted = key(cli, cwd=web)
    assert cli.ok("pack", "--dry-run", "--json", cwd=web).json["key"] == wanted
    made = cli.ok("pack", "--json", cwd=web).json
    assert (made["key"], made["path"]) == (wanted, "../out.tar.zst")
    cli.ok("verify", project / "out.tar.zst", "--expect-key", wanted, "--lockfile", lockfile)
    assert (store / f"bundles/v1/{wanted}.tar.zst").is_file()
    (project / "out.tar.zst").unlink()
    assert cli.ok("store", "get", "--json", cwd=web).json["key"] == wanted
    assert (project / "out.tar.zst").is_file()
    assert cli.ok("store", "get", "--json", "-o", "x.tar.zst", web).json["key"] == wanted


def test_what_is_typed_wins(project: Path, tmp_path: Path) -> None:
    cli, web = Cli(tmp_path), project / "web"
    bare = key(cli, web, "--target", "linux-x86_64-gnu")
    every = key(cli, web, "--all-targets")
    (project / "vendorpack.toml").write_text("all-targets = true\nno-dev = true\nexclude = ['z']\n")
    assert key(cli, web, "--dev", "--target", "linux-x86_64-gnu") != bare  # the exclusion
    (project / "vendorpack.toml").write_text("all-targets = true\nno-dev = true\n")
    assert key(cli, web, "--dev", "--target", "linux-x86_64-gnu") == bare
    (project / "vendorpack.toml").write_text("target = ['macos-aarch64']\n")
    assert key(cli, web, "--target", "linux-x86_64-gnu") == bare
    assert key(cli, web, "--all-targets") == every
    variable = Cli(tmp_path, environ={"VENDORPACK_TEAM_STORE": str(tmp_path / "mine")})
    (project / "vendorpack.toml").write_text("store = 'theirs'\n")
    variable.ok("pack", web)
    assert (tmp_path / "mine").is_dir() and not (project / "theirs").exists()


def test_a_section_of_a_lockfile(project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    (project / "vendorpack.toml").write_text(
        f'{LINUX}recursive = true\n[lockfile."web/package-lock.json"]\nall-targets = true\n'
        'npm-package-manager = "no"\n'
    )
    options = cli.ok("key", "--json", project).json["options"]
    assert options["api/package-lock.json"]["targets"] == ["linux-x86_64-gnu"]
    assert options["web/package-lock.json"]["targets"] == []
    web = key(cli, project / "web", "--no-project-config", "--all-targets")
    assert key(cli, project / "web") == web
    made = cli.ok("pack", "--json", cwd=project).json
    assert made["key"] == key(cli, cwd=project)
    # The nearest file counts, alone.
    (project / "api/vendorpack.toml").write_text("all-targets = true\n")
    options = cli.ok("key", "--json", project).json["options"]
    assert options["api/package-lock.json"]["targets"] == []


def test_in_pyproject(project: Path, tmp_path: Path) -> None:
    cli, web = Cli(tmp_path), project / "web"
    wanted = key(cli, web, "--all-targets")
    (project / "pyproject.toml").write_text(
        "[project]\nname = 'x'\n[tool.vendorpack]\nall-targets = true\n"
    )
    assert key(cli, web) == wanted
    (project / "vendorpack.toml").write_text("")
    done = cli("key", web)
    assert done.code == 2 and "both have options" in done.err and str(project) in done.err
    (project / "vendorpack.toml").unlink()
    (project / "pyproject.toml").write_text("[tool.vendorpack]\n\nnonsense = 1\n")
    assert f"{project}/pyproject.toml:3" in cli("key", web).err
    (project / "web/pyproject.toml").write_text("[tool.other]\nx = 'vendorpack'\n")
    assert f"{project}/pyproject.toml:3" in cli("key", web).err


def test_no_further_than_the_repository(project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    before = key(cli, project / "web", "--target", "linux-x86_64-gnu")
    (tmp_path / "vendorpack.toml").write_text("all-targets = true\n")
    assert key(cli, project / "web", "--target", "linux-x86_64-gnu") == before
    assert key(cli, project / "web") == key(cli, project / "web", "--no-project-config")
    (project / ".git").rmdir()
    assert key(cli, project / "web") == key(cli, project / "web", "--all-targets")


BAD = {
    "tagret = ['x']": (1, "there is no option 'tagret'", "target"),
    "\n\nno_dev = true": (3, "there is no option 'no_dev'", "no-dev"),
    "no-dev = 'yes'": (1, "'no-dev' has to be true or false", ""),
    "level = true": (1, "'level' has to be a number", ""),
    "target = 'linux'": (1, "'target' has to be a list of strings", ""),
    "group = [1]": (1, "'group' has to be a list of strings", ""),
    "output = ''": (1, "'output' has to be a string", ""),
    "npm-package-manager = true": (1, "'npm-package-manager' has to be a string", ""),
    "npm-nonsense = 'x'": (1, "there is no option 'npm-nonsense'", ""),
    "jobs = 3": (1, "there is no option 'jobs'", ""),
    "sign = 'key'": (1, "there is no option 'sign'", ""),
    "target = [\n  'linux-z80',\n]": (1, "'linux-z80' is not a target", ""),
    "target = ['linux-x64']\nall-targets = true": (1, "exclude each other", ""),
    "\n[lockfile.'web/package-lock.json']\nstore = 'x'": (3, "'store' is for a whole run", ""),
    "[lockfile.'web/x']\n": (1, "there is no lockfile 'web/x' here", ""),
    "lockfile = 'web'": (1, "'lockfile' has a table for each lockfile", ""),
    "[lockfile]\nweb = 1": (2, "'lockfile' has a table for each lockfile", ""),
    "a = 1\nb ==": (2, "not valid TOML", ""),
    "a = '\udcff'": (1, "not UTF-8", ""),
}


@pytest.mark.parametrize("text", BAD)
def test_what_cannot_be_there(project: Path, tmp_path: Path, text: str) -> None:
    line, what, near = BAD[text]
    path = project / "vendorpack.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    done = Cli(tmp_path)("key", project / "web")
    assert done.code == 2 and what in done.err, done.err
    assert f"{path}:{line}\n" in done.err, done.err
    assert f"Did you mean {near}?" in done.err or not near
    Cli(tmp_path).ok("key", project / "web", "--no-project-config")


def test_a_file_of_somebody_else(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder above, which others may write to; whoever owns the project may have one."""
    known = Known(dict, lambda name: None)
    path = project / "vendorpack.toml"
    path.write_text("")
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    if mine:
        assert above(project / "web", known) is not None  # the lockfile's owner has it
        return
    os.chown(path, 65533, 65533)
    with pytest.raises(UsageError, match="belongs to somebody else"):
        above(project / "web", known)
    os.chown(project / "web", 65533, 65533)
    assert above(project / "web", known) is not None


def test_what_a_stranger_could_grant(npm: NpmRegistry, tmp_path: Path) -> None:
    """A project's file lets hosts and names in, and `--no-project-config` takes that back."""
    project = tmp_path / "project"
    npm.lock(project, {"a": "1.0.0"})
    lockfile = project / "package-lock.json"
    lockfile.write_text(lockfile.read_text().replace(npm.server.url, "https://evil.example"))
    cli = Cli(tmp_path)
    assert cli("pack", "--dry-run", project).code == 6
    (project / "vendorpack.toml").write_text('allow-host = ["evil.example"]\n')
    done = cli.ok("pack", "--dry-run", project)
    assert "evil.example" in done.out
    assert f"{project}/vendorpack.toml:1: allow-host evil.example\n" in done.err
    done = cli("pack", "--dry-run", "--no-project-config", project)
    assert done.code == 6 and "--allow-host evil.example" in done.err


def test_init(project: Path, tmp_path: Path) -> None:
    cli, path = Cli(tmp_path), project / "vendorpack.toml"
    before = key(cli, "-r", project)
    assert cli.ok("init", project).out == "project/vendorpack.toml\n"
    text = path.read_text()
    assert set(tomllib.loads(text)) == {"target", "recursive"}
    for setting in (*table(), "npm-package-manager", '[lockfile."web/package-lock.json"]'):
        assert re.search(rf"^(# )?{re.escape(setting)}", text, re.M), setting
    assert key(cli, project) == before
    # Each line that is a comment only for its "# " can be one of the file.
    assert max(map(len, text.splitlines())) <= 90
    done = cli("init", project)
    assert done.code == 2 and str(path) in done.err and path.read_text() == text
    path.unlink()
    (project / "pyproject.toml").write_text("[tool.vendorpack]\n")
    assert cli("init", project).code == 2 and not path.exists()
    (tmp_path / "empty").mkdir()
    done = cli.ok("init", cwd=tmp_path / "empty")
    assert "no lockfile found" in done.err and (tmp_path / "empty/vendorpack.toml").is_file()


def test_init_names_the_python_that_is_meant(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(CHECKOUT / "tests/real/projects/hello-uv", project)
    cli = Cli(tmp_path)
    before = key(cli, project)
    cli.ok("init", project)
    text = (project / "vendorpack.toml").read_text()
    assert re.search(r'^target = \["[\w-]+-py3\.\d+"\]$', text, re.M)
    assert key(cli, project) == before


def test_the_table_is_the_command_lines() -> None:
    """Each setting is an option of `pack`, with its help; the page has a row for each."""
    root: Any = typer.main.get_command(app)
    pack = root.get_command(root.make_context("vendorpack", [], resilient_parsing=True), "pack")
    options = {name.removeprefix("--"): param for param in pack.params for name in param.opts}
    page = (CHECKOUT / "docs/project-file.md").read_text(encoding="utf-8")
    for name, setting in table().items():
        assert setting.help == options[name].help
        assert setting.kind is (
            list if options[name].multiple else bool if options[name].is_flag else setting.kind
        )
        assert f"| `{name}` |" in page, name
    assert {"jobs", "git-config", "store-dir", "sign", "push", "signers"} & set(table()) == set()
    assert ROOM_OPTIONS == {"ignore_unknown_options": True}


def test_the_pages_example(project: Path, tmp_path: Path) -> None:
    (block,) = [b for b in Page.read("docs/project-file.md").blocks if b.language == "toml"]
    (project / "vendorpack.toml").write_text(block.text)
    assert (
        Cli(tmp_path)
        .ok("key", "--json", "-r", project)
        .json["options"]["web/package-lock.json"]["dev"]
        is False
    )


def test_pull_names_the_repository_first(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert "pull from where?" in cli("pull").err
    assert "no such option: --nonsense" in cli("pull", "--nonsense", "registry.example/x").err
    done = cli("pull", "--npm-package-manager", "no", "registry.example/x")
    assert done.code == 2 and "the repository comes first" in done.err


def test_git_says_nothing_else(project: Path, tmp_path: Path) -> None:
    """A worktree's or a submodule's root is a root too: its .git is a file."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed: apt-get install git")
    (project / ".git").rmdir()
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-C", str(project)]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    subprocess.run([*git, "worktree", "add", "-q", "tree"], check=True, capture_output=True)
    shutil.copytree(project / "web", project / "tree/web")
    (project / "vendorpack.toml").write_text("nonsense = 1\n")
    assert Cli(tmp_path)("key", project / "web").code == 2
    Cli(tmp_path).ok("key", project / "tree/web")
