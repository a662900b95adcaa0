from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.engine.bundle_samples import (
    BARE,
    SMALL,
    Blobs,
    sample_entries,
    sections,
    write_sample,
)
from vendorpack.bundle import tar
from vendorpack.bundle.manifest import LockfileHash, Manifest
from vendorpack.bundle.plan import Limits, Section
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.table import MANIFEST_PATH
from vendorpack.bundle.writer import write_bundle
from vendorpack.errors import BlobLost, StoreError, UnsupportedError
from vendorpack.model import Blob, Entry, Environment, Variable

GOLDEN_ID = "8b751a3e5ba792fdbb2d2b853952773bbb689aa606f5de0c6d87eb962737c0a1"
GOLDEN_SHA256 = {
    (1, 5, 7): "b5d5a1a794a2408bc943b736b203b078e983b1a69ad48d311531720e36e0b446",
}
"""By libzstd's version, which decides how the same tar is compressed."""


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def manifest_of(path: Path) -> Manifest:
    with open_bundle(path) as bundle:
        bundle.verify(jobs=1)
        return bundle.manifest


def test_golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vendorpack.__version__", "0")
    written = write_sample(tmp_path / "b")
    assert written.id == GOLDEN_ID
    assert written.sha256 == hashlib.sha256((tmp_path / "b").read_bytes()).hexdigest()
    expected = GOLDEN_SHA256.get(zstandard.ZSTD_VERSION)
    if expected is not None:
        assert written.sha256 == expected


def test_same_bytes_however_it_is_written(tmp_path: Path) -> None:
    first = write_sample(tmp_path / "first", jobs=1)
    data = (tmp_path / "first").read_bytes()
    for number, (jobs, mask) in enumerate([(2, 0o022), (4, 0o077), (1, 0)]):
        path = tmp_path / f"{number}"
        with umask(mask):
            assert write_sample(path, jobs=jobs) == first
        assert path.read_bytes() == data
        assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    assert sorted(os.listdir(tmp_path)) == ["0", "1", "2", "first"]


def test_id_does_not_depend_on_compression(tmp_path: Path) -> None:
    first = write_sample(tmp_path / "a", level=1)
    second = write_sample(tmp_path / "b", level=9)
    plain = write_sample(tmp_path / "c", uncompressed=True)
    assert first.id == second.id == plain.id
    assert first.sha256 != second.sha256
    # A plain tar differs by the header that has its manifest's hash.
    data = (tmp_path / "c").read_bytes()
    with open_bundle(tmp_path / "a") as bundle:
        assert bundle.diff_id() == hashlib.sha256(data[tar.COMMENT_SIZE :]).hexdigest()
    with open_bundle(tmp_path / "c") as bundle:
        assert bundle.diff_id() == plain.sha256
        assert bundle.id == plain.id


def test_mtime_is_in_every_header(tmp_path: Path) -> None:
    write_sample(tmp_path / "b.tar", mtime=1_700_000_000, uncompressed=True)
    with tarfile.open(tmp_path / "b.tar") as archive:
        assert {info.mtime for info in archive} == {1_700_000_000}


# -- others read it the same way -----------------------------------------------------------


def expected_tree(manifest: Manifest) -> dict[str, tuple[int, str | None]]:
    return {file.path: (file.mode, file.sha256) for file in manifest.files}


def tree_of(folder: Path) -> dict[str, tuple[int, str | None]]:
    found: dict[str, tuple[int, str | None]] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        mode = path.stat().st_mode & 0o7777
        if path.is_file():
            found[name] = (mode, hashlib.sha256(path.read_bytes()).hexdigest())
        elif not any(path.iterdir()):
            found[name + "/"] = (mode, None)
    return found


def python_tarfile(bundle: Path, target: Path) -> None:
    with bundle.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        with tarfile.open(fileobj=io.BytesIO(reader.read())) as archive:
            # Python 3.11.2, which Debian 12 has, knows no filters yet; 3.12 warns without one.
            trusted = {"filter": "fully_trusted"} if hasattr(tarfile, "data_filter") else {}
            archive.extractall(target, **trusted)  # type: ignore[arg-type]


