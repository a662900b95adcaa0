"""Answers of the checksum database are believed only if they are in the tree that it signed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.memory import Documents
from tests.world.sumdb import SumDatabase
from vendorpack.errors import FetchError, IntegrityError, UnsupportedError
from vendorpack.formats.gomod.ed25519 import is_signed
from vendorpack.formats.gomod.sumdb import Database, looked_up
from vendorpack.room import Answer

BASE = "https://sums.example"

VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
        "b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
        "1d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
        "c6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
"""Public key, message, signature: RFC 8032, 7.1."""


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_the_standards_own_signatures(key: str, message: str, signature: str) -> None:
    public, text, signed = map(bytes.fromhex, (key, message, signature))
    assert is_signed(public, text, signed)
    assert not is_signed(public, text + b"x", signed)
    for at in range(len(signed)):
        changed = bytes([*signed[:at], signed[at] ^ 1, *signed[at + 1 :]])
        assert not is_signed(public, text, changed)
    order = 2**252 + 27742317777372353535851937790883648493
    beyond = (int.from_bytes(signed[32:], "little") + order).to_bytes(32, "little")
    assert not is_signed(public, text, signed[:32] + beyond)
    assert not is_signed(public, text, signed[:-1])
    assert not is_signed(b"\xff" * 32, text, signed)


def test_signatures_that_another_library_made() -> None:
    for number in range(20):
        key = Ed25519PrivateKey.generate()
        message = bytes([number]) * number
        signature = key.sign(message)
        public = key.public_key().public_bytes_raw()
        assert is_signed(public, message, signature)
        assert not is_signed(public, message + b"\n", signature)


def test_points_are_read_in_their_one_form() -> None:
    """RFC 8032, 5.1.3: y is below 2^255-19, and x = 0 has no sign. (0, 1) signs everything."""
    prime, sign = 2**255 - 19, 1 << 255
    neutral, one_more, negative = (
        number.to_bytes(32, "little") for number in (1, prime + 1, 1 | sign)
    )
    assert is_signed(neutral, b"message", neutral + bytes(32))
    for form in (one_more, negative):
        assert not is_signed(form, b"message", neutral + bytes(32))
        assert not is_signed(neutral, b"message", form + bytes(32))


class Site(Documents):
    """Documents by path below `BASE`."""

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self.documents = documents

    async def get(self, url: str, *, accept: str = "*/*", max_size: int = 64 << 20) -> Answer:
        found = self.documents.get(url.removeprefix(f"{BASE}/"))
        if found is None:
            raise FetchError("not found", where=url, status=404)
        return Answer(found, "text/plain", url)


def record(number: int) -> str:
    return f"x.example/m{number} v1.0.0 h1:{number}\n"


def look_up(documents: Mapping[str, bytes], number: int, gosumdb: str) -> str:
    module = f"x.example/m{number}@v1.0.0"
    return asyncio.run(looked_up(Database.parse(gosumdb), BASE, module, Site(documents)))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 255, 256, 257, 513, 65_793])
def test_records_of_trees(size: int) -> None:
    database = SumDatabase([record(number) for number in range(size)])
    documents = database.documents
    for number in {0, size // 2, size - 1, min(256, size - 1)}:
        assert look_up(documents, number, database.gosumdb) == record(number)


def test_a_tile_that_is_full_by_now() -> None:
    database = SumDatabase([record(number) for number in range(300)])
    documents = database.documents
    documents["tile/8/0/001"] = documents.pop("tile/8/0/001.p/44") + bytes(212 * 32)
    assert look_up(documents, 299, database.gosumdb) == record(299)


@pytest.mark.parametrize("change", ["record", "number", "beyond", "tile", "root", "signature"])
def test_what_is_changed_is_refused(change: str) -> None:
    database = SumDatabase([record(number) for number in range(300)])
    documents = database.documents
    name = "lookup/x.example/m7@v1.0.0"
    text = documents[name].decode()
    if change == "record":
        text = text.replace("h1:7\n", "h1:8\n")
    elif change in ("number", "beyond"):
        text = text.replace("7\n", "8\n" if change == "number" else "300\n", 1)
    elif change == "root":
        text = text.replace("tree\n300\n", "tree\n299\n")
    elif change == "signature":
        text = text.replace("— sums.example ", "— other.example ")
    else:
        tile = documents["tile/8/0/000"]
        documents["tile/8/0/000"] = bytes([tile[0] ^ 1]) + tile[1:]
    documents[name] = text.encode()
    with pytest.raises(IntegrityError, match="not to be believed"):
        look_up(documents, 7, database.gosumdb)


def test_a_note_that_other_keys_signed_too() -> None:
    database = SumDatabase([record(0)])
    documents = database.documents
    name = "lookup/x.example/m0@v1.0.0"
    own = documents[name].split(b"\n")[-2]
    another = "\n— sums.example " + base64.b64encode(bytes(68)).decode() + "\n"
    documents[name] = documents[name].replace(b"\n" + own, another.encode() + own)
    assert look_up(documents, 0, database.gosumdb) == record(0)
    documents[name] = documents[name].replace(own + b"\n", b"")
    with pytest.raises(IntegrityError, match=r"no signature of sums\.example fits it"):
        look_up(documents, 0, database.gosumdb)


@pytest.mark.parametrize("answer", [b"", b"7\n", b"\xff", b"7\nx v1 h1:x\n\nsomething else\n"])
def test_what_is_no_answer(answer: bytes) -> None:
    with pytest.raises(FetchError, match="no record, or no tree"):
        look_up({"lookup/x.example/m7@v1.0.0": answer}, 7, "")


def test_a_number_in_other_digits() -> None:
    database = SumDatabase([record(number) for number in range(8)])
    documents = database.documents
    name = "lookup/x.example/m7@v1.0.0"
    documents[name] = documents[name].replace(b"7\n", "\u0667\n".encode(), 1)
    with pytest.raises(FetchError, match="no record"):
        look_up(documents, 7, database.gosumdb)


def test_which_database() -> None:
    public = Database.parse("")
    assert (public.name, public.url) == ("sum.golang.org", "")
    assert Database.parse("sum.golang.org") == public
    china = Database.parse("sum.golang.google.cn")
    assert (china.key, china.url) == (public.key, "https://sum.golang.google.cn")
    own = SumDatabase([]).gosumdb
    assert Database.parse(f"{own} https://here.example/db/").url == "https://here.example/db"
    name, key_hash, key = own.split("+", 2)
    assert Database.parse(f"{name}+{key_hash.upper()}+{key}").name == name
    with pytest.raises(UnsupportedError, match="GOSUMDB"):
        Database.parse(f"{name}+{int(key_hash, 16) ^ 1:08x}+{key}")
    for name, accepted in (("here.example/db", True), ("a/../b", False)):
        data = f"{name}\n".encode() + base64.b64decode(key)
        text = f"{name}+{hashlib.sha256(data).hexdigest()[:8]}+{key}"
        if accepted:
            assert Database.parse(text).address == f"https://{name}"
        else:
            with pytest.raises(UnsupportedError, match="GOSUMDB"):
                Database.parse(text)


@pytest.mark.parametrize(
    "text",
    ["off", "other.example", "a+b+c", "sum.golang.org a b", "sum.golang.org https://[x", " "],
)
def test_no_database(text: str) -> None:
    with pytest.raises(UnsupportedError, match="GOSUMDB"):
        Database.parse(text)
