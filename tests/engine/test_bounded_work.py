"""Small files that ask for a lot of work: refused, in little time and memory."""

from __future__ import annotations

import gzip
import io
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli import CHECKOUT
from tests.engine.bundle_samples import (
    Blobs,
    canonical,
    manifest_value,
    row,
    seal_frames,
    write_sample,
)
from vendorpack.bundle import tar
from vendorpack.bundle.frames import Compressor, is_sparse, max_manifest
from vendorpack.bundle.manifest import Head, manifest_id
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.writer import write_bundle
from vendorpack.errors import BundleError, LockfileError, UnsupportedError
from vendorpack.formats._shared.archives import tarball, zip_archive
from vendorpack.formats._shared.text.json_text import load_json
from vendorpack.formats._shared.text.toml_text import load_toml
from vendorpack.formats._shared.text.yaml_text import load_yaml
from vendorpack.formats.pip.requirements import MAX_LINE, logical_lines
from vendorpack.model import Environment

LIMIT = 300 << 20
"""Bytes of address space, of which Python and its libraries take a third."""


def bomb(path: Path, unit: bytes, size: int) -> Path:
    """A bundle whose manifest has next to nothing in `artifacts`, very often."""
    filling = unit * (size // len(unit)) + unit.rstrip(b",")
    text = canonical(manifest_value([], [])).replace(
        b'"artifacts":[]', b'"artifacts":[' + filling + b"]"
    )
    compressor = Compressor(1)
    first = tar.header("vendorpack.json", len(text), 0o644, 0) + text + tar.padding(len(text))
    path.write_bytes(
        seal_frames(text, [(compressor.compress(part), len(part)) for part in (first, tar.END)])
    )
    return path


@pytest.mark.parametrize("unit", [b"{},", b"[],", b'{"a":1},', b"[[[]]],"])
@pytest.mark.parametrize("size", [10_000_000, 250_000_000])
def test_a_manifest_bomb(tmp_path: Path, unit: bytes, size: int) -> None:
    bundle = bomb(tmp_path / "bomb.tar.zst", unit, size)
    assert bundle.stat().st_size < 60_000
    done = subprocess.run(
        [sys.executable, "-m", "vendorpack", "verify", bundle],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT)),
    )
    assert done.returncode == 10, done.stderr
    assert "far too large for its file" in done.stderr or "too many parts" in done.stderr


def test_many_empty_objects_in_a_large_file(tmp_path: Path) -> None:
    """Stored as it is, the same manifest is not out of proportion; its parts are."""
    text = canonical(manifest_value([], [])).replace(
        b'"artifacts":[]', b'"artifacts":[' + b"{}," * 1_000_000 + b"{}]"
    )
    first = tar.header("vendorpack.json", len(text), 0o644, 0) + text + tar.padding(len(text))
    path = tmp_path / "bomb.tar"
    path.write_bytes(tar.comment(manifest_id(text), 0) + first + tar.END)
    with pytest.raises(BundleError, match="too many parts"):
        open_bundle(path)


def test_honest_manifests_are_far_from_the_limits(tmp_path: Path) -> None:
    write_sample(tmp_path / "b")
    open_bundle(tmp_path / "b").__exit__(None, None, None)
    # The least that can be said of a file: a path of a few letters, no content, no artifact.
    rows = [row(f"a/{number}", b"") for number in range(60_000)]
    text = canonical(manifest_value(rows, []))
    stored = len(Compressor(3).compress(text))
    assert is_sparse(text)
    assert len(text) * 2 < max_manifest(stored)
    assert (text.count(b"[") + text.count(b"{")) * 64 < len(text)


def test_no_bundle_is_written_that_would_be_refused(tmp_path: Path) -> None:
    head = Head("ab" * 32, (), {}, {}, tuple({} for _ in range(100_000)), Environment())
    with pytest.raises(UnsupportedError, match="more than a reader takes"):
        write_bundle(tmp_path / "b", head, [], read_blob=Blobs().read, jobs=1)
    assert list(tmp_path.iterdir()) == []