def gnu_tar(bundle: Path, target: Path) -> None:
    command = ["tar", "--zstd", "-xpf", str(bundle), "-C", str(target)]
    subprocess.run(command, check=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C"})


def bsd_tar(bundle: Path, target: Path) -> None:
    command = ["bsdtar", "-xpf", str(bundle), "-C", str(target)]
    subprocess.run(command, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"})


@pytest.mark.parametrize(
    ("tool", "extract"),
    [(None, python_tarfile), ("tar", gnu_tar), ("bsdtar", bsd_tar)],
)
def test_other_readers_agree(
    tmp_path: Path, tool: str | None, extract: Callable[[Path, Path], None]
) -> None:
    if tool is not None and not (shutil.which(tool) and shutil.which("zstd")):
        pytest.skip(f"no {tool} with zstd here")
    bundle = tmp_path / "b.tar.zst"
    write_sample(bundle)
    manifest = manifest_of(bundle)
    target = tmp_path / "out"
    target.mkdir()
    with umask(0o022):
        extract(bundle, target)
    found = tree_of(target)
    assert found.pop(MANIFEST_PATH)[0] == 0o644
    assert found == expected_tree(manifest)
    assert (target / MANIFEST_PATH).read_bytes() == manifest.dump()


def test_zstd_accepts_it(tmp_path: Path) -> None:
    if shutil.which("zstd") is None:
        pytest.skip("no zstd here")
    write_sample(tmp_path / "b.tar.zst")
    subprocess.run(["zstd", "-q", "-t", str(tmp_path / "b.tar.zst")], check=True)


@pytest.mark.parametrize(
    ("path", "size"),
    [
        ("a", 5),
        ("a" * 100, 5),
        ("a" * 101, 5),
        ("p" * 155 + "/" + "n" * 100, 5),
        ("p" * 156 + "/" + "n" * 100, 5),
        ("p" * 155 + "/" + "n" * 101, 5),
        ("a/" * 60 + "b", 5),
        ("folder/" * 20, 0),
        ("p" * 160 + "/", 0),
        ("ü" * 200, 5),
        ("a/" + "ü" * 120 + "/", 0),
        ("a", 8**11 - 1),
        ("a", 8**11),
        ("ü" * 300, 9 << 40),
    ],
)
def test_headers_as_python_reads_them(path: str, size: int) -> None:
    header = tar.header(path, size, 0o755, 7)
    assert len(header) == tar.header_size(path, size)
    assert len(header) % tar.BLOCK == 0
    with tarfile.open(fileobj=io.BytesIO(header + bytes(1024))) as archive:
        info = archive.next()
    assert info is not None
    assert (info.name, info.size) == (path.rstrip("/"), size)
    assert (info.mode, info.mtime, info.uid, info.gid) == (0o755, 7, 0, 0)
    assert (info.uname, info.gname) == ("", "")
    assert info.isdir() == path.endswith("/")
    assert info.isfile() != path.endswith("/")
    assert set(info.pax_headers) <= {"path", "size"}


# -- frames --------------------------------------------------------------------------------


def test_frames_keep_members_whole(tmp_path: Path) -> None:
    write_sample(tmp_path / "b")
    with open_bundle(tmp_path / "b") as bundle:
        manifest = bundle.manifest
        by_frame = [
            [
                file.path.rpartition("/")[2][:8]
                for file in manifest.files[f.span.first : f.span.stop]
            ]
            for f in bundle.frames
        ]
        assert by_frame == [
            ["vendorpa"],
            ["left-pad", "namename"],
            ["xxxxxxxx", "größe"],
            *[["large"]] * 4,
            ["exact"],
            ["empty", "index", ""],
        ]
        assert all(size <= SMALL.kept for size in manifest.frames)
        assert [f.span.size for f in bundle.frames] == list(manifest.frames)


def test_limits_change_the_frames_alone(tmp_path: Path) -> None:
    write_sample(tmp_path / "a")
    write_sample(tmp_path / "b", limits=Limits())
    first, second = manifest_of(tmp_path / "a"), manifest_of(tmp_path / "b")
    assert first.files == second.files
    assert len(second.frames) == 2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks /proc")
def test_a_large_file_is_written_in_flat_memory(tmp_path: Path) -> None:
    size = 200 << 20
    digest = hashlib.sha256()
    chunk = bytes(1 << 20)
    for _ in range(200):
        digest.update(chunk)
    blob = Blob(digest.hexdigest(), size)
    program = f"""
import re, sys
from pathlib import Path
from tests.engine.bundle_samples import BARE
from vendorpack.bundle.plan import Section
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.writer import write_bundle
from vendorpack.model import Blob, Entry, Environment, Variable
blob = Blob({blob.sha256!r}, {blob.size})
read = lambda blob: (bytes(1 << 20) for _ in range(200))
path = Path(sys.argv[1])
section = Section("npm", False, [(Entry("npm/large", blob), None)])
write_bundle(path, BARE, [section], read_blob=read, jobs=2)
with open_bundle(path) as bundle:
    bundle.verify(jobs=1)
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "b")],
        capture_output=True,
        check=True,
        text=True,
    )
    assert int(done.stdout) < 150_000  # KiB


# -- what is refused -----------------------------------------------------------------------


def write(path: Path, *entries: Entry) -> None:
    listed = [(entry, None) for entry in entries]
    write_bundle(path, BARE, [Section("npm", False, listed)], read_blob=Blobs().read, jobs=2)


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([Entry("../a", b"")], r"cannot hold '../a'"),
        ([Entry("a\nb", b"")], "control character"),
        ([Entry("a/" + "b" * 256, b"")], "longer than 255"),
        ([Entry("vendorpack.json", b"")], "twice"),
        ([Entry("a", b"1"), Entry("A", b"2")], "same path to some systems"),
        ([Entry("a", b"1"), Entry("a/b", b"2")], "not a folder"),
        ([Entry("a", b"1"), Entry("a", b"2")], "two different files"),
        ([Entry("a", b"1"), Entry("a", b"1", 0o755)], "two different files"),
        ([Entry("a", b""), Entry("a", None, 0o755)], "twice|two different"),
    ],
)
def test_paths_that_no_bundle_holds(tmp_path: Path, entries: list[Entry], why: str) -> None:
    with pytest.raises(UnsupportedError, match=why):
        write(tmp_path / "b", *entries)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "change",
    [
        {"lockfiles": (LockfileHash("a\nb", "npm", "cd" * 32),)},
        {"lockfiles": (LockfileHash("a\udc80", "npm", "cd" * 32),)},
        {"options": {"a": 1.5}},
        {"artifacts": ({"name": "\udc80"},)},
        {"environment": Environment((Variable("A", "../b", is_path=True),))},
    ],
)
def test_heads_that_no_bundle_has(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match="no bundle can be made of this"):
        write_bundle(tmp_path / "b", replace(BARE, **change), [], read_blob=Blobs().read, jobs=1)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "mode"), [(b"", 0o600), (b"", 0o4755), (b"", 0o1777), (None, 0o644), (None, 0o777)]
)
def test_modes_that_no_entry_has(content: bytes | None, mode: int) -> None:
    with pytest.raises(ValueError, match=f"'a' has mode {mode:o}"):
        Entry("a", content, mode)


def test_the_mode_that_an_entry_has_unless_told() -> None:
    assert Entry("a", b"").mode == 0o644
    assert Entry("a", None).mode == 0o755


def test_the_same_file_twice_is_there_once(tmp_path: Path) -> None:
    write(
        tmp_path / "b",
        Entry("a", b"1"),
        Entry("d", None, 0o755),
        Entry("a", b"1"),
        Entry("d", None, 0o755),
    )
    assert [file.path for file in manifest_of(tmp_path / "b").files] == ["a", "d/"]


@pytest.mark.parametrize("size", [10, 5000])
def test_a_lost_blob_leaves_nothing(tmp_path: Path, size: int) -> None:
    (tmp_path / "b").write_bytes(b"before")
    entries = [(Entry("npm/a", Blob("0" * 64, size)), None)]
    with pytest.raises(BlobLost):
        write_bundle(
            tmp_path / "b",
            BARE,
            sections([*sample_entries(Blobs())[1:4], *entries]),
            read_blob=Blobs().read,
            jobs=2,
            limits=SMALL,
        )
    assert os.listdir(tmp_path) == ["b"]
    assert (tmp_path / "b").read_bytes() == b"before"


@pytest.mark.parametrize("actual", [0, 99, 101, 5000])
def test_a_blob_of_another_size_is_lost(tmp_path: Path, actual: int) -> None:
    section = Section("npm", False, [(Entry("npm/a", Blob("0" * 64, 100)), None)])
    with pytest.raises(BlobLost):
        write_bundle(tmp_path / "b", BARE, [section], read_blob=lambda _: [bytes(actual)], jobs=1)
    assert os.listdir(tmp_path) == []


def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "absent" / "b"):
        with pytest.raises(StoreError, match="cannot write there"):
            write_sample(path)
    assert os.listdir(tmp_path) == ["folder"]


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".b.vendorpack-1-00").write_bytes(b"half")
    (tmp_path / ".c.vendorpack-1-00").write_bytes(b"of another")
    write_sample(tmp_path / "b")
    assert sorted(os.listdir(tmp_path)) == [".c.vendorpack-1-00", "b"]


def test_two_at_once(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from tests.engine.bundle_samples import write_sample
for _ in range(20):
    write_sample(Path(sys.argv[1]), jobs=2)
"""
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "b")]) for _ in range(2)
    ]
    assert [process.wait() for process in running] == [0, 0]
    expected = write_sample(tmp_path / "c")
    assert hashlib.sha256((tmp_path / "b").read_bytes()).hexdigest() == expected.sha256
    assert sorted(os.listdir(tmp_path)) == ["b", "c"]
