"""What helps at the command line: the manual page, completion, --verbose."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.engine.test_pages import options
from tests.world.npm import NpmRegistry
from vendorpack.formats import load, rooms
from vendorpack.shells import SHELLS


def completed(folder: Path, line: str) -> list[str]:
    """What a shell would offer for a line; its last word is begun, or is yet to come."""
    cli = Cli(folder, environ={})
    words = line.split(" ")
    environ = {
        "_VENDORPACK_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    done = subprocess.run(
        cli.argv(), env={**cli.env(), **environ}, cwd=folder, capture_output=True, text=True
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("vendorpack pack --format yarn", {"yarn-classic", "yarn-berry"}),
        ("vendorpack formats p", {r.name for r in rooms() if r.name.startswith("p")}),
        ("vendorpack env x --shell ", {*SHELLS}),
        ("vendorpack pack --target linux-a", {"linux-aarch64-gnu", "linux-aarch64-musl"}),
        ("vendorpack key --pnpm-", {f"--pnpm-{own}" for own in load("pnpm").options}),
        ("vendorpack store ge", {"get"}),
        ("vendorpack pack --allow-h", {"--allow-host"}),
    ],
)
def test_completion(tmp_path: Path, line: str, offered: set[str]) -> None:
    assert set(completed(tmp_path, line)) == offered


def test_the_manual_page(tmp_path: Path) -> None:
    """It has every command and option, and is roff that nobody complains of."""
    page = Cli(tmp_path).ok("man").out
    plain = page.replace("\\-", "-")
    for command, own in options().items():
        if command in ("vendorpack", "vendorpack store"):
            continue
        section = plain.partition(f"\n.SS {command} ")[2].partition("\n.S")[0]
        assert section, command
        rooms_own = {
            f"--{room.name}-{name}" for room in rooms() for name in load(room.name).options
        }
        named = {name for name in own - rooms_own - {"-h", "--help"} if name.startswith("-")}
        for option in named:
            assert re.search(rf"^\.B .*{re.escape(option)}\b", section, re.M), (command, option)
    assert ".B 18\n" in page and page.isascii()
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed: apt-get install groff-base")
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8"], input=page, capture_output=True, text=True
    )
    assert done.returncode == 0 and not done.stderr


def test_verbose_names_each(npm: NpmRegistry, tmp_path: Path) -> None:
    npm.lock(tmp_path / "project", {"a": "1.0.0", "b": "2.0.0"})
    cli = Cli(tmp_path)
    done = cli.ok("pack", "-v", "project")
    assert "a 1.0.0: http" in done.err and "b 2.0.0: http" in done.err
    assert "a 1.0.0" not in cli.ok("pack", "project", "-o", "two.tar.zst").err


def test_one_next_command(npm: NpmRegistry, tmp_path: Path) -> None:
    npm.lock(tmp_path / "project", {"a": "1.0.0"})
    cli = Cli(tmp_path)
    cli.ok("pack", "project")
    done = cli.ok("unpack", "deps.tar.zst", "--prefix", "deps")
    assert done.err.endswith("next: . deps/vendorpack.env && npm ci --offline\n")
    (tmp_path / "project/go.mod").write_text("module x\n")
    (tmp_path / "project/go.sum").write_text("")
    cli.ok("pack", "project", "-o", "two.tar.zst")
    done = cli.ok("unpack", "two.tar.zst", "--prefix", "two")
    last = done.err.splitlines()[-1]
    assert last == "next: . two/vendorpack.env, then each project's own install command"
