from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.bundle_samples import (
    BARE,
    HEAD,
    SMALL,
    Blobs,
    noise,
    sample_entries,
    sections,
    write_sample,
    write_tiny,
)
from vendorpack.bundle.plan import Section
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.table import MANIFEST_PATH
from vendorpack.bundle.writer import write_bundle
from vendorpack.errors import BlobLost, StoreError, TargetError
from vendorpack.files import temporary
from vendorpack.model import Blob, Entry
from vendorpack.unpack.ways import Unpacked, check_folder, entries_to_prefix, unpack_to_prefix


@pytest.fixture(autouse=True)
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vendorpack.bundle.reader.MIN_SHARE", 1)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "b.tar.zst"
    write_sample(path)
    return path


def unpack(path: Path, prefix: Path, *, jobs: int = 1, replace: bool = False) -> Unpacked:
    with open_bundle(path) as opened:
        return unpack_to_prefix(opened, prefix, jobs=jobs, replace=replace)


def snapshot(folder: Path) -> dict[str, tuple[int, int, str | None]]:
    """Mode, mtime and content of everything below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = path.read_bytes().hex() if path.is_file() else None
        found[path.relative_to(folder).as_posix()] = (
            status.st_mode,
            status.st_mtime_ns if content is not None else 0,
            content,
        )
    return found


def assert_unpacked(bundle: Path, prefix: Path) -> None:
    with open_bundle(bundle) as opened:
        manifest = opened.manifest
        assert (prefix / MANIFEST_PATH).read_bytes() == opened.manifest_bytes
    assert check_folder(prefix, manifest, jobs=2)
    for file in manifest.files:
        path = prefix / file.path
        if file.sha256 is None:
            assert path.stat().st_mode & 0o7777 == file.mode
        else:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
            assert path.stat().st_mode & 0o7777 == file.mode
            assert path.stat().st_mtime == manifest.mtime
    listed = {path for path in prefix.rglob("*") if not path.is_dir()}
    assert len(listed) == sum(file.sha256 is not None for file in manifest.files) + 1


@pytest.mark.parametrize("jobs", [1, 2, 3, 20])
def test_it_is_unpacked(bundle: Path, tmp_path: Path, jobs: int) -> None:
    result = unpack(bundle, tmp_path / "deps", jobs=jobs)
    assert result.changed
    assert_unpacked(bundle, tmp_path / "deps")
    assert sorted(os.listdir(tmp_path)) == ["b.tar.zst", "deps"]


def test_threads_do_the_same(bundle: Path, tmp_path: Path) -> None:
    done: list[int] = []

    def work() -> None:
        with open_bundle(bundle) as opened:
            unpack_to_prefix(opened, tmp_path / "deps", jobs=3, progress=done.append)

    # Where there is a thread already, nothing is forked.
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert_unpacked(bundle, tmp_path / "deps")
    with open_bundle(bundle) as opened:
        assert sum(done) == sum(opened.manifest.frames)


def test_progress_counts_the_tar(bundle: Path, tmp_path: Path) -> None:
    for jobs in (1, 3):
        done: list[int] = []
        with open_bundle(bundle) as opened:
            target = tmp_path / f"deps{jobs}"
            unpack_to_prefix(opened, target, jobs=jobs, progress=done.append)
            assert sum(done) == sum(opened.manifest.frames)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_umask_is_honoured(bundle: Path, tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        unpack(bundle, tmp_path / "deps", jobs=2)
    finally:
        os.umask(before)
    modes = {
        name: (tmp_path / "deps" / name).stat().st_mode & 0o7777
        for name in ("", "npm", "npm/index", "npm/empty", "npm/projects")
    }
    assert modes == {
        "": 0o755 & ~mask,
        "npm": 0o755 & ~mask,
        "npm/index": 0o755 & ~mask,
        "npm/empty": 0o644 & ~mask,
        "npm/projects": 0o1777,
    }


def test_missing_folders_above_are_made(bundle: Path, tmp_path: Path) -> None:
    unpack(bundle, tmp_path / "a" / "b" / "deps")
    assert_unpacked(bundle, tmp_path / "a" / "b" / "deps")
    assert os.listdir(tmp_path / "a") == ["b"]
    assert os.listdir(tmp_path / "a" / "b") == ["deps"]


def test_an_empty_folder_stays_the_same_folder(bundle: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "deps"
    prefix.mkdir(mode=0o750)
    before = prefix.stat()
    unpack(bundle, prefix)
    assert_unpacked(bundle, prefix)
    assert (prefix.stat().st_ino, prefix.stat().st_mode) == (before.st_ino, before.st_mode)


def test_the_current_folder(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deps").mkdir()
    monkeypatch.chdir(tmp_path / "deps")
    unpack(bundle, Path())
    assert_unpacked(bundle, tmp_path / "deps")


def test_a_link_to_a_folder_is_followed(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "deps").symlink_to("real")
    unpack(bundle, tmp_path / "deps")
    assert_unpacked(bundle, tmp_path / "real")
    assert (tmp_path / "deps").is_symlink()


def test_twice_changes_nothing(bundle: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "deps"
    unpack(bundle, prefix)
    (prefix / "npm" / "more").write_bytes(b"a cache grows")
    before = snapshot(prefix)
    stamps = {path: path.stat().st_mtime_ns for path in prefix.rglob("*")}
    result = unpack(bundle, prefix)
    assert not result.changed
    assert snapshot(prefix) == before
    assert {path: path.stat().st_mtime_ns for path in prefix.rglob("*")} == stamps


@pytest.mark.parametrize("damage", ["change", "remove", "mode", "manifest-only"])
def test_a_damaged_prefix_is_filled_anew(bundle: Path, tmp_path: Path, damage: str) -> None:
    prefix = tmp_path / "deps"
    unpack(bundle, prefix)
    index = prefix / "npm" / "index"
    if damage == "change":
        index.write_bytes(b'{"mine": 2}\n')
    elif damage == "remove":
        index.unlink()
    elif damage == "mode":
        index.chmod(0o644)
    else:
        for path in sorted(prefix.rglob("*"), reverse=True):
            if path.name != MANIFEST_PATH:
                path.rmdir() if path.is_dir() else path.unlink()
    assert unpack(bundle, prefix).changed
    assert_unpacked(bundle, prefix)


def test_another_bundle_takes_the_place(bundle: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "deps"
    unpack(bundle, prefix)
    (prefix / "npm" / "more").write_bytes(b"a cache grows")
    (prefix / "notes").write_bytes(b"the user's own")
    write_tiny(tmp_path / "other")
    before = snapshot(prefix)
    with pytest.raises(TargetError, match=r"other lockfiles: bundle [0-9a-f]{12}… of package-lock"):
        unpack(tmp_path / "other", prefix)
    assert snapshot(prefix) == before
    replaced = unpack(tmp_path / "other", prefix, replace=True).replaced
    assert replaced is not None and replaced.head.lockfiles[0].path == "package-lock.json"
    assert sorted(os.listdir(prefix)) == ["notes", "npm", MANIFEST_PATH]
    assert os.listdir(prefix / "npm") == ["a"]
    unpack(bundle, prefix)  # the other is of no lockfile at all: nothing is lost with it
    (prefix / "notes").unlink()
    assert_unpacked(bundle, prefix)


def test_what_is_not_ours_is_not_replaced(bundle: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "deps"
    write_tiny(tmp_path / "tiny")
    unpack(tmp_path / "tiny", prefix)
    (prefix / "vendorpack.env").write_bytes(b"the user's own")
    before = snapshot(prefix)
    with pytest.raises(TargetError, match=r"'vendorpack.env' there is from no bundle"):
        unpack(bundle, prefix)
    assert snapshot(prefix) == before


def occupied(prefix: Path) -> Iterator[str]:
    prefix.write_bytes(b"")
    yield "a file"
    prefix.unlink()
    prefix.mkdir()
    (prefix / "a").write_bytes(b"")
    yield "not empty"
    (prefix / "a").rename(prefix / MANIFEST_PATH)
    yield "not a manifest"
    (prefix / MANIFEST_PATH).write_text(json.dumps({"vendorpack": 1}))
    yield "not our manifest"


def test_other_content_is_in_the_way(bundle: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "deps"
    for what in occupied(prefix):
        before = snapshot(tmp_path)
        with pytest.raises(TargetError) as caught:
            unpack(bundle, prefix)
        assert caught.value.where == str(prefix), what
        assert caught.value.fix
        assert snapshot(tmp_path) == before, what


def test_what_a_killed_run_left_is_taken_over(bundle: Path, tmp_path: Path) -> None:
    """Killed while the new tree was moved in: some of it is there, the rest in the stage."""
    prefix = tmp_path / "deps"
    prefix.mkdir()
    (prefix / "npm").mkdir()
    (prefix / "npm" / "half").write_bytes(b"")
    stage = prefix / ".deps.vendorpack-1-00"
    (stage / "tree").mkdir(parents=True)
    unpack(bundle, prefix)
    assert_unpacked(bundle, prefix)


def test_a_stage_in_use_is_let_be(bundle: Path, tmp_path: Path) -> None:
    path, fd = temporary.create_folder(tmp_path, "deps")
    (tmp_path / ".deps.vendorpack-1-00").mkdir()
    unpack(bundle, tmp_path / "deps")
    assert path.is_dir()
    assert not (tmp_path / ".deps.vendorpack-1-00").exists()
    os.close(fd)
    (tmp_path / "deps").rename(tmp_path / "elsewhere")
    unpack(bundle, tmp_path / "deps")
    assert not path.exists()


def test_a_failed_move_is_undone(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / "deps"
    unpack(bundle, prefix)
    (prefix / "npm" / "empty").write_bytes(b"changed, so it is unpacked again")
    before = snapshot(prefix)
    rename, calls = os.rename, []

    def failing(source: str, target: str, **options: int) -> None:
        calls.append(source)
        if len(calls) == 5:
            raise OSError(16, "Device or resource busy")
        rename(source, target, **options)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(TargetError, match="busy"):
        unpack(bundle, prefix)
    assert len(calls) > 5
    assert snapshot(prefix) == before


# -- checking a folder ---------------------------------------------------------------------


def test_check_folder_names_what_is_wrong(bundle: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "deps"
    manifest = unpack(bundle, prefix).manifest
    assert check_folder(prefix, manifest, jobs=2)
    (prefix / "npm" / "more").write_bytes(b"")
    assert check_folder(prefix, manifest, jobs=2)
    (prefix / "npm" / "empty").unlink()
    (prefix / "npm" / "projects").rmdir()
    (prefix / "npm" / "index").chmod(0o644)
    (prefix / "npm" / "content" / "exact").write_bytes(noise(3584, "other"))
    (prefix / "vendorpack.env").unlink()
    (prefix / "vendorpack.env").symlink_to("/dev/null")
    check = check_folder(prefix, manifest, jobs=2)
    assert not check
    assert check.missing == ("npm/empty", "npm/projects/")
    assert check.changed == ("vendorpack.env", "npm/content/exact", "npm/index")
    assert check_folder(tmp_path / "absent", manifest, jobs=1).missing[0] == "vendorpack.env"


# -- without a bundle ----------------------------------------------------------------------


def test_entries_give_the_same_prefix(bundle: Path, tmp_path: Path) -> None:
    blobs = Blobs()
    result = entries_to_prefix(
        HEAD,
        sections(sample_entries(blobs)),
        tmp_path / "deps",
        read_blob=blobs.read,
        jobs=2,
        limits=SMALL,
    )
    assert result.changed
    assert_unpacked(bundle, tmp_path / "deps")
    unpack(bundle, tmp_path / "other")
    assert snapshot(tmp_path / "deps") == snapshot(tmp_path / "other")
    again = entries_to_prefix(
        HEAD,
        sections(sample_entries(blobs)),
        tmp_path / "deps",
        read_blob=blobs.read,
        jobs=2,
        limits=SMALL,
    )
    assert (again.changed, again.id) == (False, result.id)


def test_entries_with_a_lost_blob_leave_nothing(tmp_path: Path) -> None:
    entries = [(Entry("npm/a", b"1"), None), (Entry("npm/b", Blob("0" * 64, 5)), None)]
    with pytest.raises(BlobLost):
        entries_to_prefix(
            HEAD, sections(entries), tmp_path / "deps", read_blob=Blobs().read, jobs=2
        )
    assert os.listdir(tmp_path) == []


# -- no room -------------------------------------------------------------------------------


def test_too_little_room_is_seen_before_anything_is_written(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vendorpack.unpack.stage.free_space", lambda path: 10_000)
    with pytest.raises(StoreError, match=r"no space .* are needed, .* are free") as caught:
        unpack(bundle, tmp_path / "deps")
    assert caught.value.where == str(tmp_path / "deps")
    assert os.listdir(tmp_path) == [bundle.name]


def test_many_files(tmp_path: Path) -> None:
    entries = [(Entry(f"npm/{n % 7}/{n}", noise(n % 3000, str(n))), None) for n in range(500)]
    section = Section("npm", True, entries)
    write_bundle(tmp_path / "b", BARE, [section], read_blob=Blobs().read, jobs=2, limits=SMALL)
    unpack(tmp_path / "b", tmp_path / "deps", jobs=4)
    assert_unpacked(tmp_path / "b", tmp_path / "deps")
