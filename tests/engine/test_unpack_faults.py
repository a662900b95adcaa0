"""What happens when the machine does not play along."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.bundle_samples import BARE, SMALL, Blobs, noise, write_sample
from vendorpack.bundle.plan import Section
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.table import MANIFEST_PATH
from vendorpack.bundle.writer import write_bundle
from vendorpack.errors import StoreError, TargetError
from vendorpack.model import Entry
from vendorpack.parallel import run_shares
from vendorpack.unpack.ways import check_folder, merge_into, unpack_to_prefix


@pytest.fixture(autouse=True)
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vendorpack.bundle.reader.MIN_SHARE", 1)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")

UNPACK = """
import sys
from pathlib import Path
from vendorpack.bundle import reader
from vendorpack.bundle.reader import open_bundle
from vendorpack.unpack.ways import merge_into, unpack_to_prefix
reader.MIN_SHARE = 1
bundle, target, jobs, way = sys.argv[1:]
with open_bundle(Path(bundle)) as opened:
    print("open", flush=True)
    if way == "merge":
        lines = lambda path, before, new: b"".join(
            sorted({*before.splitlines(keepends=True), *new.splitlines(keepends=True)})
        )
        merge_into(opened, {"npm": Path(target)}, lines, jobs=int(jobs))
    else:
        unpack_to_prefix(opened, Path(target), jobs=int(jobs))
"""


def start(bundle: Path, target: Path, *, jobs: int, way: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", UNPACK, str(bundle), str(target), str(jobs), way]
    return subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)


def write_many(path: Path, *, seed: str = "", files: int = 400, extra: bytes = b"") -> None:
    entries = [
        (Entry(f"npm/{n % 13}/{seed}{n}", noise(n * 37 % 9000, str(n))), None) for n in range(files)
    ]
    entries.append((Entry("npm/index", extra or b"index\n"), None))
    section = Section("npm", True, entries)
    write_bundle(path, BARE, [section], read_blob=Blobs().read, jobs=1, limits=SMALL)


def whole(bundle: Path, prefix: Path) -> bool:
    with open_bundle(bundle) as opened:
        try:
            same = (prefix / MANIFEST_PATH).read_bytes() == opened.manifest_bytes
        except FileNotFoundError:
            return False
        return same and bool(check_folder(prefix, opened.manifest, jobs=1))


def stages(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if ".vendorpack-" in name]


def until_swept(*folders: Path) -> Iterator[None]:
    """Once, and again while there are stages: killed processes take a moment to be gone."""
    deadline = time.monotonic() + 20
    yield
    while any(stages(folder) for folder in folders):
        assert time.monotonic() < deadline, [stages(folder) for folder in folders]
        time.sleep(0.05)
        yield


# -- killed --------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("before", ["absent", "empty", "other"])
def test_killed_at_any_moment(tmp_path: Path, jobs: int, before: str) -> None:
    bundle, other, prefix = tmp_path / "b", tmp_path / "o", tmp_path / "deps"
    write_many(bundle)
    write_many(other, seed="other", files=5)
    rng = random.Random(f"{jobs}{before}")
    for _ in range(3):
        shutil.rmtree(prefix, ignore_errors=True)
        if before == "empty":
            prefix.mkdir()
        elif before == "other":
            with open_bundle(other) as opened:
                unpack_to_prefix(opened, prefix, jobs=1)
        with start(bundle, prefix, jobs=jobs, way="prefix") as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.25))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if (prefix / MANIFEST_PATH).exists():
            assert whole(bundle, prefix) or whole(other, prefix)
        for _ in until_swept(tmp_path, prefix):
            with open_bundle(bundle) as opened:
                unpack_to_prefix(opened, prefix, jobs=jobs)
            assert whole(bundle, prefix)


def test_children_end_with_their_parent() -> None:
    program = """
import os, time
from vendorpack.parallel import run_shares

def work(share, done):
    os.write(1, f"{os.getpid()}\\n".encode())  # one write: lines must not mix
    while True:
        done(1)
        time.sleep(0.01)

