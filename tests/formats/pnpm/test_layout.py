"""pnpm's stores, byte for byte, and how pnpm is told of them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import struct
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.formats.pnpm.locks import archive, artifact, package, sri, tree
from tests.memory import MemoryWorkshop
from vendorpack.digest import Digest
from vendorpack.errors import UnsupportedError
from vendorpack.formats.pnpm import FORMAT
from vendorpack.model import Entry, Packed
from vendorpack.project import Host


def hex_of(data: bytes) -> str:
    return hashlib.sha512(data).hexdigest()


def cas(store: str, data: bytes, suffix: str = "") -> str:
    return f"{store}/files/{hex_of(data)[:2]}/{hex_of(data)[2:]}{suffix}"


def rows(tree: dict[str, bytes]) -> dict[str, bytes]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(tree["v11/index.db"])
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return dict(db.execute("SELECT key, data FROM package_index"))


def unpack_record(data: bytes) -> Any:
    """msgpackr's records, as far as the room writes them."""
    shapes: dict[int, list[str]] = {}

    def value(at: int) -> tuple[Any, int]:
        kind = data[at]
        if kind == 0xD4 and data[at + 1] == 0x72:
            slot = data[at + 2]
            names, at = value(at + 3)
            shapes[slot] = names
            return record(slot, at)
        if 0x40 <= kind < 0x80:
            return record(kind, at + 1)
        if kind < 0x40:
            return kind, at + 1
        if kind & 0xF0 == 0x80:
            return mapping(kind & 15, at + 1)
        if kind & 0xF0 == 0x90:
            return array(kind & 15, at + 1)
        if kind & 0xE0 == 0xA0:
            return data[at + 1 : at + 1 + (kind & 31)].decode(), at + 1 + (kind & 31)
        if kind in (0xC2, 0xC3):
            return kind == 0xC3, at + 1
        if kind == 0xCB:
            return struct.unpack(">d", data[at + 1 : at + 9])[0], at + 9
        sizes = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xD9: 1, 0xDA: 2, 0xDC: 2, 0xDE: 2}
        number = int.from_bytes(data[at + 1 : at + 1 + sizes[kind]])
        at += 1 + sizes[kind]
        if kind in (0xD9, 0xDA):
            return data[at : at + number].decode(), at + number
        if kind == 0xDE:
            return mapping(number, at)
        return number, at

    def array(count: int, at: int) -> tuple[list[Any], int]:
        found = []
        for _ in range(count):
            item, at = value(at)
            found.append(item)
        return found, at

    def mapping(count: int, at: int) -> tuple[dict[str, Any], int]:
        flat = {}
        for _ in range(count):
            key, at = value(at)
            flat[key], at = value(at)
        return flat, at

    def record(slot: int, at: int) -> tuple[dict[str, Any], int]:
        values, at = array(len(shapes[slot]), at)
        return dict(zip(shapes[slot], values, strict=True)), at

    found, end = value(0)
    assert end == len(data)
    return found


def test_the_trees() -> None:
    script = b"#!/bin/sh\n"
    data = archive(
        {
            "package.json": b'{"name": "@s/a", "version": "1.0.0"}',
            "bin/run": (script, 0o755),
            "copy": (script, 0o644),
            "empty": b"",
        }
    )
    one = artifact("@s/a")
    found = tree((one, data))
    digest = Digest("sha512", hashlib.sha512(b"@s/a@1.0.0").digest())
    manifest = b'{"name": "@s/a", "version": "1.0.0"}'
    expected = {
        cas(store, content, suffix)
        for store in ("v3", "v10", "v11")
        for content, suffix in ((manifest, ""), (script, "-exec"), (script, ""), (b"", ""))
    } | {
        f"v3/files/{digest.hex[:2]}/{digest.hex[2:]}-index.json",
        f"v10/index/{digest.hex[:2]}/{digest.hex[2:64]}-@s+a@1.0.0.json",
        "v11/index.db",
    }
    assert set(found) == expected
    assert found[cas("v10", script, "-exec")] == script

    index = json.loads(found[f"v10/index/{digest.hex[:2]}/{digest.hex[2:64]}-@s+a@1.0.0.json"])
    assert index == json.loads(found[f"v3/files/{digest.hex[:2]}/{digest.hex[2:]}-index.json"])
    assert (index["name"], index["version"], index["requiresBuild"]) == ("@s/a", "1.0.0", False)
    assert list(index["files"]) == ["bin/run", "copy", "empty", "package.json"]
    assert index["files"]["bin/run"] == {
        "checkedAt": 946684800000,
        "integrity": sri(script.decode()),
        "mode": 0o755,
        "size": 10,
    }

    table = rows(found)
    assert list(table) == [f"{one.sri}\t@s/a@1.0.0"]
    record = unpack_record(table[f"{one.sri}\t@s/a@1.0.0"])
    assert (record["requiresBuild"], record["algo"]) == (False, "sha512")
    assert record["files"]["bin/run"] == {
        "checkedAt": 946684800000.0,
        "digest": hex_of(script),
        "mode": 0o755,
        "size": 10,
    }
    assert set(record["files"]) == set(index["files"])


