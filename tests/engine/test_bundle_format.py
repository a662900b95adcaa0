"""docs/bundle-format.md: the reader on the page reads what vendorpack writes, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from tests.cli import Cli
from tests.engine import bundle_samples, test_bundle_read
from tests.engine.bundle_samples import write_sample, write_tiny
from tests.real.docs import Page
from tests.world.npm import npm_registry
from vendorpack.bundle import tar
from vendorpack.bundle.frames import Compressor
from vendorpack.key import canonical_json
from vendorpack.model import Json

(BLOCK,) = [b for b in Page.read("docs/bundle-format.md").blocks if b.mark.startswith("file:")]
UNUSED = {"artifacts", "environment", "layouts", "lockfiles", "options"}
"""Fields that the page's reader leaves to whoever uses them."""


@pytest.fixture(scope="module")
def program() -> CodeType:
    return compile(BLOCK.text, "read_bundle.py", "exec")


class Refused(Exception):
    pass


def read(program: CodeType, monkeypatch: pytest.MonkeyPatch, *paths: Path) -> list[str]:
    """The lines that the page's reader prints. Raises `Refused`."""
    out = io.StringIO()
    monkeypatch.setattr(sys, "argv", ["read_bundle.py", *map(str, paths)])
    try:
        with contextlib.redirect_stdout(out):
            exec(program, {"__name__": "__main__"})
    except SystemExit as error:
        raise Refused(str(error)) from None
    return out.getvalue().splitlines()


def test_bundles_of_a_project(tmp_path: Path) -> None:
    """As a program of its own: a full bundle, a plain tar, a delta with its base."""
    cli = Cli(tmp_path)
    reader = tmp_path / "read_bundle.py"
    reader.write_text(BLOCK.text)
    npm = npm_registry()
    with npm.server:
        npm.lock(tmp_path / "project", {"a": "1.0.0", "b": "1.0.0", "@c/d": "2.0.0"})
        cli.ok("pack", "project", "-o", "base.tar.zst")
        npm.lock(tmp_path / "project", {"a": "1.0.0", "b": "1.1.0", "@c/d": "2.0.0"})
        for options in (["-o", "full.tar.zst"], ["-o", "full.tar"]):
            cli.ok("pack", "project", *options)
        cli.ok("pack", "project", "--base", "base.tar.zst", "-o", "delta.tar.zst")
    for names in (["full.tar.zst"], ["full.tar"], ["delta.tar.zst", "base.tar.zst"]):
        done = subprocess.run(
            [sys.executable, reader, *names], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        verified = cli.ok("verify", names[0], "--json").json
        shown = cli.ok("show", names[0], "--files", "--json").json
        files = [f"{mode:o} {size} {path}" for path, size, mode, *_ in shown["files"]]
        expected = [f"id {verified['id']}", f"key {verified['key']}", *files]
        assert done.stdout.splitlines() == expected
        assert key_of(shown) == verified["key"]
    for names in (["delta.tar.zst"], ["delta.tar.zst", "full.tar.zst"]):
        assert subprocess.run([sys.executable, reader, *names], cwd=tmp_path).returncode == 1


def key_of(manifest: dict[str, Any]) -> str:
    """The key, made as the page says."""
    locks = [[lock["path"], lock["format"], lock["sha256"]] for lock in manifest["lockfiles"]]
    value: dict[str, Json] = {
        "bundle": 1,
        "layouts": manifest["layouts"],
        "lockfiles": list[Json](locks),
        "options": manifest["options"],
    }
    return hashlib.sha256(canonical_json(value)).hexdigest()


@pytest.mark.parametrize(("write", "step"), [(write_tiny, 3), (write_sample, 97)])
def test_damaged_bundles(
    program: CodeType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    write: Callable[[Path], object],
    step: int,
) -> None:
    """A bit flipped in every region, and a file cut anywhere."""
    path = tmp_path / "b"
    write(path)
    good = path.read_bytes()
    assert read(program, monkeypatch, path)
    for position in {*range(0, len(good), step), *range(len(good) - 150, len(good))}:
        flipped = bytearray(good)
        flipped[position] ^= 1 << position % 8
        for bad in (flipped, good[:position]):
            path.write_bytes(bad)
            with pytest.raises(Refused):
                read(program, monkeypatch, path)


def cases(test: Any) -> list[Any]:
    """What a test of vendorpack's own reader is parametrized with."""
    (mark,) = [m for m in test.pytestmark if m.name == "parametrize"]
    return list(mark.args[1])


def test_hostile_bundles(
    program: CodeType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What vendorpack's own reader refuses, with all hashes right."""
    member, content = test_bundle_read.PART, test_bundle_read.CONTENT
    honest = bundle_samples.manifest_value([bundle_samples.row("npm/a", content)], [member])
    hostile = []
    for change in cases(test_bundle_read.test_hostile_manifests):
        value = bundle_samples.manifest_value([bundle_samples.row("npm/a", content)], [member])
        change(value)
        changed = {name for name in {*value, *honest} if value.get(name) != honest.get(name)}
        if not changed <= UNUSED:
            hostile.append(bundle_samples.seal(bundle_samples.canonical(value), [member]))
    for spoil in cases(test_bundle_read.test_manifests_in_another_form):
        hostile.append(bundle_samples.seal(spoil(bundle_samples.canonical(honest)), [member]))
    for part in cases(test_bundle_read.test_tar_bytes_that_are_not_the_manifests):
        hostile.append(bundle_samples.seal(test_bundle_read.MANIFEST, [part]))
    end = (Compressor(3).compress(tar.END), len(tar.END))
    for stored in cases(test_bundle_read.test_frames_that_are_not_the_writers):
        rows = [test_bundle_read.first_frame(), (stored, len(member)), end]
        hostile.append(bundle_samples.seal_frames(test_bundle_read.MANIFEST, rows))
    assert len(hostile) > 100
    path = tmp_path / "b"
    for number, data in enumerate(hostile):
        path.write_bytes(data)
        with pytest.raises(Refused):
            read(program, monkeypatch, path)
            pytest.fail(f"number {number} was taken")


@pytest.mark.parametrize("length", [1, 99, 100, 101, 155, 156, 255, 256, 257, 990, 3000])
@pytest.mark.parametrize("size", [0, (8 << 30) - 1, 8 << 30])
def test_headers(program: CodeType, length: int, size: int) -> None:
    """Every way that a path or a size takes into a header."""
    page: dict[str, Any] = {"__name__": "page"}
    exec(program, page)
    many = "ab/" * length
    for path in ("a" * length, "ü" * length, f"d/{many}", many, "a/" * 60 + "b" * length):
        assert page["header"](path, size, 0o644, 7) == tar.header(path, size, 0o644, 7)
