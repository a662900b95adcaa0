"""Whatever a bun.lock holds, it is read or refused cleanly."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.bun.locks import EVERYWHERE, LINUX, lock, project
from vendorpack.errors import VendorpackError
from vendorpack.formats.bun import FORMAT
from vendorpack.formats.bun.wyhash import wyhash
from vendorpack.model import Options

_WORDS = st.sampled_from(
    [
        *("a@1.0.0", "@s/a@1.0.0-rc.1", "a@", "@", "a@https://x.example/a.tgz", "a@workspace:p"),
        *("a@github:o/r#0123456", "a@git+https://x/r#" + "0" * 40, "a@file:x", "a@http://[", "\n"),
        *("", "sha512-AAAA", "https://x.example/", "none", "linux", "o-r-0123456", ".."),
    ]
) | st.text(max_size=8)
_KEYS = st.sampled_from(["a", "a/b", "@s/a", "@s/a/@t/b", "", "/", "dependencies", "os", "bundled"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)
_ENTRIES = st.lists(_WORDS | st.dictionaries(_KEYS, _VALUES, max_size=3), max_size=4) | _VALUES


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(_KEYS, _ENTRIES, max_size=5),
    st.dictionaries(_KEYS, _VALUES, max_size=3),
    st.integers(-1, 4),
)
def test_any_lockfile_is_read_or_refused(
    packages: dict[str, object], workspaces: dict[str, object], version: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = lock(packages, version=version, workspaces=workspaces)
        made = project(Path(folder), text.encode("utf-8", "replace"))
        for options in (EVERYWHERE, Options(targets=LINUX.targets, dev=False)):
            try:
                found = FORMAT.read(made, options).artifacts
            except VendorpackError as error:
                assert error.where and error.exit_code > 1
                continue
            assert list(found) == sorted(found, key=lambda a: (a.name, a.version, a.url or ""))
            json.dumps(dict(FORMAT.fingerprint(made, options)))


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from('{}[],:" \n\\aé0'), max_size=60))
def test_any_text_is_refused_or_read(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            FORMAT.read(project(Path(folder), text), LINUX)
        except VendorpackError as error:
            assert error.where


@given(st.binary(max_size=200))
def test_the_hash_is_one_of_64_bits(data: bytes) -> None:
    assert 0 <= wyhash(data) < 1 << 64
