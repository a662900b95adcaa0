"""SPDX expressions: what is chosen by them is what their logic says, whatever they look like."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from vendorpack.license_rules import LicenseRules
from vendorpack.licenses import MAX_LENGTH, declared
from vendorpack.spdx import canonical, parts, satisfied

IDS = ("MIT", "ISC", "Zlib", "Apache-2.0", "GPL-2.0-only")
Tree = str | tuple[str, "Tree", "Tree"]
trees: st.SearchStrategy[Tree] = st.recursive(
    st.sampled_from(IDS),
    lambda inner: st.tuples(st.sampled_from(["AND", "OR"]), inner, inner),
    max_leaves=8,
)


def text_of(tree: Tree, draw_case: bool) -> str:
    if isinstance(tree, str):
        return tree.lower() if draw_case else tree
    operator, left, right = tree
    return f"({text_of(left, draw_case)} {operator} {text_of(right, draw_case)})"


def holds(tree: Tree, good: frozenset[str]) -> bool:
    if isinstance(tree, str):
        return tree in good
    operator, left, right = tree
    both = holds(left, good), holds(right, good)
    return all(both) if operator == "AND" else any(both)


@given(trees, st.booleans(), st.frozensets(st.sampled_from(IDS)))
def test_one_may_choose_as_the_operators_say(tree: Tree, lower: bool, good: frozenset[str]) -> None:
    expression = canonical(text_of(tree, lower))
    assert canonical(expression) == expression != ""
    assert satisfied(expression, good.__contains__) == holds(tree, good)
    rules = LicenseRules(allow=tuple(good) or ("none of them",))
    assert rules.permits(text_of(tree, lower)) == holds(tree, good)
    denied = LicenseRules(deny=tuple({*IDS} - good))
    assert denied.permits(text_of(tree, lower)) == holds(tree, good)


@given(st.lists(st.sampled_from([*IDS, "AND", "OR"]), max_size=7).map(" ".join))
def test_and_binds_closer_than_or(text: str) -> None:
    expression = canonical(text)
    if expression:
        sides = [side.split(" AND ") for side in expression.split(" OR ")]
        for bad in IDS:
            chosen = any(bad not in side for side in sides)
            assert satisfied(expression, lambda licence, bad=bad: licence != bad) == chosen  # type: ignore[misc]


@given(st.text() | st.text(st.sampled_from("()MIT+ ANDORWH,-.")))
def test_any_text_is_judged(text: str) -> None:
    line = declared(text)
    assert len(line) <= MAX_LENGTH and line.isprintable() and declared(line) == line
    assert isinstance(parts(line), tuple)
    LicenseRules(allow=("MIT",), deny=("ISC",)).permits(line)
    assert canonical(canonical(line)) == canonical(line)
