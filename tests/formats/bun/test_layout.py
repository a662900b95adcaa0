"""Bun's cache: which files, under which names, with which modes."""

from __future__ import annotations

from pathlib import Path

from tests.formats.bun.locks import artifacts, lock, project, release, tarball
from tests.memory import MemoryWorkshop
from vendorpack.formats.bun import FORMAT
from vendorpack.model import Packed, Variable


def test_the_files_of_packages(tmp_path: Path) -> None:
    made = project(
        tmp_path,
        lock({"a": release("a@1.0.0"), "t": ["t@https://example.com/t.tgz", {}]}),
    )
    shop = MemoryWorkshop()
    content = {
        "a 1.0.0": tarball({"package.json": (b"{}", 0o644), "bin/x": (b"#!", 0o755)}),
        "t 0.0.0": tarball({"b": (b"2", 0o600), "a": (b"1", 0o640)}, top="anything"),
    }
    packed = [Packed(a, shop.add(content[name])) for name, a in artifacts(made).items()]
    entries = [(e.path, e.mode, shop.content(e)) for e in FORMAT.layout(packed, shop)]
    (folder,) = artifacts(made)["t 0.0.0"].folders
    assert entries == [
        ("bun/cache/a@1.0.0@@@1/bin/x", 0o755, b"#!"),
        ("bun/cache/a@1.0.0@@@1/package.json", 0o644, b"{}"),
        (f"bun/cache/{folder}/a", 0o644, b"1"),
        (f"bun/cache/{folder}/b", 0o644, b"2"),
    ]


def test_what_is_no_file_of_the_package_is_left_out(tmp_path: Path) -> None:
    made = project(tmp_path, lock({"a": release("a@1.0.0")}))
    shop = MemoryWorkshop()
    data = tarball({"../../x": (b"", 0o644), "/y": (b"", 0o644), "ok": (b"", 0o644)})
    packed = [Packed(a, shop.add(data)) for a in artifacts(made).values()]
    assert [e.path for e in FORMAT.layout(packed, shop)] == [
        "bun/cache/a@1.0.0@@@1/ok",
        "bun/cache/a@1.0.0@@@1/y",
    ]


def test_the_environment() -> None:
    assert FORMAT.environment([]).variables == (
        Variable("BUN_CONFIG_REGISTRY", "https://registry.npmjs.org/"),
        Variable("BUN_INSTALL_CACHE_DIR", "bun/cache", is_path=True),
    )
