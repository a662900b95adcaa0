"""Yarn's formulas over platforms."""

from __future__ import annotations

import pytest

from vendorpack.errors import LockfileError
from vendorpack.formats.yarn_berry.conditions import evaluate


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("os=linux", True),
        ("os=darwin", False),
        ("!os=darwin", True),
        ("!!os=linux", True),
        ("os=linux & cpu=x64 & libc=glibc", True),
        ("os=linux&cpu=arm64", False),
        ("(os=darwin | os=linux) & cpu=x64", True),
        ("!(os=darwin | os=linux)", False),
        ("os=linux ^ cpu=x64", False),
        ("os=linux ^ cpu=arm", True),
        # No precedence: (true | true) & false.
        ("os=linux | cpu=x64 & libc=musl", False),
        ("os=linux | (cpu=x64 & libc=musl)", True),
        ("  os=linux  ", True),
        ("((os=linux))", True),
    ],
)
def test_formulas(text: str, value: bool) -> None:
    facts = {"os": "linux", "cpu": "x64", "libc": "glibc"}
    assert evaluate(text, lambda kind, name: facts[kind] == name, "yarn.lock:1") is value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "os",
        "os=",
        "os=linux cpu=x64",
        "os=linux &",
        "& os=linux",
        "os=linux & & cpu=x64",
        "!",
        "os=linux !",
        "(os=linux",
        "os=linux)",
        "()",
        "os=Linux",
        "node=20",
        "os=linux ! & cpu=x64",
        "(" * 100_000,
    ],
)
def test_no_formulas(text: str) -> None:
    with pytest.raises(LockfileError, match="make no sense") as caught:
        evaluate(text, lambda _kind, _name: True, "yarn.lock:1")
    assert caught.value.where == "yarn.lock:1"


def test_depth_is_no_matter() -> None:
    assert evaluate("(" * 50_000 + "os=linux" + ")" * 50_000, lambda _k, _v: True, "x")
