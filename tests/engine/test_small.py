"""Targets, redaction and what is printed."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendorpack import errors
from vendorpack.console import Console, plain
from vendorpack.errors import FetchError, UsageError, VendorpackError
from vendorpack.model import Target
from vendorpack.redact import redact_text, redact_url
from vendorpack.target import parse_target, this_machine


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("linux-x86_64-gnu", "linux-x86_64-gnu"),
        ("linux-x64", "linux-x86_64-gnu"),
        ("Linux-amd64-glibc-py3.12", "linux-x86_64-gnu-py3.12"),
        ("linux-arm64-musl-py3.13t-node22", "linux-aarch64-musl-node22-py3.13t"),
        ("darwin-arm64", "macos-aarch64"),
        ("win32-x64-py3.11", "windows-x86_64-py3.11"),
    ],
)
def test_target(text: str, printed: str) -> None:
    target = parse_target(text)
    assert str(target) == printed
    assert parse_target(printed) == target


@pytest.mark.parametrize(
    "text", ["", "linux", "plan9-x86_64", "linux-z80", "macos-arm64-musl", "linux-x64-gnu-3.12"]
)
def test_bad_target(text: str) -> None:
    with pytest.raises(UsageError, match="is not a target"):
        parse_target(text)


def test_this_machine() -> None:
    assert parse_target(str(this_machine())) == this_machine()
    assert Target("linux", "x86_64", "gnu", (("py", "3.12"),)).runtime("py") == "3.12"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@h.example/a?sig=abc&x=1#f", "https://h.example/a?sig=***&x=***#f"),
        ("https://token@h.example/", "https://h.example/"),
        ("https://h.example/a", "https://h.example/a"),
        ("http://h.example:8080", "http://h.example:8080"),
        ("https://[bad", "<not a URL>"),
        ("https://u:bad/pass@h.example/a", "<not a URL>"),
    ],
)
def test_redact(url: str, shown: str) -> None:
    assert redact_url(url) == shown
    if "bad" not in url:
        assert redact_text(f"at '{url}': no") == f"at '{shown}': no"
        assert redact_text(f"See {url}.") == f"See {shown}."


@given(st.text())
def test_plain_prints_nothing_that_moves(text: str) -> None:
    shown = plain(text)
    assert all(c in "\n\t" or c.isprintable() or not c.isascii() for c in shown)
    assert not set(shown) & set("\x1b\r\x9b\u202e\u2066")
    shown.encode()


def test_an_error_is_told_in_lines() -> None:
    out, err = io.StringIO(), io.StringIO()
    error = FetchError(
        "no \x1b[2J answer", where="https://me:hunter2@h.example/a?k=hunter2", fix="wait\nthen"
    )
    Console(out=out, err=err, as_json=True).fail(error)
    text = err.getvalue()
    assert text.splitlines() == [
        "error: no \\x1b[2J answer",
        "  https://h.example/a?k=***",
        "  wait",
        "  then",
    ]
    assert json.loads(out.getvalue())["exit_code"] == 7
    assert "hunter2" not in out.getvalue()


def test_every_class_has_its_own_exit_code() -> None:
    classes = [
        c
        for c in vars(errors).values()
        if isinstance(c, type) and issubclass(c, VendorpackError) and c is not errors.BlobLost
    ]
    codes = [c.exit_code for c in classes]
    assert len(set(codes)) == len(codes) == 12
    assert errors.__doc__ is not None
    for one in classes[1:]:
        assert f"{one.__name__:<18} {one.exit_code:>2}" in errors.__doc__ or (
            one.__name__ in errors.__doc__ and f" {one.exit_code} " in errors.__doc__
        )
