"""Outputs and inputs that are no regular file: links, fifos, devices, `-`, `/dev/stdout`."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.world.npm import NpmRegistry, npm_registry


@dataclass
class Bench:
    """A project and the bundle that it packs to, without a network once that is made."""

    folder: Path
    npm: NpmRegistry
    cli: Cli
    bundle: Path
    data: bytes = field(repr=False)

    def bytes_run(
        self,
        *args: str | Path,
        stdin: int | None = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        data: bytes | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run with bytes on the standard streams; no traceback may show."""
        process = subprocess.Popen(
            self.cli.argv(*args),
            cwd=self.folder,
            env=self.cli.env(),
            stdin=stdin if data is None else subprocess.PIPE,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )
        out, err = process.communicate(data, timeout=120)
        assert b"Traceback" not in err and b"defect" not in err, err
        return subprocess.CompletedProcess(args, process.returncode, out, err)

    def left_over(self) -> list[str]:
        return [name for name in os.listdir(self.folder / "tmp") if "vendorpack" in name]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    npm = npm_registry()
    (tmp_path / "tmp").mkdir()
    cli = Cli(tmp_path, environ={"TMPDIR": str(tmp_path / "tmp")})
    with npm.server:
        npm.lock(tmp_path / "project", {"a": "1.0.0", "b": "2.0.0"})
        cli.ok("pack", "project")
        (tmp_path / "stdout").symlink_to("/proc/self/fd/1")  # as /dev/stdout is
        bundle = tmp_path / "deps.tar.zst"
        yield Bench(tmp_path, npm, cli, bundle, bundle.read_bytes())


def read_later(fifo: Path) -> tuple[threading.Thread, list[bytes]]:
    """Open and read a fifo in the background, as `cat` would."""
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
    thread.start()
    return thread, got


Make = Callable[[Bench, Path], Sequence[str | Path]]
"""The command that writes a bundle to a path."""


def _pack(bench: Bench, output: Path) -> Sequence[str | Path]:
    return ("pack", "project", "-o", output)


def _store_get(bench: Bench, output: Path) -> Sequence[str | Path]:
    team = bench.folder / "team"
    if not team.exists():
        team.mkdir()
        bench.cli.ok("pack", "project", "--store", team, "-o", "given.tar.zst")
    return ("store", "get", "project", "--store", team, "-o", output)


@pytest.mark.parametrize("make", [_pack, _store_get])
def test_a_fifo_stays_one_and_gets_the_bytes(bench: Bench, make: Make) -> None:
    fifo = bench.folder / "fifo"
    os.mkfifo(fifo)
    args = make(bench, fifo)
    thread, got = read_later(fifo)
    bench.cli.ok(*args)
    thread.join(20)
    assert got == [bench.data]
    assert stat.S_ISFIFO(fifo.lstat().st_mode)
    assert bench.left_over() == []


@pytest.mark.parametrize("make", [_pack, _store_get])
def test_standard_output_gets_the_bytes_and_nothing_else(bench: Bench, make: Make) -> None:
    for output in ("-", "stdout", "/dev/fd/1", "/proc/self/fd/1"):
        done = bench.bytes_run(*make(bench, Path(output)))
        assert done.returncode == 0, done.stderr
        assert done.stdout == bench.data
        assert f"{output} ".encode() in done.stderr  # the answer: name and id
    assert not (bench.folder / "-").exists()
    assert (bench.folder / "stdout").is_symlink()
    assert bench.left_over() == []


def test_standard_output_that_is_a_file_is_written_where_it_stands(bench: Bench) -> None:
    with (bench.folder / "out").open("wb") as out:
        out.write(b"before")
        out.flush()
        inode = os.fstat(out.fileno()).st_ino
        for output in ("-", "stdout"):
            args = _pack(bench, Path(output))
            assert bench.bytes_run(*args, stdout=out.fileno()).returncode == 0
    assert (bench.folder / "out").stat().st_ino == inode
    assert (bench.folder / "out").read_bytes() == b"before" + 2 * bench.data


