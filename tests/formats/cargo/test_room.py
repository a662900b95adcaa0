"""Crates and commits to the tree of a CARGO_HOME."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.memory import MemoryIndex, MemoryWorkshop
from tests.world.crates import CRATES_IO, OTHER, archive, crate, package, project
from tests.world.git import Repository
from vendorpack.errors import (
    FetchError,
    IntegrityError,
    LockfileError,
    TargetError,
    UnsupportedError,
)
from vendorpack.fetch.git import fetch_commit
from vendorpack.fetch.git_client import GitAddress
from vendorpack.formats.cargo import FORMAT
from vendorpack.formats.cargo.artifacts import Crate
from vendorpack.formats.cargo.index import cache_file, line_of_crate, merged_cache_file
from vendorpack.formats.cargo.sources import git_folders
from vendorpack.model import Artifact, Credential, Options, Packed, Trust
from vendorpack.target import parse_target

V4 = "version = 4\n\n"
NEW = "index.crates.io-1949cf8c6b5b557f"
OLD = "index.crates.io-6f17d22bba15001f"

MANIFEST = """
links = "native"
rust-version = "1.60"
[features]
plain = ["serde"]
newer = ["dep:renamed", "serde?/std"]
[dependencies]
serde = "1.0"
[dependencies.renamed]
version = ">=1, <3"
package = "regex"
optional = true
default-features = false
features = ["std"]
[dev-dependencies]
check = "*"
[build_dependencies.cc]
version = "1"
registry-index = "sparse+https://crates.example.com/index/"
[target."cfg(windows)".dependencies]
winapi = { version = "0.3" }
"""


def dependency(name: str, req: str, **more: object) -> dict[str, object]:
    plain = {
        "name": name,
        "req": req,
        "features": [],
        "optional": False,
        "default_features": True,
        "target": None,
        "kind": "normal",
        "registry": None,
    }
    return plain | more


def test_the_index_line_is_made_from_the_crates_own_manifest() -> None:
    content = crate("one", "1.0.0", MANIFEST)
    assert json.loads(line_of_crate(content, crates_io=True)) == {
        "name": "one",
        "vers": "1.0.0",
        "deps": [
            dependency("serde", "1.0"),
            dependency(
                "renamed",
                ">=1, <3",
                package="regex",
                optional=True,
                default_features=False,
                features=["std"],
            ),
            dependency("check", "*", kind="dev"),
            dependency("cc", "1", kind="build", registry=OTHER),
            dependency("winapi", "0.3", target="cfg(windows)"),
        ],
        "cksum": hashlib.sha256(content).hexdigest(),
        "features": {"plain": ["serde"]},
        "features2": {"newer": ["dep:renamed", "serde?/std"]},
        "v": 2,
        "links": "native",
        "rust_version": "1.60",
        "yanked": False,
    }


def test_elsewhere_a_dependency_without_registry_is_the_default_ones() -> None:
    line = json.loads(line_of_crate(crate("one", "1.0.0", MANIFEST), crates_io=False))
    registries = {item["name"]: item["registry"] for item in line["deps"]}
    assert registries["cc"] == OTHER
    assert f"registry+{registries['serde']}" == CRATES_IO


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        crate("one", "1.0.0")[:-40],
        archive({"Cargo.toml": b"[package]"}),
        archive({"one-1.0.0/src/lib.rs": b""}),
    ],
)
def test_a_crate_that_cannot_be_opened(content: bytes) -> None:
    with pytest.raises(UnsupportedError):
        line_of_crate(content, crates_io=True)


@pytest.mark.parametrize(
    "manifest",
    ["[features]\na = 1", "[dependencies]\na = 1", "[dependencies]\na = {version=1}", "["],
)
def test_a_crate_with_a_manifest_of_nonsense(manifest: str) -> None:
    with pytest.raises(LockfileError) as caught:
        line_of_crate(crate("one", "1.0.0", manifest), crates_io=True)
    assert caught.value.where is not None
    assert caught.value.where.startswith("one-1.0.0/Cargo.toml")


def test_a_crate_that_unpacks_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vendorpack.formats.cargo.index._MAX_CRATE", 1 << 20)
    bomb = archive({"one-1.0.0/a": bytes(8 << 20), "one-1.0.0/Cargo.toml": b"[package]"})
    assert len(bomb) * 20 < 1 << 20
    with pytest.raises(UnsupportedError, match="unpacks to more"):
        line_of_crate(bomb, crates_io=True)


def test_the_cache_file_and_merging_it_into_the_users() -> None:
    ours = cache_file([("1.0.0", b"{}"), ("2.0.0", b'{"our":2}')])
    assert ours == b'\x03\x02\0\0\0Unknown\x001.0.0\0{}\x002.0.0\0{"our":2}\0'
    theirs = b'\x03\x02\0\0\0etag: "x"\x000.9.0\0{}\x001.0.0\0{"their":1}\0'
    merged = merged_cache_file(theirs, ours)
    assert merged == theirs + b'2.0.0\0{"our":2}\0'
    assert merged_cache_file(merged, ours) == merged
    for unusable in (b"", b"\x02" + theirs[1:], theirs[:-1], theirs + b"x"):
        assert merged_cache_file(unusable, ours) == ours


def pack(
    folder: Path,
    lock: str,
    contents: Mapping[str, bytes],
    workshop: MemoryWorkshop,
    options: Options | None = None,
    index: MemoryIndex | None = None,
    environ: Mapping[str, str] | None = None,
) -> list[Packed]:
    """The artifacts of a lockfile with their bytes: `contents` by name, commits from git."""
    options = options or Options()
    lockfile = FORMAT.read(project(folder / "p", lock, environ), options)
    index = index or MemoryIndex({})
    lockfile = asyncio.run(FORMAT.locate(lockfile, options, index))
    packed: list[Packed] = []
    wanted: Sequence[Artifact] = lockfile.artifacts
    while wanted:
        packed += [_fetched(artifact, contents, workshop, folder) for artifact in wanted]
        wanted = asyncio.run(FORMAT.expand(lockfile, packed, workshop, index))
    return sorted(packed, key=lambda item: (item.artifact.name, item.artifact.version))


def _fetched(
    artifact: Artifact, contents: Mapping[str, bytes], workshop: MemoryWorkshop, folder: Path
) -> Packed:
    if isinstance(artifact, Crate):
        content = contents[artifact.name]
        assert artifact.integrity.accepts({"sha256": hashlib.sha256(content).digest()})
        return Packed(artifact, workshop.add(content))
    assert artifact.url is not None
    out = folder / "pack"
    address = GitAddress.parse(artifact.url)
    asyncio.run(fetch_commit(address, out, environ=os.environ, protocols=["file"]))
    assert artifact.integrity.accepts({"git": FORMAT.derive(artifact, "git", out)})
    return Packed(artifact, workshop.add(out.read_bytes()))


def test_crates_and_their_index_with_each_name_under_one_file(tmp_path: Path) -> None:
    contents = {"Ab": crate("Ab", "1.0.0"), "long-name": crate("long-name", "0.1.0+meta")}
    second = crate("Ab", "2.0.0")
    lock = (
        V4
        + package("Ab", "1.0.0", CRATES_IO, contents["Ab"])
        + package("long-name", "0.1.0+meta", CRATES_IO, contents["long-name"])
    )
    workshop = MemoryWorkshop()
    packed = pack(tmp_path, lock, contents, workshop)
    both = pack(tmp_path, V4 + package("Ab", "2.0.0", CRATES_IO, second), {"Ab": second}, workshop)
    entries = list(FORMAT.layout([packed[0], *both, packed[1]], workshop))
    assert [entry.path for entry in entries] == [
        f"cargo/registry/index/{NEW}/config.json",
        f"cargo/registry/cache/{NEW}/Ab-1.0.0.crate",
        f"cargo/registry/cache/{NEW}/Ab-2.0.0.crate",
        f"cargo/registry/index/{NEW}/.cache/2/ab",
        f"cargo/registry/cache/{NEW}/long-name-0.1.0+meta.crate",
        f"cargo/registry/index/{NEW}/.cache/lo/ng/long-name",
    ]
    fields = workshop.content(entries[3]).split(b"\0")
    assert fields[-5:-1:2] == [b"1.0.0", b"2.0.0"]
    assert json.loads(fields[-2])["vers"] == "2.0.0"
    assert json.loads(workshop.content(entries[0])) == {"dl": "https://static.crates.io/crates"}


def test_compat_fills_the_older_names_with_the_same(tmp_path: Path) -> None:
    content = crate("one", "1.0.0")
    lock = V4 + package("one", "1.0.0", CRATES_IO, content)
    workshop = MemoryWorkshop()
    options = Options(extra={"cargo-compat": "yes"})
    packed = pack(tmp_path, lock, {"one": content}, workshop, options)
    entries = {e.path: workshop.content(e) for e in FORMAT.layout(packed, workshop)}
    new = {path: content for path, content in entries.items() if NEW in path}
    old = {path.replace(OLD, NEW): c for path, c in entries.items() if OLD in path}
    assert new == old
    assert len(entries) == 6


INDEX = "https://crates.example.com/index/"


def answers(content: bytes, **config: object) -> dict[str, bytes]:
    line = json.loads(line_of_crate(content, crates_io=False)) | {"yanked": True, "pubtime": "x"}
    stale = {"name": "one", "vers": "0.9.0", "cksum": "0" * 64}
    settings = {"dl": "https://dl.example.com/{crate}/{sha256-checksum}"} | config
    return {
        INDEX + "config.json": json.dumps(settings).encode(),
        INDEX + "3/o/one": b"\n".join(json.dumps(item).encode() for item in (stale, line)),
    }


def test_another_registry_is_asked_where_its_crates_are(tmp_path: Path) -> None:
    content = crate("one", "1.0.0")
    environ = {"CARGO_REGISTRIES_OWN_INDEX": OTHER, "CARGO_REGISTRIES_OWN_TOKEN": "secret"}
    lock = V4 + package("one", "1.0.0", OTHER, content)
    index = MemoryIndex(answers(content, **{"auth-required": True}))
    lockfile = FORMAT.read(project(tmp_path, lock, environ), Options())
    located = asyncio.run(FORMAT.locate(lockfile, Options(), index))
    (one,) = located.artifacts
    assert one.url == f"https://dl.example.com/one/{hashlib.sha256(content).hexdigest()}"
    assert one.trust is Trust.LOCKFILE
    assert index.asked == [INDEX + "config.json"]
    assert "https://dl.example.com" in located.access.origins
    assert located.access.credentials[-1] == Credential("https://dl.example.com/", "secret")
    environment = FORMAT.environment([Packed(one, MemoryWorkshop().add(content))])
    assert [(v.name, v.value) for v in environment.variables] == [
        ("CARGO_HOME", "cargo"),
        ("CARGO_NET_OFFLINE", "true"),
        ("CARGO_REGISTRIES_OWN_INDEX", OTHER),
    ]


def test_a_token_goes_to_downloads_only_if_the_registry_asks_for_it(tmp_path: Path) -> None:
    content = crate("one", "1.0.0")
    environ = {"CARGO_REGISTRIES_OWN_INDEX": OTHER, "CARGO_REGISTRIES_OWN_TOKEN": "secret"}
    lock = V4 + package("one", "1.0.0", OTHER, content)
    lockfile = FORMAT.read(project(tmp_path, lock, environ), Options())
    located = asyncio.run(FORMAT.locate(lockfile, Options(), MemoryIndex(answers(content))))
    assert located.access.credentials == (Credential(INDEX, "secret"),)


def test_downloads_over_plain_http_are_for_the_user_to_allow(tmp_path: Path) -> None:
    content = crate("one", "1.0.0")
    environ = {"CARGO_REGISTRIES_OWN_INDEX": OTHER, "CARGO_REGISTRIES_OWN_TOKEN": "secret"}
    lock = V4 + package("one", "1.0.0", OTHER, content)
    index = MemoryIndex(answers(content, dl="http://dl.example.com/", **{"auth-required": True}))
    lockfile = FORMAT.read(project(tmp_path, lock, environ), Options())
    located = asyncio.run(FORMAT.locate(lockfile, Options(), index))
    assert located.access == lockfile.access


def test_a_missing_checksum_comes_from_the_index_and_is_marked(tmp_path: Path) -> None:
    content = crate("one", "1.0.0")
    index = MemoryIndex(answers(content))
    packed = pack(
        tmp_path,
        V4 + package("one", "1.0.0", OTHER),
        {"one": content},
        MemoryWorkshop(),
        index=index,
    )
    assert packed[0].artifact.trust is Trust.REGISTRY


def test_index_lines_of_the_registry_without_what_may_change(tmp_path: Path) -> None:
    content = crate("one", "1.0.0")
    workshop = MemoryWorkshop()
    packed = pack(
        tmp_path,
        V4 + package("one", "1.0.0", OTHER, content),
        {"one": content},
        workshop,
        Options(extra={"cargo-index-lines": "registry"}),
        MemoryIndex(answers(content)),
    )
    assert isinstance(packed[0].artifact, Crate)
    assert packed[0].artifact.index_line == line_of_crate(content, crates_io=False)


LINUX = Options(targets=(parse_target("linux-x86_64"),), extra={"cargo-crates": "targets"})
APP = '[[package]]\nname = "app"\nversion = "0.1.0"\ndependencies = ["one"]\n'


def of_windows(content: bytes, deps: object = None) -> dict[str, bytes]:
    """Answers for a crate that needs another on Windows alone."""
    line = json.loads(line_of_crate(content, crates_io=False))
    wants = dependency("win", "1", target="cfg(windows)")
    win = {"name": "win", "vers": "1.0.0", "cksum": "0" * 64, "deps": []}
    lines = {"3/o/one": line | {"deps": [wants] if deps is None else deps}, "3/w/win": win}
    found = {INDEX + path: json.dumps(line).encode() for path, line in lines.items()}
    return answers(content) | found


def test_lockfiles_that_choose_differently_share_one_index(tmp_path: Path) -> None:
    content = crate("one", "1.0.0")
    one = package("one", "1.0.0", OTHER, content)
    win = package("win", "1.0.0", OTHER).rstrip() + f'\nchecksum = "{"0" * 64}"\n'
    index, workshop = MemoryIndex(of_windows(content)), MemoryWorkshop()
    lock = V4 + APP + one + 'dependencies = ["win"]\n' + win
    left = pack(tmp_path, lock, {"one": content}, workshop, LINUX, index)
    right = pack(tmp_path, V4 + APP + one, {"one": content}, workshop, LINUX, index)
    assert [item.artifact.name for item in (*left, *right)] == ["one", "one"]
    for packed in ([*left, *right], [*right, *left]):
        entries = {e.path: workshop.content(e) for e in FORMAT.layout(packed, workshop)}
        assert [path.rpartition("/")[2] for path in sorted(entries)] == [
            "one-1.0.0.crate",
            "one",
            "win",
            "config.json",
        ]
        (cached,) = [data for path, data in entries.items() if path.endswith("/3/o/one")]
        assert cached.count(b"1.0.0\0{") == 1


def test_a_lockfile_of_another_platforms_crates_keeps_them(tmp_path: Path) -> None:
    """A registry's index lines go with some crate of it."""
    content = crate("one", "1.0.0")
    lock = V4 + package("one", "1.0.0", OTHER, content)  # nobody asks for it
    index = MemoryIndex(answers(content))
    packed = pack(tmp_path, lock, {"one": content}, MemoryWorkshop(), LINUX, index)
    assert [item.artifact.name for item in packed] == ["one"]


