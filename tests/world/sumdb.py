"""A checksum database for Go modules: records, the tree over them, and its signature."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.world.server import Reply, Request
from tests.world.site import Service

NAME = "sums.example"


class SumDatabase(Service):
    """Serves records, each the lines of one module, below `sumdb/sums.example`.

    forged: the note is signed for another tree.
    """

    def __init__(self, records: Sequence[str], forged: bool = False) -> None:
        self._records = list(records)
        self._key = Ed25519PrivateKey.generate()
        self._forged = forged

    @property
    def gosumdb(self) -> str:
        """What GOSUMDB has."""
        return f"{NAME}+{self._key_hash().hex()}+{base64.b64encode(self._public()).decode()}"

    def answer(self, path: str, request: Request) -> Reply:
        data = self.documents.get(path.removeprefix(f"sumdb/{NAME}/"))
        return Reply(b"not found", 404) if data is None else Reply(data)

    @property
    def documents(self) -> dict[str, bytes]:
        """All that is there, by path."""
        leaves = [hashlib.sha256(b"\0" + record.encode()).digest() for record in self._records]
        found = {}
        level, row = 0, leaves
        while row:
            for number in range(-(-len(row) // 256)):
                hashes = row[number * 256 : (number + 1) * 256]
                part = f".p/{len(hashes)}" if len(hashes) < 256 else ""
                found[f"tile/8/{level}/{number:03}{part}"] = b"".join(hashes)
            # A hash of the next level stands for 256 of these.
            row = [_root(row[at : at + 256]) for at in range(0, len(row) - 255, 256)]
            level += 1
        text = self._text(_root(leaves))
        other = self._text(hashlib.sha256(b"other").digest())
        signed = self._key.sign((other if self._forged else text).encode())
        signature = base64.b64encode(self._key_hash() + signed).decode()
        note = f"{text}\n— other.example AAAA\n— {NAME} {signature}\n"
        for number, record in enumerate(self._records):
            path, version, _ = record.split(maxsplit=2)
            found[f"lookup/{path}@{version}"] = f"{number}\n{record}\n{note}".encode()
        return found

    def _text(self, root: bytes) -> str:
        return f"go.sum database tree\n{len(self._records)}\n{base64.b64encode(root).decode()}\n"

    def _public(self) -> bytes:
        return b"\1" + self._key.public_key().public_bytes_raw()

    def _key_hash(self) -> bytes:
        return hashlib.sha256(f"{NAME}\n".encode() + self._public()).digest()[:4]


def _root(hashes: Sequence[bytes]) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return hashlib.sha256(b"\1" + _root(hashes[:half]) + _root(hashes[half:])).digest()
