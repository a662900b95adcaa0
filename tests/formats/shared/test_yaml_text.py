"""Strict YAML: values, lines, and what is refused."""

from __future__ import annotations

import pytest

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.text.yaml_text import Yaml, load_documents, load_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a: 1.10\nb: 5.4\nc: 2020-01-01\nd: 0x1f\ne: yes\nf: 1_000\ng: 1:20\nh: 1e3", {
            "a": "1.10", "b": "5.4", "c": "2020-01-01", "d": "0x1f", "e": "yes", "f": "1_000",
            "g": "1:20", "h": "1e3",
        }),
        ("a: true\nb: false\nc: null\nd: ~\ne:\nf: True\n", {
            "a": True, "b": False, "c": None, "d": None, "e": None, "f": "True",
        }),
        ("a: 'true'\nb: \"null\"\nc: ''\n", {"a": "true", "b": "null", "c": ""}),
        ("true: 1\n9: 2\n", {"true": "1", "9": "2"}),
        ("a: {b: [c, {d: e}], f: {}}\n", {"a": {"b": ["c", {"d": "e"}], "f": {}}}),
        ("? long\n: value\n", {"long": "value"}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("a: [[], [[x]]]\nb: c", {"a": [[], [["x"]]], "b": "c"}),
        ("\ufeffa: b\r\nc: d\r\n", {"a": "b", "c": "d"}),
        ('"<<": 1', {"<<": "1"}),
    ],
)  # fmt: skip
def test_values(text: str, value: Yaml) -> None:
    assert load_yaml(text.encode(), "lock.yaml").value == value


def test_lines() -> None:
    document = load_yaml(b"a: 1\n\nb:\n  c: {x: 1}\n  d:\n    e: 2\nf: [{g: 1}]\n", "lock.yaml")
    assert document.lines == {
        ("a",): 1,
        ("b",): 3,
        ("b", "c"): 4,
        ("b", "d"): 5,
        ("f",): 7,
    }


def test_lines_count_from_the_start_of_the_file() -> None:
    first, second = load_documents(b"---\na: 1\n---\na: 2\n", "lock.yaml")
    assert (first.value, first.lines) == ({"a": "1"}, {("a",): 2})
    assert (second.value, second.lines) == ({"a": "2"}, {("a",): 4})


@pytest.mark.parametrize(
    ("data", "what", "line"),
    [
        (b"a: &x 1\nb: *x", "anchors", 1),
        (b"b: *x", "anchors", 1),
        (b"a: &x [1]", "anchors", 1),
        (b"a: 1\nb: !!binary eA==", "tags", 2),
        (b"a: !!python/object:os.system {}", "tags", 1),
        (b"\na:\n  <<: {b: 1}", "merge keys", 3),
        (b"a: 1\nb: 2\na: 3", "'a' comes twice", 3),
        (b"a: {b: 1, b: 1}", "'b' comes twice", 1),
        (b"[1]: 2", "a key is not a text", 1),
        (b"a: " + b"[" * 100_000, "too deeply", 1),
        (b"a: " + b"{b: " * 100_000, "too deeply", 1),
        (b"- " * 100_000, "too deeply", 1),
        (b"a: " + b"[" * 65, "too deeply", 1),
        (b"a: " + b"[" * 10 + b"]" * 9 + b"}", "not valid YAML", 1),
        (b"a: b\n c: d", "not valid YAML", 2),
        (b"a: [\n", "not valid YAML", 2),
        (b"a: 'b", "not valid YAML", 1),
        (b"a: b\nc: \xff", "not UTF-8", 2),
        (b"a: b\nc: \x00", "NUL", 2),
        (b"a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> main\n", "merge conflict", 2),
    ],
)
def test_refuses(data: bytes, what: str, line: int) -> None:
    with pytest.raises(LockfileError, match=what) as caught:
        load_yaml(data, "lock.yaml")
    assert caught.value.where == f"lock.yaml:{line}"


def test_a_control_character_is_refused() -> None:
    with pytest.raises(LockfileError, match="not valid YAML"):
        load_yaml(b"a: \x07", "lock.yaml")


def test_one_document_only() -> None:
    with pytest.raises(LockfileError, match="more than one"):
        load_yaml(b"a: 1\n---\nb: 1\n", "lock.yaml")
