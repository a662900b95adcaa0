"""unpack, download, verify, show, env, run and store, as they are typed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.engine.bundle_samples import canonical, manifest_value, member, row, seal
from tests.real.clients import tool
from tests.world.npm import NpmRegistry
from vendorpack.formats import load, rooms


@pytest.fixture
def bundle(npm: NpmRegistry, tmp_path: Path) -> Path:
    npm.lock(tmp_path / "project", {"a": "1.0.0", "b": "2.0.0"})
    Cli(tmp_path).ok("pack", "project")
    return tmp_path / "deps.tar.zst"


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_unpack_is_what_tar_does(bundle: Path, tmp_path: Path) -> None:
    Cli(tmp_path).ok("unpack", bundle, "--prefix", "ours")
    (tmp_path / "tars").mkdir()
    tool("zstd")
    subprocess.run(["tar", "--zstd", "-xf", bundle, "-C", "tars"], cwd=tmp_path, check=True)
    assert tree(tmp_path / "ours") == tree(tmp_path / "tars")
    for path in (tmp_path / "tars").rglob("*"):
        twin = tmp_path / "ours" / path.relative_to(tmp_path / "tars")
        assert twin.stat().st_mode == path.stat().st_mode
        if path.is_file():
            assert twin.stat().st_mtime == path.stat().st_mtime == 315619200


def test_unpack_twice_changes_nothing(bundle: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("unpack", bundle, "--prefix", "deps")
    before = {p: p.stat() for p in (tmp_path / "deps").rglob("*")}
    assert "already" in cli.ok("unpack", bundle, "--prefix", "deps").err
    for path, stat in before.items():
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)


def test_unpack_into_the_native_cache(bundle: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("unpack", bundle)
    cache = tmp_path / "home/.npm/_cacache"
    assert len(tree(cache)) == 2
    assert "0 files written, 0 replaced, 2 kept" in cli.ok("unpack", bundle).err
    own = Cli(tmp_path, environ={"npm_config_cache": str(tmp_path / "own")})
    own.ok("unpack", bundle)
    assert tree(tmp_path / "own/_cacache") == tree(cache)


def test_download_fills_the_same(npm: NpmRegistry, bundle: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("unpack", bundle, "--prefix", "unpacked")
    shutil.rmtree(tmp_path / "store")
    npm.server.requests.clear()
    cli.ok("download", "project", "--prefix", "downloaded")
    assert len(npm.server.requests) == 2
    assert tree(tmp_path / "downloaded") == tree(tmp_path / "unpacked")
    cli.ok("download", "project")
    assert tree(tmp_path / "home/.npm") == tree(tmp_path / "unpacked/npm")
    assert len(npm.server.requests) == 2


@pytest.mark.parametrize("command", ["unpack", "verify", "run"])
def test_a_bundle_for_another_lockfile(
    npm: NpmRegistry, bundle: Path, tmp_path: Path, command: str
) -> None:
    cli = Cli(tmp_path)
    key = cli.ok("key", "project").out.strip()
    more = {"unpack": ("--prefix", "deps"), "verify": (), "run": ()}[command]
    last = ("--", "true") if command == "run" else ()
    lock = tmp_path / "project/package-lock.json"
    cli.ok(command, *more, "--expect-key", key, "--lockfile", lock, bundle, *last)
    shutil.rmtree(tmp_path / "deps", ignore_errors=True)
    done = cli(command, *more, "--expect-key", "0" * 64, bundle, *last)
    assert done.code == 11 and key in done.err
    npm.lock(tmp_path / "project", {"a": "1.0.0"})
    done = cli(command, *more, "--lockfile", lock, bundle, *last)
    assert done.code == 11 and str(lock) in done.err
    assert not (tmp_path / "deps").exists()


def test_verify(bundle: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("unpack", bundle, "--prefix", "deps")
    summaries = [cli.ok("verify", what, "--json").json for what in (bundle, "deps")]
    assert summaries[0] == summaries[1] and summaries[0]["artifacts"] == 2
    victim = next((tmp_path / "deps/npm").rglob("content-v2/*/*/*/*"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    done = cli("verify", "deps")
    assert (
        done.code == 10
        and f"changed npm/_cacache/{victim.relative_to(tmp_path / 'deps/npm/_cacache')}" in done.err
    )
    victim.unlink()
    assert "missing" in cli("verify", "deps").err
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    for command in (("verify", bundle), ("unpack", bundle, "--prefix", "new")):
        done = cli(*command)
        assert done.code == 10 and "damaged" in done.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("what", ["no such file", "a folder", "a text", "a device"])
def test_not_a_bundle(tmp_path: Path, what: str) -> None:
    (tmp_path / "text").write_text("hello")
    path = {
        "no such file": tmp_path / "none",
        "a folder": tmp_path,
        "a text": tmp_path / "text",
        "a device": Path("/dev/null"),
    }[what]
    for command in (("verify",), ("show",), ("unpack", "--prefix", tmp_path / "x")):
        done = Cli(tmp_path)(*command, path)
        assert done.code == 10 and str(path) in done.err, done


def test_show(bundle: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    shown = cli.ok("show", bundle, "--files").out
    assert "a        1.0.0    npm" in shown and "npm/_cacache/content-v2/sha512/" in shown
    value = cli.ok("show", bundle, "--json").json
    assert [a["purl"] for a in value["artifacts"]] == ["pkg:npm/a@1.0.0", "pkg:npm/b@2.0.0"]
    cli.ok("unpack", bundle, "--prefix", "deps")
    assert cli.ok("show", "deps", "--json").json == value


def test_show_is_a_table_whatever_the_names_are(tmp_path: Path) -> None:
    """A long name makes its own row longer, and a wide one is counted as the terminal shows it."""
    names = ("a", "\u5927\u6587\u5b57", "n" * 200, "e\u0301", "\u202ex")
    records = [
        {"format": "npm", "name": name, "version": "1.0.0", "trust": trust, "size": 1}
        for name, trust in zip(names, ("lockfile", "registry", *["lockfile"] * 3), strict=True)
    ]
    value = {**manifest_value([], []), "artifacts": records}
    (tmp_path / "odd.tar.zst").write_bytes(seal(canonical(value), []))
    done = Cli(tmp_path, environ={"LC_ALL": "C.UTF-8", "COLUMNS": "80"}).ok("show", "odd.tar.zst")
    lines = done.out.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("package"))
    head, *table = lines[start : start + 6]
    assert " ".join(head.split()) == "package version format size licence for hash from"
    cells = "1.0.0    npm     1 B" + " " * 17  # and no licence
    at = head.index("version")
    assert table[0][at:] == table[4][at:] == f"{cells}lockfile"
    assert table[1][at - 3 :] == f"{cells}registry"  # three that are wide
    assert table[2] == f"{'n' * 200}  {cells}lockfile"
    assert table[3][at + 1 :].startswith("1.0.0") and table[4].startswith("\\u202ex ")
    assert max(len(line) for line in (head, *table[:2], *table[3:])) < 80


def test_sums(bundle: Path, tmp_path: Path) -> None:
    """Of the tree that tar leaves: all of it, and nothing else is there."""
    cli = Cli(tmp_path)
    (tmp_path / "tars").mkdir()
    tool("zstd")
    subprocess.run(["tar", "--zstd", "-xf", bundle, "-C", "tars"], cwd=tmp_path, check=True)
    sums = cli.ok("show", "--sums", bundle).out
    assert cli.ok("show", "--sums", "tars").out == sums
    assert sums.split()[0] == cli.ok("show", bundle, "--json").json["id"]
    assert {line[66:] for line in sums.splitlines()} == tree(tmp_path / "tars").keys()

    def check() -> int:
        command = ["sha256sum", "--strict", "--quiet", "-c", "-"]
        return subprocess.run(command, cwd=tmp_path / "tars", input=sums.encode()).returncode

    assert check() == 0
    changed = tmp_path / "tars" / sums.splitlines()[-1][66:]
    changed.write_bytes(changed.read_bytes() + b"x")
    assert check() == 1
    assert cli("show", "--sums", "--files", bundle).code == 2


def test_sums_are_the_very_names(tmp_path: Path) -> None:
    """In any locale, and where a name looks like an order to a CI service."""
    content = b"content"
    names = ["files/##vso[x]", "files/\u00e9\u202e \u2028", "files/*"]
    frame = b"".join(member(name, content) for name in sorted(names))
    value = manifest_value([row(name, content) for name in sorted(names)], [frame])
    (tmp_path / "odd.tar.zst").write_bytes(seal(canonical(value), [frame]))
    for locale in ("C", "C.UTF-8"):
        cli = Cli(
            tmp_path, environ={"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        )
        done = subprocess.run(
            cli.argv("show", "--sums", "odd.tar.zst"),
            cwd=tmp_path,
            env=cli.env(),
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        shown = [line[66:] for line in done.stdout.decode().split("\n")[1:-1]]
        assert shown == sorted(names)


def test_env(bundle: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("unpack", bundle, "--prefix", "deps")
    pairs = cli.ok("env", "deps", "--shell", "json").json
    assert pairs["npm_config_cache"] == str(tmp_path / "deps/npm")
    assert pairs["npm_config_offline"] == "true"
    sourced = subprocess.run(
        ["sh", "-c", ". deps/vendorpack.env; env"], cwd=tmp_path, capture_output=True, text=True
    ).stdout.splitlines()
    assert {f"{name}={value}" for name, value in pairs.items()} <= set(sourced)
    native = cli.ok("env", bundle, "--shell", "json").json
    assert native["npm_config_cache"] == str(tmp_path / "home/.npm")
    assert cli.ok("env", "deps").out.startswith("export ")
    assert cli("env", "deps", "--shell", "tcsh").code == 2
    script = """
        env | sort > before; . deps/vendorpack.env; env | sort > between
        eval "$(%s -m vendorpack env deps --undo)"; env | sort > after
    """
    done = subprocess.run(
        ["sh", "-ec", script % sys.executable],
        cwd=tmp_path,
        env=cli.env(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    before, between, after = (
        (tmp_path / name).read_text() for name in ("before", "between", "after")
    )
    assert after == before != between
    assert cli("env", "deps", "--undo", "--shell", "env-file").code == 2


@pytest.mark.parametrize("what", ["bundle", "folder"])
def test_env_for_another_place(bundle: Path, tmp_path: Path, what: str) -> None:
    cli = Cli(tmp_path)
    cli.ok("unpack", bundle, "--prefix", "deps")
    of = bundle if what == "bundle" else tmp_path / "deps"

    def lines(shell: str) -> list[str]:
        return cli.ok("env", of, "--prefix", "/opt/deps", "--shell", shell).out.splitlines()

    assert 'ENV npm_config_cache="/opt/deps/npm"' in lines("dockerfile")
    assert "npm_config_cache=/opt/deps/npm" in lines("env-file")
    assert "setenv npm_config_cache '/opt/deps/npm'" in lines("csh")
    assert '$env.npm_config_cache = "/opt/deps/npm"' in lines("nu")
    on_windows = cli.ok("env", of, "--prefix", "C:\\deps", "--shell", "cmd").out.splitlines()
    assert '@set "npm_config_cache=C:\\deps\\npm"' in on_windows
    for shell in ("sh", "json", "gitlab"):
        assert str(tmp_path) not in "".join(lines(shell))
    assert cli("env", of, "--prefix", "deps").code == 2


def test_run(bundle: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    done = cli.ok("run", bundle, "--", "sh", "-c", 'ls "$npm_config_cache"; exit 0')
    assert done.out == "_cacache\n"
    assert cli("run", bundle, "--", "sh", "-c", "exit 7").code == 7
    assert cli("run", bundle, "--", "no-such-command").code == 2
    assert cli.ok("run", bundle, "sh", "-c", 'echo "$1"', "sh", "--prefix").out == "--prefix\n"


def test_run_mends_what_was_changed(bundle: Path, tmp_path: Path) -> None:
    """npm writes into its cache; a file of ours that was changed is put back."""
    cli = Cli(tmp_path)
    prefix = Path(cli.ok("run", bundle, "--", "sh", "-c", 'echo "$VENDORPACK_PREFIX"').out.strip())
    victim = next((prefix / "npm").rglob("content-v2/*/*/*/*"))
    good = victim.read_bytes()
    victim.chmod(0o644)
    victim.write_bytes(b"evil")
    cli.ok("run", bundle, "--", "true")
    assert victim.read_bytes() == good


def test_a_prefix_is_not_lost_to_another_project(
    npm: NpmRegistry, bundle: Path, tmp_path: Path
) -> None:
    cli = Cli(tmp_path)
    cli.ok("unpack", bundle, "--prefix", "deps")
    # The same project, later: no question, and a word on what went.
    npm.lock(tmp_path / "project", {"a": "1.1.0"})
    cli.ok("pack", "project", "-o", "newer.tar.zst")
    done = cli.ok("unpack", "newer.tar.zst", "--prefix", "deps")
    assert "deps: unpacked, in place of bundle " in done.err
    assert "of package-lock.json (npm)" in done.err
    # Another project.
    npm.lock(tmp_path / "both" / "web", {"a": "1.0.0"})
    npm.lock(tmp_path / "both" / "api", {"b": "2.0.0"})
    cli.ok("pack", "both", "-r", "-o", "other.tar.zst")
    before = tree(tmp_path / "deps")
    ways: list[tuple[str, ...]] = [
        ("unpack", "other.tar.zst", "--prefix", "deps"),
        ("download", "both", "-r", "--prefix", "deps"),
    ]
    for command in ways:
        refused = cli(*command)
        assert refused.code == 12 and "package-lock.json (npm)" in refused.err
        assert "--replace" in refused.err and tree(tmp_path / "deps") == before
    for command in ways:
        cli.ok(*command, "--replace")
        cli.ok("verify", "deps", "--lockfile", "both/web/package-lock.json")
        cli.ok("unpack", "newer.tar.zst", "--prefix", "deps", "--replace")
    # More of the same: what was there stays there.
    npm.lock(tmp_path / "project" / "web", {"b": "2.0.0"})
    cli.ok("pack", "project", "-r", "-o", "more.tar.zst")
    cli.ok("unpack", "more.tar.zst", "--prefix", "deps")


def test_what_run_unpacked_is_counted_and_pruned(bundle: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert cli.ok("store", "size", "--json").json["run_trees"] == 0
    cli.ok("run", bundle, "--", "true")
    trees = tmp_path / "home/.cache/vendorpack/run"
    assert len([path for path in trees.iterdir() if path.is_dir()]) == 1
    size = cli.ok("store", "size", "--json").json
    held = sum(path.stat().st_size for path in trees.rglob("*") if path.is_file())
    assert (size["run_trees"], size["run_size"], size["run_path"]) == (1, held, str(trees))
    assert (
        f"1 bundle unpacked by run, {held / 1000:.1f} kB in {trees}" in cli.ok("store", "size").out
    )
    assert cli.ok("store", "prune", "--json").json["run_trees"] == 0  # used just now
    # One in use stays, with what it starts; so does what its command reads from it.
    script = "(sleep 60 & echo $!) ; read line; ls $npm_config_cache"
    argv = cli.argv("run", bundle, "--", "sh", "-c", script)
    with subprocess.Popen(
        argv, env=cli.env(), cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdin is not None and running.stdout is not None
        sleeper = int(running.stdout.readline())
        try:
            assert cli.ok("store", "prune", "--unused-days", "0", "--json").json["run_trees"] == 0
            print(file=running.stdin, flush=True)
            assert running.stdout.readline() == "_cacache\n"
            assert running.wait(20) == 0
            assert cli.ok("store", "prune", "--unused-days", "0", "--json").json["run_trees"] == 0
        finally:
            os.kill(sleeper, signal.SIGKILL)
    (trees / f".{'0' * 32}.vendorpack-1-abc").mkdir()  # what a killed run left
    deadline = time.monotonic() + 10
    while not (answer := cli.ok("store", "prune", "--unused-days", "0", "--json").json)[
        "run_trees"
    ]:
        assert time.monotonic() < deadline
    assert answer["run_size"] == held
    assert list(trees.iterdir()) == []
    cli.ok("run", bundle, "--", "true")


def test_run_and_prune_beside_each_other(bundle: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    runs = [cli.start("run", bundle, "--", "sh", "-c", "ls $npm_config_cache") for _ in range(6)]
    while any(run.poll() is None for run in runs):
        cli.ok("store", "prune", "--unused-days", "0")
    for run in runs:
        out, err = run.communicate()
        assert (run.returncode, out) == (0, "_cacache\n"), err


def test_store(bundle: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert cli.ok("store", "path").out.strip() == str(tmp_path / "store")
    size = cli.ok("store", "size", "--json").json
    assert size["artifacts"] == 2
    assert cli.ok("store", "prune", "--json").json["removed"] == 0
    assert cli.ok("store", "prune", "--unused-days", "0", "--json").json["removed"] == 2
    assert cli.ok("store", "size", "--json").json["size"] == 0


def test_version_and_help(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert cli.ok("--version").out.startswith("vendorpack ")
    names = "pack unpack download key verify show sbom env run store"
    for command in names.split():
        assert command in cli.ok("--help").out
        assert "Usage" in cli.ok(command, "--help").out


def test_formats(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    lines = cli.ok("formats").out.splitlines()
    assert [line.split()[0] for line in lines] == [room.name for room in rooms()]
    assert lines[0].endswith("  " + load("npm").command)
    listed = cli.ok("formats", "--json").json
    assert listed[0] == {
        "name": "npm",
        "title": "npm",
        "lockfiles": ["npm-shrinkwrap.json", "package-lock.json"],
        "command": load("npm").command,
        "options": {f"--npm-{own}": text for own, text in load("npm").options.items()},
    }
    unknown = cli("formats", "nmp")
    assert unknown.code == 2 and "Known formats: npm, pnpm" in unknown.err


@pytest.mark.parametrize("name", [room.name for room in rooms() if load(room.name).options])
def test_options_of_a_format(tmp_path: Path, name: str) -> None:
    """All are shown, with their texts, to who asks as `pack --help` says."""
    cli = Cli(tmp_path)
    assert "vendorpack formats FORMAT" in cli.ok("pack", "--help").out
    shown = cli.ok("formats", name).out
    assert max(map(len, shown.splitlines())) <= 80
    record = cli.ok("formats", name, "--json").json
    assert list(record["options"]) == sorted(f"--{name}-{own}" for own in load(name).options)
    for option, text in record["options"].items():
        assert f"\n{option} VALUE\n" in shown
        assert text in " ".join(shown.split())


def test_quiet_says_nothing(bundle: Path, tmp_path: Path) -> None:
    done = Cli(tmp_path).ok("unpack", "--quiet", bundle, "--prefix", "deps")
    assert (done.out, done.err) == ("", "")


def test_a_reader_that_goes_away(bundle: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    process = cli.start("show", bundle, "--files")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(20) in (0, 141) and err == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_full_disk(npm: NpmRegistry, bundle: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    cli = Cli(tmp_path)
    try:
        npm.lock(tmp_path / "big", {f"p{n}": "1.0.0" for n in range(100)})
        for command in (
            ("pack", "big", "-o", "small/deps.tar.zst"),
            ("pack", "big", "--store-dir", "small/store", "-o", "big.tar.zst"),
        ):
            done = cli(*command)
            assert done.code == 9 and "space" in done.err and "free" in done.err, done
        assert not (tmp_path / "big.tar.zst").exists()
        assert not (small / "deps.tar.zst").exists()
        shutil.rmtree(small / "store")
        cli.ok("pack", "big", "-o", "big.tar.zst")
        done = cli("unpack", "big.tar.zst", "--prefix", small / "deps")
        assert done.code == 9 and "free" in done.err
        assert not (small / "deps").exists() and not list(small.iterdir())
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_no_home_at_all(bundle: Path, tmp_path: Path) -> None:
    environ = {k: v for k, v in Cli(tmp_path).env().items() if k not in ("HOME",)}
    done = subprocess.run(
        Cli.argv("pack", tmp_path / "project", "-o", tmp_path / "x.tar.zst", "--json"),
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and json.loads(done.stdout)["from_store"] == 2


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        ("pack project --targt x", 2, "Did you mean --target"),
        ("key project --pip-biuld-lock x", 2, "--pip-build-lock"),
        ("key project --nonsense", 2, "no such option: --nonsense"),
        ("pack project -o out/deps.tar.zst", 9, "mkdir -p out"),
        ("pack project -o deps.zip", 2, "Name it .tar.zst"),
        ("pack project -o project", 2, "project/deps.tar.zst"),
        ("pack project/package.json", 3, "Did you mean package-lock.json, beside it?"),
        ("pack project/pom.xml", 3, 'summaryFile.basedir="$PWD/.mvn/checksums"\n  Did you'),
        ("show https://a.example/deps.tar", 10, "download the file first"),
    ],
)
def test_slips_are_met_with_advice(
    npm: NpmRegistry, tmp_path: Path, command: str, code: int, says: str
) -> None:
    npm.lock(tmp_path / "project", {"a": "1.0.0"})
    for name in ("package.json", "pom.xml"):
        (tmp_path / "project" / name).touch()
    done = Cli(tmp_path)(*command.split())
    assert (done.code, says in done.err) == (code, True), done.err
    assert not npm.server.requests


@pytest.mark.parametrize(
    ("command", "says", "see"),
    [
        ("pack --level x", "invalid value for '--level'", "vendorpack pack --help"),
        ("unpack", "missing argument 'BUNDLE'", "vendorpack unpack --help"),
        ("nonsense", "no such command 'nonsense'", "vendorpack --help"),
        ("store prune --unused-days -1", "invalid value", "vendorpack store prune --help"),
    ],
)
def test_misuse_is_an_error_like_any_other(
    tmp_path: Path, command: str, says: str, see: str
) -> None:
    cli = Cli(tmp_path)
    done = cli(*command.split())
    assert done.code == 2 and done.out == "" and done.err.startswith(f"error: {says}")
    assert f"See `{see}`." in done.err
    answer = cli(*command.split(), "--json").json
    assert answer["exit_code"] == 2 and answer["error"].startswith(says)


def test_json_of_the_command_that_is_run_is_not_ours(tmp_path: Path) -> None:
    done = Cli(tmp_path)("run", "--nonsense", "--", "npm", "ls", "--json")
    assert done.code != 0 and done.out == ""


def test_help_fits_the_screen(tmp_path: Path) -> None:
    shown = Cli(tmp_path, environ={"COLUMNS": "80"}).ok("--help").out
    commands = shown.partition("Commands:")[2]
    assert "pack" in commands and "..." not in commands
