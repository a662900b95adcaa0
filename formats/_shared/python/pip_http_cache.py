"""Records of the HTTP cache that pip and Poetry keep (the format of the library CacheControl).

::

    <folder>/h0/h1/h2/h3/h4/<h>         one response, without its body
    <folder>/h0/h1/h2/h3/h4/<h>.body    the body: the very bytes of the file

    h = sha224 hex of the address, h0 … h4 its first five digits

Written like this by pip 23.3 and newer (`http-v2`) and Poetry 2.4 and newer (`_http_`). Older
clients (`http`, `_http`) have the body inside the record and no second file. A record is
`cc=4,` and a msgpack map. With a `Date` and a `max-age` of a hundred years the client takes the
answer as fresh and asks nobody; pip 23.2.1 and 26.3 and Poetry 2.0.1 and 2.5.1 did.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from typing import Final, TypeAlias
from urllib.parse import quote, urlsplit

from vendorpack.model import Artifact, Blob, Entry
from vendorpack.room import Workshop

Value: TypeAlias = "bool | int | str | bytes | dict[str, Value]"

MAGIC: Final = b"cc=4,"
DATE: Final = "Thu, 01 Jan 2026 00:00:00 GMT"
MAX_AGE: Final = 3_153_600_000
"""Seconds: a hundred years."""

_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
_BIN: Final = ((0xFF, b"\xc4", ">B"), (0xFFFF, b"\xc5", ">H"), (0xFFFFFFFF, b"\xc6", ">I"))


def entry_path(url: str) -> str:
    """Where a response to `url` lies below the cache's folder."""
    name = hashlib.sha224(cache_url(url).encode()).hexdigest()
    return "/".join((*name[:5], name))


def cache_url(url: str) -> str:
    """The address as the cache knows it: as it is sent, without userinfo and fragment."""
    parts = urlsplit(_requoted(url))
    authority = parts.netloc.rpartition("@")[2].lower()
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme.lower()}://{authority}{parts.path or '/'}{query}"


def response(content_type: str, size: int, body: bytes = b"") -> bytes:
    """A record. `size` is that of the file; `body` stays empty where it lies beside."""
    return MAGIC + pack(
        {
            "response": {
                "body": body,
                "headers": _headers(content_type, size),
                "status": 200,
                "version": 11,
                "reason": "OK",
                "decode_content": False,
            },
            "vary": {},
        }
    )


def response_around(content_type: str, size: int) -> tuple[bytes, bytes]:
    """What comes before and after a body of `size` bytes in a record that holds it."""
    mark = b"\0body\0"
    before, after = response(content_type, size, mark).split(pack(mark))
    return before + _bin_head(size), after


def entries(
    folder: str, url: str, content_type: str, blob: Blob, artifact: Artifact | None
) -> Iterator[Entry]:
    """A record and its body, as pip 23.3 and Poetry 2.4 and newer read them."""
    path = f"{folder}/{entry_path(url)}"
    yield Entry(path, response(content_type, blob.size), artifact=artifact)
    yield Entry(path + ".body", blob, artifact=artifact)


def entry_with_body(
    folder: str,
    url: str,
    content_type: str,
    blob: Blob,
    artifact: Artifact | None,
    workshop: Workshop,
) -> Entry:
    """A record with its body inside, as older clients read it."""

    def chunks() -> Iterator[bytes]:
        before, after = response_around(content_type, blob.size)
        yield before
        with workshop.open(blob) as file:
            while chunk := file.read(1 << 20):
                yield chunk
        yield after

    path = f"{folder}/{entry_path(url)}"
    return Entry(path, workshop.keep(chunks()), artifact=artifact)


def pack(value: Value) -> bytes:
    """msgpack, of the few types that a record has."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return bytes([value]) if value < 0x80 else b"\xcf" + struct.pack(">Q", value)
    if isinstance(value, str):
        data = value.encode()
        if len(data) < 32:
            return bytes([0xA0 | len(data)]) + data
        return b"\xda" + struct.pack(">H", len(data)) + data
    if isinstance(value, bytes):
        return _bin_head(len(value)) + value
    head = (
        bytes([0x80 | len(value)]) if len(value) < 16 else b"\xde" + struct.pack(">H", len(value))
    )
    return head + b"".join(pack(key) + pack(item) for key, item in value.items())


def _bin_head(size: int) -> bytes:
    for limit, head, form in _BIN:
        if size <= limit:
            return head + struct.pack(form, size)
    raise ValueError(f"a record cannot hold a body of {size} bytes")


def _headers(content_type: str, size: int) -> dict[str, Value]:
    return {
        "Content-Type": content_type,
        "Content-Length": str(size),
        "Date": DATE,
        "Cache-Control": f"max-age={MAX_AGE}",
    }


def _requoted(url: str) -> str:
    """As the library requests sends it: quoted where it must be, unquoted where it may be."""
    bare = url.partition("#")[0]
    head, *rest = bare.split("%")
    parts = [head]
    for part in rest:
        digits = part[:2]
        if len(digits) < 2 or not digits.isalnum():
            parts.append(f"%{part}")
            continue
        try:
            code = int(digits, 16)
        except ValueError:
            return quote(bare, safe="!#$&'()*+,/:;=?@[]~")
        parts.append(chr(code) + part[2:] if code in _UNRESERVED else f"%{part}")
    return quote("".join(parts), safe="!#$%&'()*+,/:;=?@[]~")
