"""Bundles as images: the documents around them, on disk, and references to them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli import Cli
from tests.real.clients import tool
from tests.world.npm import NpmRegistry, npm_registry
from vendorpack.errors import FetchError, TargetError, UsageError
from vendorpack.oci.image import parse_manifest
from vendorpack.oci.reference import parse_reference

HEX = "ab" * 32


@pytest.fixture
def npm(tmp_path: Path) -> Iterator[NpmRegistry]:
    made = npm_registry()
    with made.server:
        made.lock(tmp_path / "project", {"a": "1.0.0", "b": "2.0.0"})
        yield made


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob(layout: Path, descriptor: Mapping[str, Any]) -> bytes:
    """The blob a descriptor names, checked against it."""
    name: str = descriptor["digest"].removeprefix("sha256:")
    data = (layout / "blobs/sha256" / name).read_bytes()
    assert (sha256(data), len(data)) == (descriptor["digest"], descriptor["size"])
    return data


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("name", ["deps.tar.zst", "deps.tar"])
def test_the_layout(npm: NpmRegistry, tmp_path: Path, name: str) -> None:
    cli = Cli(tmp_path)
    answer = cli.ok("pack", "project", "-o", name, "--oci", "image", "--json").json
    layout = tmp_path / "image"
    assert json.loads((layout / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((layout / "index.json").read_bytes())
    (entry,) = index["manifests"]
    assert index["schemaVersion"] == 2
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": answer["key"]}
    assert answer["oci"] == {"path": "image", "digest": entry["digest"]}
    manifest = json.loads(blob(layout, entry))
    assert manifest["mediaType"] == entry["mediaType"]
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    (layer,) = manifest["layers"]
    kind = "+zstd" if name.endswith(".zst") else ""
    assert layer["mediaType"] == f"application/vnd.oci.image.layer.v1.tar{kind}"
    assert layer["annotations"] == {"org.opencontainers.image.title": name}
    bundle = (tmp_path / name).read_bytes()
    assert blob(layout, layer) == bundle
    config = json.loads(blob(layout, manifest["config"]))
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    plain = bundle
    if kind:
        command = [tool("zstd"), "-dc", str(tmp_path / name)]
        plain = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    assert config.pop("architecture") in ("amd64", "arm64")
    diff_ids = [sha256(plain)]
    assert config == {
        "config": {},
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    assert len(files(layout)) == 5
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert {(m.uid, m.gid) for m in tar} == {(0, 0)}


def test_it_is_the_same_everywhere(npm: NpmRegistry, tmp_path: Path) -> None:
    strange = {"TZ": "Asia/Kathmandu", "LANG": "C", "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    cli, other = Cli(tmp_path), Cli(tmp_path, store="b", environ=strange, umask=0o077)
    cli.ok("pack", "project", "--oci", "image")
    other.ok("pack", "project", "-o", "b.tar.zst", "--oci", "other", "-j", "1")
    assert files(tmp_path / "image") == files(tmp_path / "other")
    cli.ok("pack", "project", "--oci", "image.tar")
    other.ok("pack", "project", "--oci", "other.tar")
    data = (tmp_path / "image.tar").read_bytes()
    assert data == (tmp_path / "other.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        taken = {member.name: _read(tar, member) for member in tar if member.isfile()}
    (archive,) = json.loads(taken.pop("manifest.json"))
    name = "deps:" + cli.ok("key", "project").out.strip()
    assert archive["RepoTags"] == [name]
    assert {archive["Config"], *archive["Layers"]} <= taken.keys()
    layout = files(tmp_path / "image")
    of_tar, of_folder = (json.loads(taken_from.pop("index.json")) for taken_from in (taken, layout))
    annotations = of_tar["manifests"][0]["annotations"]
    assert annotations.pop("io.containerd.image.name") == f"docker.io/library/{name}"
    assert of_tar == of_folder
    assert taken == layout


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


def test_the_architecture_is_the_targets(npm: NpmRegistry, tmp_path: Path) -> None:
    def architecture(*args: str) -> str:
        Cli(tmp_path).ok("pack", "project", "--oci", "image", *args)
        layout = tmp_path / "image"
        (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
        config = json.loads(blob(layout, json.loads(blob(layout, entry))["config"]))
        found: str = config["architecture"]
        return found

    arm = ("--target", "linux-aarch64-musl")
    assert architecture(*arm) == "arm64"
    assert architecture("--target", "linux-x86_64-gnu") == "amd64"
    assert architecture("--target", "linux-x86_64-gnu", *arm) == "amd64"
    assert architecture("--all-targets") == "amd64"


def test_packing_again(npm: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("pack", "project", "--oci", "image")
    before = {p: p.stat().st_ino for p in (tmp_path / "image").rglob("*")}
    again = cli.ok("pack", "project", "--oci", "image")
    assert "already has this key" in again.err and "there already" in again.err
    assert before == {p: p.stat().st_ino for p in (tmp_path / "image").rglob("*")}
    assert not (tmp_path / "deps.tar.zst").exists()
    good = files(tmp_path / "image")
    # A damaged layer is written anew.
    victim = tmp_path / "image" / max(good, key=lambda path: len(good[path]))
    victim.write_bytes(victim.read_bytes()[:-5] + b"hello")
    cli.ok("pack", "project", "--oci", "image")
    assert files(tmp_path / "image") == good
    # Another lockfile takes its place, and leaves nothing behind.
    npm.lock(tmp_path / "project", {"a": "1.0.0"})
    cli.ok("pack", "project", "--oci", "image")
    changed = files(tmp_path / "image")
    assert len(changed) == len(good) and changed.keys() != good.keys()


@pytest.mark.parametrize(
    "content",
    [{"notes.txt": "mine"}, {"index.json": "{}"}, {"index.json": '{"manifests": [1, 2]}'}],
)
def test_what_is_no_layout_of_one_image_stays(
    npm: NpmRegistry, tmp_path: Path, content: dict[str, str]
) -> None:
    folder = tmp_path / "image"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_text(text)
    done = Cli(tmp_path)("pack", "project", "--oci", "image")
    assert done.code == TargetError.exit_code and "something else" in done.err
    assert {p.name: p.read_text() for p in folder.iterdir()} == content


def test_into_an_empty_folder_and_through_a_link(npm: NpmRegistry, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    Cli(tmp_path).ok("pack", "project", "--oci", "link")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real/oci-layout").is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="a full disk needs a mount, and that root")
def test_a_full_disk_leaves_nothing(npm: NpmRegistry, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", small])
    if mounted.returncode:
        pytest.skip("tmpfs cannot be mounted here")
    try:
        for name in ("image", "image.tar"):
            done = Cli(tmp_path)("pack", "project", "-o", "deps.tar.zst", "--oci", small / name)
            assert done.code == 9 and "no space" in done.err
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_options_that_exclude_each_other(npm: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    for args in (
        ("--push",),
        ("--from", "localhost:1/deps:tag"),
        ("--from", "deps"),
        ("--oci", "x", "-o", "x"),
    ):
        done = cli("pack", "project", *args)
        assert done.code == 2, done.err
    assert npm.server.requests == []


# -- manifests of others -------------------------------------------------------------------

LAYER = {"mediaType": "x", "digest": f"sha256:{HEX}", "size": 7}


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[" * 100_000,
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        {"manifests": [LAYER]},
        {"layers": []},
        {"layers": [LAYER, LAYER]},
        {"layers": [7]},
        {"layers": {"0": LAYER}},
        {"layers": [{**LAYER, "mediaType": None}]},
        {"layers": [{**LAYER, "digest": f"sha512:{HEX}{HEX}"}]},
        {"layers": [{**LAYER, "digest": f"sha256:{HEX}/../x"}]},
        {"layers": [{**LAYER, "digest": f"SHA256:{HEX}"}]},
        {"layers": [{**LAYER, "size": -1}]},
        {"layers": [{**LAYER, "size": True}]},
        {"layers": [{**LAYER, "size": "7"}]},
        {"layers": [{**LAYER, "size": 10**30}]},
    ],
)
def test_what_is_no_bundles_manifest(manifest: Any) -> None:
    data = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    with pytest.raises(FetchError, match="not a bundle's image") as caught:
        parse_manifest(data, "registry.example/deps:x")
    assert caught.value.where == "registry.example/deps:x"


# -- references ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "base", "tag", "digest"),
    [
        ("registry.example/deps", "https://registry.example/v2/deps", None, None),
        ("registry.example:5000/a/b-c__d.e:T.1", "https://registry.example:5000/v2/a/b-c__d.e",
         "T.1", None),
        (f"registry.example/deps@sha256:{HEX}", "https://registry.example/v2/deps", None, HEX),
        (f"registry.example/deps:x@sha256:{HEX}", "https://registry.example/v2/deps", "x", HEX),
        ("localhost/deps", "http://localhost/v2/deps", None, None),
        ("localhost:5000/deps:x", "http://localhost:5000/v2/deps", "x", None),
        ("127.9.9.9:5000/deps", "http://127.9.9.9:5000/v2/deps", None, None),
        ("[::1]:5000/deps", "http://[::1]:5000/v2/deps", None, None),
        ("https://localhost:5000/deps", "https://localhost:5000/v2/deps", None, None),
        ("10.0.0.1:5000/deps", "https://10.0.0.1:5000/v2/deps", None, None),
        ("http://10.0.0.1:5000/deps", "http://10.0.0.1:5000/v2/deps", None, None),
        ("http://registry:5000/deps", "http://registry:5000/v2/deps", None, None),
        ("http://registry.local/deps", "http://registry.local/v2/deps", None, None),
        ("docker.io/deps", "https://registry-1.docker.io/v2/library/deps", None, None),
        ("docker.io/me/deps:x", "https://registry-1.docker.io/v2/me/deps", "x", None),
    ],
)  # fmt: skip
def test_a_reference(text: str, base: str, tag: str | None, digest: str | None) -> None:
    reference = parse_reference(text)
    assert (reference.base, reference.tag) == (base, tag)
    assert reference.digest == (digest and f"sha256:{digest}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deps",
        "team/deps",
        "registry.example",
        "registry.example/",
        "registry.example/Deps",
        "registry.example/a//b",
        "registry.example/../b",
        "registry.example/a/./b",
        "registry.example/deps:",
        "registry.example/deps:-x",
        "registry.example/deps:" + "x" * 129,
        "registry.example/deps@sha256:xyz",
        "registry.example/deps@",
        "registry.example/deps?x=1",
        "registry.example/deps#x",
        "registry.example:port/deps",
        "registry.example:99999/deps",
        "regis try.example/deps",
        "registry\n.example/deps",
        "http://registry.example/deps",
        "http://8.8.8.8/deps",
        "ftp://registry.example/deps",
        "http://[::1/deps",
        "http:///deps",
        "user:canary@registry.example/deps",
        "https://user:canary@registry.example/deps",
    ],
)
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_reference(text)
    assert "canary" not in str(caught.value)