def test_an_index_whose_dependencies_are_no_list(tmp_path: Path) -> None:
    content = crate("one", "1.0.0")
    lock = V4 + APP + package("one", "1.0.0", OTHER, content)
    index = MemoryIndex(of_windows(content, deps=[1]))
    with pytest.raises(FetchError, match="no list of what one"):
        pack(tmp_path, lock, {"one": content}, MemoryWorkshop(), LINUX, index)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"config.json": b"{}"}, FetchError),
        ({"config.json": b"["}, FetchError),
        ({"config.json": b'{"dl": 1}'}, FetchError),
        ({"config.json": b'{"dl": "nowhere"}'}, FetchError),
        ({"3/o/one": b"not json\n{}\n[]"}, LockfileError),
        ({"3/o/one": b'{"name":"one","vers":"1.0.0","cksum":"zz"}'}, LockfileError),
    ],
)
def test_an_index_of_nonsense(
    tmp_path: Path, change: dict[str, bytes], error: type[Exception]
) -> None:
    content = crate("one", "1.0.0")
    index = MemoryIndex(answers(content) | {INDEX + k: v for k, v in change.items()})
    with pytest.raises(error):
        pack(tmp_path, V4 + package("one", "1.0.0", OTHER), {}, MemoryWorkshop(), index=index)


