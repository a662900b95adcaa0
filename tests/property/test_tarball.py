"""The archive reader against the standard library's, and against noise."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives.tarball import members, package_path

NAMES = st.text(
    st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=60
).filter(lambda part: part not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=6).map("/".join)
FILES = st.lists(st.tuples(PATHS, st.binary(max_size=1100), st.integers(0, 0o7777)), max_size=8)


def archive(files: list[tuple[str, bytes, int]], format_: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as tar:
        for name, data, mode in files:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), mode
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


@settings(max_examples=150, deadline=None)
@given(FILES, st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
def test_sees_what_was_written(files: list[tuple[str, bytes, int]], format_: int) -> None:
    found = members(gzip.compress(archive(files, format_), 1), label="x")
    assert [(m.name, bytes(m.data), m.mode) for m in found] == files


@settings(max_examples=300, deadline=None)
@given(FILES, st.data())
def test_a_damaged_archive_is_refused_or_read(
    files: list[tuple[str, bytes, int]], data: st.DataObject
) -> None:
    damaged = bytearray(archive(files, tarfile.PAX_FORMAT))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        found = list(members(bytes(damaged), label="x"))
    except UnsupportedError:
        return
    assert sum(len(m.data) for m in found) <= len(damaged)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2000))
def test_noise_is_refused_or_read(noise: bytes) -> None:
    for data in (noise, b"\x1f\x8b" + noise, gzip.compress(noise, 1)):
        with contextlib.suppress(UnsupportedError):
            list(members(data, label="x"))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab./\\:\0", max_size=12))
def test_a_package_path_stays_below_its_folder(name: str) -> None:
    path = package_path(name)
    assert path is None or all(part not in ("", ".", "..") for part in path.split("/"))
    assert path is None or "\\" not in path
