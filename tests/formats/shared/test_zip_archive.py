from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives import zip_archive

LABEL = "pkg 1.0"
FILES = {"pkg/__init__.py": b"x = 1\n" * 50, "pkg/data.bin": bytes(range(256)), "pkg/empty": b""}


def make(
    files: Mapping[str, bytes] = FILES,
    method: int = zipfile.ZIP_DEFLATED,
    mode: int = 0o100644,
    comment: bytes = b"",
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.comment = comment
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.external_attr = mode << 16
            info.compress_type = method
            archive.writestr(info, data)
    return buffer.getvalue()


def streamed() -> bytes:
    """Written to a pipe: sizes stand behind the data."""

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise io.UnsupportedOperation

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    return pipe.getvalue()


def wide() -> bytes:
    """With zip64 fields in the local headers."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    return buffer.getvalue()


def read(data: bytes, max_size: int | None = None) -> dict[str, bytes]:
    file = io.BytesIO(data)
    found = {}
    for member in zip_archive.members(file, label=LABEL, max_size=max_size):
        found[member.name] = b"".join(zip_archive.chunks(file, member, label=LABEL))
        raw = data[member.offset : member.offset + member.compressed_size]
        assert zip_archive.unpack(raw, member, label=LABEL) == found[member.name]
    return found


@pytest.mark.parametrize(
    "data",
    [make(), make(method=zipfile.ZIP_STORED), make(comment=b"0" * 40), streamed(), wide()],
    ids=["deflated", "stored", "comment", "streamed", "zip64"],
)
def test_what_clients_write_is_read(data: bytes) -> None:
    assert read(data) == FILES


def test_modes_and_folders() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.mkdir("pkg", 0o755)
        info = zipfile.ZipInfo("pkg/run")
        info.external_attr = 0o100755 << 16
        archive.writestr(info, b"#!")
    members = zip_archive.members(buffer, label=LABEL)
    assert [(m.name, m.is_directory, m.mode & 0o777) for m in members] == [
        ("pkg", True, 0o755),
        ("pkg/run", False, 0o755),
    ]


def test_a_large_member_comes_in_chunks() -> None:
    file = io.BytesIO(make({"zeros": bytes(3 << 20)}))
    (member,) = zip_archive.members(file, label=LABEL)
    sizes = [len(chunk) for chunk in zip_archive.chunks(file, member, label=LABEL)]
    assert sum(sizes) == 3 << 20
    assert max(sizes) <= 256 * 1024


def patched(data: bytes, offset: int, form: str, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, offset, value)
    return bytes(changed)


def central(data: bytes) -> int:
    return int(struct.unpack_from("<I", data, len(data) - 6)[0])


def twice() -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("a", b"1")
        archive.writestr("a", b"2")
    return buffer.getvalue()


def gap() -> bytes:
    """Something between the last member and the central directory."""
    data = make()
    at = central(data)
    return patched(data[:at] + b"gap" + data[at:], len(data) + 3 - 6, "<I", at + 3)


def hidden() -> bytes:
    """An archive within the comment of another: each reader would find its own."""
    inner = make({"evil": b"1"})
    return make(comment=inner)


def swollen(data: bytes) -> bytes:
    """Both headers understate the size of the first member."""
    return patched(patched(data, 22, "<I", 5), central(data) + 24, "<I", 5)


def by_hand(between: bytes = b"", behind: bytes = b"") -> bytes:
    """Two members; what lies between them, and behind each one's deflate stream as its data."""
    content = b"hello"
    packer = zlib.compressobj(wbits=-15)
    data = packer.compress(content) + packer.flush() + behind
    fields = (20, 0, zipfile.ZIP_DEFLATED, 0, 33, zlib.crc32(content), len(data), len(content))
    archive, listed = b"", b""
    for name in (b"a", b"b"):
        at = len(archive)
        archive += struct.pack("<4sHHHHHIIIHH", b"PK\3\4", *fields, 1, 0) + name + data
        more = (1, 0, 0, 0, 0, 0, at)
        listed += struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, *fields, *more) + name
        archive += between if name == b"a" else b""
    sizes = (2, 2, len(listed), len(archive), 0)
    return archive + listed + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, *sizes)


