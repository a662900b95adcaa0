"""TOML with the line that is wrong."""

from __future__ import annotations

import pytest

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.text.toml_text import (
    load_toml,
    optional_text,
    subtable,
    tables,
    text,
    text_list,
)


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"a = 1\nb = \xff\n", "x.lock:2"),
        (b"a = 1\n\nb = 'open\n", "x.lock:4"),
        (b"a = 1\na = 2\n", "x.lock:2"),
        (b"a = [\n1,\n", "x.lock:3"),
        (b"\xef\xbb\xbfa = 1", "x.lock:1"),
        (b"a = '\x00'", "x.lock:1"),
        (b"a = " + b"[" * 100_000, "x.lock"),
        (b"a = " + b"9" * 100_000, "x.lock"),
    ],
)
def test_what_is_no_toml_says_where(data: bytes, where: str) -> None:
    with pytest.raises(LockfileError) as caught:
        load_toml(data, "x.lock")
    assert caught.value.where == where
    assert "at line" not in caught.value.what


def test_tables_know_their_lines() -> None:
    data = b"# [[p]]\n[[p]]\nn = 1\n  [[ p ]] # second\n[[q.r]]\nn = 3\n"
    document = load_toml(data, "x")
    assert [(dict(t), where) for t, where in tables(document, data, "p", "x")] == [
        ({"n": 1}, "x:2"),
        ({}, "x:4"),
    ]
    assert tables(document, data, "q.r", "x") == [({"n": 3}, "x:5")]
    assert tables(document, data, "missing", "x") == []
    hidden = b"p = [{n = 1}]\n"
    assert tables(load_toml(hidden, "x"), hidden, "p", "x") == [({"n": 1}, "x")]


def test_values_have_their_type_or_an_error() -> None:
    table = load_toml(b"s = 's'\nn = 1\nl = ['a']\nm = [1]\nt = {}\n", "x")
    assert (text(table, "s", "x:1"), optional_text(table, "no", "x:1")) == ("s", None)
    assert (text_list(table, "l", "x"), text_list(table, "no", "x")) == (["a"], [])
    assert (subtable(table, "t", "x"), subtable(table, "no", "x")) == ({}, {})
    for read, key in [
        (text, "n"),
        (text, "no"),
        (optional_text, "n"),
        (text_list, "m"),
        (text_list, "s"),
        (subtable, "l"),
    ]:
        with pytest.raises(LockfileError) as caught:
            read(table, key, "x:7")
        assert caught.value.where == "x:7"
