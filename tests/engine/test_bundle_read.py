from __future__ import annotations

import gzip
import io
import itertools
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.engine.bundle_samples import (
    HEAD,
    canonical,
    manifest_value,
    member,
    row,
    seal,
    seal_frames,
    write_sample,
    write_tiny,
)
from vendorpack.bundle import frames, tar
from vendorpack.bundle.frames import Compressor
from vendorpack.bundle.manifest import Manifest, manifest_id
from vendorpack.bundle.reader import open_bundle
from vendorpack.bundle.table import MANIFEST_PATH
from vendorpack.errors import BundleError, VendorpackError
from vendorpack.model import Arguments, Base, Environment, Variable, Word
from vendorpack.unpack.ways import merge_into, unpack_to_prefix


def check(path: Path) -> None:
    with open_bundle(path) as bundle:
        bundle.verify(jobs=1)


def assert_refused(path: Path, *, match: str | None = None) -> None:
    """Verifying and both ways of unpacking refuse, and nothing is to be seen of the content."""
    with pytest.raises(BundleError, match=match):
        check(path)
    for use in (to_prefix, to_caches):
        with pytest.raises(BundleError):
            use(path, path.parent / "out")
        assert [name for name in os.listdir(path.parent) if name != path.name] == []


def to_prefix(path: Path, target: Path) -> None:
    with open_bundle(path) as bundle:
        unpack_to_prefix(bundle, target, jobs=1)


def to_caches(path: Path, target: Path) -> None:
    with open_bundle(path) as bundle:
        merge_into(bundle, {"npm": target}, lambda path, before, ours: ours, jobs=1)


# -- damage --------------------------------------------------------------------------------


def test_the_samples_are_good(tmp_path: Path) -> None:
    for write in (write_sample, write_tiny):
        for plain in (False, True):
            write(tmp_path / "b", uncompressed=plain)
            check(tmp_path / "b")


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "b"
    write_tiny(path)
    good = path.read_bytes()
    assert len(good) < 2000
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 1 << position % 8
        path.write_bytes(bad)
        assert_refused(path)


def test_changed_bytes_of_a_bundle_of_all_kinds_are_found(tmp_path: Path) -> None:
    path = tmp_path / "b"
    write_sample(path)
    good = path.read_bytes()
    for position in range(0, len(good), 41):
        bad = bytearray(good)
        bad[position] ^= 1 << position % 8
        path.write_bytes(bad)
        with pytest.raises(BundleError):
            check(path)


def test_every_changed_byte_of_a_plain_tar_is_found(tmp_path: Path) -> None:
    path = tmp_path / "b"
    write_tiny(path, uncompressed=True)
    good = path.read_bytes()
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 1 << position % 8
        path.write_bytes(bad)
        assert_refused(path)
    write_sample(path, uncompressed=True)
    good = path.read_bytes()
    for position in range(0, len(good), 61):
        bad = bytearray(good)
        bad[position] ^= 1 << position % 8
        path.write_bytes(bad)
        with pytest.raises(BundleError):
            check(path)


def test_a_tar_that_was_decompressed_proves_nothing(tmp_path: Path) -> None:
    """A plain tar without its manifest's hash, and one with another's."""
    path = tmp_path / "b"
    write_tiny(path, uncompressed=True)
    good = path.read_bytes()
    path.write_bytes(good[tar.COMMENT_SIZE :])
    with pytest.raises(BundleError, match="proves nothing"):
        check(path)
    path.write_bytes(tar.comment("0" * 64, 0) + good[tar.COMMENT_SIZE :])
    with pytest.raises(BundleError, match="does not match its id"):
        check(path)


@pytest.mark.parametrize("plain", [False, True])
def test_every_shorter_file_is_refused(tmp_path: Path, plain: bool) -> None:
    path = tmp_path / "b"
    write_tiny(path, uncompressed=plain)
    good = path.read_bytes()
    for size in range(0, len(good), 1 if not plain else 5):
        path.write_bytes(good[:size])
        assert_refused(path)