run_shares(work, [1, 2, 3])
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            children = [int(process.stdout.readline()) for _ in range(3)]
        finally:
            process.kill()
    deadline = time.monotonic() + 20
    while any(running(pid) for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_killed_while_merging(tmp_path: Path) -> None:
    bundle, cache = tmp_path / "b", tmp_path / "cache"
    write_many(bundle)
    with open_bundle(bundle) as opened:
        sizes = {file.path.removeprefix("npm/"): file.size for file in opened.manifest.files}
    rng = random.Random(5)
    for _ in range(4):
        shutil.rmtree(cache, ignore_errors=True)
        with start(bundle, cache, jobs=2, way="merge") as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.25))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for path in cache.rglob("*"):
            name = path.relative_to(cache).as_posix()
            if path.is_file() and ".vendorpack-" not in name:
                assert path.stat().st_size == sizes[name]
        for _ in until_swept(tmp_path, cache):
            with open_bundle(bundle) as opened:
                result = merge_into(opened, {"npm": cache}, lambda path, old, new: new, jobs=2)
            assert result.replaced == 0
            assert result.written + result.kept == len(sizes)


# -- two at once ---------------------------------------------------------------------------


def test_two_unpack_to_one_prefix(tmp_path: Path) -> None:
    bundle, prefix = tmp_path / "b", tmp_path / "deps"
    write_many(bundle, files=100)
    for _ in range(5):
        shutil.rmtree(prefix, ignore_errors=True)
        running = [start(bundle, prefix, jobs=1, way="prefix") for _ in range(3)]
        for process in running:
            process.communicate()
        assert [process.returncode for process in running] == [0, 0, 0]
        assert whole(bundle, prefix)
        assert stages(tmp_path) == stages(prefix) == []


def test_two_bundles_into_one_cache(tmp_path: Path) -> None:
    first, second, cache = tmp_path / "1", tmp_path / "2", tmp_path / "cache"
    write_many(first, seed="one", files=60, extra=b"one\n")
    write_many(second, seed="two", files=60, extra=b"two\n")
    for _ in range(5):
        shutil.rmtree(cache, ignore_errors=True)
        running = [start(path, cache, jobs=1, way="merge") for path in (first, second) * 2]
        for process in running:
            process.communicate()
        assert [process.returncode for process in running] == [0] * 4
        assert (cache / "index").read_bytes() == b"one\ntwo\n"
        assert len([path for path in cache.rglob("*") if path.is_file()]) == 121
        assert stages(cache) == []


