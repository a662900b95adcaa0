"""Digests and the integrity of an artifact: one or several digests that must hold.

A digest is an algorithm and its bytes. Two kinds:

- *streamed*: a hash over the file's own bytes, which `hashlib` computes while it downloads
  (`sha512`, `sha384`, `sha256`; `sha1` and `md5` exist, are weak, and need leave by policy);
- *derived*: any other name (`h1` of Go, a Yarn Berry zip's checksum, a git commit). Only the
  room that put it there knows how to compute it: `Format.derive`.

Written forms: SRI (`sha512-<base64>`, several parted by white space, options after `?`
ignored, as the W3C note on Subresource Integrity has it) and hex.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from vendorpack.dataclass import dataclass

STRONG: Final = ("sha512", "sha384", "sha256")
"""Streamed algorithms that count, strongest first."""
WEAK: Final = ("sha1", "md5")
"""Streamed algorithms that are only accepted by name."""
SIZES: Final = {"sha512": 64, "sha384": 48, "sha256": 32, "sha1": 20, "md5": 16}
"""Digest sizes in bytes."""


class DigestError(ValueError):
    """A text that is not a digest. The message says why; the caller knows where it stood."""


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """One algorithm's value, in bytes."""

    algorithm: str
    value: bytes

    def __post_init__(self) -> None:
        size = SIZES.get(self.algorithm)
        if size is not None and len(self.value) != size:
            raise DigestError(
                f"a {self.algorithm} digest has {size} bytes, this one {len(self.value)}"
            )

    @classmethod
    def from_hex(cls, algorithm: str, text: str) -> Digest:
        """Read a digest from hex digits of either case."""
        try:
            return cls(algorithm, binascii.unhexlify(text))
        except (binascii.Error, ValueError) as error:
            if isinstance(error, DigestError):
                raise
            raise DigestError(f"not a {algorithm} digest in hex: {text!r}") from None

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read what `str` of a digest gives. Raises `DigestError`."""
        algorithm, _, value = text.rpartition("-")
        try:
            return cls(algorithm, base64.b64decode(value, validate=True))
        except binascii.Error:
            raise DigestError(f"not a digest: {text!r}") from None

    @property
    def streamed(self) -> bool:
        """Whether it is a hash over the file's own bytes."""
        return self.algorithm in SIZES

    @property
    def weak(self) -> bool:
        """Whether collisions can be made (sha1, md5)."""
        return self.algorithm in WEAK

    @property
    def hex(self) -> str:
        """The value in lower-case hex digits."""
        return self.value.hex()

    def __str__(self) -> str:
        return f"{self.algorithm}-{base64.b64encode(self.value).decode()}"


@dataclass(frozen=True, slots=True)
class Integrity:
    """All the digests that one artifact is pinned with; empty if the lockfile has none.

    Several digests of one algorithm are alternatives, as in SRI: the file must match one of
    them. Every algorithm named must be satisfied: the strongest decides, and a weaker one
    that disagrees is a contradiction, not a fallback.
    """

    digests: tuple[Digest, ...] = ()

    @classmethod
    def of(cls, digests: Iterable[Digest]) -> Integrity:
        """Build from any number of digests; order and repetition do not matter."""
        return cls(tuple(sorted(set(digests), key=lambda d: (_rank(d.algorithm), d))))

    @classmethod
    def parse_sri(cls, text: str) -> Integrity:
        """Read SRI metadata. Raises `DigestError` if it holds no digest of a known algorithm."""
        digests = []
        for token in text.split():
            algorithm, dash, value = token.partition("-")
            if not dash:
                raise DigestError(f"not an integrity string: {token!r}")
            if algorithm.lower() not in SIZES:
                continue  # SRI: unknown algorithms are passed over
            try:
                raw = base64.b64decode(value.partition("?")[0], validate=True)
            except (binascii.Error, ValueError):
                raise DigestError(f"not valid base64 in integrity {token!r}") from None
            digests.append(Digest(algorithm.lower(), raw))
        if not digests:
            raise DigestError(f"no digest of a known algorithm in integrity {text!r}")
        return cls(tuple(digests)) if len(digests) == 1 else cls.of(digests)

    def __bool__(self) -> bool:
        return bool(self.digests)

    def __or__(self, other: Integrity) -> Integrity:
        return Integrity.of(self.digests + other.digests)

    def __str__(self) -> str:
        return " ".join(map(str, self.digests))

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms named, strongest first, each once."""
        return tuple(dict.fromkeys(d.algorithm for d in self.digests))

    @property
    def strongest(self) -> tuple[Digest, ...]:
        """The digests of the strongest algorithm (several are alternatives)."""
        if not self.digests:
            return ()
        best = self.digests[0].algorithm
        return tuple(d for d in self.digests if d.algorithm == best)

    @property
    def weak(self) -> bool:
        """Whether there are digests, and only weak ones."""
        return bool(self.digests) and all(d.weak for d in self.digests)

    @property
    def streamed(self) -> Integrity:
        """The part of it that is hashes over the file's own bytes."""
        return Integrity(tuple(d for d in self.digests if d.streamed))

    def accepts(self, actual: Mapping[str, bytes]) -> bool:
        """Whether the computed values satisfy every algorithm named.

        `actual` maps algorithm to value and must cover `algorithms`; a `KeyError` is a defect
        of the caller, never a pass.
        """
        return all(
            any(d.value == actual[algorithm] for d in self.digests if d.algorithm == algorithm)
            for algorithm in self.algorithms
        )


class Hashers:
    """Streamed algorithms computed side by side; sha256 is always one of them."""

    def __init__(self, algorithms: Iterable[str] = ()) -> None:
        wanted = {"sha256", *(a for a in algorithms if a in SIZES)}
        self._states = {a: hashlib.new(a, usedforsecurity=False) for a in sorted(wanted)}
        self.size = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes."""
        self.size += len(data)
        for state in self._states.values():
            state.update(data)

    def values(self) -> dict[str, bytes]:
        """Algorithm to value, of what was taken so far."""
        return {algorithm: state.digest() for algorithm, state in self._states.items()}


def _rank(algorithm: str) -> int:
    """Order of strength: strong streamed, derived, weak streamed."""
    if algorithm in STRONG:
        return STRONG.index(algorithm)
    if algorithm in WEAK:
        return 100 + WEAK.index(algorithm)
    return 50
