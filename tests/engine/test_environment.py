"""vendorpack.env in real shells, and the other shells' words."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath

import pytest

from tests.real.clients import tool
from vendorpack.environment import env_file, join, resolve
from vendorpack.errors import UnsupportedError, UsageError
from vendorpack.model import Arguments, Base, Environment, Variable, Word
from vendorpack.shells import render, render_undo

AWKWARD = """it's "$HOME" `x` \\ and $(y)"""
ENVIRONMENT = Environment(
    (Variable("AWKWARD", AWKWARD), Variable("CACHE", "npm", is_path=True)),
    (("https://example.com/a.git", "git/a"),),
)
SHELLS = {
    "sh": ["sh"],
    "dash": ["dash"],
    "bash": ["bash"],
    "bash in POSIX mode": ["bash", "--posix"],
    "busybox": ["busybox", "sh"],
    "zsh": ["zsh"],
    "ksh": ["ksh"],
    "mksh": ["mksh"],
    "yash": ["yash"],
}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    folder = tmp_path / "some $dir 'with' spaces"
    folder.mkdir()
    (folder / "vendorpack.env").write_bytes(env_file(ENVIRONMENT))
    return folder


@pytest.mark.parametrize("shell", SHELLS)
def test_sourced_from_anywhere(shell: str, prefix: Path) -> None:
    command = SHELLS[shell]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    script = """
        set -eu
        . "$1/vendorpack.env"; printf '%s\\n' "$CACHE" "$AWKWARD" "$GIT_CONFIG_KEY_0"
        cd "$1"
        (. ./vendorpack.env; printf '%s\\n' "$CACHE" "$GIT_CONFIG_COUNT" "$GIT_CONFIG_VALUE_0")
    """
    done = subprocess.run(
        [*command, "-c", script, "sh", str(prefix)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "VENDORPACK_PREFIX": "/left/over/from/another"},
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"{prefix}/npm",
        AWKWARD,
        f"url.file://{prefix}/git/a.insteadOf",
        f"{prefix}/npm",
        "1",
        "https://example.com/a.git",
    ]


def test_git_reads_it(prefix: Path) -> None:
    tool("git")
    done = subprocess.run(
        ["sh", "-c", '. "$1/vendorpack.env"; git config --get-regexp "^url"', "sh", str(prefix)],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"},
    )
    assert done.stdout == f"url.file://{prefix}/git/a.insteadof https://example.com/a.git\n"


def test_other_shells() -> None:
    pairs = resolve(ENVIRONMENT, lambda path: f"/deps/{path}", {}, Path("/home/me"))
    assert dict(pairs)["CACHE"] == "/deps/npm"
    assert json.loads(render(pairs, "json")) == dict(pairs)
    one = [("A", "it's $5")]
    assert render(one, "sh") == "export A='it'\\''s $5'"
    assert render(one, "fish") == "set -gx A 'it\\'s $5'"
    assert render(one, "pwsh") == "$env:A = 'it''s $5'"
    assert render(one, "dockerfile") == 'ENV A="it\'s \\$5"'
    assert render(one, "github") == "A=it's $5"
    assert render([("A", '50 "%" \\')], "cmd") == '@set "A=50 "%%" \\"'
    with pytest.raises(UsageError, match="tcsh"):
        render(one, "tcsh")


OTHERS = {
    "sh": ["sh", "-c"],
    "csh": ["tcsh", "-fc"],
    "fish": ["fish", "--no-config", "-c"],
    "nu": ["nu", "--no-config-file", "-c"],
    "pwsh": ["pwsh", "-NoProfile", "-Command"],
}
"""How each shell that `render` knows is given a script."""


