"""Whatever bytes an artifact has, a layout makes entries of its own cache or refuses it."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.yarn_berry import locks
from tests.memory import MemoryWorkshop
from tests.world import crates, modules
from vendorpack.boundary import compiled
from vendorpack.errors import VendorpackError
from vendorpack.files.paths import PathError, check_path
from vendorpack.formats import boundary_of, load
from vendorpack.model import Artifact, Options, Packed
from vendorpack.project import Project

many = settings(max_examples=120, deadline=None)
COMMIT = "0" * 39 + "1"


def cargo(folder: Path) -> Project:
    rows = [
        "version = 4",
        crates.package("one", "1.0.0", crates.CRATES_IO, b"one"),
        crates.package("three", "1.0.0", f"git+https://git.example.com/x?tag=y#{COMMIT}"),
    ]
    return crates.project(folder, "\n".join(rows).encode())


def gomod(folder: Path) -> Project:
    one = modules.h1({"a": b"a"})
    rows = [f"example.com/a v1.0.0{mod} {one}\n" for mod in ("", "/go.mod")]
    return modules.project(folder, {"go.sum": "".join(rows).encode()})


def berry(key: str) -> Callable[[Path], Project]:
    text = locks.lock(locks.entry("@s/a@npm:1.0.0"), locks.entry("b@npm:1.0.0"), key=key)
    return lambda folder: locks.project(folder, text)


ROOMS: Mapping[str, tuple[str, Callable[[Path], Project]]] = {
    "cargo": ("cargo", cargo),
    "gomod": ("gomod", gomod),
    "berry-10": ("yarn-berry", berry("10c0")),
    "berry-8": ("yarn-berry", berry("8")),
}

PARTS = st.sampled_from(
    ["one-1.0.0", "package", "example.com", "a@v1.0.0", "a", "x" * 300, "\x01", "é", "con", ".git"]
) | st.sampled_from(["..", ".", "", "C:", "a\\b"])
GOOD = st.sampled_from(["one-1.0.0/Cargo.toml", "package/package.json", "package/a/b", "go.mod"])
MOST = GOOD | GOOD | GOOD | st.just("package/x")
NAMES = GOOD | st.lists(PARTS, min_size=1, max_size=4).map("/".join)
MANIFEST = b'[package]\nname = "one"\nversion = "1.0.0"\n'
MANIFESTS = st.sampled_from(
    [MANIFEST, b'{"name":"a"}', b"[package]\nname = 3\n"]
) | st.sampled_from([b"", b"{}", b"\xff\0", b"[", b"[package]\n[dependencies]\nx = []\n"])
BODIES = MANIFESTS | st.binary(max_size=40) | st.just(b"a" * 9000)
KINDS = st.sampled_from([tarfile.REGTYPE] * 4 + [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])


@st.composite
def tars(draw: st.DrawFn, first: bytes | None = None) -> bytes:
    """A gzipped tar of odd members; first: the Cargo.toml before them."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        if first is not None:
            info = tarfile.TarInfo("one-1.0.0/Cargo.toml")
            info.size = len(first)
            archive.addfile(info, io.BytesIO(first))
        for name in draw(st.lists(draw(st.sampled_from([MOST, NAMES])), max_size=4)):
            info = tarfile.TarInfo(name)
            info.type, info.mode = draw(KINDS), draw(st.sampled_from([0o644, 0o755, 0o7777, 0]))
            body = draw(BODIES)
            if info.type == tarfile.REGTYPE:
                info.size = len(body)
            elif info.type != tarfile.DIRTYPE:
                info.linkname = draw(NAMES)
            archive.addfile(info, io.BytesIO(body))
    return gzip.compress(buffer.getvalue(), 1, mtime=0)


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    """A zip of odd members, most of them a module's."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # of a name that comes twice
        names, unique = draw(st.sampled_from([(MOST, True), (NAMES, False)]))
        for name in draw(st.lists(names, max_size=4, unique=unique)):
            info = zipfile.ZipInfo(("example.com/a@v1.0.0/" if unique else "") + name)
            info.compress_type = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
            archive.writestr(info, draw(BODIES))
    return buffer.getvalue()


FITTING = {
    "cargo": tars(first=MANIFEST) | MANIFESTS.flatmap(lambda text: tars(first=text)),
    "gomod": zips(),
    "yarn-berry": tars(),
}
NOISE = st.binary(max_size=60) | st.binary(max_size=60).map(b"PACK\0\0\0\2\0\0\0\1".__add__)


@st.composite
def archives(draw: st.DrawFn, fitting: st.SearchStrategy[bytes]) -> bytes:
    """One of the kind that is due, as it is; or any, with bytes changed, cut out or put in."""
    if draw(st.booleans()):
        return draw(fitting)
    good = draw(tars() | zips() | NOISE)
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(good)))
        end = draw(st.integers(start, min(len(good), start + 20)))
        good = good[:start] + draw(st.binary(max_size=20)) + good[end:]
    return good


def laid_out(room: str, artifacts: tuple[Artifact, ...], data: list[bytes]) -> object:
    """Path to content; or the error."""
    workshop = MemoryWorkshop()
    packed = [Packed(a, workshop.add(d)) for a, d in zip(artifacts, data, strict=True)]
    try:
        return {
            entry.path: (entry.mode, None if entry.content is None else workshop.content(entry))
            for entry in load(room).layout(packed, workshop)
        }
    except VendorpackError as error:
        return str(error)


@pytest.mark.parametrize("case", sorted(ROOMS))
@many
@given(data=st.data())
def test_any_archive(case: str, data: st.DataObject) -> None:
    room, project = ROOMS[case]
    with tempfile.TemporaryDirectory() as folder:
        found = load(room).read(project(Path(folder, "p")), Options()).artifacts
    contents = [data.draw(archives(FITTING[room])) for _ in found]
    made = laid_out(room, found, contents)
    assert made == laid_out(room, found, contents)
    # Each alone, too: one that is refused hides the others.
    for artifact, content in zip(found, contents, strict=True):
        made = laid_out(room, (artifact,), [content])
        if isinstance(made, str):
            assert made
            continue
        assert isinstance(made, dict)
        boundary = boundary_of(room)
        assert boundary is not None
        for path in made:
            try:
                check_path(path)
            except PathError as error:
                raise AssertionError(f"{path!r}: {error}") from None
            assert compiled(boundary)(path, None) or path.endswith("/config"), path