@pytest.mark.parametrize("count", [15, 16, 300])
def test_rows_of_many_and_large_files(count: int) -> None:
    files = {f"{'d' * (number % 260)}/{number}": bytes(number * 300) for number in range(count)}
    files["package.json"] = b"{}"
    (row,) = rows(tree((artifact(), archive(files)))).values()
    found = unpack_record(row)["files"]
    assert {path: entry["size"] for path, entry in found.items()} == {
        "/".join(part for part in path.split("/") if part): len(data)
        for path, data in files.items()
    }


@pytest.mark.parametrize(
    ("files", "manifest", "builds"),
    [
        ({}, {"scripts": {"postinstall": "x"}}, True),
        ({}, {"scripts": {"install": "x"}}, True),
        ({}, {"scripts": {"preinstall": "x"}}, True),
        ({}, {"scripts": {"prepare": "x", "test": "x"}}, False),
        ({}, {"scripts": {"install": ""}}, False),
        ({}, {"scripts": ["install"]}, False),
        ({"binding.gyp": b""}, {}, True),
        ({"sub/binding.gyp": b""}, {}, False),
        ({".hooks/postinstall": b""}, {}, True),
    ],
)
def test_requires_build(files: dict[str, bytes], manifest: dict[str, Any], builds: bool) -> None:
    data = archive({"package.json": json.dumps(manifest).encode(), **files})
    found = tree((artifact(), data))
    (row,) = rows(found).values()
    assert unpack_record(row)["requiresBuild"] is builds
    (index,) = [v for p, v in found.items() if p.startswith("v10/index/")]
    assert json.loads(index)["requiresBuild"] is builds


@pytest.mark.parametrize("manifest", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"name": 1}', None])
def test_without_a_sensible_manifest(manifest: bytes | None) -> None:
    files = {"a.js": b"1"} if manifest is None else {"package.json": manifest}
    found = tree((artifact("x", "2.0.0", stores=("v10",)), archive(files)))
    (index,) = [json.loads(v) for p, v in found.items() if p.startswith("v10/index/")]
    assert (index["name"], index["version"]) == ("x", "2.0.0")


def test_the_manifest_says_who_it_is() -> None:
    """pnpm compares it with what was asked for; we do not lie to it."""
    found = tree((artifact("x", "2.0.0", stores=("v10",)), package("other", "9.9.9")))
    (index,) = [json.loads(v) for p, v in found.items() if p.startswith("v10/index/")]
    assert (index["name"], index["version"]) == ("other", "9.9.9")


def test_names_that_look_alike_do_not_collide() -> None:
    packages = [(artifact(name), package(name)) for name in ("@a/b", "a-b", "@a+b", "a+b", "a/b")]
    found = tree(*packages)
    assert len([p for p in found if p.startswith("v10/index/")]) == len(packages)
    assert len([p for p in found if p.endswith("-index.json")]) == len(packages)
    assert len(rows(found)) == len(packages)


def test_the_same_tarball_under_two_names() -> None:
    first = artifact("a", integrity=sri("same"))
    second = artifact("a", id="https://example.com/a.tgz", integrity=sri("same"))
    found = tree((first, package("a")), (second, package("a")))
    indexes = sorted(p for p in found if p.startswith("v10/index/"))
    assert [p.partition("-")[2] for p in indexes] == [
        "a@1.0.0.json",
        "https+++example.com+a.tgz.json",
    ]
    assert set(rows(found)) == {f"{sri('same')}\ta@1.0.0", f"{sri('same')}\t{second.id}"}