@pytest.mark.parametrize("way", ["prefix", "merge"])
def test_publishing_waits_for_its_turn(tmp_path: Path, way: str) -> None:
    bundle, target = tmp_path / "b", tmp_path / "target"
    write_many(bundle, files=5)
    target.mkdir()
    fd = os.open(target, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    process = start(bundle, target, jobs=1, way=way)
    time.sleep(1)
    assert process.poll() is None
    assert os.listdir(target) == stages(target)
    os.close(fd)
    process.communicate()
    assert process.returncode == 0
    assert len(os.listdir(target)) >= 2


def test_a_component_swapped_for_a_link(tmp_path: Path) -> None:
    """While files are published someone turns a folder into a link, again and again."""
    bundle, cache, outside = tmp_path / "b", tmp_path / "cache", tmp_path / "outside"
    write_many(bundle, files=300)
    outside.mkdir()
    stop = threading.Event()

    def attack() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                (cache / "3").rename(cache / "moved")
            with contextlib.suppress(OSError):
                (cache / "3").symlink_to(outside)
            with contextlib.suppress(OSError):
                (cache / "3").unlink()
            with contextlib.suppress(OSError):
                (cache / "moved").rename(cache / "3")

    attacker = threading.Thread(target=attack)
    attacker.start()
    try:
        for _ in range(5):
            with open_bundle(bundle) as opened, contextlib.suppress(TargetError):
                merge_into(opened, {"npm": cache}, lambda path, old, new: new, jobs=1)
    finally:
        stop.set()
        attacker.join()
    assert os.listdir(outside) == []


# -- full, read-only, another's ------------------------------------------------------------


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@needs_root
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("way", ["prefix", "merge"])
def test_full_disk(tmp_path: Path, way: str, asked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle, disk = tmp_path / "b", tmp_path / "disk"
    write_many(bundle)
    if not asked:  # Others fill the disk while we write.
        monkeypatch.setattr("vendorpack.unpack.stage.free_space", lambda path: 1 << 40)
    with mounted(disk, "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        with open_bundle(bundle) as opened, pytest.raises(StoreError) as caught:
            if way == "merge":
                merge_into(opened, {"npm": disk / "c"}, lambda path, old, new: new, jobs=2)
            else:
                unpack_to_prefix(opened, disk / "deps", jobs=2)
        assert os.listdir(disk) == []
    assert "no space" in caught.value.what
    assert "are needed" in caught.value.what
    assert "are free" in caught.value.what
    assert str(disk) in str(caught.value.where)


@needs_root
def test_full_disk_while_packing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "-t", "tmpfs", "-o", "size=64k", "tmpfs"):
        with pytest.raises(StoreError, match=r"no space .* are free"):
            write_many(disk / "b", files=50)
        assert os.listdir(disk) == []


@needs_root
def test_read_only_disk(tmp_path: Path) -> None:
    bundle, disk = tmp_path / "b", tmp_path / "disk"
    write_sample(bundle)
    with mounted(disk, "-t", "tmpfs", "-o", "size=1m,ro", "tmpfs"), open_bundle(bundle) as opened:
        for prefix in (disk, disk / "deps"):
            with pytest.raises(TargetError, match="Read-only file system") as caught:
                unpack_to_prefix(opened, prefix, jobs=1)
            assert caught.value.where == str(prefix)
        with pytest.raises(TargetError, match="Read-only"):
            merge_into(opened, {"npm": disk}, lambda path, old, new: new, jobs=1)


@needs_root
def test_a_mount_point_is_filled(tmp_path: Path) -> None:
    bundle, disk = tmp_path / "b", tmp_path / "disk"
    write_sample(bundle)
    with mounted(disk, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
        for _ in range(2):
            with open_bundle(bundle) as opened:
                unpack_to_prefix(opened, disk, jobs=2)
            assert whole(bundle, disk)


@needs_root
def test_not_root(tmp_path: Path) -> None:
    """Another user: a folder of their own is filled, a folder of root's is not."""
    bundle = tmp_path / "b"
    write_sample(bundle)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(tempfile.gettempdir()):
            folder.chmod(folder.stat().st_mode | 0o055)
    mine = tmp_path / "mine"
    mine.mkdir()
    os.chown(mine, 65534, 65534)
    # Whoever it becomes may not be able to import anything.
    become = "os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    program = "import concurrent.futures.thread, ctypes, multiprocessing.connection, os\n"
    program += UNPACK.replace("bundle, target", f"{become}\nbundle, target", 1)
    for target, code in ((mine, 0), (tmp_path / "deps", 1)):
        command = [sys.executable, "-c", program, str(bundle), str(target), "2", "prefix"]
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        assert done.returncode == code, done.stderr
        if code:
            assert "TargetError" in done.stderr
            assert "Permission denied" in done.stderr
    assert whole(bundle, mine)
    assert {path.stat().st_uid for path in mine.rglob("*")} == {65534}


# -- workers -------------------------------------------------------------------------------


def test_a_worker_that_dies_is_noticed() -> None:
    def work(share: int, done: object) -> None:
        if share:
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(StoreError, match="worker process ended early"):
        run_shares(work, [0, 1])


def test_a_defect_in_a_worker_is_a_defect() -> None:
    def work(share: int, done: object) -> None:
        raise KeyError(share)

    with pytest.raises(RuntimeError, match="KeyError: 1"):
        run_shares(work, [1, 1])
    with pytest.raises(KeyError):
        run_shares(work, [1])


def test_an_error_keeps_its_fields() -> None:
    def work(share: int, done: object) -> None:
        raise TargetError("what" * 2000, where="where", fix="fix")

    with pytest.raises(TargetError) as caught:
        run_shares(work, [1, 2])
    assert (caught.value.where, caught.value.fix) == ("where", "fix")
    assert len(caught.value.what) == 8000