def test_a_users_mirror_serves_and_leaves_no_trace_in_the_bundle(tmp_path: Path) -> None:
    content = crate("one", "1.0.0")
    lock = V4 + package("one", "1.0.0", CRATES_IO, content)
    workshop = MemoryWorkshop()
    plain = list(FORMAT.layout(pack(tmp_path, lock, {"one": content}, workshop), workshop))
    config = tmp_path / "home/.cargo/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(
        '[source.crates-io]\nreplace-with = "near"\n[http]\ncainfo = "ca.pem"\n'
        f'proxy = "http://p.example:8080"\n[source.near]\nregistry = "{OTHER}"\n'
    )
    lockfile = FORMAT.read(project(tmp_path / "p", lock), Options())
    assert lockfile.access.ca_files == (str(tmp_path / "home/ca.pem"),)
    assert lockfile.access.proxies["https"] == "http://p.example:8080"
    index = MemoryIndex(answers(content))
    packed = pack(tmp_path, lock, {"one": content}, workshop, index=index)
    assert packed[0].artifact.sources[0].startswith("https://dl.example.com/one/")
    assert packed[0].artifact.url == "https://static.crates.io/crates/one/1.0.0/download"
    mirrored = list(FORMAT.layout(packed, workshop))
    assert [(e.path, e.content) for e in mirrored] == [(e.path, e.content) for e in plain]


