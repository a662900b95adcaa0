"""Conditions of dependencies: what a target rules out, and what it leaves open."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.real.clients import tool
from vendorpack.formats.cargo.platforms import may_apply
from vendorpack.target import parse_target

LINUX = "linux-x86_64-gnu"
MUSL = "linux-aarch64-musl"
WINDOWS = "windows-x86_64"
MAC = "macos-aarch64"
ARM = "linux-armv7l-gnu"


@pytest.mark.parametrize(
    ("condition", "targets"),
    [
        ("cfg(unix)", {LINUX, MUSL, MAC, ARM}),
        ("cfg(windows)", {WINDOWS}),
        ("cfg(not(windows))", {LINUX, MUSL, MAC, ARM}),
        ('cfg(target_os = "macos")', {MAC}),
        ('cfg(target_os = "wasi")', set()),
        ('cfg(target_family = "wasm")', set()),
        (
            'cfg(all(target_arch="x86_64",target_env="gnu",not(windows_raw_dylib)))',
            {LINUX, WINDOWS},
        ),
        ('cfg( any( target_env = "musl" , windows, ) )', {MUSL, WINDOWS}),
        ('cfg(target_pointer_width = "32")', {ARM}),
        ('cfg(target_arch = "arm")', {ARM}),
        ("cfg(any())", set()),
        ("cfg(all())", {LINUX, MUSL, WINDOWS, MAC, ARM}),
        ("cfg(not(any()))", {LINUX, MUSL, WINDOWS, MAC, ARM}),
        ("cfg(false)", set()),
        ("x86_64-unknown-linux-gnu", {LINUX}),
        ("x86_64-pc-windows-gnullvm", {WINDOWS}),
        ("x86_64-pc-windows-msvc", {WINDOWS}),
        ("i686-pc-windows-gnu", set()),
        ("aarch64-alpine-linux-musl", {MUSL}),
        ("aarch64-apple-darwin", {MAC}),
        ("aarch64-linux-android", set()),
        ("armv7-unknown-linux-gnueabihf", {ARM}),
        ("wasm32-unknown-unknown", set()),
    ],
)
def test_what_is_known_of_a_target(condition: str, targets: set[str]) -> None:
    found = {t for t in (LINUX, MUSL, WINDOWS, MAC, ARM) if may_apply(condition, parse_target(t))}
    assert found == targets


@pytest.mark.parametrize(
    "condition",
    [
        None,
        "cfg(tokio_unstable)",
        "cfg(not(tokio_unstable))",
        'cfg(target_feature = "sse2")',
        'cfg(not(target_vendor = "alpine"))',
        'cfg(feature = "std")',
        "cfg(debug_assertions)",
        "cfg(all(unix, loom))",
        # What cannot be read may hold as well.
        "cfg(",
        "cfg(unix",
        "cfg(unix) x",
        "cfg(unix windows)",
        "cfg(not(unix, windows))",
        "cfg(neither(unix))",
        'cfg("unix")',
        "cfg(unix = )",
        "cfg(target_os = windows)",
        "cfg()",
        "cfg(unix)\x00",
        "cfg(" + "not(" * 5000 + "unix" + ")" * 5000 + ")",
    ],
)
def test_what_cannot_be_told_is_not_ruled_out(condition: str | None) -> None:
    assert may_apply(condition, parse_target(LINUX))


WORDS = st.sampled_from(
    ["cfg(", "all(", "any(", "not(", ")", ",", " ", "=", '"linux"', "unix", "target_os", "é", "\n"]
)


@given(st.lists(WORDS, max_size=20).map("".join) | st.text(max_size=30))
def test_nothing_comes_out_but_an_answer(condition: str) -> None:
    assert may_apply(condition, parse_target(LINUX)) in (True, False)


EXPRESSIONS = st.recursive(
    st.sampled_from(["unix", "windows", 'target_os = "linux"', "loom", "any()", "all()"]),
    lambda inner: (
        st.builds(
            lambda name, values: f"{name}({', '.join(values)})",
            st.sampled_from(["all", "any"]),
            st.lists(inner, max_size=3),
        )
        | inner.map("not({})".format)
    ),
    max_leaves=12,
)


@given(EXPRESSIONS)
def test_an_expression_or_its_contrary_may_hold(expression: str) -> None:
    target = parse_target(LINUX)
    assert may_apply(f"cfg({expression})", target) or may_apply(f"cfg(not({expression}))", target)


@pytest.mark.parametrize(
    ("target", "platforms"),
    [
        ("linux-x86_64-gnu", ["x86_64-unknown-linux-gnu"]),
        ("linux-x86_64-musl", ["x86_64-unknown-linux-musl"]),
        ("linux-i686-gnu", ["i686-unknown-linux-gnu"]),
        (
            "linux-armv7l-gnu",
            ["armv7-unknown-linux-gnueabihf", "arm-unknown-linux-gnueabi"],
        ),
        ("linux-aarch64-musl", ["aarch64-unknown-linux-musl"]),
        ("linux-ppc64le-gnu", ["powerpc64le-unknown-linux-gnu"]),
        ("linux-s390x-gnu", ["s390x-unknown-linux-gnu"]),
        ("linux-riscv64-gnu", ["riscv64gc-unknown-linux-gnu"]),
        ("linux-loong64-gnu", ["loongarch64-unknown-linux-gnu"]),
        ("macos-aarch64", ["aarch64-apple-darwin"]),
        ("macos-x86_64", ["x86_64-apple-darwin"]),
        (
            "windows-x86_64",
            ["x86_64-pc-windows-msvc", "x86_64-pc-windows-gnu", "x86_64-pc-windows-gnullvm"],
        ),
        ("windows-aarch64", ["aarch64-pc-windows-msvc"]),
        ("windows-i686", ["i686-pc-windows-msvc"]),
        ("freebsd-x86_64", ["x86_64-unknown-freebsd"]),
        ("android-aarch64", ["aarch64-linux-android"]),
        ("sunos-x86_64", ["x86_64-pc-solaris", "x86_64-unknown-illumos"]),
    ],
)
def test_nothing_that_rustc_says_of_a_platform_is_ruled_out(
    target: str, platforms: list[str]
) -> None:
    """`rustc --print cfg` knows every platform, whether it can be built for here or not."""
    for platform in platforms:
        command = [tool("rustc"), "--print", "cfg", "--target", platform]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        lines = said.splitlines()
        assert len(lines) > 8
        for condition in (platform, *(f"cfg({line})" for line in lines)):
            assert may_apply(condition, parse_target(target)), condition
        assert may_apply(f"cfg(all({', '.join(lines)}))", parse_target(target))