@pytest.mark.parametrize("plain", [False, True])
def test_more_than_a_bundle_is_refused(tmp_path: Path, plain: bool) -> None:
    path = tmp_path / "b"
    write_tiny(path, uncompressed=plain)
    good = path.read_bytes()
    for bad in (good + b"\0", good + bytes(512), good + good, b"\0" + good, good + good[:100]):
        path.write_bytes(bad)
        assert_refused(path)


def other_tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "the file is empty"),
        (b"hello", "not a vendorpack bundle"),
        (b"PK\3\4" + bytes(100), "not a vendorpack bundle"),
        (gzip.compress(other_tar(), mtime=0), "not a vendorpack bundle"),
        (other_tar(), "not a vendorpack bundle"),
        (zstandard.compress(other_tar()), "cut short, or not a vendorpack bundle"),
        (b"pax_global_header" + bytes(10_000), "cut short, or not a vendorpack bundle"),
        (frames.dump_table([]), "not a vendorpack bundle"),
        (zstandard.compress(b"") + frames.dump_table([(9, 0)]), "frame table"),
    ],
    ids=["empty", "text", "zip", "gzip", "tar", "zstd", "name", "table", "one-frame"],
)
def test_other_files(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "b").write_bytes(data)
    assert_refused(tmp_path / "b", match=why)


