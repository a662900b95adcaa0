"""Yarn 1's file syntax."""

from __future__ import annotations

import pytest

from vendorpack.errors import LockfileError
from vendorpack.formats.yarn_classic.syntax import Section, Setting, parse


def test_sections_and_settings() -> None:
    text = """# comment
registry "https://registry.example/"
"@s:registry" "https://s.example"
lastUpdateCheck 1501
--install.flat true

"@s/a@^1.0.0", b@~2, c@file:.:   # a colon ends a bare name
"""
    with pytest.raises(LockfileError, match="makes no sense"):
        list(parse(text.encode(), "f"))
    text = text.rpartition("\n\n")[0] + '\r\n\r\n"a@^1", b@~2:\r\n  version "1"\r\n  deps:\r\n'
    text += '    c "^1"\r\n    "d" ">= 1"\r\n  last sha512-a+b/c==\r\n'
    (*settings, section) = parse(text.encode(), "f")
    assert settings == [
        Setting("registry", "https://registry.example/", 2),
        Setting("@s:registry", "https://s.example", 3),
        Setting("lastUpdateCheck", "1501", 4),
        Setting("--install.flat", "true", 5),
    ]
    assert section == Section(
        ("a@^1", "b@~2"),
        7,
        {"version": "1", "last": "sha512-a+b/c=="},
        [Section(("deps",), 9, {"c": "^1", "d": ">= 1"})],
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a:\n   b 1\n", 2),
        ("a:\n    b 1\n", 2),
        ("  a:\n", 1),
        ("\ta:\n", 1),
        ("a\n", 1),
        ("a:\n  b 1.0.0\n", 2),
        ('a:\n  b "x\n', 2),
        ('a:\n  b "\\x"\n', 2),
        ('a:\n  b "\\ud800"\n', 2),
        ('a:\n  b "x" y\n', 2),
        ("a:\n  b 1\n  b 2\n", 3),
        ("a, :\n", 1),
        ("{}\n", 1),
        ("a:\n<<<<<<< HEAD\n", 2),
        ("".join("  " * depth + "a:\n" for depth in range(100)), 6),
    ],
)
def test_nonsense_is_refused(text: str, line: int) -> None:
    with pytest.raises(LockfileError) as caught:
        list(parse(text.encode(), "f"))
    assert caught.value.where == f"f:{line}"


@pytest.mark.parametrize("data", [b"\xff", b"a:\n  b \0\n", b'a:\n  b "\\\n'])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(LockfileError):
        list(parse(data, "f"))
