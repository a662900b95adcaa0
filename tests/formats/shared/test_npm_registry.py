"""Names, addresses and platforms of the npm registry."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.memory import MemoryIndex
from vendorpack.errors import FetchError, LockfileError
from vendorpack.formats._shared.npm.registry import (
    DEFAULT_REGISTRY,
    Release,
    check_name,
    check_version,
    chosen,
    dist_from_packument,
    dists_from_packuments,
    packument_url,
    purl,
    tarball_url,
)
from vendorpack.formats._shared.text.json_text import decode_utf8, key_lines, load_json
from vendorpack.room import Answer
from vendorpack.target import parse_target

GOOD_NAMES = [
    "a",
    "a-b",
    "@a/b",
    "JSONStream",
    "a.b_c~d",
    "@s/.x".replace(".", ""),
    "x" * 214,
    "3d",
]
BAD_NAMES = [
    *(
        "",
        ".",
        "..",
        "../a",
        "a/b",
        "/a",
        "@/a",
        "@a/",
        "@a",
        "@a/b/c",
        "@../b",
        "@a/..",
        ".hidden",
    ),
    *("a\\b", "a\0", "a\n", "a b", " a", "a%2fb", "a?b", "a#b", "a:b", "\u202ea", "é", "x" * 215),
    *("node_modules", "Node_Modules", "@s/node_modules", "-rf"),
]


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_good_names(name: str) -> None:
    assert check_name(name, "here") == name


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(name: str) -> None:
    with pytest.raises(LockfileError) as caught:
        check_name(name, "here")
    assert caught.value.where == "here"


def test_versions() -> None:
    for version in ("1.0.0", "0.0.0-beta.1+build.5", "v1.2", "2024.1.1-rc1"):
        assert check_version(version, "here") == version
    for version in ("", "latest", "1/2", "1..2", "1.0.0\n", "1 0", "1" * 300, "1.0.0#x", "-1"):
        with pytest.raises(LockfileError):
            check_version(version, "here")


def test_addresses() -> None:
    for registry in ("https://r.example/npm/", "https://r.example/npm"):
        assert tarball_url(registry, "@s/b", "1.0.0") == (
            "https://r.example/npm/@s/b/-/b-1.0.0.tgz"
        )
        assert packument_url(registry, "@s/b") == "https://r.example/npm/@s%2fb"
    assert purl("@s/b", "1.0.0+x") == "pkg:npm/%40s/b@1.0.0%2Bx"


FITS: list[tuple[str, dict[str, list[str]], bool]] = [
    ("linux-x86_64-gnu", {}, True),
    ("linux-x86_64-gnu", {"os": ["linux"], "cpu": ["x64"], "libc": ["glibc"]}, True),
    ("linux-x86_64-musl", {"os": ["linux"], "cpu": ["x64"], "libc": ["glibc"]}, False),
    ("linux-x86_64-musl", {"libc": ["musl"]}, True),
    ("linux-aarch64-gnu", {"cpu": ["arm64"]}, True),
    ("linux-armv7l-gnu", {"cpu": ["arm"]}, True),
    ("linux-ppc64le-gnu", {"cpu": ["ppc64"]}, True),
    ("linux-i686-gnu", {"cpu": ["ia32"]}, True),
    ("linux-s390x-gnu", {"cpu": ["s390x"]}, True),
    ("linux-riscv64-gnu", {"cpu": ["riscv64"]}, True),
    ("linux-loong64-gnu", {"cpu": ["loong64"]}, True),
    ("macos-aarch64", {"os": ["darwin"], "cpu": ["arm64"]}, True),
    ("macos-aarch64", {"os": ["darwin"], "libc": ["glibc"]}, True),
    ("windows-x86_64", {"os": ["win32"]}, True),
    ("windows-x86_64", {"os": ["darwin", "linux"]}, False),
    ("windows-x86_64", {"os": ["!win32"]}, False),
    ("linux-x86_64-gnu", {"os": ["!win32"]}, True),
    ("linux-x86_64-gnu", {"os": ["!win32", "!linux"]}, False),
    ("linux-x86_64-gnu", {"os": ["!win32", "darwin"]}, False),
    ("linux-x86_64-gnu", {"os": ["any"], "cpu": ["any"]}, True),
    ("freebsd-x86_64", {"os": ["freebsd"]}, True),
]


@pytest.mark.parametrize(("target", "limits", "expected"), FITS)
def test_platforms(target: str, limits: dict[str, list[str]], expected: bool) -> None:
    assert chosen([parse_target(target)], **limits) is expected
    assert chosen([], **limits), "no targets means all"


def test_any_target_is_enough() -> None:
    targets = [parse_target("linux-x86_64-gnu"), parse_target("macos-aarch64")]
    assert chosen(targets, os=["darwin"]) and not chosen(targets, os=["win32"])


def packument(name: str, *versions: str) -> bytes:
    def dist(version: str) -> dict[str, str]:
        return {"tarball": f"https://r.example/{name}-{version}.tgz", "shasum": "0" * 40}

    return json.dumps({"versions": {v: {"dist": dist(v)} for v in versions}}).encode()


def test_each_packument_is_asked_for_once() -> None:
    index = MemoryIndex({"https://r.example/a": packument("a", "1.0.0", "2.0.0")})
    wanted = [
        Release("https://r.example/", name, version)
        for name, version in (("a", "2.0.0"), ("a", "1.0.0"), ("a", "3.0.0"), ("b", "1.0.0"))
    ]
    found = asyncio.run(dists_from_packuments(index, wanted))
    assert index.asked == ["https://r.example/a", "https://r.example/b"]
    assert sorted(r.version for r in found) == ["1.0.0", "2.0.0"]


def test_one_that_must_be_there() -> None:
    index = MemoryIndex({"https://r.example/a": packument("a", "1.0.0")})
    dist = asyncio.run(dist_from_packument(index, "https://r.example/", "a", "1.0.0"))
    assert dist.tarball == "https://r.example/a-1.0.0.tgz" and dist.integrity.weak
    with pytest.raises(FetchError) as caught:
        asyncio.run(dist_from_packument(index, "https://r.example/", "a", "9.9.9"))
    assert caught.value.status == 404


def test_a_documents_version_must_be_the_one_asked_for() -> None:
    index = MemoryIndex({f"{DEFAULT_REGISTRY}a/1.0.0": b'{"version": "2.0.0", "dist": {}}'})
    release = Release(DEFAULT_REGISTRY, "a", "1.0.0")
    assert asyncio.run(dists_from_packuments(index, [release])) == {}


def test_other_failures_than_not_found_stop() -> None:
    class Down(MemoryIndex):
        async def get(self, url: str, *, accept: str = "*/*", max_size: int = 0) -> Answer:
            raise FetchError("down", status=503)

    with pytest.raises(FetchError, match="down"):
        asyncio.run(
            dists_from_packuments(Down({}), [Release("https://r.example/", n, "1") for n in "ab"])
        )


def test_errors_in_json_say_the_line() -> None:
    for data, line in ((b'{\n"a": 1\n"b": 2}', 3), (b'{\n"a": \xff}', 2), (b'{\n\n"a": \0}', 3)):
        with pytest.raises(LockfileError) as caught:
            load_json(decode_utf8(data, "lock"), "lock")
        assert caught.value.where == f"lock:{line}"


@pytest.mark.parametrize("indent", [2, 4, "\t"])
def test_lines_of_keys(indent: int | str) -> None:
    value = {"x": {"b": {"c": 1}}, "s": {"a": {"b": 1}, "b": {}, "c": 3}, "z": {"b": 1}}
    text = json.dumps(value, indent=indent)
    lines = text.splitlines()
    found = key_lines(text, "s")
    assert list(found) == ["a", "b", "c"]
    assert all(f'"{key}":' in lines[line - 1] for key, line in found.items())
    assert found["a"] < found["b"] < found["c"]
    assert key_lines(text.replace("\n", "\r\n"), "s") == found
    assert key_lines(json.dumps(value), "s") == {}
    assert key_lines(text, "missing") == {}