def test_other_things(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("absent")
    for path in (tmp_path, tmp_path / "absent", tmp_path / "link", Path("/dev/null")):
        with pytest.raises(BundleError) as caught:
            open_bundle(path)
        assert caught.value.where == str(path)


# -- hostile manifests ---------------------------------------------------------------------

CONTENT = b"content"


def hostile(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """A bundle of one file whose manifest was changed, with all hashes right."""
    parts = [member("npm/a", CONTENT)]
    value = manifest_value([row("npm/a", CONTENT)], parts)
    change(value)
    path = tmp_path / "b"
    path.write_bytes(seal(canonical(value), parts))
    return path


def test_the_hostile_writer_can_be_honest(tmp_path: Path) -> None:
    check(hostile(tmp_path, lambda value: None))


def put(*keys: Any) -> Callable[[dict[str, Any]], None]:
    """Set the value at the path of keys before the last argument."""
    *path, last, new = keys

    def change(value: Any) -> None:
        for key in path:
            value = value[key]
        value[last] = new

    return change


OWNERS: list[Any] = [0, -1, "0", True, [1], {}]
FRAMES: list[Any] = [[], [0], [1024, 0], [512, 512], [-1], [1 << 40], {}]


@pytest.mark.parametrize(
    "change",
    [
        *[
            put("files", 0, 0, path)
            for path in (
                "../npm/a",
                "/npm/a",
                "npm/../../a",
                "npm/./a",
                "npm//a",
                "",
                "npm/a\\b",
                "npm/a\nb",
                "npm/.wh.a",
                "npm/\udc80",
                "npm/" + "a" * 256,
                "vendorpack.json",
                "Vendorpack.json",
                "vendorpack.json/a",
                "npm/b",
                1,
                None,
            )
        ],
        *[put("files", 0, 1, size) for size in (6, 8, 0, -7, 1 << 60, True, "7", None)],
        *[put("files", 0, 2, mode) for mode in (0o755, 0o4755, 0o600, 0o777, "420", None)],
        *[put("files", 0, 3, sha) for sha in ("0" * 64, "A" * 64, "", None, 0, [1])],
        *[put("files", 0, 4, artifact) for artifact in OWNERS],
        put("files", 0, ["npm/a"]),
        put("files", 0, "npm/a"),
        put("files", 0, {"npm/a": 1}),
        put("files", []),
        put("files", {}),
        put("files", [row("npm/a", CONTENT)] * 2),
        put("files", [row("npm/a", CONTENT), row("NPM/A", CONTENT)]),
        put("files", [row("npm/a", CONTENT), row("npm/a/b", CONTENT)]),
        put("files", [row("npm/a", CONTENT), row("npm/b", CONTENT)]),
        put("files", [["npm/a/", 0, 0o755, None, None]]),
        put("files", [["npm/a/", 7, 0o755, "0" * 64, None]]),
        put("files", [["npm/a", 0, 0o1777, None, None]]),
        *[put("frames", value) for value in FRAMES],
        put("frames", 0, True),
        put("frames", 0, 1024.0),
        put("frames", 0, None),
        put("mtime", -1),
        put("mtime", 1),
        put("mtime", 8**11),
        put("mtime", "0"),
        put("key", "short"),
        put("key", None),
        put("vendorpack", 0),
        put("vendorpack", True),
        put("vendorpack", "1"),
        put("more", 1),
        put("artifacts", [1]),
        put("artifacts", {}),
        put("options", []),
        put("options", {"a": 1.5}),
        put("layouts", {"npm": -1}),
        put("layouts", {"npm\x1b": 1}),
        put("lockfiles", [{}]),
        put("lockfiles", [{"format": "npm", "path": "a\nb", "sha256": "0" * 64}]),
        put("environment", {}),
        put("environment", "variables", [{"name": "A;B", "path": False, "value": ""}]),
        put("environment", "variables", [{"name": "A", "path": True, "value": "../x"}]),
        put("environment", "variables", [{"name": "A", "path": True, "value": "/etc"}]),
        put(
            "environment",
            "variables",
            [{"name": "A", "path": True, "scheme": "https://", "value": "x"}],
        ),
        put(
            "environment",
            "variables",
            [{"name": "A", "path": False, "scheme": "file://", "value": "x"}],
        ),
        put("environment", "variables", [{"name": "A", "path": False, "value": "a\nb"}]),
        put("environment", "variables", [{"name": "A", "path": 1, "value": ""}]),
        put("environment", "variables", [{"name": "A"}]),
        put("environment", "git", [["https://x", "../y"]]),
        put("environment", "git", [["https://x"]]),
        lambda value: value.pop("key"),
    ],
)
def test_hostile_manifests(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    assert_refused(hostile(tmp_path, change))


@pytest.mark.parametrize(
    "environment",
    [
        Environment((Variable("A", "../x", is_path=True),)),
        Environment((Variable("A", "/etc", is_path=True),)),
        Environment(git_sources=(("https://git.example/x", "../x"),)),
        Environment(arguments=(Arguments("A", (Word("-x", Base.PREFIX, "../x"),)),)),
    ],
)
def test_a_path_of_the_environment_that_climbs(environment: Environment) -> None:
    """By the manifest alone: of a format that is not known nothing else would refuse it."""
    text = Manifest(replace(HEAD, environment=environment), 0, (), ()).dump()
    with pytest.raises(BundleError, match=r"(\.\./x|/etc)'"):
        Manifest.parse(text)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1],
        lambda text: text + b"\n",
        lambda text: text + b" ",
        lambda text: b" " + text,
        lambda text: text.replace(b":", b": ", 1),
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: text.replace(b'"key"', b'"k\\u0065y"'),
        lambda text: text[:-2] + b',"mtime":0}\n',
        lambda text: text.replace(b'"mtime":0', b'"mtime":-0'),
        lambda text: text.replace(b'"mtime":0', b'"mtime":' + b"9" * 100_000),
        lambda text: text.replace(b'"options":{}', b'"options":' + b"[" * 100_000),
        lambda text: text.replace(b'"options":{}', b'"options":{"a":NaN}'),
        lambda text: text.replace(b'"options":{}', b'"options":{"a":"\\ud800"}'),
        lambda text: text.replace(b'"options":{}', b'"options":{"a":"\xff"}'),
        lambda text: text.replace(b'"npm/a"', b'"npm\\u002fa"'),
        lambda text: text.replace(b'"npm/a"', b'"npm\\/a"'),
        lambda text: text.replace(b'["npm/a"', b'[ "npm/a"'),
        lambda text: text.replace(b",7,420,", b",07,420,"),
        lambda text: text.replace(b",7,420,", b",7.0,420,"),
        lambda text: text.replace(b",null]]", b",null],]"),
        lambda text: text.replace(b'"files":[', b'"files":[,'),
        lambda text: text.replace(b'"files":[', b'"files":[],"files":['),
        lambda text: b"[]\n",
        lambda text: b"null\n",
        lambda text: b"",
    ],
)
def test_manifests_in_another_form(tmp_path: Path, spoil: Callable[[bytes], bytes]) -> None:
    parts = [member("npm/a", CONTENT)]
    text = spoil(canonical(manifest_value([row("npm/a", CONTENT)], parts)))
    (tmp_path / "b").write_bytes(seal(text, parts))
    assert_refused(tmp_path / "b")
    with pytest.raises(BundleError):
        Manifest.parse(text)


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    path = hostile(tmp_path, put("vendorpack", 2))
    with pytest.raises(BundleError, match="newer vendorpack") as caught:
        check(path)
    assert caught.value.fix is not None
    assert "Update" in caught.value.fix


