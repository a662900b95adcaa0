"""Runtimes: which archive for which target, from where, and what the stores make of it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from tests.formats.pnpm.locks import EVERYWHERE, archive, names, read, sri
from tests.memory import MemoryWorkshop
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats.pnpm import FORMAT
from vendorpack.formats.pnpm.artifacts import PnpmRuntime
from vendorpack.model import Lockfile, Options, Packed
from vendorpack.target import parse_target

SITE = "https://nodejs.org/download/release/v24.19.0/node-v24.19.0"
MUSL = "https://unofficial-builds.nodejs.org/download/release/v24.19.0/node-v24.19.0"


def variant(url: str, system: str, libc: str = "", kind: str = "tarball") -> str:
    prefix = "prefix: node-v24.19.0-win-x64, " if kind == "zip" else ""
    only = f", libc: {libc}" if libc else ""
    return (
        f"        - resolution: {{archive: {kind}, bin: {{node: bin/node}}, {prefix}type: binary, "
        f"integrity: '{sri(url, 'sha256')}', url: '{url}'}}\n"
        f"          targets: [{{cpu: x64, os: {system}{only}}}]\n"
    )


LINUX = variant(f"{SITE}-linux-x64.tar.gz", "linux")
LOCK = (
    "lockfileVersion: '9.0'\nimporters:\n  .:\n    devDependencies:\n"
    "      node: {specifier: 'runtime:24.19.0', version: 'runtime:24.19.0'}\n"
    "packages:\n  node@runtime:24.19.0:\n    hasBin: true\n    resolution:\n"
    "      type: variations\n      variants:\n"
    + variant(f"{SITE}-darwin-x64.tar.gz", "darwin")
    + LINUX
    + variant(f"{MUSL}-linux-x64-musl.tar.gz", "linux", "musl")
    + variant(f"{SITE}-win-x64.zip", "win32", kind="zip")
    + "    version: 24.19.0\nsnapshots:\n  node@runtime:24.19.0: {}\n"
)


def read_for(folder: Path, *targets: str, lock: str = LOCK, **beside: str) -> Lockfile:
    options = Options(targets=tuple(parse_target(target) for target in targets))
    return read(folder, lock, options, **beside)


@pytest.mark.parametrize(
    ("target", "end"),
    [
        ("linux-x86_64-gnu", "x64-linux-x64.tar.gz"),
        ("linux-x86_64-musl", "linux-x64-musl.tar.gz"),
        ("macos-x86_64", "darwin-x64.tar.gz"),
        ("windows-x86_64", "win-x64.zip"),
    ],
)
def test_the_targets_archive(target: str, end: str, tmp_path: Path) -> None:
    (found,) = read_for(tmp_path, target).artifacts
    assert isinstance(found, PnpmRuntime)
    assert (found.url or "").endswith(end.removeprefix("x64-"))
    assert (found.id, str(found)) == ("node@runtime:24.19.0", "node 24.19.0")
    assert found.stores == ("v10", "v11")
    assert found.purl.startswith("pkg:generic/node@24.19.0?download_url=https")


def test_several_targets_and_all(tmp_path: Path) -> None:
    both = read_for(tmp_path, "linux-x86_64-gnu", "windows-x86_64")
    assert names(both) == ["node 24.19.0"] * 2
    assert len(read(tmp_path, LOCK, EVERYWHERE).artifacts) == 4
    assert not read_for(tmp_path, "linux-x86_64-gnu", "windows-x86_64").warnings[1:]


def test_a_target_without_an_archive_is_named(tmp_path: Path) -> None:
    found = read_for(tmp_path, "linux-aarch64-gnu")
    assert not found.artifacts
    assert [warning.what for warning in found.warnings] == [
        "the lockfile has no archive of node@runtime:24.19.0 for linux-aarch64-gnu: "
        "pnpm fails there"
    ]


def test_hosts(tmp_path: Path) -> None:
    """pnpm's default for runtimes is allowed where there is one; so is the user's own mirror."""
    lockfile = read_for(tmp_path, "linux-x86_64-gnu")
    assert "https://nodejs.org" in lockfile.access.origins
    without = read_for(tmp_path, lock="lockfileVersion: '9.0'\n")
    assert "https://nodejs.org" not in without.access.origins
    (asked,) = read_for(
        tmp_path, "linux-x86_64-gnu", npmrc="node-mirror:release=https://m.example/node\n"
    ).artifacts
    assert asked.url == f"{SITE}-linux-x64.tar.gz"
    assert asked.sources == ("https://m.example/node/v24.19.0/node-v24.19.0-linux-x64.tar.gz",)
    workspace = "nodeDownloadMirrors:\n  release: https://w.example\n  rc: https://rc.example\n"
    lockfile = read_for(tmp_path, "linux-x86_64-gnu", workspace=workspace)
    assert lockfile.artifacts[0].sources[0].startswith("https://w.example/v24.19.0/")
    assert "https://w.example" in lockfile.access.origins


@pytest.mark.parametrize(
    ("npmrc", "workspace", "where"),
    [
        ("node-mirror:release=here\n", "", ".npmrc"),
        ("", "nodeDownloadMirrors:\n  release: [1]\n", "pnpm-workspace.yaml"),
    ],
)
def test_a_mirror_that_is_none(npmrc: str, workspace: str, where: str, tmp_path: Path) -> None:
    with pytest.raises(LockfileError, match=r"is not an http\(s\) address") as caught:
        read(tmp_path, LOCK, npmrc=npmrc, workspace=workspace)
    assert caught.value.where == where


def test_pnpm_9_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="pnpm 9 and older do not know"):
        read(tmp_path, LOCK, package_json='{"packageManager": "pnpm@9.15.9"}')


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("archive: tarball", "archive: rpm", UnsupportedError),
        ("type: binary", "type: git", UnsupportedError),
        (f"{SITE}-linux", "file:///node", LockfileError),
        ("integrity: 'sha256", "integrity: 'nonsense", LockfileError),
        (LINUX, "        - nonsense\n", LockfileError),
        ("targets: [{", "targets: [x, {", LockfileError),
        ("bin: {node: bin/node}", "bin: [1]", LockfileError),
    ],
)
def test_nonsense(old: str, new: str, error: type[Exception], tmp_path: Path) -> None:
    assert old in LOCK
    with pytest.raises(error) as caught:
        read(tmp_path, LOCK.replace(old, new))
    assert getattr(caught.value, "where", "") == "pnpm-lock.yaml:7"


def test_no_archives(tmp_path: Path) -> None:
    start, end = LOCK.index("      variants:"), LOCK.index("    version: 24")
    with pytest.raises(LockfileError, match="a runtime without archives"):
        read(tmp_path, LOCK[:start] + LOCK[end:])


UNIX = archive(
    {
        "bin/node": (b"node", 0o755),
        "bin/npx": b"npx",
        "lib/node_modules/npm/package.json": b"{}",
        "lib/node_modules/other/package.json": b"{}",
    },
    folder="node-v24.19.0-linux-x64",
)


def windows() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for path in ("node.exe", "npm.cmd", "node_modules/npm/index.js"):
            made.writestr(f"node-v24.19.0-win-x64/{path}", path)
        made.writestr("elsewhere/x", "x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("target", "data", "files"),
    [
        (
            "linux-x86_64-gnu",
            UNIX,
            {"bin/node": 0o755, "lib/node_modules/other/package.json": 0o644},
        ),
        ("windows-x86_64", windows(), {"node.exe": 0o600}),
    ],
)
def test_the_stores(target: str, data: bytes, files: dict[str, int], tmp_path: Path) -> None:
    """npm and corepack stay out; package.json is made up, as pnpm makes it."""
    (artifact,) = read_for(tmp_path, target).artifacts
    shop = MemoryWorkshop()
    found = {
        entry.path: shop.content(entry)
        for entry in FORMAT.layout([Packed(artifact, shop.add(data))], shop)
        if entry.content is not None
    }
    (path,) = (path for path in found if "/v10/index/" in path)
    assert path.endswith("-node@runtime+24.19.0.json")
    index = json.loads(found[path])
    assert {name: file["mode"] for name, file in index["files"].items()} == {
        **files,
        "package.json": 0o644,
    }
    made = (
        b'{\n  "name": "node",\n  "version": "24.19.0",\n  "bin": {\n    "node": "bin/node"\n  }\n}'
    )
    assert made in found.values()
    assert (
        f"{artifact.integrity}\tnode@runtime:24.19.0".encode() in found["pnpm/store/v11/index.db"]
    )
