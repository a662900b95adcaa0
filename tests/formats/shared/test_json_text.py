"""What is wrong with a JSON file is said with its line."""

from __future__ import annotations

import pytest

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.text.json_text import load_json


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ('{\n"a": 1,\n"a": 2}', "the key 'a' comes twice", 3),
        ('{"a": {"b": 1},\n"c": {"b": 1,\n\n"b": 2}}', "the key 'b' comes twice", 4),
        ('{"a": [{"b": 1}, {"b": "}"}],\n"\\u0061": 2}', "the key 'a' comes twice", 2),
        ('{"x": "{\\"x\\": 1", "y": 1,\n"y": 1}', "the key 'y' comes twice", 2),
        ('{\n"a": 1,\n<<<<<<< HEAD\n"b": 1\n', "merge conflict", 3),
        ('{\n"a": 1\n<<<<<<< HEAD\n', "merge conflict", 3),
        ('{\n"a": tru}', "not valid JSON", 2),
    ],
)
def test_errors(text: str, what: str, line: int) -> None:
    with pytest.raises(LockfileError, match=what) as caught:
        load_json(text, "x.json")
    assert caught.value.where == f"x.json:{line}"
    if "twice" in what or "conflict" in what:
        assert caught.value.fix