def test_an_index_that_contradicts_the_lockfile(tmp_path: Path) -> None:
    index = MemoryIndex(answers(crate("one", "1.0.0", lib="// other")))
    options = Options(extra={"cargo-index-lines": "registry"})
    lock = V4 + package("one", "1.0.0", OTHER, crate("one", "1.0.0"))
    with pytest.raises(IntegrityError, match="another checksum"):
        pack(tmp_path, lock, {}, MemoryWorkshop(), options, index)


def git_lock(repository: Repository, *commits: str) -> str:
    sources = (f"git+{repository.url}?rev={commit[:7]}#{commit}" for commit in commits)
    return V4 + "".join(package(f"p{n}", "1.0.0", source) for n, source in enumerate(sources))


def test_commits_of_one_repository_share_a_database_that_git_accepts(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "origin")
    first = repository.commit({"a": b"1", "same": b"same"})
    second = repository.commit({"a": b"2", "b/c": b"3"})
    workshop = MemoryWorkshop()
    packed = pack(tmp_path, git_lock(repository, first, second), {}, workshop)
    entries = list(FORMAT.layout(packed, workshop))
    assert entries == list(FORMAT.layout(packed, workshop))
    (folder,) = git_folders(repository.url, compat=False)
    assert {entry.path.split("/")[3] for entry in entries} == {folder}
    workshop.write(entries, tmp_path / "out")
    bare = Repository.__new__(Repository)
    bare.folder = tmp_path / "out/cargo/git/db" / folder
    bare.git("fsck", "--full", "--strict")
    assert bare.git("cat-file", "blob", f"{first}:a") == "1"
    assert bare.git("cat-file", "blob", f"{second}:b/c") == "3"
    assert (bare.folder / "shallow").read_text().split() == sorted([first, second])
    names = bare.git("cat-file", "--batch-all-objects", "--batch-check").splitlines()
    assert len(names) == 2 + 3 + 4  # commits, trees, files: the one they share once


