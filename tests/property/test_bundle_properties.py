from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.bundle_samples import BARE, Blobs, canonical, write_sample
from vendorpack.bundle import tar
from vendorpack.bundle.manifest import Manifest
from vendorpack.bundle.plan import Limits, Section, cut, locate, members
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.table import Files
from vendorpack.bundle.writer import write_bundle
from vendorpack.errors import BundleError, UnsupportedError
from vendorpack.files.paths import PathError, Tree, check_path, fold
from vendorpack.model import Entry
from vendorpack.unpack.ways import check_folder, unpack_to_prefix

parts = st.one_of(
    st.text("aAbBé.", min_size=1, max_size=3),
    st.text(min_size=1, max_size=40),
    st.sampled_from([".", "..", ".wh.x", "x" * 120, "ü" * 100, "vendorpack.json"]),
)
paths = st.lists(parts, min_size=1, max_size=4).map("/".join)
contents = st.one_of(st.binary(max_size=60), st.binary(min_size=400, max_size=3000))
entries = st.lists(st.builds(Entry, paths, contents, st.sampled_from([0o644, 0o755])), max_size=12)


def accepted(candidates: list[Entry]) -> list[Entry]:
    """Those that a bundle can hold beside the ones before them."""
    tree = Tree()
    tree.add("vendorpack.json")
    found = []
    for entry in candidates:
        with contextlib.suppress(PathError):
            tree.add(entry.path)
            found.append(entry)
    return found


@settings(max_examples=60, deadline=None)
@given(entries, st.sampled_from([512, 1024, 4096]), st.booleans())
def test_what_goes_in_comes_out(candidates: list[Entry], limit: int, plain: bool) -> None:
    wanted = accepted(candidates)
    section = Section("npm", False, [(entry, None) for entry in wanted])
    with tempfile.TemporaryDirectory() as folder:
        path, prefix = Path(folder, "b"), Path(folder, "deps")
        written = write_bundle(
            path,
            BARE,
            [section],
            read_blob=Blobs().read,
            jobs=2,
            limits=Limits(limit, limit),
            uncompressed=plain,
        )
        with open_bundle(path) as bundle:
            assert bundle.id == written.id
            assert bundle.diff_id() == written.sha256 or not plain
            result = unpack_to_prefix(bundle, prefix, jobs=1)
        assert check_folder(prefix, result.manifest, jobs=1)
        files = {
            found.relative_to(prefix).as_posix(): found.read_bytes()
            for found in prefix.rglob("*")
            if found.is_file()
        }
        files.pop("vendorpack.json")
        assert files == {entry.path: entry.content for entry in wanted}


@settings(max_examples=200, deadline=None)
@given(entries)
def test_a_bundle_is_refused_or_whole(candidates: list[Entry]) -> None:
    """Nothing is left out silently but exact repetitions."""
    section = Section("npm", False, [(entry, None) for entry in candidates])
    try:
        found = [member.file.path for member in members([section], Files())]
    except UnsupportedError:
        assert len(accepted(candidates)) < len(candidates)
    else:
        assert set(found) == {entry.path for entry in candidates}
        assert len(found) == len(set(found))


@settings(max_examples=300, deadline=None)
@given(paths)
def test_a_good_path_stays_where_it_says(path: str) -> None:
    try:
        check_path(path)
    except PathError:
        return
    root = Path("/root-of-all")
    assert (root / path).is_relative_to(root)
    assert ".." not in Path(path).parts
    assert (root / path).relative_to(root).as_posix() == path
    assert path.encode().decode() == path


@settings(max_examples=300, deadline=None)
@given(st.lists(paths, max_size=6))
def test_trees_as_a_slow_reader_judges_them(candidates: list[str]) -> None:
    tree = Tree()
    taken: list[str] = []
    for path in candidates:
        try:
            check_path(path)
        except PathError:
            with pytest.raises(PathError):
                tree.add(path)
            continue
        mine = fold(path)
        in_the_way = any(
            mine == other or mine.startswith(other + "/") or other.startswith(mine + "/")
            for other in map(fold, taken)
        )
        if in_the_way:
            with pytest.raises(PathError):
                tree.add(path)
        else:
            tree.add(path)
            taken.append(path)


sizes = st.lists(st.integers(0, 9000), max_size=30)


@settings(max_examples=200, deadline=None)
@given(sizes, st.integers(1, 16).map(lambda blocks: blocks * tar.BLOCK))
def test_readers_find_what_writers_cut(lengths: list[int], limit: int) -> None:
    listed = [(Entry(f"{number}", bytes(size)), None) for number, size in enumerate(lengths)]
    half = len(listed) // 2
    parts_of = [Section("a", False, listed[:half]), Section("b", True, listed[half:])]
    batches = list(cut(members(parts_of, Files()), Limits(limit, limit * 2)))
    frames = tuple(size for batch in batches for size in batch.sizes)
    files = tuple(member.file for batch in batches for member in batch.members)
    spans = locate(Manifest(BARE, 0, frames, files))
    assert [span.size for span in spans] == list(frames)
    found = 0
    for batch in batches:
        for number, size in enumerate(batch.sizes):
            span = spans[found]
            assert span.size == size <= limit * (2 if batch.long else 1)
            assert files[span.first : span.stop] == tuple(m.file for m in batch.members)
            assert span.split == (len(batch.sizes) > 1)
            assert span.skip == sum(batch.sizes[:number])
            found += 1
    assert found == len(spans)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner)
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sample") / "b"
    write_sample(path)
    with open_bundle(path) as bundle:
        return bundle.manifest_bytes


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_manifest_is_parsed_or_refused(sample: bytes, data: st.DataObject) -> None:
    value: Any = json.loads(sample)
    place: Any = value
    for _ in range(data.draw(st.integers(0, 3))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or not place[key]:
            break
        place = place[key]
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    place[data.draw(st.sampled_from(keys))] = data.draw(json_values)
    text = canonical(value)
    try:
        manifest = Manifest.parse(text)
        locate(manifest)
    except BundleError:
        return
    assert manifest.dump() == text
