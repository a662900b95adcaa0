"""A module's zip is read as `zipfile` reads it, and its one form is what `zipfile` writes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendorpack.errors import IntegrityError
from vendorpack.formats.gomod.modules import Module
from vendorpack.formats.gomod.zips import members, one_form

MODULE = Module("example.org/a", "v1.0.0")
INSIDE = "example.org/a@v1.0.0/"

names = st.text("abcé/._-", min_size=1, max_size=20).filter(
    lambda name: not {"", ".", ".."} & set(name.split("/"))
)
contents = st.dictionaries(names.map(INSIDE.__add__), st.binary(max_size=300), max_size=8)


def by_zipfile(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, files[name])
    return out.getvalue()


def zipped(files: Mapping[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


@given(contents)
def test_the_one_form_is_zipfile_s(files: dict[str, bytes]) -> None:
    assert b"".join(one_form(sorted(files.items()))) == by_zipfile(files)


@pytest.mark.parametrize("count", [65_535, 65_536])
def test_more_files_than_fit(count: int) -> None:
    files = {f"{INSIDE}{number:05}": b"" for number in range(count)}
    assert b"".join(one_form(sorted(files.items()))) == by_zipfile(files)


@given(contents, st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED]))
def test_files_are_read(files: dict[str, bytes], kind: int) -> None:
    """What stands before a zip, as in one that runs, is passed over."""
    data = zipped(files, kind)
    assert list(members(io.BytesIO(data), MODULE)) == sorted(files.items())
    assert list(members(io.BytesIO(b"#!/bin/sh\n" + data), MODULE)) == sorted(files.items())


class _Unseekable(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError


def test_sizes_behind_the_data() -> None:
    """Go's own writer puts them there."""
    out = _Unseekable()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{INSIDE}go.mod", b"module example.org/a\n" * 99)
    [(name, content)] = members(io.BytesIO(out.getvalue()), MODULE)
    assert (name, len(content)) == (f"{INSIDE}go.mod", 2079)


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_no_changed_byte_gets_into_a_file(kind: int) -> None:
    """Names may change, and files be missing: the h1 is over both."""
    files = {f"{INSIDE}a.go": b"package a\n" * 9, f"{INSIDE}é.go": b""}
    data = zipped(files, kind)
    for number in range(len(data)):
        for bit in (1, 128):
            changed = bytearray(data)
            changed[number] ^= bit
            try:
                read = dict(members(io.BytesIO(changed), MODULE))
            except IntegrityError:
                continue
            assert set(read.values()) <= set(files.values())


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_go_does_not_inflate(kind: int) -> None:
    with pytest.raises(IntegrityError, match="does not know"):
        list(members(io.BytesIO(zipped({f"{INSIDE}a": b"x"}, kind)), MODULE))