# -- frames that are not what the manifest says --------------------------------------------

PART = member("npm/a", CONTENT)
MANIFEST = canonical(manifest_value([row("npm/a", CONTENT)], [PART]))


def link(kind: bytes, target: bytes) -> bytes:
    """The member as a link: type and link name changed, checksum right."""
    block = bytearray(PART[: tar.BLOCK])
    block[156:157] = kind
    block[157 : 157 + len(target)] = target
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + PART[tar.BLOCK :]


@pytest.mark.parametrize(
    "part",
    [
        member("npm/b", CONTENT),
        member("npm/a", CONTENT, 0o4755),
        member("npm/a", b"CONTENT"),
        member("npm/a", CONTENT + b"!"),
        tar.header("npm/a", 7, 0o644, 1) + PART[tar.BLOCK :],
        link(b"2", b"/etc/passwd"),
        link(b"1", b"npm/c"),
        link(b"3", b""),
        PART[:-1] + b"!",
    ],
)
def test_tar_bytes_that_are_not_the_manifests(tmp_path: Path, part: bytes) -> None:
    (tmp_path / "b").write_bytes(seal(MANIFEST, [part]))
    assert_refused(tmp_path / "b", match="frame 1")
    plain = tar.comment(manifest_id(MANIFEST), 0)
    plain += tar.header(MANIFEST_PATH, len(MANIFEST), 0o644, 0) + MANIFEST
    plain += tar.padding(len(MANIFEST)) + part + tar.END
    (tmp_path / "b").write_bytes(plain)
    assert_refused(tmp_path / "b", match="frame 1")


def first_frame() -> tuple[bytes, int]:
    content = tar.header(MANIFEST_PATH, len(MANIFEST), 0o644, 0) + MANIFEST
    content += tar.padding(len(MANIFEST))
    return Compressor(3).compress(content), len(content)


