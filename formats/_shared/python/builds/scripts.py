"""Requirements that the code of a build has written down, read without running it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

from vendorpack.dataclass import dataclass

HOOK: Final = "get_requires_for_build_wheel"
"""What a backend is asked for that it wants beside `[build-system]` (PEP 517)."""

_SETUP_REQUIRES: Final = "setup_requires"
_MAX_SCRIPT: Final = 256 << 10
_MAX_HINTS: Final = 8
_TYPED: Final = re.compile(r"[A-Za-z0-9._+*!<>=~,\[\]-]{1,100}")
"""What means nothing to a shell between quotation marks: a source may name anything."""


@dataclass(frozen=True, slots=True)
class SetupScript:
    """The `setup_requires` of a `setup.py`.

    is_computed: whether one is there that is no literal. hints: requirements in what computes it.
    """

    literal: tuple[str, ...] = ()
    is_computed: bool = False
    hints: tuple[str, ...] = ()


def read_setup_script(script: bytes) -> SetupScript:
    """Literals, names that are given one once and nothing else, and sums of these."""
    if _SETUP_REQUIRES.encode() not in script:
        return SetupScript()
    tree = _parsed(script)
    if tree is None:
        return SetupScript(is_computed=True)
    found: list[str] = []
    hints: list[str] = []
    is_computed = False
    for value in (part for whole in _setup_requires(tree) for part in _summands(whole)):
        given: list[ast.AST] = [value]
        if isinstance(value, ast.Name):
            given = [*_given_to(value.id, tree)]
        listed = _literal(given[0]) if len(given) == 1 else None
        if listed is None:
            is_computed = True
            hints += (hint for node in given for hint in _listed(node))
        else:
            found += listed
    return SetupScript(tuple(found), is_computed, tuple(hints[:_MAX_HINTS]))


def hook_requires(scripts: Iterable[bytes]) -> tuple[str, ...] | None:
    """What a backend's own `HOOK` has written down; None if no script has such a hook.

    A script that imports another backend's has none of its own.
    """
    has_hook = False
    hints: list[str] = []
    for script in scripts:
        if HOOK.encode() not in script:
            continue
        tree = _parsed(script)
        if tree is None:
            has_hook = True
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == HOOK:
                has_hook = True
                hints += _listed(node)
            elif isinstance(node, ast.Assign):
                has_hook |= any(_is_name(target, HOOK) for target in node.targets)
    return tuple(hints[:_MAX_HINTS]) if has_hook else None


def _parsed(script: bytes) -> ast.Module | None:
    if len(script) > _MAX_SCRIPT:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(script)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _setup_requires(tree: ast.Module) -> Iterator[ast.expr]:
    """What stands for it in a call, in a dictionary, or is put into one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == _SETUP_REQUIRES:
            yield node.value
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is not None and _is_key(key):
                    yield value
        elif isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Subscript) and _is_key(target.slice) for target in node.targets
        ):
            yield node.value


def _summands(value: ast.expr) -> Iterator[ast.expr]:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add):
            waiting += (part.right, part.left)
        else:
            yield part


def _is_key(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == _SETUP_REQUIRES


def _given_to(name: str, tree: ast.Module) -> Iterator[ast.AST]:
    """All that is assigned to a name, or changes what it stands for; only values are literals."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(_is_name(t, name) for t in node.targets):
            yield node.value
        elif isinstance(node, ast.AnnAssign) and _is_name(node.target, name):
            yield node.value or node
        elif (isinstance(node, ast.AugAssign) and _is_name(node.target, name)) or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and _is_name(node.func.value, name)
        ):
            yield node


def _literal(value: ast.AST) -> list[str] | None:
    try:
        literal = ast.literal_eval(value)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None
    listed = literal.splitlines() if isinstance(literal, str) else literal
    if not isinstance(listed, list | tuple) or not all(isinstance(item, str) for item in listed):
        return None
    return [item.strip() for item in listed if item.strip()]


def _listed(node: ast.AST) -> Iterator[str]:
    """Requirements that stand in lists, or are appended to one."""
    for below in ast.walk(node):
        items: list[ast.expr] = []
        if isinstance(below, ast.List | ast.Tuple | ast.Set):
            items = below.elts
        elif isinstance(below, ast.Call) and isinstance(below.func, ast.Attribute):
            items = below.args if below.func.attr == "append" else []
        for item in items:
            if isinstance(item, ast.Constant) and isinstance(item.value, str):
                yield from _plain(item.value)


def _plain(text: str) -> Iterator[str]:
    """A requirement's name and versions, as they can be typed between quotation marks."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return
    if requirement.url is None:
        extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
        plain = f"{requirement.name}{extras}{requirement.specifier}"
        if _TYPED.fullmatch(plain):
            yield plain


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
