"""The byte formats: the values here are those that uv itself computed or accepted."""

from __future__ import annotations

import struct
import zlib

import pytest

from vendorpack.formats.uv.cache import (
    Encoding,
    canonical_url,
    digest,
    entry_id,
    revision_pointer,
    seahash,
    wheel_key,
    wheel_pointer,
)

URL = "https://files.example/packages/six-1.17.0-py2.py3-none-any.whl"
HASHES = {"Sha256": "ab" * 32}


def test_seahash_is_the_published_one() -> None:
    assert seahash(b"to be or not to be") == 1988685042348123509


def test_digest_is_little_endian_hex() -> None:
    assert digest("a") == seahash(b"a\xff").to_bytes(8, "little").hex()
    assert len(digest("")) == 16


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://index.example/simple", "https://index.example/simple"),
        ("https://index.example/simple/", "https://index.example/simple"),
        ("https://user:secret@index.example/simple/", "https://index.example/simple"),
        ("HTTPS://Index.Example/Simple", "https://index.example/Simple"),
        ("https://index.example", "https://index.example/"),
        ("https://git.example/a/B.git", "https://git.example/a/B"),
        ("https://git.example/a/b.git@v1", "https://git.example/a/b@v1"),
        ("https://files.example/a%2Bb-1%20c.whl", "https://files.example/a+b-1%20c.whl"),
        (
            "https://files.example/a.zip#subdirectory=x",
            "https://files.example/a.zip#subdirectory=x",
        ),
    ],
)
def test_addresses_are_named_in_one_form(url: str, canonical: str) -> None:
    assert canonical_url(url) == canonical


@pytest.mark.parametrize(
    ("filename", "key"),
    [
        ("six-1.17.0-py2.py3-none-any.whl", "1.17.0-py2.py3-none-any"),
        ("six-1.17.00.RC1-py3-none-any.whl", "1.17.0rc1-py3-none-any"),
        ("a-1-2-py3-none-any.whl", "1-2-py3-none-any"),
        (
            "markupsafe-3.0.4-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64"
            ".manylinux_2_28_x86_64.whl",
            "3.0.4-516d0c2242d49034",
        ),
    ],
)
def test_wheel_keys(filename: str, key: str) -> None:
    assert wheel_key(filename) == key


def test_a_pointer_as_a_map() -> None:
    pointer = wheel_pointer(
        Encoding.MAP, archive="id", hashes=HASHES, filename="a.whl", size=300, url=URL
    )
    (length,) = struct.unpack("<Q", pointer[-8:])
    payload, policy = pointer[: -8 - length], pointer[-8 - length : -8]
    assert payload == (
        b"\x85\xa2id\xa2id\xa6hashes\x91\x92\xa6Sha256\xd9\x40" + b"ab" * 32
        + b"\xa8filename\xa5a.whl\xa7version\x00\xa4size\xcd\x01\x2c"
    )  # fmt: skip
    root = len(policy) - 312
    assert root % 8 == 0
    assert policy[:root] == URL.encode().ljust(root, b"\0")
    code, start = struct.unpack_from("<Ii", policy, root)
    assert (code, root + start) == (62 | 0x80, 0)
    assert struct.unpack_from("<H", policy, root + 0x78) == (200,)


def test_a_pointer_as_an_array() -> None:
    pointer = revision_pointer(Encoding.ARRAY, revision="id", hashes=HASHES, size=1, url=URL)
    checksum, length = struct.unpack("<IQ", pointer[-12:])
    payload = pointer[:length]
    assert payload == b"\x93\xa2id\x91\x81\xa6Sha256\xd9\x40" + b"ab" * 32 + b"\x01"
    padded = -(-length // 16) * 16
    assert pointer[length:padded] == bytes(padded - length)
    assert pointer[padded : padded + 16] == entry_id("entry", URL).encode()
    assert len(pointer[padded + 16 : -12]) == len(URL) + 2 + 8 + 192
    assert checksum == zlib.crc32(pointer[length:-12] + pointer[-8:])


PINNED = {Encoding.MAP: (2476427232, 3868613866), Encoding.ARRAY: (3086954812, 1882901127)}


@pytest.mark.parametrize("encoding", Encoding)
def test_pointers_are_pinned(encoding: Encoding) -> None:
    """A change of these bytes has to be tried with every uv that reads them."""
    wheel = wheel_pointer(
        encoding, archive="x" * 16, hashes=HASHES, filename="a.whl", size=1, url=URL
    )
    sdist = revision_pointer(encoding, revision="x" * 16, hashes=HASHES, size=1, url=URL)
    assert (zlib.crc32(wheel), zlib.crc32(sdist)) == PINNED[encoding]