def test_only_the_stores_asked_for() -> None:
    old, new = artifact("a", stores=("v3",)), artifact("b", stores=("v11",))
    found = tree((old, package("a")), (new, package("b")))
    assert {path.partition("/")[0] for path in found} == {"v3", "v11"}
    assert list(rows(found)) == [f"{new.sri}\tb@1.0.0"]


def test_a_weak_hash_names_it_too() -> None:
    weak = artifact(integrity=sri("a", "sha1"), stores=("v3", "v10"))
    digits = hashlib.sha1(b"a").hexdigest()
    found = tree((weak, package()))
    assert f"v10/index/{digits[:2]}/{digits[2:]}-a@1.0.0.json" in found
    assert f"v3/files/{digits[:2]}/{digits[2:]}-index.json" in found


def test_git_hosts() -> None:
    address = "https://example.com/o/Repo/tar.gz/0123"
    one = artifact(id=address, integrity="", git_hosted=True)
    found = tree((one, package()))
    indexes = [path for path in found if path.endswith(".json")]
    upper = "https+++example.com+o+Repo+tar.gz+0123"
    sha = hashlib.sha256(upper.encode()).hexdigest()[:32]
    assert {
        f"v10/{upper}_{sha}/integrity.json",
        f"v10/{upper}_{sha}/integrity-not-built.json",
    }.issubset(indexes)
    assert set(rows(found)) == {f"{address}\tbuilt", f"{address}\tnot-built"}
    lower = artifact(id="@example.com/x/b.tgz", integrity="", git_hosted=True, stores=("v3",))
    paths = tree((lower, package()))
    assert "v3/@example.com+x@b.tgz/integrity.json" in paths  # pnpm 7 and 8
    assert "v3/@example.com+x+b.tgz/integrity.json" in paths  # pnpm 9


def test_git_hosts_with_a_hash() -> None:
    one = artifact(id="https://example.com/x", integrity=sri("x"), git_hosted=True)
    found = tree((one, package()))
    digits = hex_of(b"x")
    assert f"v3/files/{digits[:2]}/{digits[2:]}-index.json" in found
    assert "v10/https+++example.com+x/integrity.json" in found
    assert f"v10/index/{digits[:2]}/{digits[2:64]}-https+++example.com+x.json" in found
    assert set(rows(found)) == {
        f"{sri('x')}\thttps://example.com/x",
        "https://example.com/x\tbuilt",
        "https://example.com/x\tnot-built",
    }


@pytest.mark.parametrize(
    ("manifest", "needs"),
    [
        ({"scripts": {"prepare": "x"}}, True),
        ({"scripts": {"prepack": "x"}, "main": "dist/x.js"}, True),
        ({"scripts": {"prepack": "x"}, "main": "./index.js"}, False),
        ({"scripts": {"prepublish": "x"}}, False),
        ({"scripts": {"test": "x"}}, False),
    ],
)
def test_what_pnpm_would_build_is_not_passed_off_as_built(
    manifest: dict[str, Any], needs: bool
) -> None:
    one = artifact(id="https://example.com/x", integrity="", git_hosted=True)
    found = tree((one, package(**manifest)))
    assert (f"{one.id}\tbuilt" in rows(found)) is not needs
    assert ("v10/https+++example.com+x/integrity.json" in found) is not needs
    assert "v10/https+++example.com+x/integrity-not-built.json" in found


def test_members_that_are_not_for_a_package() -> None:
    """Later ones win; what would lie outside is dropped."""
    data = archive({"package.json": b"{}", "../../evil": b"1", "a": b"1", "./a": b"2"})
    (row,) = rows(tree((artifact(), data))).values()
    files = unpack_record(row)["files"]
    assert set(files) == {"package.json", "a"}
    assert files["a"]["digest"] == hex_of(b"2")


def test_a_damaged_archive_is_named() -> None:
    with pytest.raises(UnsupportedError, match=r"a 1\.0\.0"):
        tree((artifact(), b"no archive at all"))