def test_answers_for_machines_leave_standard_output_to_the_bundle(bench: Bench) -> None:
    done = bench.bytes_run("pack", "project", "-o", "-", "--json", "--quiet")
    assert done.stdout == bench.data
    assert json.loads(done.stderr)["path"] == "-"
    failed = bench.bytes_run("pack", "nowhere", "-o", "-", "--json", "--quiet")
    assert failed.returncode == 3 and failed.stdout == b""


@pytest.mark.parametrize("make", [_pack, _store_get])
def test_a_link_stays_one_and_its_target_is_written(bench: Bench, make: Make) -> None:
    (bench.folder / "there").mkdir()
    (bench.folder / "link").symlink_to("there/new.tar.zst")  # dangling
    bench.cli.ok(*make(bench, bench.folder / "link"))
    assert (bench.folder / "link").readlink() == Path("there/new.tar.zst")
    assert (bench.folder / "there/new.tar.zst").read_bytes() == bench.data
    (bench.folder / "there/new.tar.zst").write_bytes(b"old")
    bench.cli.ok(*make(bench, bench.folder / "link"))
    assert (bench.folder / "link").is_symlink()
    assert (bench.folder / "there/new.tar.zst").read_bytes() == bench.data
    assert os.listdir(bench.folder / "there") == ["new.tar.zst"]


