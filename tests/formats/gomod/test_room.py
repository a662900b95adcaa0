"""Module zips: their hash, their one form, and the tree of a module cache."""

from __future__ import annotations

import hashlib
import io
import random
import zipfile
from pathlib import Path

import pytest

from tests.memory import MemoryWorkshop
from tests.world.modules import h1, module_zip, project, zip_of
from vendorpack.errors import IntegrityError
from vendorpack.formats.gomod import FORMAT
from vendorpack.formats.gomod.hashes import stored_zip
from vendorpack.formats.gomod.modules import Module, ModuleFile
from vendorpack.model import Options, Packed

NAME, VERSION = "example.com/Big/x", "v1.0.0"
MODULE = Module(NAME, VERSION)
PREFIX = f"{NAME}@{VERSION}/"
FILES = {"go.mod": b"module x\n", "b/c.go": b"package c\n" * 999, "a.go": b"", "\u00e4.go": b"x"}
WHOLE = {PREFIX + name: data for name, data in FILES.items()}
SUM = f"{NAME} {VERSION} {h1(WHOLE)}\n{NAME} {VERSION}/go.mod {h1({'go.mod': FILES['go.mod']})}\n"


def artifacts(folder: Path) -> tuple[ModuleFile, ModuleFile]:
    mod, archive = FORMAT.read(project(folder / "p", {"go.sum": SUM}), Options()).artifacts
    assert isinstance(mod, ModuleFile)
    assert isinstance(archive, ModuleFile)
    return mod, archive


def derived(folder: Path, artifact: ModuleFile, content: bytes) -> bytes:
    path = folder / "download"
    path.write_bytes(content)
    return FORMAT.derive(artifact, "h1", path)


def test_the_hashes_are_those_of_go_sum(tmp_path: Path) -> None:
    mod, archive = artifacts(tmp_path)
    assert derived(tmp_path, mod, FILES["go.mod"]) == mod.digest.value
    assert derived(tmp_path, mod, b"module y\n") != mod.digest.value
    names = list(FILES)
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        random.Random(compression).shuffle(names)
        content = module_zip(NAME, VERSION, {name: FILES[name] for name in names}, compression)
        assert derived(tmp_path, archive, content) == archive.digest.value
    for changed in ({**FILES, "a.go": b"evil"}, {**FILES, "z.go": b""}, {"go.mod": b"module x\n"}):
        content = module_zip(NAME, VERSION, changed)
        assert derived(tmp_path, archive, content) != archive.digest.value


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a zip",
        module_zip(NAME, VERSION, FILES)[:-30],
        zip_of([("other@v1.0.0/go.mod", b"")]),
        zip_of([("/" + PREFIX + "go.mod", b"")]),
        zip_of([(PREFIX + "../../x", b"")]),
        zip_of([(PREFIX + "a/./x", b"")]),
        zip_of([(PREFIX + "a//x", b"")]),
        zip_of([(PREFIX + "a\\..\\x", b"")]),
        zip_of([(PREFIX + "a\nx", b"")]),
        zip_of([(PREFIX, b"")]),
    ],
)
def test_zips_that_are_refused(tmp_path: Path, content: bytes) -> None:
    _, archive = artifacts(tmp_path)
    with pytest.raises(IntegrityError) as caught:
        derived(tmp_path, archive, content)
    assert caught.value.where == f"{NAME} {VERSION}"


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    _, archive = artifacts(tmp_path)
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zip_of([(PREFIX + "a", b"1"), (PREFIX + "a", b"2")])
    with pytest.raises(IntegrityError, match="twice"):
        derived(tmp_path, archive, content)


def test_a_zip_whose_contents_are_too_large_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vendorpack.formats.gomod.zips.MAX_ZIP", 10_000)
    _, archive = artifacts(tmp_path)
    content = module_zip(NAME, VERSION, {"zeros": bytes(10_001)})
    with pytest.raises(IntegrityError, match="unpacks to more"):
        derived(tmp_path, archive, content)


def test_every_flipped_bit_of_a_zip_changes_the_hash_or_nothing_that_counts(tmp_path: Path) -> None:
    _, archive = artifacts(tmp_path)
    good = module_zip(NAME, VERSION, FILES)
    one_form = stored_zip(good, MODULE)
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 1 << position % 8
        try:
            value = derived(tmp_path, archive, bytes(bad))
        except IntegrityError:
            continue
        if value == archive.digest.value:
            assert stored_zip(bytes(bad), MODULE) == one_form


def test_the_one_form_of_a_zip() -> None:
    deflated = module_zip(NAME, VERSION, FILES)
    stored = module_zip(NAME, VERSION, dict(reversed(FILES.items())), zipfile.ZIP_STORED)
    one_form = stored_zip(deflated, MODULE)
    assert stored_zip(stored, MODULE) == one_form == stored_zip(one_form, MODULE)
    with zipfile.ZipFile(io.BytesIO(one_form)) as archive:
        assert archive.namelist() == sorted(WHOLE)
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.testzip() is None
    # The recipe's name must change with these bytes.
    golden = "16c4f9d061ceb86da6db10dd9d11b6b66becbb13fe51884fd66960999afba526"
    assert hashlib.sha256(one_form).hexdigest() == golden


def test_the_tree_and_its_environment(tmp_path: Path) -> None:
    mod, archive = artifacts(tmp_path)
    workshop = MemoryWorkshop()
    content = module_zip(NAME, VERSION, FILES)
    packed = [
        Packed(archive, workshop.add(content)),
        Packed(mod, workshop.add(FILES["go.mod"])),
    ]
    entries = list(FORMAT.layout(packed, workshop))
    base = "go/cache/download/example.com/!big/x/@v/v1.0.0"
    assert [(entry.path, workshop.content(entry)) for entry in entries] == [
        (f"{base}.info", b'{"Version":"v1.0.0"}'),
        (f"{base}.mod", FILES["go.mod"]),
        (f"{base}.zip", stored_zip(content, MODULE)),
    ]
    assert [entry.artifact for entry in entries] == [None, mod, archive]
    variables = FORMAT.environment(packed).variables
    assert [(v.name, v.value, v.is_path) for v in variables] == [
        ("GOMODCACHE", "go", True),
        ("GOPROXY", "off", False),
        ("GOTOOLCHAIN", "local", False),
    ]


@pytest.mark.parametrize(
    ("path", "existing", "expected"),
    [
        ("go/x.info", b'{"Version":"v1","Time":"t"}', b'{"Version":"v1","Time":"t"}'),
        ("go/x.info", b"{}", b"ours"),
        ("go/x.info", b"[", b"ours"),
        ("go/x.zip", b"theirs", b"ours"),
    ],
)
def test_merging_into_the_users_own_cache(path: str, existing: bytes, expected: bytes) -> None:
    assert FORMAT.merge(path, existing, b"ours") == expected
