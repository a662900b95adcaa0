"""bun.lock: what is read, chosen, addressed and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats.bun.locks import EVERYWHERE, LINUX, artifacts, lock, project, release
from tests.formats.pnpm.locks import sri
from vendorpack.errors import LockfileError, UnsupportedError, VendorpackError
from vendorpack.formats.bun import FORMAT
from vendorpack.formats.bun.config import load_registries
from vendorpack.formats.bun.wyhash import wyhash
from vendorpack.model import Options
from vendorpack.project import Host

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HOST = Host(environ={}, home=Path("/home/me"), os="linux")


# Folder names that Bun 1.2, 1.3 and 1.4 gave themselves.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"rc.1", 0x6B6F27D79DEC3201),
        (b"https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz", 0x6A6C9C56D3EAE1D7),
    ],
)
def test_the_hash_in_names(text: bytes, value: int) -> None:
    assert wyhash(text) == value


def test_every_kind_of_length_has_a_hash_of_its_own() -> None:
    values = {wyhash(bytes(range(n))) for n in range(200)}
    assert len(values) == 200


def test_releases(tmp_path: Path) -> None:
    text = lock(
        {
            "a": release("a@1.2.3"),
            "alias": release("real@2.0.0"),
            "@s/b": release("@s/b@1.0.0-rc.1"),
            "@s/b/a": release("a@1.0.0+Build.7"),
        }
    )
    found = artifacts(project(tmp_path, text))
    assert [*found] == ["@s/b 1.0.0-rc.1", "a 1.0.0+Build.7", "a 1.2.3", "real 2.0.0"]
    assert {name: a.url for name, a in found.items()} == {
        "@s/b 1.0.0-rc.1": "https://registry.npmjs.org/@s/b/-/b-1.0.0-rc.1.tgz",
        "a 1.0.0+Build.7": "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
        "a 1.2.3": "https://registry.npmjs.org/a/-/a-1.2.3.tgz",
        "real 2.0.0": "https://registry.npmjs.org/real/-/real-2.0.0.tgz",
    }
    assert [a.folders for a in found.values()] == [
        (f"@s/b@1.0.0-{wyhash(b'rc.1'):016x}@@@1",),
        (f"a@1.0.0+{wyhash(b'Build.7'):016X}@@@1",),
        ("a@1.2.3@@@1",),
        ("real@2.0.0@@@1",),
    ]
    assert found["a 1.2.3"].purl == "pkg:npm/a@1.2.3"
    assert found["a 1.2.3"].where == "bun.lock:5"
    assert str(found["a 1.2.3"].integrity.digests[0]) == sri("a@1.2.3")


def test_what_is_not_fetched(tmp_path: Path) -> None:
    text = lock(
        {
            "lib": ["lib@workspace:packages/lib"],
            "old": ["old@workspace:packages/old", {"dependencies": {"a": "1"}}],
            "f": ["f@file:./f", {}],
            "l": ["l@link:l", {}],
            "inside": ["inside@1.0.0", "", {"bundled": True}, "sha512-AAAA"],
            "nowhere": release("nowhere@1.0.0", os="none"),
            "windows": release("windows@1.0.0", os="win32"),
            "musl": release("musl@1.0.0", os="linux", libc=["musl"]),
            "not": release("not@1.0.0", os=["!linux"]),
            "a": release("a@1.0.0", os=["linux", "darwin"], cpu="x64"),
        }
    )
    made = project(tmp_path, text)
    assert [*artifacts(made)] == ["a 1.0.0"]
    assert [*artifacts(made, EVERYWHERE)] == ["a 1.0.0", "musl 1.0.0", "not 1.0.0", "windows 1.0.0"]


def test_no_dev_follows_the_dependencies(tmp_path: Path) -> None:
    text = lock(
        {
            "a": release("a@1.0.0", dependencies={"b": "1", "@s/c": "1"}),
            "a/b": release("b@1.0.0"),
            "b": release("b@2.0.0"),
            "@s/c": release("@s/c@1.0.0", optionalDependencies={"d": "1"}),
            "@s/c/d": release("d@1.0.0", dependencies={"e": "1"}),
            "@s/c/d/e": release("e@1.0.0"),
            "e": release("e@2.0.0"),
            "lib": ["lib@workspace:packages/lib"],
            "lib/f": release("f@1.0.0"),
            "f": release("f@2.0.0"),
        },
        workspaces={
            "": {"dependencies": {"a": "1"}, "devDependencies": {"b": "2", "e": "2"}},
            "packages/lib": {
                "name": "lib",
                "dependencies": {"f": "1"},
                "devDependencies": {"f": "2"},
            },
        },
    )
    made = project(tmp_path, text)
    production = ["@s/c 1.0.0", "a 1.0.0", "b 1.0.0", "d 1.0.0", "e 1.0.0", "f 1.0.0"]
    assert [*artifacts(made, Options(dev=False))] == production
    everything = artifacts(made)
    assert len(everything) == 9
    assert [name for name, a in everything.items() if a.why == ("dev",)] == [
        "b 2.0.0",
        "e 2.0.0",
        "f 2.0.0",
    ]


@pytest.mark.parametrize("integrity", [None, sri("t")])
def test_tarballs(integrity: str | None, tmp_path: Path) -> None:
    url = "https://example.com/pkg/t.tgz"
    entry: list[Any] = [f"t@{url}", {}, *([integrity] if integrity else [])]
    (found,) = artifacts(project(tmp_path, lock({"t": entry}))).values()
    assert found.url == url and found.registry is None
    assert found.purl == "pkg:npm/t@0.0.0?download_url=https%3A%2F%2Fexample.com%2Fpkg%2Ft.tgz"
    names = {f"@T@{wyhash(url.encode()):016x}@@@1"}
    if integrity:
        names.add(f"@T@sha512-{found.integrity.digests[0].hex[:32]}@@@1")
    assert found.folders == tuple(sorted(names))


def test_a_release_by_its_address_can_be_asked_about(tmp_path: Path) -> None:
    url = "https://npm.example/a/@s/x/-/x-1.2.3.tgz"
    (found,) = artifacts(project(tmp_path, lock({"x": [f"@s/x@{url}", {}]}))).values()
    assert (found.registry, found.version) == ("https://npm.example/a/", "1.2.3")


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("git+https://git.example/o/r.git", "git+https://git.example/o/r.git"),
        ("git+ssh://git@git.example/o/r.git", "git+ssh://git@git.example/o/r.git"),
        ("git+ssh://git@git.example:2222/o/r.git", "git+ssh://git@git.example:2222/o/r.git"),
        ("git+ssh://git@git.example:o/r.git", "git+ssh://git@git.example/o/r.git"),
        ("git@git.example:o/r.git", "git+ssh://git@git.example/o/r.git"),
    ],
)
def test_commits(source: str, url: str, tmp_path: Path) -> None:
    entry = [f"g@{source}#{COMMIT}", {}, COMMIT]
    (found,) = artifacts(project(tmp_path, lock({"g": entry}))).values()
    assert found.url == f"{url}#{COMMIT}"
    assert found.folders == (f"@G@{COMMIT}",) and found.tag == COMMIT


def test_github(tmp_path: Path) -> None:
    entry = ["g@github:Owner/Re.po#0123456", {}, "Owner-Re.po-0123456", sri("g")]
    (found,) = artifacts(project(tmp_path, lock({"g": entry}))).values()
    assert found.url == "https://api.github.com/repos/Owner/Re.po/tarball/0123456"
    assert found.purl == "pkg:github/owner/re.po@0123456"
    assert found.folders == ("@GH@Owner-Re.po-0123456@@@1",)


def test_registries_and_names(tmp_path: Path) -> None:
    bunfig = """
        [install]
        registry = { url = "https://me:hunter2@mirror.example/npm" }
        [install.scopes]
        "@plain" = "https://plain.example"
        path = { url = "https://path.example/npm/", token = "$TOKEN" }
        "@long" = "https://an-uncommonly-long-host-name.example/"
    """
    text = lock(
        {
            "a": release("a@1.0.0"),
            "@plain/b": release("@plain/b@1.0.0"),
            "@path/c": release("@path/c@1.0.0"),
            "@long/d": release("@long/d@1.0.0"),
        }
    )
    made = project(tmp_path, text, bunfig=bunfig, environ={"TOKEN": "secret"})
    found = artifacts(made)
    assert found["a 1.0.0"].fetch_from == ("https://mirror.example/npm/a/-/a-1.0.0.tgz",)
    assert found["a 1.0.0"].folders == ("a@1.0.0@@@1",)
    assert found["@plain/b 1.0.0"].folders == (
        "@plain/b@1.0.0@@@1",
        "@plain/b@1.0.0@@plain.example@@@1",
    )
    path = f"{wyhash(b'https://path.example/npm/'):016x}"
    assert found["@path/c 1.0.0"].folders == (
        "@path/c@1.0.0@@@1",
        "@path/c@1.0.0@@path.example@@@1",
        f"@path/c@1.0.0@@path.example__{path}@@@1",
    )
    long = f"{wyhash(b'https://an-uncommonly-long-host-name.example/'):016x}"
    assert found["@long/d 1.0.0"].folders == (
        "@long/d@1.0.0@@@1",
        f"@long/d@1.0.0@@an-uncommonl__{long}@@@1",
    )
    lockfile = FORMAT.read(made, LINUX)
    headers = {c.prefix: c.header for c in lockfile.access.credentials}
    assert headers["https://path.example/npm/"] == "Bearer secret"
    assert headers["https://mirror.example/npm/"].startswith("Basic ")
    assert not any(secret in repr(lockfile) for secret in ("hunter2", "secret"))


@pytest.mark.parametrize(
    ("environ", "registry"),
    [
        ({}, "https://bunfig.example/"),
        ({"NPM_CONFIG_REGISTRY": "https://npm.example"}, "https://npm.example/"),
        (
            {
                "NPM_CONFIG_REGISTRY": "https://npm.example",
                "BUN_CONFIG_REGISTRY": "https://b.example",
            },
            "https://b.example/",
        ),
    ],
)
def test_which_registry_wins(environ: dict[str, str], registry: str, tmp_path: Path) -> None:
    made = project(
        tmp_path,
        lock({}),
        environ=environ,
        bunfig='[install]\nregistry = "https://bunfig.example"\n',
        npmrc="registry=https://npmrc.example/\n",
    )
    found = load_registries(made)
    assert found.default == registry
    assert ["different registries" in w.what for w in found.warnings] == [True]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[]", "no JSON object"),
        ('{"lockfileVersion": 4}', "is not known"),
        ('{"lockfileVersion": "1"}', "is not known"),
        ('{"lockfileVersion": 1, "packages": []}', "packages is no object"),
        (
            '{"lockfileVersion": 1, "packages": {"a": ["a@1.0.0/../x", "", {}, ""]}}',
            "not a version",
        ),
        (
            '{"lockfileVersion": 1, "packages": {"a": ["a@github:o/r#0123456", {}, "../x"]}}',
            "no commit",
        ),
        (
            '{"lockfileVersion": 1, "packages": {"a": ["a@git+https://h/r#0123456", {}, "x"]}}',
            "full",
        ),
        ("<<<<<<< HEAD\n", "merge conflict"),
    ],
)
def test_refused(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises((LockfileError, UnsupportedError), match=what) as caught:
        FORMAT.read(project(tmp_path, text), LINUX)
    assert caught.value.where and caught.value.where.startswith("bun.lock")


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("1", "is no package"),
        ('["a"]', "names no version"),
        ('["../a@1.0.0"]', "not a package name"),
        ('["a@1.0.0", "", 1, ""]', "no description"),
        ('["a@1.0.0", "", {}, 1]', "as Bun writes"),
        ('["a@1.0.0", "", {"os": [1]}, ""]', "os is no"),
        ('["a@1.0.0", "", {}, "md9-x"]', "integrity"),
        ('["a@ftp://x/a.tgz", {}]', "cannot be fetched"),
        ('["a@github:o/r", {}, "x"]', "no commit"),
    ],
)
def test_a_refused_package(entry: str, what: str, tmp_path: Path) -> None:
    text = f'{{\n  "lockfileVersion": 1,\n  "packages": {{\n    "a": {entry},\n  }},\n}}'
    with pytest.raises((LockfileError, UnsupportedError), match=what) as caught:
        FORMAT.read(project(tmp_path, text), LINUX)
    assert caught.value.where == "bun.lock:4"


def test_two_hashes_for_one_package(tmp_path: Path) -> None:
    text = lock({"a": release("a@1.0.0"), "b/a": ["a@1.0.0", "", {}, sri("other")]})
    with pytest.raises(LockfileError, match="pinned twice"):
        FORMAT.read(project(tmp_path, text), LINUX)


def test_the_binary_lockfile_is_converted_by_bun(tmp_path: Path) -> None:
    made = project(tmp_path, b"#!/usr/bin/env bun\nbun-lockfile-format-v0\n", name="bun.lockb")
    with pytest.raises(UnsupportedError, match="binary") as caught:
        FORMAT.read(made, LINUX)
    assert "--save-text-lockfile --frozen-lockfile --lockfile-only" in (caught.value.fix or "")


@pytest.mark.parametrize(
    "bunfig", ['[install]\nregistry = "ftp://x"', "[install]\nregistry = 1", "[install", "\0"]
)
def test_bad_configuration(bunfig: str, tmp_path: Path) -> None:
    with pytest.raises(VendorpackError, match=r"http|TOML|NUL") as caught:
        FORMAT.read(project(tmp_path, lock({}), bunfig=bunfig), LINUX)
    assert caught.value.where and "bunfig.toml" in caught.value.where


def test_the_fingerprint(tmp_path: Path) -> None:
    made = project(
        tmp_path,
        lock({"@used/a": release("@used/a@1.0.0")}),
        npmrc="@used:registry=https://used.example/\n@other:registry=https://other.example/\n",
    )
    assert json.loads(json.dumps(dict(FORMAT.fingerprint(made, LINUX)))) == {
        "dev": True,
        "targets": ["linux-x86_64-gnu"],
        "scopes": {"@used": "https://used.example/"},
    }


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({}, "/home/me/.bun/install/cache"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/.bun/install/cache"),
        ({"XDG_CACHE_HOME": "/x", "BUN_INSTALL": "/b"}, "/b/install/cache"),
        ({"BUN_INSTALL": "/b", "BUN_INSTALL_CACHE_DIR": "/c"}, "/c"),
    ],
)
def test_bun_s_own_cache(environ: dict[str, str], folder: str) -> None:
    roots = FORMAT.native_roots(Host(environ=environ, home=HOST.home, os="linux"))
    assert {path: str(place) for path, place in roots.items()} == {"bun/cache": folder}