def device(path: Path, kind: int, major: int, minor: int) -> Path:
    """A device node of the test's own: the machine's could be lost to a defect."""
    try:
        os.mknod(path, kind | 0o666, os.makedev(major, minor))
        if kind == stat.S_IFCHR:
            path.open("wb").close()
    except PermissionError:
        pytest.skip("device nodes can be neither made nor used here")
    return path


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
def test_a_device_is_written_to(bench: Bench) -> None:
    null = device(bench.folder / "null", stat.S_IFCHR, 1, 3)
    full = device(bench.folder / "full", stat.S_IFCHR, 1, 7)
    bench.cli.ok("pack", "project", "-o", null)
    done = bench.cli("pack", "project", "-o", full)
    assert done.code == 9 and "no space left" in done.err
    assert stat.S_ISCHR(null.lstat().st_mode) and stat.S_ISCHR(full.lstat().st_mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
def test_a_disk_is_refused_before_anything_is_fetched(bench: Bench) -> None:
    disk = device(bench.folder / "disk", stat.S_IFBLK, 240, 0)
    bench.npm.server.requests.clear()
    refused = bench.cli("pack", "project", "-o", disk, "--store-dir", "empty")
    assert refused.code == 2 and "the output is a disk" in refused.err
    assert stat.S_ISBLK(disk.lstat().st_mode) and not bench.npm.server.requests


def test_a_terminal_is_refused_before_anything_is_fetched(bench: Bench) -> None:
    ours, theirs = pty.openpty()
    try:
        bench.npm.server.requests.clear()
        for output in ("-", "stdout"):
            args = ("pack", "project", "-o", output, "--store-dir", "empty")
            done = bench.bytes_run(*args, stdout=theirs)
            assert done.returncode == 2 and b"not written to a terminal" in done.stderr
        assert not bench.npm.server.requests
        for command in (["verify", "-"], ["unpack", "-", "--prefix", "x"]):
            done = bench.bytes_run(*command, stdin=theirs)
            assert done.returncode == 2 and b"not read from a terminal" in done.stderr
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_closed_standard_output_is_refused(bench: Bench) -> None:
    command = 'exec "$@" >&-'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *bench.cli.argv("pack", "project", "-o", "-")],
        cwd=bench.folder,
        env=bench.cli.env(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2 and "standard output is closed" in done.stderr


def test_an_image_goes_down_a_pipe(bench: Bench) -> None:
    bench.cli.ok("pack", "project", "--oci", "image.tar")
    image = (bench.folder / "image.tar").read_bytes()
    assert bench.bytes_run("pack", "project", "--oci", "-").stdout == image
    fifo = bench.folder / "fifo"
    os.mkfifo(fifo)
    thread, got = read_later(fifo)
    bench.cli.ok("pack", "project", "--oci", fifo, "-o", "beside.tar.zst")
    thread.join(20)
    assert got == [image] and stat.S_ISFIFO(fifo.lstat().st_mode)
    assert (bench.folder / "beside.tar.zst").read_bytes() == bench.data
    (bench.folder / "link.tar").symlink_to("image.tar")
    (bench.folder / "image.tar").unlink()
    bench.cli.ok("pack", "project", "--oci", "link.tar")
    assert (bench.folder / "link.tar").is_symlink()
    assert (bench.folder / "image.tar").read_bytes() == image
    assert bench.cli("pack", "project", "--oci", "-", "-o", "stdout").code == 2
    assert bench.left_over() == []


def test_a_reader_that_goes_away_ends_the_run(bench: Bench) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = bench.bytes_run("pack", "project", "-o", "-", stdout=writer)
    os.close(writer)
    assert done.returncode == 141
    assert bench.left_over() == []


@pytest.mark.parametrize("args", [("verify", "-"), ("show", "-"), ("env", "-"), ("diff", "-")])
def test_a_bundle_comes_from_a_pipe(bench: Bench, args: tuple[str, ...]) -> None:
    more = [bench.bundle] if args[0] == "diff" else []
    plain = bench.cli.ok(args[0], bench.bundle, *more)
    piped = bench.bytes_run(*args, *more, data=bench.data)
    assert piped.returncode == 0, piped.stderr
    assert piped.stdout.decode() == plain.out
    with bench.bundle.open("rb") as file:
        assert bench.bytes_run(*args, *more, stdin=file.fileno()).stdout == piped.stdout
    assert os.listdir(bench.folder / "tmp") == []


def test_unpack_and_run_take_a_pipe(bench: Bench) -> None:
    done = bench.bytes_run("unpack", "-", "--prefix", "deps", data=bench.data)
    assert done.returncode == 0, done.stderr
    bench.cli.ok("verify", "deps")
    done = bench.bytes_run("run", "-", "--", "sh", "-c", "ls $npm_config_cache", data=bench.data)
    assert done.stdout == b"_cacache\n"
    native = bench.bytes_run("unpack", "-", data=bench.data)
    assert native.returncode == 0 and b"`vendorpack env BUNDLE` prints" in native.stderr


def test_a_fifo_is_read_to_its_end(bench: Bench) -> None:
    fifo = bench.folder / "fifo"
    os.mkfifo(fifo)
    thread = threading.Thread(target=fifo.write_bytes, args=(bench.data,), daemon=True)
    thread.start()
    bench.cli.ok("verify", fifo)
    thread.join(20)


@pytest.mark.parametrize("cut", [0, 100, -100])
def test_a_pipe_that_breaks_off_fills_nothing(bench: Bench, cut: int) -> None:
    done = bench.bytes_run("unpack", "-", "--prefix", "deps", data=bench.data[:cut])
    assert done.returncode == 10
    assert not (bench.folder / "deps").exists()
    assert os.listdir(bench.folder / "tmp") == []


def test_a_pipe_is_not_pushed(bench: Bench) -> None:
    done = bench.bytes_run("push", "-", "127.0.0.1:1/x", data=bench.data)
    assert done.returncode == 2 and b"from a file" in done.stderr


def test_a_tar_goes_down_a_pipe_by_the_name_of_the_fifo(bench: Bench) -> None:
    fifo = bench.folder / "fifo.tar"
    os.mkfifo(fifo)
    thread, got = read_later(fifo)
    bench.cli.ok("pack", "project", "-o", fifo)
    thread.join(20)
    (bench.folder / "copy.tar").write_bytes(got[0])
    with tarfile.open(bench.folder / "copy.tar") as tar:
        assert tar.getnames()[0] == "vendorpack.json"
