"""Whatever a lockfile holds, a room answers with artifacts or with an error of ours."""

from __future__ import annotations

import base64
import contextlib
import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import crates, modules
from vendorpack.errors import LockfileError, VendorpackError
from vendorpack.formats._shared.text.toml_text import load_toml, table_lines
from vendorpack.formats.cargo import FORMAT as CARGO
from vendorpack.formats.cargo.index import cache_file, line_of_index, merged_cache_file
from vendorpack.formats.gomod import FORMAT as GOMOD
from vendorpack.formats.gomod.hashes import mod_hash, stored_zip, zip_hash
from vendorpack.formats.gomod.modfile import directives
from vendorpack.formats.gomod.modules import Module
from vendorpack.model import Options

many = settings(max_examples=150, deadline=None)
few = settings(max_examples=40, deadline=None)

CARGO_LOCK = "\n".join(
    [
        "version = 4",
        crates.package("one", "1.0.0", crates.CRATES_IO, b"one"),
        crates.package("two", "1.0.0+x", crates.OTHER, b"two"),
        crates.package("three", "1.0.0", f"git+https://git.example.com/x?tag=y#{'0' * 40}"),
        "[[patch.unused]]",
        'name = "four"\nversion = "0.0.1"',
    ]
).encode()
GO_SUM = "\n".join(
    f"example.com/{name} v1.0.0{mod} {modules.h1({'a': name.encode()})}"
    for name in ("a", "B", "c/d")
    for mod in ("", "/go.mod")
).encode()
SNIPPETS = st.sampled_from(
    [b"", b"\0", b"\xff", b'"', b"=", b"[", b"[[", b"\n", b"..", b"9" * 5000]
)


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """A good file with a piece cut out and something else put there."""
    start = draw(st.integers(0, len(good)))
    end = draw(st.integers(start, min(len(good), start + 60)))
    return good[:start] + draw(SNIPPETS | st.binary(max_size=20)) + good[end:]


@many
@given(st.binary(max_size=200) | damaged(CARGO_LOCK))
def test_cargo_lock(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            lockfile = CARGO.read(crates.project(Path(folder) / "p", data), Options())
        except VendorpackError as error:
            assert error.where is not None
            return
    for artifact in lockfile.artifacts:
        assert not {"/", "\\", "\0", " "} & set(artifact.name + artifact.version)
        assert ".." not in (artifact.name, artifact.version)
    keys = [(a.name, a.version, a.purl) for a in lockfile.artifacts]
    assert keys == sorted(set(keys))


@many
@given(st.binary(max_size=200) | damaged(GO_SUM))
def test_go_sum(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            lockfile = GOMOD.read(modules.project(Path(folder) / "p", {"go.sum": data}), Options())
        except VendorpackError as error:
            assert error.where is not None
            return
    for artifact in lockfile.artifacts:
        parts = [*artifact.name.split("/"), *artifact.version.split("/")]
        assert not {"", ".", ".."} & set(parts)
        assert artifact.url is not None
        assert artifact.url == artifact.url.lower()


@many
@given(st.binary(max_size=200) | st.text('use()"`/ \n\\.go', max_size=60).map(str.encode))
def test_directives(data: bytes) -> None:
    try:
        for _, words, where in directives(data, "go.work"):
            assert "(" not in words
            assert where.startswith("go.work:")
    except LockfileError as error:
        assert error.where is not None


@many
@given(st.binary(max_size=100) | st.text("[]{}=\"'\n1a.#", max_size=80).map(str.encode))
def test_toml(data: bytes) -> None:
    try:
        load_toml(data, "x.toml")
    except LockfileError as error:
        assert error.where is not None
        assert error.where.startswith("x.toml")


@few
@given(st.lists(st.sampled_from(["[[a]]", " [[ a ]] # x", "[b]", "", 'c = "[[a]]"'])))
def test_lines_of_tables(lines: list[str]) -> None:
    data = "\n".join(lines).encode()
    expected = [n for n, line in enumerate(lines, 1) if line.strip().startswith("[[")]
    assert table_lines(data, "a") == expected


@many
@given(st.binary(max_size=300))
def test_lines_of_an_index_and_cache_files(data: bytes) -> None:
    with contextlib.suppress(LockfileError):
        line_of_index(data, "a", "1.0.0", "Cargo.lock:1")
    ours = cache_file([("1.0.0", b"{}")])
    merged = merged_cache_file(data, ours)
    assert merged == ours or merged.startswith(data)


VERSIONS = st.lists(st.sampled_from(["0.1.0", "1.0.0", "1.0.0+a", "2.0.0"]), unique=True)


@many
@given(VERSIONS, VERSIONS)
def test_merging_keeps_the_users_lines_and_adds_ours_once(old: list[str], new: list[str]) -> None:
    theirs = cache_file((version, b'{"theirs":1}') for version in old)
    ours = cache_file((version, b'{"ours":1}') for version in new)
    merged = merged_cache_file(theirs, ours)
    expected = [(version, b'{"theirs":1}') for version in old]
    expected += [(version, b'{"ours":1}') for version in new if version not in old]
    assert merged == cache_file(expected)
    assert merged_cache_file(merged, ours) == merged


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\\/\n\0"), min_size=1, max_size=8)


@few
@given(st.dictionaries(NAMES.filter(lambda n: n not in (".", "..")), st.binary(max_size=40)))
def test_the_one_form_of_a_zip_keeps_its_hash(files: dict[str, bytes]) -> None:
    module = Module("example.com/x", "v1.0.0")
    content = modules.module_zip(module.path, module.version, files)
    one_form = stored_zip(content, module)
    assert stored_zip(one_form, module) == one_form
    whole = {f"{module.path}@{module.version}/{name}": data for name, data in files.items()}
    value = zip_hash(io.BytesIO(one_form), module)
    assert "h1:" + base64.b64encode(value).decode() == modules.h1(whole)


@few
@given(st.binary(max_size=100))
def test_the_hash_of_a_go_mod(data: bytes) -> None:
    assert "h1:" + base64.b64encode(mod_hash(data)).decode() == modules.h1({"go.mod": data})
