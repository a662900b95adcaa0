from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.bundle_samples import BARE, Blobs, sample_entries, sections, write_sample
from vendorpack.bundle.plan import Section
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.writer import write_bundle
from vendorpack.errors import TargetError
from vendorpack.model import Entry
from vendorpack.unpack import merge as merging
from vendorpack.unpack.ways import MergeResult, merge_entries, merge_into

FILES = 8
"""Files below npm/ in the sample; and an empty folder."""


@pytest.fixture(autouse=True)
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vendorpack.bundle.reader.MIN_SHARE", 1)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "b"
    write_sample(path)
    return path


def ours(path: str, before: bytes, new: bytes) -> bytes:
    return new


def lines(path: str, before: bytes, new: bytes) -> bytes:
    """Both files' lines, as an index would be merged."""
    return b"".join(sorted({*before.splitlines(keepends=True), *new.splitlines(keepends=True)}))


def merge(
    path: Path,
    roots: dict[str, Path],
    how: Callable[[str, bytes, bytes], bytes] = ours,
    jobs: int = 1,
) -> MergeResult:
    with open_bundle(path) as opened:
        return merge_into(opened, roots, how, jobs=jobs)


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("exists", [False, True])
def test_into_a_cache(bundle: Path, tmp_path: Path, jobs: int, exists: bool) -> None:
    cache = tmp_path / "home" / "cache"
    if exists:
        cache.mkdir(parents=True)
        (cache / "other").write_bytes(b"the user's own")
    result = merge(bundle, {"npm": cache}, jobs=jobs)
    assert result == MergeResult(written=FILES, kept=0, replaced=0)
    blobs = Blobs()
    expected = {
        entry.path.removeprefix("npm/"): entry.content
        if isinstance(entry.content, bytes)
        else b"".join(blobs.read(entry.content))
        for entry, _ in sample_entries(blobs)
        if entry.content is not None
    }
    if exists:
        expected["other"] = b"the user's own"
    assert files_below(cache) == expected
    assert (cache / "projects").stat().st_mode & 0o7777 == 0o1777
    assert (cache / "index").stat().st_mode & 0o777 == 0o755
    assert os.listdir(tmp_path / "home") == ["cache"]
    assert sorted(os.listdir(cache)) == sorted(
        {path.partition("/")[0] for path in [*expected, "projects"]}
    )


