"""Whatever a deno.lock holds, it is read or refused cleanly."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.deno.test_room import LINUX, SHA, project
from vendorpack.errors import VendorpackError
from vendorpack.formats.deno import FORMAT
from vendorpack.formats.deno.artifacts import order
from vendorpack.model import Options

_KEYS = st.sampled_from(
    [
        *("a@1.0.0", "@s/a@1.0.0_b@2.0.0", "@", "a@", "", "https://x.example/m", "https://[", "os"),
        *("integrity", "tarball", "cpu", "http://x.example:99999/", "\n", "@s/a@1", "https:///x"),
    ]
) | st.text(max_size=6)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _KEYS | st.sampled_from([SHA, "sha512-AAAA"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)
_SECTIONS = st.dictionaries(_KEYS, _VALUES, max_size=4) | _VALUES


@settings(max_examples=400, deadline=None)
@given(
    st.fixed_dictionaries(
        {"version": st.sampled_from(["4", "5"]) | _VALUES},
        optional=dict.fromkeys(("npm", "jsr", "remote", "redirects"), _SECTIONS),
    )
)
def test_any_lockfile_is_read_or_refused(lock: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = project(Path(folder), json.dumps(lock))
        for options in (Options(), LINUX):
            try:
                found = FORMAT.read(made, options).artifacts
            except VendorpackError as error:
                assert error.where and error.exit_code > 1
                continue
            assert list(found) == sorted(found, key=order)
            json.dumps(dict(FORMAT.fingerprint(made, options)))
