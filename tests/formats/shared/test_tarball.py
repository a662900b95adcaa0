"""The strict archive reader: what it understands, and what it refuses."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable

import pytest

from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives.tarball import (
    DIRECTORY,
    FILE,
    HARDLINK,
    SYMLINK,
    members,
    package_path,
    unpacked_limit,
)

LONG = "package/" + "d" * 120 + "/" + "f" * 120 + ".js"


def header(
    name: bytes = b"package/a",
    size: bytes = b"00000000003\0",
    flag: bytes = b"0",
    mode: bytes = b"0000644\0",
    magic: bytes = b"ustar\0" + b"00",
    prefix: bytes = b"",
) -> bytes:
    """A header by hand, with a right checksum."""
    block = bytearray(512)
    for at, field in ((0, name), (100, mode), (124, size), (257, magic), (345, prefix)):
        block[at : at + len(field)] = field
    block[156:157] = flag
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def body(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // 512) * 512, b"\0")


END = bytes(1024)
GOOD = header() + body(b"abc") + END


def read(data: bytes, max_size: int | None = None) -> list[tuple[str, str, bytes]]:
    found = members(data, label="pkg 1.0.0", max_size=max_size)
    return [(m.name, m.type, bytes(m.data)) for m in found]


def written(format_: int, add: Callable[[tarfile.TarFile], None]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format_) as tar:
        add(tar)
    return out.getvalue()


@pytest.mark.parametrize("format_", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_reads_what_the_standard_library_writes(format_: int) -> None:
    def add(tar: tarfile.TarFile) -> None:
        for name, type_, data, link in (
            ("package", tarfile.DIRTYPE, b"", ""),
            (
                LONG if format_ != tarfile.USTAR_FORMAT else "p/" + "x" * 99,
                tarfile.REGTYPE,
                b"a",
                "",
            ),
            ("package/ü.js", tarfile.REGTYPE, b"b" * 513, ""),
            ("package/hard", tarfile.LNKTYPE, b"", "package/ü.js"),
            ("package/soft", tarfile.SYMTYPE, b"", "l" * 150 if format_ else "ü.js"),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname, member.mode = type_, len(data), link, 0o755
            tar.addfile(member, io.BytesIO(data))

    data = written(format_, add)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        expected = [
            (m.name, m.type.decode(), m.mode, m.linkname, m.isreg() and m.size) for m in tar
        ]
    found = [
        (m.name.rstrip("/"), m.type, m.mode, m.link, m.type == FILE and len(m.data))
        for m in members(data, label="x")
    ]
    assert found == expected
    assert [m[1] for m in found] == [DIRECTORY, FILE, FILE, HARDLINK, SYMLINK]


@pytest.mark.parametrize(
    ("tar", "expected"),
    [
        (GOOD, [("package/a", FILE, b"abc")]),
        (b"", []),
        (END, []),
        (GOOD[:-1024], [("package/a", FILE, b"abc")]),  # no end marker
        (header(flag=b"\0") + body(b"abc"), [("package/a", FILE, b"abc")]),  # v7
        (header(flag=b"7") + body(b"abc"), [("package/a", FILE, b"abc")]),
        (header(b"package/", b"0", b"0"), [("package/", DIRECTORY, b"")]),
        (header(prefix=b"pre") + body(b"abc"), [("pre/package/a", FILE, b"abc")]),
        (header(magic=b"ustar  \0", prefix=b"123") + body(b"abc"), [("package/a", FILE, b"abc")]),
        (header(size=b"          3 ") + body(b"abc"), [("package/a", FILE, b"abc")]),
        (header(size=b"\x80" + bytes(10) + b"\3") + body(b"abc"), [("package/a", FILE, b"abc")]),
        (header(name=b"package/\xff") + body(b"abc"), [("package/\ufffd", FILE, b"abc")]),
        (
            header(b"x", b"16", b"x") + body(b"14 path=new/a\n") + header() + body(b"abc"),
            [("new/a", FILE, b"abc")],
        ),
        (  # what pax says of the size counts, not the header
            header(b"x", b"11", b"x") + body(b"9 size=5\n") + header() + body(b"abcde") + END,
            [("package/a", FILE, b"abcde")],
        ),
        (
            header(b"g", b"16", b"g") + body(b"14 comment=it\n") + GOOD,
            [("package/a", FILE, b"abc")],
        ),
    ],
)
def test_reads(tar: bytes, expected: list[tuple[str, str, bytes]]) -> None:
    assert read(tar) == expected
    assert read(gzip.compress(tar)) == expected


def test_several_gzip_members_and_what_follows_them() -> None:
    half = gzip.compress(GOOD[:700]) + gzip.compress(GOOD[700:])
    assert read(half + b"\0" * 20) == read(GOOD)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"not an archive", "cut short"),
        (b"<html>" * 200, "no octal number"),
        (GOOD[:514], "cut short"),
        (GOOD[:100] + b"!" + GOOD[101:], "wrong checksum"),
        (header(size=b"\xff" * 12), "negative or huge"),
        (header(size=b"\x80" + b"\xff" * 11), "cut short"),
        (header(size=b"12x"), "no octal number"),
        (header(b"L", b"77777777777", b"L"), "too long"),
        (header(b"x", b"16", b"x") + body(b"14 path=new/a\n") + END, "belongs to no member"),
        (header(b"x", b"16", b"x") + body(b"99 path=new/a\n") + GOOD, "broken record"),
        (header(b"x", b"16", b"x") + body(b"-3 path=new/a\n") + GOOD, "broken number"),
        (header(b"x", b"11", b"x") + body(b"9 size=x\n") + GOOD, "broken number"),
        (header(b"g", b"16", b"g") + body(b"14 path=new/a\n") + GOOD, "global"),
        (
            header(b"x", b"16", b"x") + body(b"14 path=new/a\n")
            + header(b"L", b"2", b"L") + body(b"b\0") + GOOD,
            "two names",
        ),
        (gzip.compress(GOOD, mtime=0)[:-9], "gzip"),
        (gzip.compress(GOOD, mtime=0)[:30] + b"????" + gzip.compress(GOOD, mtime=0)[34:], "gzip"),
    ],
)  # fmt: skip
def test_refuses(data: bytes, what: str) -> None:
    with pytest.raises(UnsupportedError, match=what) as caught:
        read(data)
    assert caught.value.where == "pkg 1.0.0"


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(5 << 20), 9)
    with pytest.raises(UnsupportedError, match="more than 4 MiB"):
        read(bomb, max_size=4 << 20)
    with pytest.raises(UnsupportedError, match="more than 4 MiB"):
        read(bomb[: len(bomb) // 2 * 2] + bomb, max_size=(4 << 20))
    with pytest.raises(UnsupportedError, match="more than 0 MiB"):
        read(GOOD, max_size=100)
    assert read(bomb) == []


def test_members_together_may_not_exceed_the_limit() -> None:
    one = gzip.compress(bytes(3 << 20), 9)
    with pytest.raises(UnsupportedError, match="more than 4 MiB"):
        read(one + one, max_size=4 << 20)


def test_the_limit_grows_with_the_archive() -> None:
    assert unpacked_limit(1) == 512 << 20
    assert unpacked_limit(100 << 20) == 2000 << 20


def test_a_zlib_stream_is_no_archive() -> None:
    with pytest.raises(UnsupportedError):
        read(zlib.compress(GOOD * 10))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("package/index.js", "index.js"),
        ("anything/lib/a b.js", "lib/a b.js"),
        ("./package/a", "a"),
        ("package//lib/./a", "lib/a"),
        ("package/", None),
        ("package", None),
        ("", None),
        ("/package/a", None),
        ("package/../a", None),
        ("../package/a", None),
        ("package/a/..", None),
        ("package\\..\\a", None),
        ("C:/package/a", None),
        ("package/..a", "..a"),
        ("package/a:b", "a:b"),
    ],
)
def test_package_path(name: str, path: str | None) -> None:
    assert package_path(name) == path
