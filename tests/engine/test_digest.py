"""Digests: what is accepted, what counts, and what contradicts."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendorpack.digest import Digest, DigestError, Hashers, Integrity

DATA = b"some bytes"


def sri(algorithm: str, data: bytes = DATA) -> str:
    return f"{algorithm}-" + base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


def values(data: bytes, *algorithms: str) -> dict[str, bytes]:
    hashers = Hashers(algorithms)
    hashers.update(data)
    return hashers.values()


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        (sri("sha512"), True),
        (sri("sha512", b"other"), False),
        # Several of one algorithm are alternatives.
        (f"{sri('sha512', b'other')} {sri('sha512')}", True),
        # A weaker one that agrees changes nothing; one that disagrees is a contradiction.
        (f"{sri('sha1')} {sri('sha512')}", True),
        (f"{sri('sha1', b'other')} {sri('sha512')}", False),
        (f"{sri('sha512', b'other')} {sri('sha1')}", False),
        # Options and unknown algorithms are passed over, as the SRI note says.
        (sri("sha384") + "?ct=application/gzip", True),
        (f"sha3-AAAA {sri('sha256')}", True),
        (f"  {sri('sha256')}\n", True),
    ],
)
def test_sri(text: str, accepted: bool) -> None:
    integrity = Integrity.parse_sri(text)
    assert integrity.accepts(values(DATA, *integrity.algorithms)) is accepted


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no digest"),
        ("sha3-AAAA", "no digest"),
        ("sha512", "not an integrity"),
        ("sha512-AAAA", "has 64 bytes"),
        ("sha512-!!!!", "base64"),
        ("sha256-" + "é" * 44, "base64"),
    ],
)
def test_bad_sri(text: str, says: str) -> None:
    with pytest.raises(DigestError, match=says):
        Integrity.parse_sri(text)


def test_strength() -> None:
    both = Integrity.parse_sri(f"{sri('md5')} {sri('sha1')} {sri('sha512')} {sri('sha256')}")
    assert both.algorithms == ("sha512", "sha256", "sha1", "md5")
    assert not both.weak
    assert Integrity.parse_sri(f"{sri('md5')} {sri('sha1')}").weak
    assert not Integrity().weak
    derived = Integrity.of([Digest("h1", b"x" * 32), Digest("sha1", b"x" * 20)])
    assert derived.algorithms == ("h1", "sha1") and not derived.weak
    assert not Digest("h1", b"x").streamed


def test_a_digest_that_was_not_computed_is_never_a_pass() -> None:
    with pytest.raises(KeyError):
        Integrity.parse_sri(sri("sha512")).accepts({"sha256": b""})


@pytest.mark.parametrize("text", ["zz", "0", "00", "0x" + "0" * 62, "é" * 64])
def test_bad_hex(text: str) -> None:
    with pytest.raises(DigestError):
        Digest.from_hex("sha256", text)


@given(st.text())
def test_parse_sri_raises_nothing_else(text: str) -> None:
    try:
        integrity = Integrity.parse_sri(text)
    except DigestError:
        return
    assert Integrity.parse_sri(str(integrity)) == integrity


@given(st.lists(st.binary(), max_size=5))
def test_hashers_do_not_see_the_pieces(pieces: list[bytes]) -> None:
    hashers = Hashers(["sha512"])
    for piece in pieces:
        hashers.update(piece)
    assert hashers.values() == values(b"".join(pieces), "sha512")
    assert hashers.size == sum(map(len, pieces))
