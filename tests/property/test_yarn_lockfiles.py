"""Yarn's lockfiles: whatever stands in them, they are read or refused, and never confused."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.yarn_berry import locks as berry
from tests.formats.yarn_classic import locks as classic
from vendorpack.errors import VendorpackError
from vendorpack.formats.yarn_berry import FORMAT as BERRY
from vendorpack.formats.yarn_berry.conditions import evaluate
from vendorpack.formats.yarn_berry.locator import Locator, Reference
from vendorpack.formats.yarn_classic import FORMAT as CLASSIC
from vendorpack.formats.yarn_classic.syntax import Section, Setting, parse
from vendorpack.model import Options

_PIECES = st.sampled_from(
    [
        *("a", "@s/a", "@", "1.0.0", "^1", "npm:", "patch:", "https://x.example/a.tgz", "#", "::"),
        *(" ", "  ", "    ", "\n", "\r\n", "\t", ":", ",", '"', "\\", "\\u0041", "\x00", "é", "&x"),
        *("version", "resolved", "integrity", "resolution", "checksum", "conditions", "os=linux"),
        *("__metadata:\n  version: 8\n  cacheKey: 10c0\n", "# yarn lockfile v1\n", "- ", "[", "{"),
        *("<<<<<<< HEAD\n", "sha512-AAAA", "10c0/", "ab" * 64, "true", "12345", "__archiveUrl="),
    ]
)
_TEXTS = st.lists(_PIECES, max_size=40).map("".join)
_NAME_PARTS = st.text("abc-_.~1", min_size=1, max_size=6).filter(lambda t: t[0] not in "-._")
_NAMES = st.one_of(_NAME_PARTS, st.builds("@{}/{}".format, _NAME_PARTS, _NAME_PARTS))
_VERSIONS = st.builds("{}.{}.{}".format, *[st.integers(0, 99)] * 3)


@settings(max_examples=300, deadline=None)
@given(_TEXTS)
def test_any_text_is_read_or_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for format_, project in (
            (BERRY, berry.project(Path(folder, "b"), text)),
            (CLASSIC, classic.project(Path(folder, "c"), text)),
        ):
            try:
                format_.read(project, Options())
            except VendorpackError as error:
                assert error.where


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_NAMES, _VERSIONS), min_size=1, max_size=8, unique=True))
def test_each_package_has_its_own_zip(packages: list[tuple[str, str]]) -> None:
    entries = [berry.entry(f"{name}@npm:{version}", version=version) for name, version in packages]
    with tempfile.TemporaryDirectory() as folder:
        found = berry.artifacts(berry.project(Path(folder), berry.lock(*entries)))
    assert sorted((a.name, a.version) for a in found) == sorted(packages)
    assert len({a.file_name for a in found}) == len(packages)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_NAMES, _VERSIONS), min_size=1, max_size=8, unique=True))
def test_each_package_has_its_own_tarball_or_is_refused(packages: list[tuple[str, str]]) -> None:
    entries = [classic.registry_entry(name, version) for name, version in packages]
    with tempfile.TemporaryDirectory() as folder:
        project = classic.project(Path(folder), classic.lock(*entries))
        try:
            found = classic.artifacts(project)
        except VendorpackError as error:
            assert "same file" in error.what
            return
    assert sorted((a.name, a.version) for a in found) == sorted(packages)
    assert len({a.file_name for a in found}) == len(packages)


_KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(_KEYS, st.dictionaries(_KEYS, _KEYS, min_size=1, max_size=3), max_size=4),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_yarn_1_writes_is_read_back(value: dict[str, dict[str, str]], newline: str) -> None:
    lines = []
    for key, settings_ in value.items():
        lines.append(f"{json.dumps(key)}:")
        lines += [f"  {json.dumps(k)} {json.dumps(v)}" for k, v in settings_.items()]
    items = list(parse(newline.join(lines).encode(), "f"))
    assert not any(isinstance(item, Setting) for item in items)
    assert {i.names[0]: i.settings for i in items if isinstance(i, Section)} == value


_FORMULAS = st.recursive(
    st.sampled_from([("os=linux", True), ("cpu=arm", False)]),
    lambda inner: st.one_of(
        inner.map(lambda f: (f"!{f[0]}" if f[0][0] in "(!o" else f"!({f[0]})", not f[1])),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]} & {p[1][0]})", p[0][1] and p[1][1])),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]} | {p[1][0]})", p[0][1] or p[1][1])),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]} ^ {p[1][0]})", p[0][1] != p[1][1])),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(_FORMULAS)
def test_formulas_have_the_value_that_they_spell(formula: tuple[str, bool]) -> None:
    text, value = formula
    assert evaluate(text, lambda _kind, name: name == "linux", "f:1") is value


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_locators_and_references_take_any_text(text: str) -> None:
    Reference.parse(text)
    locator = Locator.parse(text)
    if locator is not None:
        assert str(locator) == text
