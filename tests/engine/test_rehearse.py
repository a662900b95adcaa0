"""rehearse: a command without a network, and what it reached for."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli import Cli, Done
from tests.real.clients import NO_NAMESPACES, cut_off, miss, tool
from tests.world.npm import NpmRegistry
from vendorpack.rehearse.ledger import command_shown
from vendorpack.rehearse.listeners import server_name
from vendorpack.rehearse.output import Output

PROBE = """
import http.client, socket, ssl, sys, urllib.request

def tried(work):
    try:
        work()
    except OSError as error:
        print(type(error).__name__)

for address in sys.argv[1:]:
    kind, _, rest = address.partition("+")
    if kind == "get":
        tried(lambda: urllib.request.urlopen(rest, timeout=20))
    elif kind == "distrust":
        bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        meant = http.client.HTTPSConnection(rest, context=bare, timeout=20)
        tried(lambda: meant.request("GET", "/x"))
    elif kind == "connect":
        host, _, port = rest.rpartition(":")
        tried(lambda: socket.create_connection((host, int(port)), timeout=20).close())
    elif kind == "send":
        sending = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tried(lambda: sending.sendto(b"x", (rest, 4433)))
    elif kind == "ask":
        tried(lambda: socket.getaddrinfo(rest, 80))
"""


@pytest.fixture
def cli(npm: NpmRegistry, tmp_path: Path) -> Cli:
    """With deps.tar.zst, and a project to be in."""
    if cut_off() is None:
        miss(NO_NAMESPACES)
    project = tmp_path / "home" / "project"
    npm.lock(project, {"a": "1.0.0"})
    (project / "probe.py").write_text(PROBE)
    made = Cli(tmp_path)
    made.ok("pack", project)
    return made


def rehearse(cli: Cli, *words: str | Path) -> Done:
    return cli("rehearse", cli.folder / "deps.tar.zst", *words, cwd=cli.folder / "home/project")


def reached(done: Done) -> dict[str, dict[str, object]]:
    return {row["address"]: row for row in done.json["reached"]}


def probe(cli: Cli, *addresses: str) -> Done:
    return rehearse(cli, "--json", "--", sys.executable, "probe.py", *addresses)


def test_silence_and_nothing_when_nothing_lacks(cli: Cli) -> None:
    done = rehearse(cli, "--", sys.executable, "-c", "pass")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_the_command_s_own_code(cli: Cli) -> None:
    assert rehearse(cli, "--", "sh", "-c", "exit 37").code == 37
    assert rehearse(cli, "--", "sh", "-c", "kill -TERM $$").code == 128 + 15


def test_whole_addresses(cli: Cli) -> None:
    done = probe(
        cli,
        "get+https://one.example/a/b.tgz?token=canary",
        "get+http://two.example/c",
        "get+https://one.example/a/b.tgz?token=canary",
    )
    assert done.code == 14, done.err
    assert "canary" not in done.out
    rows = reached(done)
    assert list(rows) == ["https://one.example/a/b.tgz?token=***", "http://two.example/c"]
    first = rows["https://one.example/a/b.tgz?token=***"]
    assert first["times"] == 2 and not first["harmless"]
    name = Path(sys.executable).name
    project = str(cli.folder / "home/project")
    assert first["by"] == [{"command": f"{name} probe.py", "folder": project}]


def test_as_far_as_it_was_seen(cli: Cli) -> None:
    """Without trust, by bare address, to any port, by UDP, and by asking for a name alone."""
    done = probe(
        cli,
        "distrust+three.example",
        "connect+192.0.2.7:80",
        "connect+four.example:5432",
        "connect+2001:db8::1:9418",
        "send+192.0.2.8",
        "ask+five.example",
    )
    assert done.code == 14
    assert set(reached(done)) == {
        "https://three.example",
        "http://192.0.2.7",
        "tcp://four.example:5432",
        "git://[2001:db8::1]",
        "udp://192.0.2.8:4433",
        "five.example",
    }


def test_this_machine_is_not_the_network(cli: Cli) -> None:
    done = probe(cli, "connect+127.0.0.1:80", "connect+localhost:9", "ask+localhost")
    assert done.code == 0 and done.json["reached"] == []


def test_for_people(cli: Cli) -> None:
    done = rehearse(
        cli, "--", sys.executable, "probe.py", "get+https://registry.npmjs.org/left-pad"
    )
    assert done.code == 14
    lines = done.out.splitlines()
    assert lines[0] == "HTTPError"  # the command's own output
    assert lines[1] == "reached for https://registry.npmjs.org/left-pad"
    assert lines[2].endswith("probe.py in .")
    assert "left-pad is not in the bundle" in lines[3]
    assert "it ended with 0" in done.err


def test_what_is_harmless_is_told_apart(cli: Cli) -> None:
    done = rehearse(cli, "--", sys.executable, "probe.py", "get+https://registry.npmjs.org/npm")
    assert done.code == 0, done.err
    assert "https://registry.npmjs.org/npm (nothing comes of it)" in done.out


def test_home_is_empty_and_the_environment_the_bundle_s(cli: Cli) -> None:
    shown = rehearse(
        Cli(cli.folder, environ={"NPM_TOKEN": "canary", "GIVEN": "1"}),
        *("--env", "GIVEN", "--env", "MADE=2"),
        *("--", "sh", "-c", 'ls -A "$HOME"; ls $npm_config_cache; echo $NPM_TOKEN$GIVEN$MADE'),
    )
    assert (shown.code, shown.out) == (0, "_cacache\n12\n")
    assert rehearse(cli, "--env", "NOT_THERE", "--", "true").code == 2


@pytest.mark.parametrize("kind", ["plain", "git"])
def test_the_project_stays_as_it_is(cli: Cli, kind: str) -> None:
    project = cli.folder / "home/project"
    (project / ".gitignore").write_text("built/\n")
    (project / "built").mkdir()
    (project / "built/old").write_text("")
    (project / "link").symlink_to("package.json")
    if kind == "git":
        subprocess.run([tool("git"), "init", "-q"], cwd=project, check=True)
    before = sorted(project.rglob("*"))
    script = "test ! -e built/old; echo $?; pwd; echo new > new; rm package.json; ls link"
    done = rehearse(cli, "--", "sh", "-c", script)
    assert done.out.splitlines()[:2] == ["0" if kind == "git" else "1", str(project)]
    assert sorted(project.rglob("*")) == before
    assert (project / "package.json").is_file()


def test_an_unpacked_bundle_in_the_project(cli: Cli) -> None:
    """Though git ignores it, and its place is covered by the copy."""
    project = cli.folder / "home/project"
    (project / ".gitignore").write_text("/deps/\n")
    subprocess.run([tool("git"), "init", "-q"], cwd=project, check=True)
    cli.ok("unpack", "deps.tar.zst", "--prefix", project / "deps")
    done = cli("rehearse", "deps", "--", "sh", "-c", "ls $npm_config_cache", cwd=project)
    assert (done.code, done.out) == (0, "_cacache\n")


def test_nothing_is_left_running_or_lying_about(cli: Cli) -> None:
    scratch = cli.folder / "scratch"
    scratch.mkdir()
    there = Cli(cli.folder, environ={"TMPDIR": str(scratch)})
    done = rehearse(there, "--", "sh", "-c", "setsid sleep 600 & echo $!")
    assert done.code == 0
    assert not Path("/proc", done.out.strip()).exists()
    assert list(scratch.iterdir()) == []


def test_what_to_run_if_nothing_is_said(cli: Cli) -> None:
    programs = cli.folder / "programs"
    programs.mkdir()
    (programs / "npm").write_text('#!/bin/sh\necho "npm $*"\n')
    (programs / "npm").chmod(0o755)
    there = Cli(cli.folder, environ={"PATH": f"{programs}:{os.environ['PATH']}"})
    assert rehearse(there).out == "npm ci --offline\n"


def test_what_cannot_be(cli: Cli) -> None:
    assert rehearse(cli, "--", "no-such-command").code == 2
    done = cli("rehearse", "deps.tar.zst", "--", "true", cwd=cli.folder / "home")
    assert done.code == 2 and "no project's folder" in done.err
    done = cli("rehearse", "none.tar.zst", "--", "true", cwd=cli.folder / "home/project")
    assert done.code == 10, done.err


def refused(cli: Cli, *unshare: str) -> str:
    """What a rehearsal says that cannot be within `unshare` with these words; nothing is run."""
    there = replace(cli, before=(tool("unshare"), *unshare))
    bundle, ran = cli.folder / "deps.tar.zst", cli.folder / "ran"
    done = there("rehearse", bundle, "--", "touch", ran, cwd=cli.folder / "home/project")
    assert done.code == 9, done.err
    assert not ran.exists()
    return done.err


def test_where_namespaces_are_forbidden(cli: Cli) -> None:
    """As in a container: a clear word, and nothing run."""
    forbid = 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"'
    said = refused(cli, "--map-root-user", "sh", "-c", forbid, "sh")
    assert "does not let a process have a network of its own" in said


def test_in_a_chroot_that_is_no_mount_point(cli: Cli) -> None:
    """What is in the way is its root, and not a right that the user lacks."""
    root = cli.folder / "root"
    root.mkdir()
    within = """
        root=$1 project=$2
        shift 2
        mount -t tmpfs tmpfs "$root"
        mkdir "$root/new"
        cd /
        for entry in *; do
            if [ -L "$entry" ]; then
                cp -P "$entry" "$root/new/"
            elif [ -d "$entry" ]; then
                mkdir "$root/new/$entry"
                mount --rbind "/$entry" "$root/new/$entry"
            fi
        done
        exec chroot "$root/new" sh -c 'cd "$1" && shift && exec "$@"' sh "$project" "$@"
    """
    project = cli.folder / "home/project"
    said = refused(cli, "-r", "-m", "sh", "-euc", within, "sh", str(root), str(project))
    assert "no mount point" in said and "mount --rbind DIR DIR" in said


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["/usr/bin/node", "/x/node-gyp.js", "rebuild"], "node node-gyp.js rebuild"),
        (["curl", "-u", "user:canary", "https://example.com"], "curl"),
        (["python", "-m", "pip", "install", "x"], "python -m pip install"),
        (["git", "clone", "https://u:canary@example.com/r"], "git clone"),
        (["env", "TOKEN=canary"], "env"),
    ],
)
def test_no_secret_of_a_command_line_is_shown(words: list[str], shown: str) -> None:
    assert command_shown(words) == shown


def test_a_hello_without_a_name_is_none() -> None:
    for junk in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 300, b"\x00" * 5000):
        assert server_name(junk) is None


def test_a_terminal_stays_one() -> None:
    """And what is written to it is kept too."""
    terminal, end = pty.openpty()
    output = Output()
    with output.passed_on(end, end) as (out, err):
        assert out == err
        assert os.isatty(out)
        os.write(out, b"one\n")
    assert os.read(terminal, 100) == b"one\r\n"
    assert output.text == "one\n"


def test_two_files_stay_two() -> None:
    (out_end, out), (err_end, err) = os.pipe(), os.pipe()
    output = Output()
    with output.passed_on(out, err) as (first, second):
        os.write(first, b"one\n")
        os.write(second, b"two\n")
    assert (os.read(out_end, 100), os.read(err_end, 100)) == (b"one\n", b"two\n")
    assert sorted(output.text.split()) == ["one", "two"]