def test_submodules_come_along_with_theirs(tmp_path: Path) -> None:
    inner = Repository(tmp_path / "inner")
    inner_commit = inner.commit({"x": b"1"})
    middle = Repository(tmp_path / "middle")
    middle.git("submodule", "add", "-q", "../inner", "deep/inner")
    middle_commit = middle.commit({"y": b"1"})
    outer = Repository(tmp_path / "outer")
    outer.git("submodule", "add", "-q", middle.url, "middle")
    outer_commit = outer.commit({"z": b"1"})
    workshop = MemoryWorkshop()
    packed = pack(tmp_path, git_lock(outer, outer_commit), {}, workshop)
    assert [(item.artifact.name, item.artifact.version) for item in packed] == [
        ("inner", inner_commit),
        ("middle", middle_commit),
        ("outer", outer_commit),
    ]
    entries = list(FORMAT.layout(packed, workshop))
    names = {
        name
        for url in (inner.url, middle.url, outer.url)
        for name in git_folders(url, compat=False)
    }
    assert {entry.path.split("/")[3] for entry in entries} == names


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ("[core]\n\turl = nothing\n", "no address"),
        ('[submodule "sub"]\n\tpath = sub\n\turl = git@git.example.com:x\n', "not a URL"),
        ('[submodule "sub"]\n\tpath = sub\n\turl = "https://[x/y"\n', "not a URL"),
    ],
)
def test_a_submodule_without_an_address_is_refused(
    tmp_path: Path, modules: str, message: str
) -> None:
    inner = Repository(tmp_path / "inner")
    inner.commit({"x": b"1"})
    outer = Repository(tmp_path / "outer")
    outer.git("submodule", "add", "-q", inner.url, "sub")
    (outer.folder / ".gitmodules").write_text(modules)
    commit = outer.commit({})
    with pytest.raises(UnsupportedError, match=message):
        pack(tmp_path, git_lock(outer, commit), {}, MemoryWorkshop())