@pytest.mark.parametrize("shell", OTHERS)
def test_real_shells_take_what_is_written(shell: str, tmp_path: Path) -> None:
    command = OTHERS[shell]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    ours = [("AWKWARD", AWKWARD + " !x %A% \u2019"), ("ARGS", "-o"), ("GONE", "1")]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}

    def names(script: str, more: Mapping[str, str]) -> dict[str, str]:
        printed = f"{script}\n/usr/bin/env"
        done = subprocess.run(
            [*command, printed], env={**environ, **more}, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        return dict(line.split("=", 1) for line in done.stdout.splitlines())

    there = names(render(ours, shell), {})
    assert {**there, **dict(ours)} == there
    # The user's own word behind ours stays, and so does what has another value by now.
    sourced = {**dict(ours), "ARGS": "-o -q", "GONE": "2"}
    there = names(render_undo(ours, sourced, shell), sourced)
    assert ("AWKWARD" in there, there["ARGS"], there["GONE"]) == (False, "-q", "2")


def test_what_cannot_be_taken_back() -> None:
    with pytest.raises(UsageError, match="dockerfile"):
        render_undo([("A", "1")], {"A": "1"}, "dockerfile")
    assert render_undo([("A", "1"), ("B", "1")], {"A": "1"}, "cmd") == '@set "A="'


def test_a_folder_on_windows() -> None:
    environment = Environment(
        (
            Variable("CACHE", "npm/x", is_path=True),
            Variable("P", "go", is_path=True, scheme="file://"),
        ),
        (("https://example.com/a.git", "git/a"),),
    )
    prefix = PureWindowsPath("C:\\deps")
    pairs = dict(resolve(environment, lambda path: str(prefix / path), {}, Path("/home/me")))
    assert pairs["CACHE"] == "C:\\deps\\npm\\x"
    assert pairs["P"] == "file:///C:/deps/go"
    assert pairs["GIT_CONFIG_KEY_0"] == "url.file:///C:/deps/git/a.insteadOf"


def test_a_path_as_an_address(prefix: Path) -> None:
    environment = Environment((Variable("PROXY", "go/$x", is_path=True, scheme="file://"),))
    pairs = resolve(environment, lambda path: f"/deps/{path}", {}, Path("/home/me"))
    assert pairs == (("PROXY", "file:///deps/go/$x"),)
    (prefix / "vendorpack.env").write_bytes(env_file(environment))
    script = '. "$0/vendorpack.env" && printf %s "$PROXY"'
    done = subprocess.run(["bash", "-c", script, prefix], capture_output=True, text=True)
    assert done.stdout == f"file://{prefix}/go/$x"


def test_a_path_without_a_place_is_left_out() -> None:
    pairs = resolve(Environment(ENVIRONMENT.variables), lambda path: None, {}, Path("/home/me"))
    assert [name for name, _ in pairs] == ["AWKWARD"]


def test_join() -> None:
    other = Environment((Variable("CACHE", "npm", is_path=True), Variable("B", "2")))
    joined = join([ENVIRONMENT, other])
    assert [v.name for v in joined.variables] == ["AWKWARD", "B", "CACHE"]
    with pytest.raises(UnsupportedError, match="CACHE"):
        join([ENVIRONMENT, Environment((Variable("CACHE", "other", is_path=True),))])


ARGUMENTS = Environment(
    arguments=(
        Arguments(
            "TOOL_ARGS",
            (
                Word("-o"),
                Word("-Dlocal=", Base.HOME, ".tool/cache"),
                Word("-Dtail=", Base.PREFIX, "tool/$it's"),
            ),
        ),
    )
)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("before", ["", "-q -x"])
def test_arguments_go_before_the_user_s(shell: str, before: str, tmp_path: Path) -> None:
    command = SHELLS[shell]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    (tmp_path / "vendorpack.env").write_bytes(env_file(ARGUMENTS))
    script = '. "$1/vendorpack.env" && printf %s "$TOOL_ARGS"'
    user = {"TOOL_ARGS": before} if before else {}
    done = subprocess.run(
        [*command, "-c", script, "sh", str(tmp_path)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/home/me", **user},
    )
    said = f"-o -Dlocal=/home/me/.tool/cache -Dtail={tmp_path}/tool/$it's {before}".rstrip()
    assert (done.stdout, done.stderr) == (said, "")
    ((name, value),) = resolve(ARGUMENTS, lambda path: f"{tmp_path}/{path}", user, Path("/home/me"))
    assert (name, value) == ("TOOL_ARGS", said)


def test_arguments_hold_no_space(prefix: Path) -> None:
    (prefix / "vendorpack.env").write_bytes(env_file(ARGUMENTS))
    script = '. "$1/vendorpack.env" || exit 7'
    done = subprocess.run(
        ["bash", "-c", script, "sh", str(prefix)], capture_output=True, text=True, env={}
    )
    assert done.returncode == 7
    assert "TOOL_ARGS cannot hold a folder with a space" in done.stderr
    with pytest.raises(UnsupportedError, match="TOOL_ARGS is split at spaces") as caught:
        resolve(ARGUMENTS, lambda path: f"{prefix}/{path}", {}, Path("/home/me"))
    assert caught.value.fix


def test_arguments_of_several_formats_are_joined() -> None:
    more = Environment(arguments=(Arguments("TOOL_ARGS", (Word("-o"), Word("-z"))),))
    (joined,) = join([ARGUMENTS, more]).arguments
    assert [word.text for word in joined.words] == ["-o", "-Dlocal=", "-Dtail=", "-z"]
