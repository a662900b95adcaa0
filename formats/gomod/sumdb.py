"""Go's checksum database: what it says of a module, proven to be in its signed tree.

::

    BASE/lookup/PATH@VERSION       number of the record, its lines as in go.sum, an empty line, and
                                   the tree's note: its size and root hash, signed
    BASE/tile/8/LEVEL/N[.p/WIDTH]  256 (WIDTH, if it is not full yet) hashes of 32 bytes; N in
                                   threes, `x001/x234/067`; LEVEL 0 has the records' own

(golang.org/x/mod: sumdb/note, sumdb/tlog; the tree is RFC 6962's.) A record is believed if the note
has a signature by the key that the go command knows, and the record with hashes from tiles gives
the root that is signed. Whether trees of two days agree is not looked at: nothing is kept between
runs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final

from vendorpack.dataclass import dataclass
from vendorpack.errors import FetchError, IntegrityError, UnsupportedError
from vendorpack.formats._shared.text.addresses import is_http
from vendorpack.formats.gomod.ed25519 import is_signed
from vendorpack.room import Index

_KNOWN: Final = {
    "sum.golang.org": "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
}
"""Databases by name, with the key that the go command has for them."""
_ALIASES: Final = {"sum.golang.google.cn": "sum.golang.org https://sum.golang.google.cn"}
_MAX_ANSWER: Final = 1 << 20
_HASH: Final = 32
_KEY_HASH: Final = 4
_HEIGHT: Final = 8
_WIDTH: Final = 1 << _HEIGHT
_ED25519: Final = b"\x01"
_NAME: Final = re.compile(r"[\w-]+(?:[./][\w-]+)*", re.A)
_TREE: Final = re.compile(r"go\.sum database tree\n(\d{1,15})\n([0-9A-Za-z+/]{43}=)\n", re.A)
_RECORD: Final = re.compile(r"(\d{1,15})\n((?:[^\n]+\n)+)\n", re.A)


@dataclass(frozen=True, slots=True)
class Database:
    """A checksum database. key: its Ed25519 key. url: where to ask it; empty for proxies first."""

    name: str
    key: bytes
    url: str = ""

    @classmethod
    def parse(cls, text: str) -> Database:
        """Read GOSUMDB: `NAME[+HASH+KEY] [URL]`. Raises `UnsupportedError`, for `off` too."""
        words = _ALIASES.get(text, text or "sum.golang.org").split() or [""]
        name, _, rest = _KNOWN.get(words[0], words[0]).partition("+")
        key_hash, _, key = rest.partition("+")
        data = _decoded(key)
        url = "".join(words[1:])
        if (
            not _NAME.fullmatch(name)
            or len(words) > 2
            or data[:1] != _ED25519
            or len(data) != 1 + _HASH
            or key_hash.lower() != _key_hash(name, data[1:]).hex()
            or (url and not is_http(url))
        ):
            raise UnsupportedError(
                "GOSUMDB names no checksum database that could vouch for a toolchain",
                where="GOSUMDB",
                fix="Unset it, or give it as NAME+HASH+KEY (`go help environment`).",
            )
        return cls(name, data[1:], url.rstrip("/"))

    @property
    def address(self) -> str:
        """Where it is itself: behind no proxy."""
        return self.url or f"https://{self.name}"

    def is_signed(self, note: str) -> bool:
        """Whether a note, a text with signatures below it, is signed by the database's key.

        Other keys' signatures say nothing, one of this name too.
        """
        text, _, signatures = note.rpartition("\n\n")
        key_hash = _key_hash(self.name, self.key)
        for line in signatures.split("\n"):
            words = line.split(" ")
            if words[:2] == ["—", self.name] and len(words) == 3:
                signature = _decoded(words[2])
                if signature[:_KEY_HASH] == key_hash:
                    return is_signed(self.key, f"{text}\n".encode(), signature[_KEY_HASH:])
        return False


async def looked_up(database: Database, base: str, module: str, index: Index) -> str:
    """The lines that the database has for `PATH@VERSION`, proven.

    base: the database's address, or a proxy's for it. Raises `FetchError` where there is none, and
    `IntegrityError` for an answer that is not what the database signed.
    """
    url = f"{base}/lookup/{module}"
    answer = (await index.get(url, max_size=_MAX_ANSWER)).body.decode(errors="replace")
    record = _RECORD.match(answer)
    note = answer[record.end() :] if record else ""
    tree = _TREE.match(note)
    if record is None or tree is None:
        raise FetchError("the checksum database's answer has no record, or no tree", where=url)
    if not database.is_signed(note):
        raise _refused(f"no signature of {database.name} fits it", url)
    number, size = int(record[1]), int(tree[1])
    if number >= size:
        raise _refused("its record is not in its tree", url)
    leaf = hashlib.sha256(b"\0" + record[2].encode()).digest()
    root = await _Tree(base, size, index).with_record(0, size, number, leaf)
    if root != _decoded(tree[2]):
        raise _refused("its record is not in the tree that is signed", url)
    return record[2]


class _Tree:
    """The hashes of a tree of `size` records."""

    def __init__(self, base: str, size: int, index: Index) -> None:
        self._base, self._size, self._index = base, size, index
        self._tiles: dict[tuple[int, int], bytes] = {}

    async def with_record(self, low: int, high: int, number: int, leaf: bytes) -> bytes:
        """The hash over records `low` to `high`, of which one is given."""
        if high - low == 1:
            return leaf
        middle = low + _half(high - low)
        if number < middle:
            left = await self.with_record(low, middle, number, leaf)
            return _node(left, await self._over(middle, high))
        right = await self.with_record(middle, high, number, leaf)
        return _node(await self._over(low, middle), right)

    async def _over(self, low: int, high: int) -> bytes:
        """The hash over records `low` to `high`, where a tree of this size has them as a branch."""
        count = high - low
        if count & (count - 1):
            middle = low + _half(count)
            return _node(await self._over(low, middle), await self._over(middle, high))
        level = count.bit_length() - 1
        tile, within = divmod(level, _HEIGHT)
        width = 1 << within
        number, first = divmod((low >> level) << within, _WIDTH)
        hashes = await self._tile(tile, number)
        row = [hashes[at * _HASH : (at + 1) * _HASH] for at in range(first, first + width)]
        while len(row) > 1:
            row = [_node(*row[at : at + 2]) for at in range(0, len(row), 2)]
        return row[0]

    async def _tile(self, level: int, number: int) -> bytes:
        if (level, number) not in self._tiles:
            width = min(_WIDTH, (self._size >> (_HEIGHT * level)) - number * _WIDTH)
            digits = f"{number:03}"
            digits = digits.zfill(-(-len(digits) // 3) * 3)
            parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
            path = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
            url = f"{self._base}/tile/{_HEIGHT}/{level}/{path}"
            data = await self._read(url, width)
            if len(data) < width * _HASH:
                raise FetchError("a tile of the checksum database is too short", where=url)
            self._tiles[level, number] = data
        return self._tiles[level, number]

    async def _read(self, url: str, width: int) -> bytes:
        """A tile; one that is full by now may be there as such alone."""
        if width < _WIDTH:
            try:
                return (await self._index.get(f"{url}.p/{width}", max_size=_MAX_ANSWER)).body
            except FetchError as error:
                if error.status not in (404, 410):
                    raise
        return (await self._index.get(url, max_size=_MAX_ANSWER)).body


def _key_hash(name: str, key: bytes) -> bytes:
    """What tells the keys of one name apart."""
    return hashlib.sha256(f"{name}\n".encode() + _ED25519 + key).digest()[:_KEY_HASH]


def _half(count: int) -> int:
    """The largest power of two below `count`, which is 2 or more."""
    return 1 << ((count - 1).bit_length() - 1)


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _refused(why: str, url: str) -> IntegrityError:
    return IntegrityError(
        f"the checksum database's answer is not to be believed: {why}",
        where=url,
        fix="Ask another proxy (GOPROXY), and tell whoever runs this one.",
    )