def own(content: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(**options).compress(content)


def streamed(content: bytes) -> bytes:
    """A frame without its content's size."""
    stream = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    return stream.compress(content) + stream.flush()


@pytest.mark.parametrize("plain", [False, True])
def test_a_file_that_is_cut_while_it_is_read(tmp_path: Path, plain: bool) -> None:
    path = tmp_path / "b"
    write_sample(path, uncompressed=plain)
    with open_bundle(path) as bundle:
        os.truncate(path, bundle.frames[-1].offset + 1)
        with pytest.raises(BundleError, match="became shorter"):
            bundle.verify(jobs=1)


def test_a_frame_whose_blocks_do_not_end() -> None:
    """Its only block says that another follows: there is none, and nothing is waited for."""
    position = zstandard.frame_header_size(GOOD)
    endless = bytes([*GOOD[:position], GOOD[position] & 0xFE, *GOOD[position + 1 :]])
    for data in (endless, endless[:-1], endless[: position + 2]):
        with pytest.raises(ValueError, match=r"bad block|ends elsewhere"):
            frames.check_frame(memoryview(data), len(PART))
    frames.check_frame(memoryview(GOOD), len(PART))


GOOD = own(PART, write_checksum=True)
SKIPPED = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"


@pytest.mark.parametrize(
    "stored",
    [
        own(PART),
        own(PART) + bytes(4),
        GOOD + own(b"", write_checksum=True),
        GOOD + SKIPPED,
        GOOD + b"\0",
        SKIPPED + GOOD,
        GOOD[:-1],
        GOOD[:-4],
        GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
        bytes([*GOOD[:4], GOOD[4] | 0x10, *GOOD[5:]]),
        own(PART, write_checksum=True, write_content_size=False),
        streamed(PART),
        own(PART + bytes(512), write_checksum=True),
        own(bytes(100 << 20), write_checksum=True),
        b"",
    ],
    ids=itertools.count(),
)
def test_frames_that_are_not_the_writers(tmp_path: Path, stored: bytes) -> None:
    end = (Compressor(3).compress(tar.END), len(tar.END))
    rows = [first_frame(), (stored, len(PART)), end]
    (tmp_path / "b").write_bytes(seal_frames(MANIFEST, rows))
    assert_refused(tmp_path / "b")


def test_the_honest_frame_is_accepted(tmp_path: Path) -> None:
    end = (Compressor(3).compress(tar.END), len(tar.END))
    rows = [first_frame(), (GOOD, len(PART)), end]
    (tmp_path / "b").write_bytes(seal_frames(MANIFEST, rows))
    check(tmp_path / "b")


@pytest.mark.parametrize(
    "rows",
    [
        [first_frame(), (GOOD, len(PART))],
        [first_frame(), (GOOD, len(PART)), (own(b"x" * 1024, write_checksum=True), 1024)],
        [first_frame(), (GOOD, len(PART)), (own(bytes(512), write_checksum=True), 512)],
        [first_frame(), (GOOD, 1 << 31), (own(tar.END, write_checksum=True), 1024)],
        [(own(bytes(257 << 20), write_checksum=True), 257 << 20), (GOOD, len(PART)), (GOOD, 1024)],
        [(b"", 0)] * 3,
    ],
)
def test_frame_tables_that_make_no_sense(tmp_path: Path, rows: list[tuple[bytes, int]]) -> None:
    (tmp_path / "b").write_bytes(seal_frames(MANIFEST, rows))
    assert_refused(tmp_path / "b")


def test_a_frame_larger_than_it_can_be_is_not_even_read(tmp_path: Path) -> None:
    end = (Compressor(3).compress(tar.END), len(tar.END))
    rows = [first_frame(), (GOOD + bytes(1 << 20), len(PART)), end]
    (tmp_path / "b").write_bytes(seal_frames(MANIFEST, rows))
    assert_refused(tmp_path / "b", match="frame table")


def test_the_id_must_be_the_manifests(tmp_path: Path) -> None:
    good = seal(MANIFEST, [PART])
    other = canonical(manifest_value([row("npm/a", b"CONTENT")], [PART]))
    swapped = seal(other, [member("npm/a", b"CONTENT")])
    (tmp_path / "b").write_bytes(good)
    with open_bundle(tmp_path / "b") as bundle:
        first, second = bundle.id, bundle.trailer
    (tmp_path / "b").write_bytes(swapped)
    with open_bundle(tmp_path / "b") as bundle:
        assert bundle.id != first
        assert bundle.trailer is not None
        assert second is not None
        assert bundle.trailer.id == bundle.id
    stored = [first_frame(), (GOOD, len(PART)), (Compressor(3).compress(tar.END), 1024)]
    (tmp_path / "b").write_bytes(seal_frames(other, stored))
    assert_refused(tmp_path / "b", match="does not match its id")


def test_errors_say_where(tmp_path: Path) -> None:
    write_tiny(tmp_path / "b")
    data = bytearray((tmp_path / "b").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "b").write_bytes(data)
    with pytest.raises(VendorpackError) as caught:
        check(tmp_path / "b")
    assert caught.value.where == str(tmp_path / "b")
