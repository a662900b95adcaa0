"""SipHash with keys 0, 0, as Rust's standard hasher and cargo's stable hasher use it.

Aumasson and Bernstein, "SipHash: a fast short-input PRF"; the 128-bit variant as in their
reference code. Inputs here are a URL long: no need for speed.
"""

from __future__ import annotations

from typing import Final

_MASK: Final = (1 << 64) - 1
_START: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def siphash_2_4(data: bytes) -> int:
    """The 64-bit SipHash-2-4."""
    state = list(_START)
    _absorb(state, data, rounds=2)
    state[2] ^= 0xFF
    _mix(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def siphash_1_3_128(data: bytes) -> tuple[int, int]:
    """The 128-bit SipHash-1-3: its low and its high 64 bits."""
    state = list(_START)
    state[1] ^= 0xEE
    _absorb(state, data, rounds=1)
    state[2] ^= 0xEE
    _mix(state, 3)
    low = state[0] ^ state[1] ^ state[2] ^ state[3]
    state[1] ^= 0xDD
    _mix(state, 3)
    return low, state[0] ^ state[1] ^ state[2] ^ state[3]


def _absorb(state: list[int], data: bytes, rounds: int) -> None:
    whole = len(data) // 8 * 8
    last = data[whole:].ljust(7, b"\0") + bytes([len(data) & 0xFF])
    for start in range(0, whole, 8):
        _absorb_word(state, data[start : start + 8], rounds)
    _absorb_word(state, last, rounds)


def _absorb_word(state: list[int], word: bytes, rounds: int) -> None:
    value = int.from_bytes(word, "little")
    state[3] ^= value
    _mix(state, rounds)
    state[0] ^= value


def _mix(state: list[int], rounds: int) -> None:
    a, b, c, d = state
    for _ in range(rounds):
        a, c = a + b & _MASK, c + d & _MASK
        b, d = _rotated(b, 13) ^ a, _rotated(d, 16) ^ c
        a = _rotated(a, 32)
        c, a = c + b & _MASK, a + d & _MASK
        b, d = _rotated(b, 17) ^ c, _rotated(d, 21) ^ a
        c = _rotated(c, 32)
    state[:] = a, b, c, d


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> 64 - bits) & _MASK