def test_many_gzip_members() -> None:
    bomb = gzip.compress(b"", mtime=0) * 100_000
    assert len(bomb) == 2_000_000
    start = time.process_time()
    with pytest.raises(UnsupportedError, match="more than 64 members"):
        list(tarball.members(bomb, label="a"))
    assert time.process_time() - start < 1
    several = b"".join(gzip.compress(bytes(512), mtime=0) for _ in range(tarball.MAX_GZIP_MEMBERS))
    assert list(tarball.members(several, label="a")) == []


def zip_with(name: str) -> io.BytesIO:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), b"")
    return data


def test_deep_names_in_a_zip() -> None:
    start = time.process_time()
    with pytest.raises(UnsupportedError, match="more than 4096 characters"):
        zip_archive.members(zip_with("a/" * 32_000 + "b"), label="a")
    assert time.process_time() - start < 1
    deep = "a/" * 2000 + "b"
    assert [m.name for m in zip_archive.members(zip_with(deep), label="a")] == [deep]


@pytest.mark.parametrize(
    "line",
    [" " * 1_000_000 + "x", "a" + " " * 1_000_000 + "b", " \t" * 500_000],
    ids=["before", "within", "only"],
)
def test_a_requirements_line_of_spaces(line: str) -> None:
    start = time.process_time()
    list(logical_lines(line))
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("a==1  # why", "a==1"),
        ("# all of it", ""),
        ("   # indented", ""),
        ("a @ https://x.example/#egg=a", "a @ https://x.example/#egg=a"),
        ("a==1\t#b", "a==1"),
        ("a==1 #b # c", "a==1"),
    ],
)
def test_comments_are_still_cut_as_pip_cuts_them(line: str, text: str) -> None:
    assert [found for _, found in logical_lines(line)] == ([text] if text else [])


# -- the largest that was seen of honest lockfiles, and attacks ------------------------------

LARGEST = {"json": 6, "toml": 8, "yaml": 6, "line": 11_133, "zip name": 109, "gzip members": 1}
"""Of eleven public projects: depths of lockfiles, the longest requirement with its hashes, and of
700 of their archives."""


@pytest.mark.parametrize(
    ("load", "opening", "closing", "seen"),
    [
        (lambda text: load_json(text, "x"), '{"a":', "}", LARGEST["json"]),
        (lambda text: load_toml(f"a = {text}".encode(), "x"), "[", "]", LARGEST["toml"]),
        (lambda text: load_yaml(f"a: {text}\n".encode(), "x"), "[", "]", LARGEST["yaml"]),
        (lambda text: load_yaml(f"a: {text}\n".encode(), "x"), "{a: ", "}", LARGEST["yaml"]),
    ],
    ids=["json", "toml", "yaml", "yaml-mapping"],
)
def test_depth(load: Callable[[str], object], opening: str, closing: str, seen: int) -> None:
    load(opening * (4 * seen) + "1" + closing * (4 * seen))
    start = time.process_time()
    for deep in (opening * 200_000, opening * 200_000 + "1" + closing * 200_000):
        with pytest.raises(LockfileError):
            load(deep)
    assert time.process_time() - start < 5


def test_the_longest_requirement() -> None:
    one = f" \\\n    --hash=sha256:{'0' * 64}"
    line = "a==1" + one * (4 * LARGEST["line"] // len(one))
    ((_, found),) = logical_lines(line)
    assert len(found) > 3 * LARGEST["line"]
    assert len(found) < MAX_LINE // 5


def test_ordinary_archives_are_far_from_the_caps() -> None:
    name = "a" * (4 * LARGEST["zip name"])
    assert [m.name for m in zip_archive.members(zip_with(name), label="a")] == [name]
    assert 4 * LARGEST["gzip members"] <= tarball.MAX_GZIP_MEMBERS