@pytest.mark.parametrize(
    ("path", "existing", "expected"),
    [
        ("cargo/registry/index/r/config.json", b'{"dl":"theirs"}', b'{"dl":"theirs"}'),
        ("cargo/registry/index/r/config.json", b"half", b"ours"),
        ("cargo/registry/index/r/config", b"theirs", b"theirs"),
        ("cargo/registry/cache/r/a-1.0.0.crate", b"damaged", b"ours"),
        ("cargo/git/db/r/HEAD", b"theirs", b"theirs"),
        ("cargo/git/db/r/config", b"theirs", b"theirs"),
        ("cargo/git/db/r/shallow", b"b\na\n", b"a\nb\nours"),
    ],
)
def test_merging_into_the_users_own_cargo_home(path: str, existing: bytes, expected: bytes) -> None:
    assert FORMAT.merge(path, existing, b"ours") == expected


def test_a_git_index_of_the_users_own_is_left_alone() -> None:
    path = "cargo/registry/index/r/refs/remotes/origin/HEAD"
    assert FORMAT.merge(path, b"ours", b"ours") == b"ours"
    with pytest.raises(TargetError, match="of its own"):
        FORMAT.merge(path, b"theirs", b"ours")


def test_the_native_root_is_cargo_home(tmp_path: Path) -> None:
    host = project(tmp_path / "p", V4).host
    assert FORMAT.native_roots(host) == {"cargo": tmp_path / "home/.cargo"}
    host = project(tmp_path / "p", V4, {"CARGO_HOME": "/opt/cargo"}).host
    assert FORMAT.native_roots(host) == {"cargo": Path("/opt/cargo")}
