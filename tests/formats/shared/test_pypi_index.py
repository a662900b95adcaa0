"""Project pages in JSON and HTML, and pages that make no sense."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.world.distributions import Pages
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import FetchError, LockfileError
from vendorpack.formats._shared.python.index import (
    IndexFile,
    check_filename,
    check_name,
    filename_of,
    page_url,
    pages,
    parse_hash,
    project_files,
    purl,
)

BASE = "https://index.example/simple/"
SHA = "ab" * 32
INTEGRITY = Integrity.of([Digest.from_hex("sha256", SHA)])
JSON = "application/vnd.pypi.simple.v1+json"


def ask(body: bytes, content_type: str = JSON) -> tuple[IndexFile, ...] | None:
    index = Pages({"https://index.example/simple/foo-bar/": (content_type, body)})
    return asyncio.run(project_files(index, BASE, "Foo.Bar"))


def page(**entry: Any) -> bytes:
    whole = {"filename": "foo_bar-1-py3-none-any.whl", "url": "x.whl", "hashes": {}, **entry}
    return json.dumps({"meta": {"api-version": "1.4"}, "files": [whole]}).encode()


def test_json() -> None:
    body = page(
        url="https://user:secret@files.example/a/foo_bar-1-py3-none-any.whl#x",
        hashes={"sha256": SHA, "blake3": "00"},
        size=12,
        yanked="bad",
        **{"requires-python": ">=3.8", "core-metadata": {"sha256": SHA}},
    )
    assert ask(body) == (
        IndexFile(
            filename="foo_bar-1-py3-none-any.whl",
            url="https://files.example/a/foo_bar-1-py3-none-any.whl",
            hashes=INTEGRITY,
            index=BASE,
            size=12,
            requires_python=">=3.8",
            yanked="bad",
            metadata=INTEGRITY,
        ),
    )


def test_json_with_nothing_but_the_least() -> None:
    (file,) = ask(page(url="../../f/x.whl")) or ()
    assert file.url == "https://index.example/f/x.whl"
    assert (file.hashes, file.size, file.yanked, file.metadata) == (Integrity(), None, None, None)
    (file,) = ask(page(**{"dist-info-metadata": True, "yanked": True})) or ()
    assert (file.yanked, file.metadata) == ("", Integrity())


def test_html() -> None:
    body = f"""<!DOCTYPE html><html><head><base href="https://mirror.example/a/"></head><body>
      <a href="../b/foo_bar-1.tar.gz#sha256={SHA}" data-requires-python="&gt;=3.8"
         data-yanked data-core-metadata="sha256={SHA}">foo_bar-1.tar.gz</a>
      <a href="https://files.example/foo%2Bbar-2.zip">x</a>
      <a href="..">up</a><a>no</a><a href="ftp://files.example/foo-3.zip">x</a>"""
    first, second = ask(body.encode(), "text/html; charset=utf-8") or ()
    assert first == IndexFile(
        "foo_bar-1.tar.gz",
        "https://mirror.example/b/foo_bar-1.tar.gz",
        INTEGRITY,
        BASE,
        requires_python=">=3.8",
        yanked="",
        metadata=INTEGRITY,
    )
    assert (second.filename, second.hashes) == ("foo+bar-2.zip", Integrity())


def test_a_project_that_is_not_there() -> None:
    found = asyncio.run(pages(Pages({}), [(BASE, "foo"), (BASE, "foo")]))
    assert found == {(BASE, "foo"): None}


def test_other_failures_are_errors() -> None:
    class Down(Pages):
        async def get(self, url: str, **_: Any) -> Any:
            raise FetchError("no", where=url, status=503)

    with pytest.raises(FetchError, match="no"):
        asyncio.run(pages(Down({}), [(BASE, "a"), (BASE, "b")]))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html>log in</html>", "application/pdf"),
        (b"[]", JSON),
        (b"{", JSON),
        (b'{"meta": {"api-version": "2.0"}, "files": []}', JSON),
        (b'{"meta": {"api-version": "1.0"}}', JSON),
        (page(hashes={"sha256": "xyz"}), JSON),
        (page(hashes=[]), JSON),
        (page(size="big"), JSON),
        (page(filename="../up.whl"), JSON),
        (page(url="file:///etc/passwd"), JSON),
        (page(url="https://[broken/x.whl"), JSON),
        (page(**{"requires-python": 3}), JSON),
        (b"[" * 100_000, JSON),
    ],
)
def test_pages_without_sense(body: bytes, content_type: str) -> None:
    with pytest.raises(FetchError, match="makes no sense") as caught:
        ask(body, content_type)
    assert caught.value.where == page_url(BASE, "foo-bar")


def test_names() -> None:
    assert check_name("Foo__bar.Baz", "here") == "foo-bar-baz"
    assert purl("Foo_bar", "1.0+cpu") == "pkg:pypi/foo-bar@1.0%2Bcpu"
    assert filename_of("https://h.example/a/foo%2B1.whl?x=/y#z/w") == "foo+1.whl"
    for name in ("", "-a", "a/b", "a\n", "é", "a" * 201):
        with pytest.raises(LockfileError, match="not a package name"):
            check_name(name, "here")
    for filename in ("", "..", ".x", "a/b", "a\\b", "a\0b", "-x.whl"):
        with pytest.raises(LockfileError, match="not a file name"):
            check_filename(filename, "here")


def test_hashes_in_lockfiles() -> None:
    assert parse_hash(f"sha256:{SHA}", "here") == Digest.from_hex("sha256", SHA)
    for text in (
        "sha256",
        "sha256-" + SHA,
        f"h1:{SHA}",
        f"sha256:{SHA[2:]}",
        f"sha256:{'zz' * 32}",
    ):
        with pytest.raises(LockfileError) as caught:
            parse_hash(text, "lock:3")
        assert caught.value.where == "lock:3"
    with pytest.raises(LockfileError, match="not a hash that counts"):
        parse_hash("md5:" + "00" * 16, "here", ["sha256"])
