"""Records of the HTTP cache, read back by pip's own copy of the libraries."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.memory import MemoryWorkshop
from vendorpack.formats._shared.python.pip_http_cache import (
    MAGIC,
    cache_url,
    entries,
    entry_path,
    entry_with_body,
    response,
)

URL = "https://files.example/a/foo-1.0.zip"


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        (URL + "#sha256=00", URL),
        ("HTTPS://user:pw@Files.Example:443/A%2fb", "https://files.example:443/A%2fb"),
        ("https://files.example", "https://files.example/"),
        ("https://files.example/a b%7Ec?x=1 2", "https://files.example/a%20b~c?x=1%202"),
        ("https://files.example/100%/é", "https://files.example/100%/%C3%A9"),
        ("https://files.example/100%zz", "https://files.example/100%25zz"),
    ],
)
def test_addresses_as_they_are_sent(url: str, sent: str) -> None:
    assert cache_url(url) == sent
    name = hashlib.sha224(sent.encode()).hexdigest()
    assert entry_path(url) == f"{name[0]}/{name[1]}/{name[2]}/{name[3]}/{name[4]}/{name}"


@pytest.mark.parametrize("url", [URL, "https://files.example/a b%7E%zz?x=é", "https://h.example/%"])
def test_addresses_as_requests_has_them(url: str) -> None:
    utils = pytest.importorskip("pip._vendor.requests.utils")
    assert cache_url(url) == utils.requote_uri(url)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65535, 65536, 1 << 20])
def test_a_record_is_what_pip_reads(size: int) -> None:
    msgpack: Any = pytest.importorskip("pip._vendor.msgpack")
    body = b"x" * size
    workshop = MemoryWorkshop()
    entry = entry_with_body("c", URL, "application/zip", workshop.add(body), None, workshop)
    data = workshop.content(entry)
    assert data == response("application/zip", size, body)
    record = msgpack.loads(data.removeprefix(MAGIC), raw=False)
    assert record == {
        "response": {
            "body": body,
            "headers": {
                "Content-Type": "application/zip",
                "Content-Length": str(size),
                "Date": "Thu, 01 Jan 2026 00:00:00 GMT",
                "Cache-Control": "max-age=3153600000",
            },
            "status": 200,
            "version": 11,
            "reason": "OK",
            "decode_content": False,
        },
        "vary": {},
    }


def test_a_record_and_its_body() -> None:
    workshop = MemoryWorkshop()
    blob = workshop.add(b"zip")
    head, body = entries("pip/cache/http-v2", URL, "application/zip", blob, None)
    assert (body.path, body.content) == (head.path + ".body", blob)
    assert workshop.content(head) == response("application/zip", 3)
