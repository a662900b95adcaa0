"""The conditions of a user's shell: few descriptors, little memory, closed streams, any locale."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli import Cli, Done
from tests.world.npm import NpmRegistry, npm_registry
from vendorpack.errors import StoreError, VendorpackError
from vendorpack.files.disk import storage_error, system_error
from vendorpack.parallel import within_descriptors


@pytest.fixture(scope="module")
def npm() -> Iterator[NpmRegistry]:
    made = npm_registry()
    with made.server:
        yield made


@pytest.fixture
def project(npm: NpmRegistry, tmp_path: Path) -> Path:
    """Three packages."""
    npm.lock(tmp_path / "project", {f"p{number}": "1.0.0" for number in range(3)})
    return tmp_path / "project"


def in_shell(cli: Cli, script: str, *args: str | Path, cwd: Path | None = None) -> Done:
    """Run `script` with the command in `"$@"`."""
    done = subprocess.run(
        ["bash", "-c", script, "bash", *cli.argv(*args)],
        cwd=cwd or cli.folder,
        env=cli.env(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=600,
    )
    out, err = (stream.decode(errors="surrogateescape") for stream in (done.stdout, done.stderr))
    assert "Traceback" not in err, err
    assert "defect in vendorpack" not in err, err
    return Done(done.returncode, out, err)


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "store/v1/parts").iterdir())


# -- descriptors -----------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "count"), [(64, 150), (128, 300)])
def test_few_descriptors(npm: NpmRegistry, tmp_path: Path, limit: int, count: int) -> None:
    npm.lock(tmp_path / "project", {f"p{number}": "1.0.0" for number in range(count)})
    cli = Cli(tmp_path)
    limited = f'ulimit -n {limit}; exec "$@"'
    for command in (
        ("pack", "project", "-o", "b.tar.zst"),
        ("pack", "project", "-o", "c.tar.zst", "--jobs", "256"),
        ("verify", "b.tar.zst"),
        ("unpack", "b.tar.zst", "--prefix", "prefix"),
        ("unpack", "b.tar.zst"),
        ("download", "project", "--prefix", "other"),
        ("store", "prune", "--unused-days", "0"),
    ):
        done = in_shell(cli, limited, *command)
        assert done.code == 0, done.err
    assert (tmp_path / "b.tar.zst").read_bytes() == (tmp_path / "c.tar.zst").read_bytes()
    assert parts(tmp_path) == []


def test_as_many_jobs_as_descriptors_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 1024
    monkeypatch.setattr("resource.getrlimit", lambda kind: (limit, limit))
    assert within_descriptors(32, 4) == 32
    assert 200 < within_descriptors(256, 4) < 256
    limit = 256
    assert within_descriptors(32, 4) == 32
    limit = 16
    assert within_descriptors(32, 4) == 1


def test_too_few_descriptors_are_explained(project: Path, tmp_path: Path) -> None:
    failures = 0
    for limit in range(6, 16, 3):
        done = in_shell(Cli(tmp_path), f'ulimit -n {limit}; exec "$@"', "pack", project)
        if done.code:
            assert done.code in (7, 9), done.err
            assert "too many open files" in done.err.lower()
            assert "ulimit -n" in done.err
            failures += 1
    assert failures


# -- streams ---------------------------------------------------------------------------------


def test_closed_streams(project: Path, tmp_path: Path) -> None:
    """What was asked for cannot be told; what was made is made, whoever hears of it."""
    cli = Cli(tmp_path)
    whole = cli.ok("pack", project, "-o", "0.tar.zst").out.partition(" ")[2]
    for number, closed in enumerate((">&-", "2>&-", "<&-", "<&- >&- 2>&-"), 1):
        output = tmp_path / f"{number}.tar.zst"
        done = in_shell(cli, f'"$@" {closed}', "pack", project, "-o", output)
        assert done.code == 0, done.err
        assert output.read_bytes() == (tmp_path / "0.tar.zst").read_bytes()
        if ">&-" not in closed.split():
            assert done.out.partition(" ")[2] == whole
    for command in (("show", "0.tar.zst"), ("key", project), ("--help",), ("--version",)):
        done = in_shell(cli, '"$@" >&-', *command)
        assert done.code == 9, done.err
        assert "standard output is closed" in done.err
        assert in_shell(cli, '"$@" 2>&-', *command).code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_full_streams(project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert in_shell(cli, '"$@" 2>/dev/full', "pack", project).code == 0
    for command in (("show", "deps.tar.zst"), ("show", "deps.tar.zst", "--json"), ("--version",)):
        done = in_shell(cli, '"$@" >/dev/full', *command)
        assert done.code == 9, done.err
        assert "no space left" in done.err.lower()
        assert "Exception ignored" not in done.err


# -- locale ----------------------------------------------------------------------------------

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0"}


def test_an_output_that_speaks_ascii(project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path, environ={"PYTHONIOENCODING": "ascii"})
    assert Cli(tmp_path).ok("pack", project).code == 0
    done = cli.ok("show", "deps.tar.zst")
    assert done.out.isascii() and "\\u2026" in done.out


def test_an_ascii_locale(npm: NpmRegistry, tmp_path: Path) -> None:
    """Names of files are UTF-8 in a bundle, whatever the locale says."""
    folder = tmp_path / "prøjekt"
    npm.lock(folder, {"p0": "1.0.0"})
    usual, odd = Cli(tmp_path), Cli(tmp_path, store="store-2", environ=ASCII)
    for cli, name in ((usual, "a"), (odd, "b")):
        cli.ok("pack", folder, "-o", f"{name}.tar.zst")
        cli.ok("unpack", f"{name}.tar.zst", "--prefix", tmp_path / f"földer-{name}")
        cli.ok("verify", tmp_path / f"földer-{name}")
    assert (tmp_path / "a.tar.zst").read_bytes() == (tmp_path / "b.tar.zst").read_bytes()
    assert odd.ok("key", folder).out == usual.ok("key", folder).out


# -- memory ----------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space so")
def test_little_memory(project: Path, tmp_path: Path) -> None:
    """Whatever fails for want of it, it is said so, and the next run works."""
    cli = Cli(tmp_path)
    codes = set()
    for size in (30_000, 45_000, 60_000, 100_000, 150_000, 200_000, 300_000):
        done = in_shell(cli, f'ulimit -v {size}; exec "$@"', "pack", project)
        codes.add(done.code)
        if done.code:
            assert done.code == 9, done.err
            assert "too little memory" in done.err
    assert 9 in codes
    cli.ok("pack", project)


@pytest.mark.parametrize("error_of", [system_error, lambda error: storage_error(error, Path("x"))])
def test_whichever_call_finds_no_memory(error_of: Callable[[OSError], VendorpackError]) -> None:
    """A folder that could not be listed is not what is to be looked at."""
    told = error_of(OSError(errno.ENOMEM, "Cannot allocate memory", "/usr/lib/python3"))
    assert told.what == "there is too little memory"
    assert told.where is None


# -- the store -------------------------------------------------------------------------------


def test_prune_beside_packs(npm: NpmRegistry, tmp_path: Path) -> None:
    npm.lock(tmp_path / "project", {f"p{number}": "1.0.0" for number in range(100)})
    cli = Cli(tmp_path)
    packs = [cli.start("pack", "project", "-o", f"{number}.tar.zst") for number in range(8)]
    spared = 0
    while any(pack.poll() is None for pack in packs):
        spared += "others are using" in cli.ok("store", "prune", "--unused-days", "0").err
    for pack in packs:
        _, err = pack.communicate()
        assert pack.returncode == 0, err
    bundles = {hashlib.sha256(path.read_bytes()).digest() for path in tmp_path.glob("*.tar.zst")}
    assert len(list(tmp_path.glob("*.tar.zst"))) == 8 and len(bundles) == 1
    assert spared
    assert cli.ok("store", "prune", "--unused-days", "0", "--json").json["spared_recent"] is False
    assert "0 artifacts" in cli.ok("store", "size").out
    assert parts(tmp_path) == []


def test_a_failed_run_leaves_no_empty_files(npm: NpmRegistry, tmp_path: Path) -> None:
    lock = npm.lock(tmp_path / "project", {f"p{number}": "1.0.0" for number in range(40)})
    lock.write_text(lock.read_text().replace("/p3/-/p3-1.0.0", "/p3/-/gone"))
    assert Cli(tmp_path)("pack", "project").code == 7
    assert not [p for p in (tmp_path / "store/v1/parts").iterdir() if not p.stat().st_size]
    assert not [name for name in parts(tmp_path) if name.endswith(".lock")]


# -- paths -----------------------------------------------------------------------------------


def test_the_current_folder_is_gone(project: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    done = in_shell(Cli(tmp_path), 'rmdir "$PWD"; "$@"', "pack", cwd=gone)
    assert done.code in (2, 3, 9)
    assert "the current folder is gone" in done.err and "Change to" in done.err


def test_a_name_that_is_too_long(project: Path, tmp_path: Path) -> None:
    for output in ("x" * 300 + ".tar.zst", "y/" * 3000 + "b.tar.zst"):
        done = Cli(tmp_path)("pack", project, "-o", output)
        assert done.code == 9, done.err
        assert "File name too long".lower() in done.err.lower()
        assert "shorter" in done.err


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENAMETOOLONG, errno.EIO, errno.EBUSY, None])
def test_an_error_of_the_system_has_advice(number: int | None) -> None:
    error = OSError(number, os.strerror(number or errno.EBUSY), b"/x")
    told = system_error(error)
    assert isinstance(told, StoreError)
    assert told.fix and told.where == "/x" and told.what[:1].islower()


def test_only_a_locale_that_is_not_utf8_costs_a_second_start(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    code = "import sys, vendorpack.__main__ as m; m._speak_utf8(); print(sys.flags.utf8_mode)"
    for environ, mode in (({"LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"}, "0"), (ASCII, "1")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**cli.env(), **environ},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == mode
