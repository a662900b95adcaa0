"""Whatever a package-lock.json holds, it is read or refused cleanly."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.npm.locks import LINUX, artifacts, entry, project, read, v3
from tests.memory import MemoryWorkshop
from vendorpack.errors import VendorpackError
from vendorpack.formats.npm import FORMAT
from vendorpack.model import Options, Packed

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["1.0.0", "file:x", "github:a/b#" + "0" * 40, "https://example.com/a.tgz", "sha512-AAAA"]
    )
)
keys = st.text(max_size=12) | st.sampled_from(
    [
        *("", "packages", "dependencies", "lockfileVersion", "node_modules/a", "node_modules/@a/b"),
        *("version", "resolved", "integrity", "name", "os", "cpu", "libc", "dev", "optional"),
        *("inBundle", "bundled", "link", "a", "..", "node_modules/../x"),
    ]
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)
locks = st.fixed_dictionaries(
    {"lockfileVersion": st.sampled_from([1, 2, 3]) | values},
    optional={
        "packages": st.dictionaries(keys, st.dictionaries(keys, values, max_size=6) | values),
        "dependencies": st.dictionaries(keys, st.dictionaries(keys, values, max_size=6) | values),
    },
)


def refused_or_read(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = project(Path(folder), data)
        for options in (Options(), Options(targets=(LINUX,), dev=False)):
            try:
                lockfile = FORMAT.read(made, options)
            except VendorpackError as error:
                assert error.where and error.exit_code > 1
                continue
            json.dumps(dict(FORMAT.fingerprint(made, options)))
            shop = MemoryWorkshop()
            packed = [Packed(a, shop.add(str(a).encode())) for a in lockfile.artifacts]
            for one in FORMAT.layout(packed, shop):
                assert one.path.startswith("npm/_cacache/") and ".." not in one.path
                assert one.path.isascii()


@settings(max_examples=150, deadline=None)
@given(locks | values)
def test_any_json(value: Any) -> None:
    refused_or_read(json.dumps(value).encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    refused_or_read(data)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_lockfile(data: st.DataObject) -> None:
    whole = json.dumps(v3({"a": entry("a"), "@s/b": entry("@s/b", os=["linux"])})).encode()
    at = data.draw(st.integers(0, len(whole) - 1))
    refused_or_read(whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + 1 :])


names = st.from_regex(r"(@[a-z]{1,3}/)?[a-z][a-z0-9.-]{0,4}", fullmatch=True)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.booleans(), max_size=8), st.randoms())
def test_the_order_of_the_lockfile_does_not_matter(chosen: dict[str, bool], random: Any) -> None:
    packages = {
        name: entry(name, optional=True, os=["linux"] if fits else ["darwin"])
        for name, fits in chosen.items()
    }
    shuffled = list(packages.items())
    random.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as folder:
        options = Options(targets=(LINUX,))
        one = artifacts(project(Path(folder), v3(packages)), options)
        other = artifacts(project(Path(folder), v3(dict(shuffled))), options)
        found = [(a.name, a.url, a.integrity, a.purl) for a in one]
        assert found == [(a.name, a.url, a.integrity, a.purl) for a in other]
        assert [a.name for a in one] == sorted(name for name, fits in chosen.items() if fits)
        assert len(read(project(Path(folder), v3(packages))).artifacts) == len(chosen)
