"""The conversion of a tarball to Yarn's zip, against checksums that Yarn itself wrote."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import random
import zipfile

import pytest

from tests.formats.yarn_berry.locks import Member, tgz
from vendorpack.errors import UnsupportedError
from vendorpack.formats.yarn_berry.archive import CacheKey, zip_from_tarball

_TEXT = b"hello world " * 500
_NOISE = random.Random(1).randbytes(5000)
_EVERYTHING: list[Member] = [
    ("F", "package/package.json", 0o644, b'{"name":"@s/every","version":"1.0.0"}'),
    ("F", "package/lib/text.js", 0o644, _TEXT),
    ("F", "package/bin/run", 0o755, b"#!/bin/sh\n"),
    ("F", "package/empty", 0o644, b""),
    ("F", "package/noise", 0o600, _NOISE),
    ("F", "package/one", 0o644, b"x"),
    ("F", "package/l\u00fc\u00e9/\u65e5\u672c.js", 0o644, _TEXT),
    ("D", "package/", 0o755, b""),
    ("D", "package/a", 0o700, b""),
    ("F", "package/a/x", 0o644, b"1"),
    ("D", "package/e/m/p", 0o755, b""),
    ("F", "package/e/m/z", 0o644, b""),
    ("F", "package/twice", 0o644, b"first"),
    ("F", "package/between", 0o644, b"b"),
    ("F", "package/twice", 0o755, _TEXT),
    ("F", "./package/dot", 0o644, b"q"),
    ("F", "package/./r//s", 0o644, b"s"),
    ("F", "package/../up", 0o644, b"t"),
    ("F", "/absolute/u", 0o644, b"u"),
    ("F", "top", 0o644, b"t"),
    ("F", "other/root", 0o644, b"o"),
    ("L", "package/link", 0o777, b"../package/package.json"),
    ("H", "package/hard", 0o644, b"package/package.json"),
    ("L", "package/long", 0o777, b"x" * 90),
    ("F", "package/sp ace", 0o644, b"1"),
    ("F", "package/back\\slash", 0o644, b"2"),
    ("F", "package/c:d", 0o644, b"3"),
    ("F", "package/" + "d" * 120 + "/" + "e" * 120, 0o644, _TEXT),
    ("F", "package/setuid", 0o4755, b"s"),
    ("F", "package/group", 0o010, b"s"),
]
# What Yarn 3.8.7 (cache version 8) and 4.18.1 (10) put into yarn.lock for this tarball.
_STORED = (
    "636b99207f50469e0c0918a7591a2b907b470faffb8891f2d5e4a1ca0388b852"
    "6b7f2b094cdf04b3cc6ef51fac213195a7edf2b060c4c4a736654955faac2068"
)
_MIXED = (
    "455d6b64c391a5035adb0cf87cca3ddb867289bb84dd49039947fd60e351179d"
    "ef9ef7a9d591dae7714ec826b803a717bcf29717444f091796a1546507b0ece8"
)
_CHECKSUMS = {
    "8c0": _STORED,
    "10c0": _STORED,
    "8": _MIXED,
    "8c5": "5cc376e5abfa56ed992b0aa8fb0fb84d166d3fd6ef74004c059636ace80fcf8e"
    "4d8a6fa2bbdbac03269038302cdd087727a3a66dcc38cbcf981c550c85298784",
    "10": _MIXED,
    "10c1": "65e84e953e450b81f3e35658c6a38d8c88b15c51da3d6e478be50fc6a6a279be"
    "9f0f46fe9c45424326da1d9e7d3b6921fccf9c4f04a63e1d1be52707b26b3293",
    "10c5": "34df51725a4529e6b905d4aa3ad5bd3a6befb378e456ad01002dc39ac676c32c"
    "a59099c92f80547ea312b3e504b6e8e080c36e9555d45e805b93209e9f0c3e86",
    "10c9": "1ebf4a09ba9ca4f558aea7ebe5b4b9bb698acf166b2985cda9698457fe973971"
    "c109d604f975ce44e636bf64d5c61a6b0d89cd3e72f39bdf8779ac847c8aba18",
}
_NEEDS_ZLIB_NG = {"10", "10c1", "10c5", "10c9"}


def _key(text: str) -> CacheKey:
    key = CacheKey.parse(text)
    assert key is not None
    return key


def _convert(members: list[Member], key: str = "10c0", name: str = "@s/every") -> bytes:
    return b"".join(zip_from_tarball(tgz(members), name, _key(key), label=name))


@pytest.mark.parametrize("key", _CHECKSUMS)
def test_yarn_makes_the_same_zip(key: str) -> None:
    if key in _NEEDS_ZLIB_NG and importlib.util.find_spec("zlib_ng") is None:
        pytest.skip("zlib-ng is not installed")
    assert hashlib.sha512(_convert(_EVERYTHING, key)).hexdigest() == _CHECKSUMS[key]


def test_the_name_is_in_every_path() -> None:
    with zipfile.ZipFile(io.BytesIO(_convert(_EVERYTHING))) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert names[:4] == [
        "node_modules/",
        "node_modules/@s/",
        "node_modules/@s/every/",
        "node_modules/@s/every/package.json",
    ]
    assert all(name.startswith("node_modules/@s/every/") for name in names[3:])
    dropped = {"up", "u", "top", "hard"}
    assert not dropped & {name.rpartition("/")[2] for name in names}


@pytest.mark.parametrize(
    "members",
    [
        [("L", "package/a", 0o777, b"/etc"), ("F", "package/a/passwd", 0o644, b"")],
        [("F", "package/a", 0o644, b""), ("F", "package/a/b", 0o644, b"")],
        [("F", "package/a", 0o644, b""), ("D", "package/a", 0o755, b"")],
    ],
)
def test_a_path_below_a_link_or_a_file_is_refused(members: list[Member]) -> None:
    with pytest.raises(UnsupportedError, match="two kinds"):
        _convert(members)


@pytest.mark.parametrize("text", ["10c0", "10", "8", "7c9"])
def test_cache_keys(text: str) -> None:
    assert str(_key(text)) == text
    assert str(_key(text).stored()).endswith("c0")


@pytest.mark.parametrize("text", ["", "c0", "10c", "10c10", "x", "10 ", "-1", "10/"])
def test_no_cache_keys(text: str) -> None:
    assert CacheKey.parse(text) is None
