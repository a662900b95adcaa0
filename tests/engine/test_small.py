"""Targets, redaction and what is printed."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendorpack import errors
from vendorpack.console import Console, plain
from vendorpack.digest import Integrity
from vendorpack.errors import FetchError, LockfileError, UsageError, VendorpackError
from vendorpack.model import Artifact, Target
from vendorpack.progress import Progress
from vendorpack.redact import PROXY_EXAMPLE, redact_text, redact_url
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
        ("linux-x64-glibc2.36-py3.12", "linux-x86_64-gnu2.36-py3.12"),
        ("linux-x64-musl1.2", "linux-x86_64-musl1.2"),
        ("osx14-arm64", "macos14-aarch64"),
    ],
)
def test_target(text: str, printed: str) -> None:
    target = parse_target(text)
    assert str(target) == printed
    assert parse_target(printed) == target


@pytest.mark.parametrize(
    "text",
    [
        *("", "linux", "plan9-x86_64", "linux-z80", "macos-arm64-musl", "linux-x64-gnu-3.12"),
        *("linux-x64-gnu3.1", "linux2.36-x64", "windows10-x64", "linux-x64-musl2.1", "macos9-x64"),
    ],
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
        ("u:bad@h.example/a", "h.example/a"),
        ("git@h.example:a/bad.git", "h.example:a/bad.git"),
        (
            "http://h.example:8080/@scope/a/-/a-1.0.tgz",
            "http://h.example:8080/@scope/a/-/a-1.0.tgz",
        ),
        ("https://h.example/a@1.0.tgz", "https://h.example/a@1.0.tgz"),
    ],
)
def test_redact(url: str, shown: str) -> None:
    assert redact_url(url) == shown
    if "bad" not in url:
        assert redact_text(f"at '{url}': no") == f"at '{shown}': no"
        assert redact_text(f"See {url}.") == f"See {shown}."


def test_redact_a_login_that_passes_for_a_port() -> None:
    assert redact_text("at http://u:12/hunter2@h.example/a: no") == "at http://***@h.example/a: no"
    assert redact_text("(http://u:1/2/hunter2@h.example/a)") == "(http://***@h.example/a)"


def test_advice_is_not_redacted() -> None:
    text = f"Put the login into the proxy's address ({PROXY_EXAMPLE}) in https_proxy."
    assert redact_text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("::error file=a::b", "\\x3a:error file=a::b"),
        ("a\n  ::add-mask::b", "a\n  \\x3a:add-mask::b"),
        ("a ##vso[task.x]b ##[group]", "a \\x23#vso[task.x]b \\x23#[group]"),
        ("a::b ::c #1 ## x", "a::b ::c #1 ## x"),
        ("zero\u200bwidth \ufeff\u00ad\u2060", "zero\\u200bwidth \\ufeff\\xad\\u2060"),
        ("prøjekt 中\t", "prøjekt 中\t"),
    ],
)
def test_plain_gives_no_orders(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize("part", ["name", "version"])
@pytest.mark.parametrize("text", ["1.0\n::error::x", "1\u200b.0", "a\x1b[2J", "\ud800"])
def test_no_artifact_that_cannot_be_shown(part: str, text: str) -> None:
    shown = {"name": "a", "version": "1", part: text}
    with pytest.raises(LockfileError, match="cannot be printed") as caught:
        Artifact(
            name=shown["name"],
            version=shown["version"],
            purl="pkg:npm/a@1",
            url=None,
            integrity=Integrity(),
            where="lock:1",
        )
    assert caught.value.what.isprintable()


@pytest.mark.parametrize(("value", "colour"), [(None, True), ("", True), ("1", False)])
def test_no_color(value: str | None, colour: bool) -> None:
    err = io.StringIO()
    err.isatty = lambda: True  # type: ignore[method-assign]
    environ = {} if value is None else {"NO_COLOR": value}
    Console(err=err, environ=environ).warn("x")
    assert ("\x1b[33m" in err.getvalue()) is colour


@given(st.text())
def test_plain_prints_nothing_that_moves(text: str) -> None:
    shown = plain(text)
    assert all(c in "\n\t" or c.isprintable() or not c.isascii() for c in shown)
    assert not set(shown) & set("\x1b\r\x9b\u202e\u2066")
    shown.encode()


def test_an_error_is_told_in_lines() -> None:
    out, err = io.StringIO(), io.StringIO()
    error = FetchError(
        "no \x1b[2J answer\nb", where="https://me:hunter2@h.example/a?k=hunter2", fix="wait\nthen"
    )
    Console(out=out, err=err, as_json=True).fail(error)
    text = err.getvalue()
    assert text.splitlines() == [
        "error: no \\x1b[2J answer\\nb",
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
    assert len(set(codes)) == len(codes) == 18
    assert errors.__doc__ is not None
    for one in classes[1:]:
        assert f"{one.__name__:<18} {one.exit_code:>2}" in errors.__doc__ or (
            one.__name__ in errors.__doc__ and f" {one.exit_code} " in errors.__doc__
        )


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_a_log_hears_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("vendorpack.progress.time", clock)
    err = io.StringIO()
    progress = Progress(Console(err=err))
    progress.start("npm: fetching", 4, "artifact")
    for _ in range(3):
        clock.now += 15
        progress.add_bytes(1_000_000)
        progress.done()
    progress.finish()
    progress.start("packing", 9, "artifact", told=False)
    clock.now += 25
    progress.add_bytes(5)
    progress.done()
    clock.now += 5
    progress.add_bytes(5)
    progress.start("unpacking", 2_000_000, "byte")
    progress.add_bytes(500_000)
    clock.now += 19
    progress.tick()
    clock.now += 2
    progress.tick()
    progress.finish()
    progress.tick()
    assert err.getvalue().splitlines() == [
        "npm: fetching: 1 of 4 artifacts, 2.0 MB, 30 s so far",
        "npm: fetching: 3 artifacts, 3.0 MB in 45.0 s",
        "packing: 0 of 9 artifacts, 5 B, 25 s so far",
        "unpacking: 500.0 kB of 2.0 MB, 21 s so far",
    ]
    err = io.StringIO()
    quiet = Progress(Console(err=err, quiet=True))
    quiet.start("packing", 1, "artifact")
    clock.now += 100
    quiet.add_bytes(1)
    assert err.getvalue() == ""


def test_a_bar_has_totals() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    err = Terminal()
    progress = Progress(Console(err=err, environ={"TERM": "xterm"}))
    progress.start("packing", 40, "artifact", told=False)
    progress.done(10)
    progress.start("unpacking", 4_000_000, "byte")
    progress.add_bytes(1_000_000)
    progress.finish()
    assert "packing:   0%|" in err.getvalue() and "0/40" in err.getvalue()
    assert "unpacking:   0%|" in err.getvalue() and "0.00/4.00M" in err.getvalue()


def test_a_line_takes_the_place_of_a_progress_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    err = Terminal()
    Console(err=err, environ={"TERM": "xterm", "NO_COLOR": "1"}).say("interrupted")
    assert err.getvalue() == "\r\x1b[Kinterrupted\n"
    err = Terminal()
    Console(err=err, environ={"TERM": "dumb"}).say("interrupted")
    assert err.getvalue() == "interrupted\n"