def entries(*packages: tuple[Any, bytes]) -> list[Entry]:
    shop = MemoryWorkshop()
    return list(FORMAT.layout([Packed(a, shop.add(d)) for a, d in packages], shop))


def test_order_and_sameness() -> None:
    packages = [(artifact(name), package(name)) for name in ("a", "b")]
    first = entries(*packages)
    assert first == entries(*packages)
    assert first[0].path == "pnpm/store/v10/projects"
    assert (first[0].content, first[0].mode) == (None, 0o1777)
    assert first[-1].path == "pnpm/store/v11/index.db"
    owners = [e.artifact.name for e in first if e.artifact is not None]
    assert owners == sorted(owners)
    # A file's copies follow each other, which is what makes them compress to nothing.
    digits = hashlib.sha512(b"a").hexdigest()
    stores = [e.path.split("/")[2] for e in first if e.path.endswith(digits[2:])]
    assert stores == ["v3", "v10", "v11"]


def test_nothing_to_pack() -> None:
    assert entries() == []
    assert FORMAT.environment([]).variables == ()


@pytest.mark.parametrize(
    ("stores", "variables"),
    [
        (("v3",), {
            "npm_config_manage_package_manager_versions": "false",
            "npm_config_offline": "true",
            "npm_config_store_dir": "pnpm/store",
        }),
        (("v11",), {
            "pnpm_config_frozen_store": "true",
            "pnpm_config_minimum_release_age": "0",
            "pnpm_config_offline": "true",
            "pnpm_config_pm_on_fail": "ignore",
            "pnpm_config_store_dir": "pnpm/store",
            "pnpm_config_trust_lockfile": "true",
        }),
    ],
)  # fmt: skip
def test_environment(stores: tuple[str, ...], variables: dict[str, str]) -> None:
    shop = MemoryWorkshop()
    packed = [Packed(artifact(stores=stores), shop.add(b""))]
    found = FORMAT.environment(packed).variables
    assert {v.name: v.value for v in found} == variables
    assert [v.name for v in found if v.is_path] == [
        name for name in variables if "store_dir" in name
    ]


def test_the_projects_own_archives_go_into_the_store() -> None:
    shop = MemoryWorkshop()
    packed = [
        Packed(artifact("a"), shop.add(b"a")),
        Packed(replace(artifact("b"), frozen=False), shop.add(b"b")),
    ]
    found = {variable.name for variable in FORMAT.environment(packed).variables}
    assert "pnpm_config_offline" in found
    assert "pnpm_config_frozen_store" not in found


@pytest.mark.parametrize(
    ("os", "environ", "path"),
    [
        ("linux", {}, "/home/u/.local/share/pnpm/store"),
        ("macos", {}, "/home/u/Library/pnpm/store"),
        ("windows", {"LOCALAPPDATA": "/local"}, "/local/pnpm/store"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/pnpm/store"),
        ("linux", {"XDG_DATA_HOME": "/data", "PNPM_HOME": "/pnpm"}, "/pnpm/store"),
        ("linux", {"npm_config_store_dir": "/s", "PNPM_HOME": "/pnpm"}, "/s"),
        ("linux", {"pnpm_config_store_dir": "/s", "PNPM_HOME": "/pnpm"}, "/s"),
    ],
)
def test_native_roots(os: str, environ: dict[str, str], path: str) -> None:
    host = Host(environ=environ, home=Path("/home/u"), os=os)
    assert FORMAT.native_roots(host)["pnpm/store"] == Path(path)


def test_merge_replaces_all_but_the_table() -> None:
    assert FORMAT.merge("pnpm/store/v10/index/aa/b.json", b"theirs", b"ours") == b"ours"
    found = tree((artifact(stores=("v11",)), package()))["v11/index.db"]
    other = tree((artifact("b", stores=("v11",)), package("b")))["v11/index.db"]
    merged = FORMAT.merge("pnpm/store/v11/index.db", other, found)
    assert len(rows({"v11/index.db": merged})) == 2


def test_a_name_with_a_backslash_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"a 1\.0\.0 has a file with a backslash") as caught:
        tree((artifact(), archive({"package.json": b"{}", "x\\y": b""})))
    assert "--exclude a" in (caught.value.fix or "")
