"""Wyhash as Bun uses it to shorten names: version 0.11 of Zig's `std.hash.Wyhash`, seed 0.

Seen in folder names of Bun 1.1 to 1.4. Zig's own later Wyhash gives other values.
"""

from __future__ import annotations

from typing import Final

_PRIMES: Final = (
    0xA0761D6478BD642F,
    0xE7037ED1A0B428DB,
    0x8EBC6AF09C88C6E3,
    0x589965CC75374CC3,
    0x1D8E4E27C47D124F,
)
_MASK: Final = (1 << 64) - 1


def wyhash(data: bytes) -> int:
    """The hash of `data`, 64 bits."""
    seed = 0
    whole = len(data) - len(data) % 32
    for start in range(0, whole, 32):
        one, two, three, four = (
            int.from_bytes(data[at : at + 8], "little") for at in range(start, start + 32, 8)
        )
        seed = _first(one, two, seed) ^ _second(three, four, seed)
    words = [_word(data[at : at + 8]) for at in range(whole, len(data), 8)]
    mixed = seed
    if words:
        words += [_PRIMES[4]] * (len(words) % 2)
        mixed = _first(words[0], words[1], seed)
        if len(words) > 2:
            mixed ^= _second(words[2], words[3], seed)
    return _multiply(mixed ^ len(data), _PRIMES[4])


def _multiply(one: int, two: int) -> int:
    product = one * two
    return (product >> 64 ^ product) & _MASK


def _first(one: int, two: int, seed: int) -> int:
    return _multiply(one ^ seed ^ _PRIMES[0], two ^ seed ^ _PRIMES[1])


def _second(one: int, two: int, seed: int) -> int:
    return _multiply(one ^ seed ^ _PRIMES[2], two ^ seed ^ _PRIMES[3])


def _word(data: bytes) -> int:
    """1 to 8 bytes of the rest: little-endian pieces of 4, 2 and 1, the first one highest."""
    if len(data) == 8:
        low, high = data[:4], data[4:]
        return int.from_bytes(low, "little") << 32 | int.from_bytes(high, "little")
    value, at = 0, 0
    for width in (4, 2, 1):
        if len(data) & width:
            value = value << 8 * width | int.from_bytes(data[at : at + width], "little")
            at += width
    return value
