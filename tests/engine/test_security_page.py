"""docs/security.md names the tests of each attack and fault: none is missing or made up."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs/security.md"
ATTACKS, FAULTS = 22, 34


def rows(kind: str) -> list[tuple[str, list[str]]]:
    """The rows of a table: what they are about, and the tests they name."""
    table = PAGE.read_text().partition(f"| {kind} | tests |\n|---|---|\n")[2].partition("\n\n")[0]
    cells = [line.strip("| ").split(" | ") for line in table.strip().splitlines()]
    return [(about, re.findall(r"`(test_\w+)`", tests)) for about, tests in cells]


def numbers(about: str) -> set[int]:
    found = re.match(r"[0-9]+(?:(?:, | to )[0-9]+)*", about)
    if found is None:
        return set()
    first, *rest = map(int, re.findall(r"[0-9]+", found[0]))
    return {*range(first, rest[-1] + 1)} if rest else {first}


def test_every_attack_and_fault_has_a_test() -> None:
    for kind, most in (("attack", ATTACKS), ("fault", FAULTS)):
        listed = rows(kind)
        assert all(tests for _, tests in listed)
        assert set().union(*(numbers(about) for about, _ in listed)) == {*range(1, most + 1)}


def test_every_test_that_is_named_exists() -> None:
    written = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)\(", written, re.MULTILINE))
    named = [test for kind in ("attack", "fault") for _, tests in rows(kind) for test in tests]
    assert len(named) > ATTACKS + FAULTS
    assert not {*named} - there
