"""The store: verified on every read, shared between processes, never a half file."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from vendorpack.digest import Digest, Hashers, Integrity
from vendorpack.errors import BlobLost, StoreError
from vendorpack.model import Blob, Slice
from vendorpack.project import Host
from vendorpack.room import Keep
from vendorpack.store.local import Store, default_folder


def integrity_of(data: bytes, *algorithms: str) -> Integrity:
    return Integrity.of(Digest(a, hashlib.new(a, data).digest()) for a in algorithms or ("sha512",))


def put(store: Store, data: bytes, *algorithms: str) -> Blob:
    hashers = Hashers(algorithms or ("sha512",))
    hashers.update(data)
    with store.part(data.hex()[:32]) as part:
        part.write_bytes(data)
        return store.adopt(part, hashers.values(), len(data))


def file_of(store: Store, blob: Blob) -> Path:
    return store.folder / "v1" / "blobs" / blob.sha256[:2] / blob.sha256[2:]


def test_found_by_each_of_its_digests(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = put(store, b"data", "sha512", "sha1")
    assert blob == Blob(hashlib.sha256(b"data").hexdigest(), 4)
    for algorithms in (("sha512",), ("sha1",), ("sha256",), ("sha512", "sha256", "sha1")):
        assert store.find(integrity_of(b"data", *algorithms)) == blob
    assert store.find(integrity_of(b"data", "sha384")) is None
    assert store.find(integrity_of(b"other")) is None
    assert store.find(Integrity()) is None
    assert store.read(blob) == b"data"


def test_digests_that_name_two_blobs_find_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, b"one")
    put(store, b"two", "sha1")
    both = integrity_of(b"one") | integrity_of(b"two", "sha1")
    assert store.find(both) is None


@pytest.mark.parametrize("at", [-1, 0])
@pytest.mark.parametrize("size", [4, 9 << 20])
def test_damage_is_found_at_every_read(tmp_path: Path, size: int, at: int) -> None:
    """In its last byte, and by one more."""
    data = b"\0" * size
    for read in (
        lambda store, blob: store.read(blob),
        lambda store, blob: list(store.chunks(blob)),
        lambda store, blob: store.open(blob),
    ):
        store = Store(tmp_path)
        blob = put(store, data)
        with file_of(store, blob).open("r+b") as file:
            file.seek(size + at)
            file.write(b"\1")
        with pytest.raises(BlobLost) as lost:
            read(store, blob)
        assert lost.value.sha256 == blob.sha256
        assert not file_of(store, blob).exists()  # so that the next run fetches it
        with pytest.raises(BlobLost):
            store.read(blob)


def test_a_blob_must_be_what_its_name_says_whatever_is_pinned(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = put(store, b"good")
    file_of(store, blob).write_bytes(b"evil")
    assert not store.check(blob, integrity_of(b"evil"))
    assert not file_of(store, blob).exists()


def test_a_blob_of_another_size_is_not_given(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = put(store, b"good")
    with pytest.raises(BlobLost):
        store.read(Blob(blob.sha256, blob.size + 1))


def test_open_is_seekable_and_whole(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for data in (b"small", bytes(9 << 20)):
        with store.open(put(store, data)) as file:
            assert file.read() == data
            file.seek(1)
            assert file.read(2) == data[1:3]


def test_an_index_that_lies_is_not_believed(tmp_path: Path) -> None:
    """A poisoned store: the sha512 of one file leads to another, itself sound, blob."""
    store = Store(tmp_path)
    evil = put(store, b"evil")
    wanted = integrity_of(b"good")
    index = tmp_path / "v1/index/sha512" / wanted.digests[0].hex[:2] / wanted.digests[0].hex[2:]
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text(f"{evil.sha256} {evil.size}\n")
    assert store.find(wanted) == evil
    assert not store.check(evil, wanted)
    assert store.check(evil, integrity_of(b"evil"))


@pytest.mark.parametrize("line", [b"", b"x", b"\xff\xfe", b"0" * 64 + b" -1", b"g" * 64 + b" 1"])
def test_a_broken_index_is_a_miss(tmp_path: Path, line: bytes) -> None:
    store = Store(tmp_path)
    put(store, b"data")
    digest = integrity_of(b"data").digests[0]
    (tmp_path / "v1/index/sha512" / digest.hex[:2] / digest.hex[2:]).write_bytes(line)
    assert store.find(integrity_of(b"data")) is None


def test_a_truncated_blob_is_a_miss(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = put(store, b"data")
    file_of(store, blob).write_bytes(b"")
    assert store.find(integrity_of(b"data")) is None


def test_a_part_survives_an_interruption(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(KeyboardInterrupt), store.part("a") as part:
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    with Store(tmp_path).part("a") as part:
        assert part.read_bytes() == b"half"
        part.unlink()
    assert not list((tmp_path / "v1/parts").iterdir())


def test_two_processes_never_write_one_part(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.part("a") as first, Store(tmp_path).part("a") as second:
        assert first != second
        second.write_bytes(b"x")
    assert not second.exists()


def test_what_another_process_is_busy_with(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.part("a") as first:
        assert store.busy(first) is None
        with Store(tmp_path).part("a") as second:
            assert store.busy(second) == 0
            first.write_bytes(b"half")
            assert store.busy(second) == 4
    assert store.busy(second) == 4  # it was just now: who asks looks again
    with Store(tmp_path).part("a") as part:
        assert part == first and store.busy(part) is None


def _hammer(folder: Path, start: float) -> None:
    store = Store(folder)
    while time.time() < start:
        pass
    for number in range(50):
        put(store, b"%d" % number * 1000)


def test_many_processes_store_the_same(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start = time.time() + 1
    jobs = [context.Process(target=_hammer, args=(tmp_path, start)) for _ in range(3)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
        assert job.exitcode == 0
    store = Store(tmp_path)
    for number in range(50):
        data = b"%d" % number * 1000
        blob = store.find(integrity_of(data))
        assert blob is not None and store.read(blob) == data
    assert store.usage().blobs == 50
    assert not list((tmp_path / "v1/parts").iterdir())


def test_derived_is_made_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = put(store, b"data")
    calls = []

    def make(data: bytes) -> bytes:
        calls.append(data)
        return data.upper()

    first = store.derived("upper-1", blob, make)
    assert store.derived("upper-1", blob, make) == first
    assert store.read(first) == b"DATA" and calls == [b"data"]
    store.derived("upper-2", blob, make)
    file_of(store, first).unlink()
    assert store.read(store.derived("upper-1", blob, make)) == b"DATA"
    assert len(calls) == 3


def test_a_slice_is_verified_by_its_own_hash(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = put(store, b"one" + b"two" * 1_000_000)
    part = Slice(blob, 3, 3, hashlib.sha256(b"two").hexdigest())
    assert store.read(part) == b"two"
    large = b"two" * 999_999
    assert store.read(Slice(blob, 6, len(large), hashlib.sha256(large).hexdigest())) == large
    # Damage elsewhere in the blob is none of this part's business; its own is found.
    path = file_of(store, blob)
    path.write_bytes(b"ONE" + path.read_bytes()[3:])
    assert store.read(part) == b"two"
    path.write_bytes(b"onetWo" + path.read_bytes()[6:])
    with pytest.raises(BlobLost):
        store.read(part)
    assert not path.exists()


def test_a_slice_beyond_the_end_is_lost(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = put(store, b"onetwo")
    with pytest.raises(BlobLost):
        store.read(Slice(blob, 3, 4, hashlib.sha256(b"two").hexdigest()))


def test_forms_are_made_together_and_again_if_one_is_lost(tmp_path: Path) -> None:
    store = Store(tmp_path)
    source = put(store, b"data")
    made = []

    def make(file: BinaryIO, keep: Keep) -> None:
        data = file.read()
        made.append(data)
        keep("upper", (data.upper(),))
        keep("twice", (data, memoryview(data)))

    forms = store.forms(("upper", "twice"), source, make)
    assert [store.read(form) for form in forms] == [b"DATA", b"datadata"]
    assert store.forms(("twice",), source, make) == forms[1:]
    assert made == [b"data"]
    file_of(store, forms[0]).write_bytes(b"dAtA")
    with pytest.raises(BlobLost):
        store.read(forms[0])
    assert store.forms(("upper", "twice"), source, make) == forms
    assert made == [b"data", b"data"]


def test_a_form_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    source = put(store, b"data")

    def make(file: BinaryIO, keep: Keep) -> None:
        keep("upper", (file.read().upper(),))
        raise ValueError("damaged")

    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    with pytest.raises(ValueError, match="damaged"):
        store.forms(("upper",), source, make)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before


def test_prune(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old, new = put(store, b"old"), put(store, b"new!")
    now = time.time()
    os.utime(file_of(store, old), (now - 100, now - 100))
    assert store.usage().size == 7
    removed = store.prune(50, now)
    assert (removed.blobs, removed.size) == (1, 3)
    assert store.find(integrity_of(b"old")) is None
    assert store.find(integrity_of(b"new!")) == new
    assert not any(p.read_text().startswith(old.sha256) for p in tmp_path.rglob("index/*/*/*"))


def test_use_is_noted(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = put(store, b"data")
    old = time.time() - 10 * 24 * 3600
    os.utime(file_of(store, blob), (old, old))
    store.find(integrity_of(b"data"))
    assert store.prune(9 * 24 * 3600, time.time()).blobs == 0


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_umask_is_honoured(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = Store(tmp_path / "store")
        blob = put(store, b"data")
        made = store.keep((b"made",))
    finally:
        os.umask(before)
    for one in (blob, made):
        assert file_of(store, one).stat().st_mode & 0o777 == 0o644 & ~umask


def test_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError) as error:
        Store(tmp_path / "file")
    assert error.value.where == str(tmp_path / "file")


@pytest.mark.parametrize(
    ("system", "environ", "folder"),
    [
        ("linux", {}, "/home/me/.cache/vendorpack/store"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/vendorpack/store"),
        ("macos", {}, "/home/me/Library/Caches/vendorpack/store"),
        ("windows", {"LOCALAPPDATA": "/l"}, "/l/vendorpack/store"),
        ("linux", {"VENDORPACK_STORE_DIR": "/s"}, "/s"),
    ],
)
def test_where_it_is(system: str, environ: dict[str, str], folder: str) -> None:
    assert default_folder(Host(environ, Path("/home/me"), system)) == Path(folder)
