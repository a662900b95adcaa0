"""Signatures by Ed25519, checked: RFC 8032, 5.1.7.

Nothing here is secret, so that it need not take the same time for everything. The standard library
has no such thing, and a library for the one signature of a bundle would weigh more than all else.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE: Final = pow(2, (_P - 1) // 4, _P)
_KEY_SIZE: Final = 32
_SIZE: Final = 64


class _Point(NamedTuple):
    """On the curve, as x = X/Z, y = Y/Z, xy = T/Z."""

    x: int
    y: int
    z: int
    t: int


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the holder of a public key (32 bytes) signed the message (64 bytes)."""
    if len(key) != _KEY_SIZE or len(signature) != _SIZE:
        return False
    holder, commitment = _point(key), _point(signature[:32])
    answer = int.from_bytes(signature[32:], "little")
    if holder is None or commitment is None or answer >= _ORDER:
        return False
    hashed = hashlib.sha512(signature[:32] + key + message).digest()
    challenge = int.from_bytes(hashed, "little") % _ORDER
    return _same(_times(answer, _BASE), _sum(commitment, _times(challenge, holder)))


def _point(data: bytes) -> _Point | None:
    """A point by its y, and the lowest bit of its x in the highest one; None if there is none."""
    number = int.from_bytes(data, "little")
    y, odd = number & ((1 << 255) - 1), number >> 255
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if x * x % _P != square or (not x and odd):
        return None
    if x & 1 != odd:
        x = _P - x
    return _Point(x, y, 1, x * y % _P)


def _sum(one: _Point, other: _Point) -> _Point:
    a = (one.y - one.x) * (other.y - other.x) % _P
    b = (one.y + one.x) * (other.y + other.x) % _P
    c = 2 * one.t * other.t * _D % _P
    d = 2 * one.z * other.z % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return _Point(e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _times(factor: int, point: _Point) -> _Point:
    result = _Point(0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = _sum(result, point)
        point = _sum(point, point)
        factor >>= 1
    return result


def _same(one: _Point, other: _Point) -> bool:
    return not (
        (one.x * other.z - other.x * one.z) % _P or (one.y * other.z - other.y * one.z) % _P
    )


def _base() -> _Point:
    point = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    assert point is not None
    return point


_BASE: Final = _base()
