"""What is visible is on disk first; a disk that fails leaves what was there."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli import CHECKOUT
from tests.engine.bundle_samples import write_sample
from vendorpack.bundle.reader import open_bundle
from vendorpack.errors import StoreError, TargetError
from vendorpack.unpack.stage import Stage
from vendorpack.unpack.ways import merge_into, unpack_to_prefix

SCRIPT = """
import sys
from pathlib import Path
from vendorpack.bundle.reader import open_bundle
from vendorpack.unpack.ways import merge_into, unpack_to_prefix
with open_bundle(Path(sys.argv[1])) as bundle:
    if sys.argv[3] == "prefix":
        unpack_to_prefix(bundle, Path(sys.argv[2]), jobs=1)
    else:
        merge_into(bundle, {"npm": Path(sys.argv[2])}, lambda path, old, new: new, jobs=1)
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_sample(tmp_path / "b.tar.zst")
    return tmp_path / "b.tar.zst"


def unpack(bundle: Path, target: Path, way: str) -> None:
    with open_bundle(bundle) as opened:
        if way == "prefix":
            unpack_to_prefix(opened, target, jobs=1)
        else:
            merge_into(opened, {"npm": target}, lambda path, old, new: new, jobs=1)


def calls(folder: Path, *command: str | Path) -> list[str]:
    """The system calls that write, sync and publish, in order."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    log = folder / "strace.log"
    names = "write,pwrite64,pwritev,fsync,fdatasync,syncfs,rename,renameat,renameat2,link,linkat"
    done = subprocess.run(
        ["strace", "-f", "-y", "-e", f"trace={names}", "-o", log, *command],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    return re.findall(r"^\d+ +(\w+\(.*)$", log.read_text(), re.MULTILINE)


def first(found: list[str], test: Callable[[str], bool]) -> int:
    return next(number for number, call in enumerate(found) if test(call))


def last(found: list[str], test: Callable[[str], bool]) -> int:
    return max(number for number, call in enumerate(found) if test(call))


@pytest.mark.parametrize("there", ["absent", "empty", "older"])
def test_a_prefix_is_synced_before_it_is_seen(bundle: Path, tmp_path: Path, there: str) -> None:
    target = tmp_path / "deps"
    if there == "empty":
        target.mkdir()
    elif there == "older":
        write_sample(tmp_path / "older", mtime=1)
        unpack(tmp_path / "older", target, "prefix")
    made = calls(tmp_path, sys.executable, "-c", SCRIPT, bundle, target, "prefix")
    wrote = last(made, lambda call: call.startswith(("write(", "pwrite")) and "/tree/" in call)
    sync = first(made, lambda call: call.startswith("syncfs("))
    seen = first(made, lambda call: call.startswith("rename"))
    after = last(made, lambda call: call.startswith("fsync("))
    assert wrote < sync < seen < after


def test_a_cache_is_synced_before_its_files_are_seen(bundle: Path, tmp_path: Path) -> None:
    made = calls(tmp_path, sys.executable, "-c", SCRIPT, bundle, tmp_path / "cache", "merge")
    wrote = last(made, lambda call: call.startswith(("write(", "pwrite")) and "/tree/" in call)
    sync = first(made, lambda call: call.startswith("syncfs("))
    seen = first(made, lambda call: call.startswith(("link", "rename")))
    assert wrote < sync < seen < last(made, lambda call: call.startswith("syncfs("))


def test_a_bundle_is_synced_before_it_has_its_name(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.engine.bundle_samples import *;"
        "write_sample(Path(sys.argv[1]))"
    )
    made = calls(tmp_path, sys.executable, "-c", script, tmp_path / "out.tar.zst")
    sync = first(made, lambda call: call.startswith("fsync(") and ".out.tar.zst." in call)
    wrote = last(made, lambda call: call.startswith("write(") and ".out.tar.zst." in call)
    seen = first(made, lambda call: call.startswith("rename") and "out.tar.zst" in call)
    folder = last(made, lambda call: call.startswith("fsync("))
    assert wrote < sync < seen < folder


# -- a disk that fails ---------------------------------------------------------------------


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def failing(*_: Any, **__: Any) -> Any:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def fail(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    if call != "syncfs":
        monkeypatch.setattr(os, call, failing)
        return

    class Library:
        @staticmethod
        def syncfs(fd: int) -> int:
            ctypes.set_errno(errno.EIO)
            return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library)


@pytest.mark.parametrize("call", ["write", "syncfs", "rename", "fsync"])
def test_a_failing_disk_leaves_the_older_prefix(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    target = tmp_path / "deps"
    write_sample(tmp_path / "older", mtime=1)
    unpack(tmp_path / "older", target, "prefix")
    before = snapshot(target)
    with monkeypatch.context() as patch:
        fail(patch, call)
        with pytest.raises((StoreError, TargetError), match="Input/output error") as caught:
            unpack(bundle, target, "prefix")
    assert caught.value.fix is not None and "The disk failed" in caught.value.fix
    if call != "fsync":  # then all is there, but perhaps not on disk
        assert snapshot(target) == before
    unpack(bundle, target, "prefix")
    with open_bundle(bundle) as opened:
        assert (target / "vendorpack.json").read_bytes() == opened.manifest_bytes


@pytest.mark.parametrize("call", ["write", "syncfs", "link"])
def test_a_failing_disk_leaves_the_cache(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "mine").write_bytes(b"mine")
    with monkeypatch.context() as patch:
        fail(patch, call)
        with pytest.raises((StoreError, TargetError), match="Input/output error"):
            unpack(bundle, cache, "merge")
    assert snapshot(cache) == {"mine": b"mine"}
    unpack(bundle, cache, "merge")
    assert len(snapshot(cache)) > 5


@pytest.mark.parametrize("call", ["fsync", "rename", "replace"])
def test_a_failing_disk_leaves_the_older_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "out.tar.zst"
    write_sample(path, mtime=1)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        fail(patch, call)
        if call == "rename":  # another name for the same
            patch.setattr(os, "replace", failing)
        with pytest.raises(StoreError, match="Input/output error"):
            write_sample(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_stage_is_nobodys_but_ours(tmp_path: Path) -> None:
    with Stage(tmp_path / "deps", 0) as stage:
        assert stage.path.stat().st_mode & 0o777 == 0o700