def test_one_by_hand_can_be_honest() -> None:
    assert read(by_hand()) == {"a": b"hello", "b": b"hello"}


GOOD = make()
BAD: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "not a zip": lambda: b"PK" + bytes(100),
    "cut short": lambda: GOOD[:-1],
    "trailing": lambda: GOOD + b"\0",
    "prepended": lambda: b"#!/bin/sh\n" + GOOD,
    "gap": gap,
    "hidden in the comment": hidden,
    "name twice": twice,
    "climbs": lambda: make({"../x": b""}),
    "climbs inside": lambda: make({"a/../../x": b""}),
    "absolute": lambda: make({"/x": b""}),
    "backslash": lambda: make({"aXb": b""}).replace(b"aXb", b"a\\b"),
    "drive": lambda: make({"C:x": b""}),
    "dot": lambda: make({"./x": b""}),
    "double slash": lambda: make({"a//x": b""}),
    "NUL": lambda: make({"aXb": b""}).replace(b"aXb", b"a\0b"),
    "not UTF-8": lambda: make({"aXb": b""}).replace(b"aXb", b"a\xffb"),
    "file and folder": lambda: make({"a": b"", "a/b": b""}),
    "two names": lambda: GOOD.replace(b"pkg/empty", b"pkg/other", 1),
    "two sizes": lambda: patched(GOOD, 22, "<I", 5),
    "two checksums": lambda: patched(GOOD, 14, "<I", 5),
    "wrong checksum": lambda: patched(patched(GOOD, 14, "<I", 5), central(GOOD) + 16, "<I", 5),
    "two methods": lambda: patched(GOOD, 8, "<H", 0),
    "understated": lambda: swollen(GOOD),
    "understated, stored": lambda: swollen(make(method=zipfile.ZIP_STORED)),
    "encrypted": lambda: patched(patched(GOOD, 6, "<H", 1), central(GOOD) + 8, "<H", 1),
    "bzip2": lambda: make(method=zipfile.ZIP_BZIP2),
    "lzma": lambda: make(method=zipfile.ZIP_LZMA),
    "count": lambda: patched(GOOD, len(GOOD) - 12, "<H", 2),
    "both counts": lambda: patched(patched(GOOD, len(GOOD) - 14, "<H", 2), len(GOOD) - 12, "<H", 2),
    "disks": lambda: patched(GOOD, len(GOOD) - 18, "<H", 1),
    "between members": lambda: by_hand(between=b"evil"),
    "behind the data": lambda: by_hand(behind=b"evil"),
    "far behind the data": lambda: by_hand(behind=bytes(600_000)),
    "local offset": lambda: patched(GOOD, central(GOOD) + 42, "<I", 1),
}


@pytest.mark.parametrize("what", BAD)
def test_what_readers_differ_in_is_refused(what: str) -> None:
    with pytest.raises(UnsupportedError, match=r"the archive of pkg 1\.0 is not opened"):
        read(BAD[what]())


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    data = make({"zeros": bytes(1 << 20)})
    with pytest.raises(UnsupportedError, match="unpacks to more than 0 MiB"):
        zip_archive.members(io.BytesIO(data), label=LABEL, max_size=(1 << 20) - 1)
    assert read(data, max_size=1 << 20) == {"zeros": bytes(1 << 20)}


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_changed_byte_never_changes_what_is_read(data: st.DataObject) -> None:
    archive = bytearray(data.draw(st.sampled_from([GOOD, streamed(), wide()])))
    at = data.draw(st.integers(0, len(archive) - 1))
    archive[at] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(archive))
    except UnsupportedError:
        return
    assert found == FILES


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(GOOD)))
def test_rubbish_is_refused_cleanly(rubbish: bytes, at: int) -> None:
    for archive in (rubbish, GOOD[:at] + rubbish, GOOD[at:], rubbish + GOOD):
        try:
            found = read(archive)
        except UnsupportedError:
            continue
        assert archive == GOOD or found == {}


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(st.sampled_from("abcä. -"), min_size=1, max_size=8).filter(
            lambda name: name not in {".", ".."}
        ),
        st.binary(max_size=2000),
        max_size=6,
    )
)
def test_everything_zipfile_writes_comes_back(files: dict[str, bytes]) -> None:
    assert read(make(files)) == files