def test_twice_keeps_everything(bundle: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    merge(bundle, {"npm": cache})
    stamps = {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}
    inodes = {path: path.stat().st_ino for path in stamps}
    assert merge(bundle, {"npm": cache}) == MergeResult(written=0, kept=FILES, replaced=0)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert {path: path.stat().st_ino for path in stamps} == inodes


def test_other_content_is_merged(bundle: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "index").write_bytes(b'{"theirs": 1}\n')
    (cache / "index").chmod(0o600)
    (cache / "empty").write_bytes(b"keep me")
    asked = []

    def how(path: str, before: bytes, new: bytes) -> bytes:
        asked.append((path, before, new))
        return before if path == "npm/empty" else lines(path, before, new)

    result = merge(bundle, {"npm": cache}, how)
    assert result == MergeResult(written=FILES - 2, kept=1, replaced=1)
    assert asked == [
        ("npm/empty", b"keep me", b""),
        ("npm/index", b'{"theirs": 1}\n', b'{"mine": 1}\n'),
    ]
    assert (cache / "index").read_bytes() == b'{"mine": 1}\n{"theirs": 1}\n'
    assert (cache / "index").stat().st_mode & 0o777 == 0o600
    assert (cache / "empty").read_bytes() == b"keep me"


def test_other_content_is_replaced_by_ours(bundle: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (cache / "content").mkdir(parents=True)
    (cache / "content" / "exact").write_bytes(bytes(3584))
    assert merge(bundle, {"npm": cache}).replaced == 1
    assert merge(bundle, {"npm": cache}) == MergeResult(written=0, kept=FILES, replaced=0)


def test_a_large_file_is_replaced_without_asking(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "MAX_MERGED", 100)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "index").write_bytes(bytes(101))
    assert merge(bundle, {"npm": cache}, lines).replaced == 1
    assert (cache / "index").read_bytes() == b'{"mine": 1}\n'


def test_without_hard_links(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    cache = tmp_path / "cache"
    assert merge(bundle, {"npm": cache}) == MergeResult(written=FILES, kept=0, replaced=0)
    assert merge(bundle, {"npm": cache}) == MergeResult(written=0, kept=FILES, replaced=0)


def test_the_longest_root_decides(bundle: Path, tmp_path: Path) -> None:
    roots = {"npm": tmp_path / "one", "npm/content": tmp_path / "two"}
    merge(bundle, roots)
    assert sorted(os.listdir(tmp_path / "one")) == ["empty", "index", "projects"]
    assert "left-pad.tgz" in os.listdir(tmp_path / "two")


def test_two_roots_may_be_one_folder(bundle: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    merge(bundle, {"npm": cache, "npm/content": cache})
    assert "left-pad.tgz" in os.listdir(cache)


def test_a_path_without_a_root_is_refused(bundle: Path, tmp_path: Path) -> None:
    for roots in ({}, {"np": tmp_path / "c"}, {"npm/content": tmp_path / "c"}):
        with pytest.raises(TargetError, match="no native cache"):
            merge(bundle, roots)
        assert os.listdir(tmp_path) == ["b"]


def test_a_root_may_be_a_link(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "cache").symlink_to("real")
    merge(bundle, {"npm": tmp_path / "cache"})
    assert (tmp_path / "real" / "index").exists()


@pytest.mark.parametrize("place", ["content", "index", "content/exact", "projects"])
@pytest.mark.parametrize("target", ["folder", "file", "nothing"])
def test_no_link_below_the_root_is_followed(
    bundle: Path, tmp_path: Path, place: str, target: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "folder").mkdir()
    (outside / "file").write_bytes(b"untouched")
    cache = tmp_path / "cache"
    (cache / place).parent.mkdir(parents=True)
    (cache / place).symlink_to(outside / target)
    with pytest.raises(TargetError, match="in the way") as caught:
        merge(bundle, {"npm": cache})
    assert str(cache / place) in str(caught.value.where)
    assert files_below(outside) == {"file": b"untouched"}
    assert (cache / place).is_symlink()


@pytest.mark.parametrize("place", ["content", "index"])
def test_the_wrong_kind_of_thing_is_in_the_way(bundle: Path, tmp_path: Path, place: str) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    if place == "content":
        (cache / place).write_bytes(b"")
    else:
        os.mkfifo(cache / place)
    with pytest.raises(TargetError, match="in the way"):
        merge(bundle, {"npm": cache})
    (tmp_path / "root").write_bytes(b"")
    with pytest.raises(TargetError, match="something else"):
        merge(bundle, {"npm": tmp_path / "root"})


def test_files_appear_in_the_bundles_order(tmp_path: Path) -> None:
    names = ["z/content", "a/content", "m", "b"]
    section = Section("npm", False, [(Entry(f"npm/{name}", name.encode()), None) for name in names])
    write_bundle(
        tmp_path / "b",
        BARE,
        [section],
        read_blob=Blobs().read,
        jobs=1,
    )
    cache = tmp_path / "cache"
    seen: list[tuple[str, list[str]]] = []
    for name in names:
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_bytes(b"old")

    def how(path: str, before: bytes, new: bytes) -> bytes:
        seen.append((path, [name for name in names if (cache / name).read_bytes() != b"old"]))
        return new

    merge(tmp_path / "b", {"npm": cache}, how, jobs=2)
    assert seen == [(f"npm/{name}", names[:number]) for number, name in enumerate(names)]


def test_entries_give_the_same_cache(bundle: Path, tmp_path: Path) -> None:
    blobs = Blobs()
    result = merge_entries(
        sections(sample_entries(blobs)),
        {"npm": tmp_path / "one"},
        ours,
        read_blob=blobs.read,
        jobs=2,
    )
    assert result == MergeResult(written=FILES, kept=0, replaced=0)
    merge(bundle, {"npm": tmp_path / "two"})
    assert files_below(tmp_path / "one") == files_below(tmp_path / "two")


def test_only_the_roots_in_use_are_touched(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    roots = {"npm": tmp_path / "cache", "cargo": tmp_path / "file" / "cargo"}
    assert merge(bundle, roots).written == FILES
    blobs = Blobs()
    again = merge_entries(
        sections(sample_entries(blobs)), roots, ours, read_blob=blobs.read, jobs=2
    )
    assert again.kept == FILES
    with pytest.raises(TargetError, match="something else") as caught:
        merge(bundle, {"npm": tmp_path / "file" / "a" / "b"})
    assert caught.value.where == str(tmp_path / "file")
