"""deno.lock: what is read and refused, and the folder that is made of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from tests.formats.bun.locks import tarball
from tests.formats.pnpm.locks import sri
from tests.memory import MemoryWorkshop
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats.deno import FORMAT
from vendorpack.formats.deno.artifacts import (
    JsrDescription,
    Module,
    NpmPackage,
    files_of,
    registry_folder,
)
from vendorpack.model import Artifact, Options, Packed
from vendorpack.project import Host, Project
from vendorpack.target import parse_target

LINUX = Options(targets=(parse_target("linux-x86_64-gnu"),))
SHA = hashlib.sha256(b"x").hexdigest()


def project(
    folder: Path, lock: object, *, environ: Mapping[str, str] | None = None, npmrc: str = ""
) -> Project:
    folder.mkdir(parents=True, exist_ok=True)
    text = lock if isinstance(lock, str) else json.dumps(lock, indent=2)
    (folder / "deno.lock").write_text(text)
    if npmrc:
        (folder / ".npmrc").write_text(npmrc)
    host = Host(environ=environ or {}, home=folder / "home", os="linux")
    return Project(root=folder, lockfile=PurePosixPath("deno.lock"), host=host)


def lock(**sections: Any) -> dict[str, Any]:
    return {"version": "5", **sections}


def artifacts(made: Project, options: Options = LINUX) -> tuple[Artifact, ...]:
    return FORMAT.read(made, options).artifacts


def test_npm(tmp_path: Path) -> None:
    npm = {
        "a@1.2.3": {"integrity": sri("a")},
        "@s/b_c@1.0.0-rc.1_a@1.2.3_@s+d@2.0.0": {"integrity": sri("b")},
        "a@1.2.3_b@1.0.0": {"integrity": sri("a")},
        "win@1.0.0": {"integrity": sri("w"), "os": ["win32"], "cpu": ["x64"]},
        "t@1.0.0": {"integrity": sri("t"), "tarball": "https://example.com/t.tgz"},
    }
    found = artifacts(project(tmp_path, lock(npm=npm)))
    assert [str(a) for a in found] == ["@s/b_c 1.0.0-rc.1", "a 1.2.3", "t 1.0.0"]
    assert [a.url for a in found] == [
        "https://registry.npmjs.org/@s/b_c/-/b_c-1.0.0-rc.1.tgz",
        "https://registry.npmjs.org/a/-/a-1.2.3.tgz",
        "https://example.com/t.tgz",
    ]
    assert found[1].where == "deno.lock:4"
    assert {a.folder for a in found if isinstance(a, NpmPackage)} == {"registry.npmjs.org"}
    assert not any(a.has_document for a in found if isinstance(a, NpmPackage))


def test_version_4_knows_no_platforms(tmp_path: Path) -> None:
    npm = {"win@1.0.0": {"integrity": sri("w"), "os": ["win32"]}}
    (found,) = artifacts(project(tmp_path, {"version": "4", "npm": npm}))
    assert isinstance(found, NpmPackage) and found.has_document


def test_registries(tmp_path: Path) -> None:
    """A mirror of the user's is asked; only the project's own names folders."""
    npm = {"a@1.0.0": {"integrity": sri("a")}, "@s/b@1.0.0": {"integrity": sri("b")}}
    made = project(
        tmp_path,
        lock(npm=npm),
        npmrc="@s:registry=https://npm.example/s/\n",
        environ={"npm_config_registry": "https://mirror.example/"},
    )
    scoped, plain = artifacts(made)
    assert isinstance(scoped, NpmPackage) and isinstance(plain, NpmPackage)
    assert (scoped.url, scoped.folder) == (
        "https://npm.example/s/@s/b/-/b-1.0.0.tgz",
        "npm.example/s",
    )
    assert plain.fetch_from == ("https://mirror.example/a/-/a-1.0.0.tgz",)
    assert (plain.url, plain.folder) == (
        "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
        "registry.npmjs.org",
    )
    assert "https://mirror.example" in FORMAT.read(made, LINUX).access.origins


# As Deno 2.2.15 and 2.9.6 called them.
@pytest.mark.parametrize(
    ("registry", "folder"),
    [
        ("https://registry.npmjs.org/", "registry.npmjs.org"),
        ("http://127.0.0.1:4101/", "4101"),
        ("http://127.0.0.1:4101/npm/x/", "4101/npm/x"),
        ("http://localhost:4101/npm", "localhost_4101/npm"),
    ],
)
def test_the_folder_of_a_registry(registry: str, folder: str) -> None:
    assert registry_folder(registry) == folder


def test_a_lockfile_grants_no_host(tmp_path: Path) -> None:
    remote = {"https://elsewhere.example/mod.ts": SHA}
    lockfile = FORMAT.read(project(tmp_path, lock(remote=remote)), LINUX)
    assert lockfile.access.origins == {
        "https://deno.land",
        "https://jsr.io",
        "https://registry.npmjs.org",
    }


def description(made: Project) -> JsrDescription:
    (found,) = artifacts(made)
    assert isinstance(found, JsrDescription)
    return found


def test_the_files_of_a_package_on_jsr(tmp_path: Path) -> None:
    made = project(
        tmp_path,
        lock(jsr={"@s/a@1.0.0": {"integrity": SHA}}),
        environ={"JSR_URL": "https://jsr.example/mirror"},
    )
    found = description(made)
    assert found.url == "https://jsr.io/@s/a/1.0.0_meta.json"
    assert found.fetch_from == ("https://jsr.example/mirror/@s/a/1.0.0_meta.json",)
    manifest = {"/mod.ts": {"size": 3, "checksum": f"sha256-{SHA}"}}
    (file,) = files_of(found, json.dumps({"manifest": manifest}).encode())
    assert (file.url, file.size) == ("https://jsr.io/@s/a/1.0.0/mod.ts", 3)
    assert file.fetch_from == ("https://jsr.example/mirror/@s/a/1.0.0/mod.ts",)
    assert file.integrity.digests[0].hex == SHA


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "nonsense",
        '{"manifest": {"/a": {"size": 1, "checksum": "md5-00"}}}',
        '{"manifest": {"/a": {"size": 1, "checksum": "sha256-00"}}}',
        '{"manifest": {"/a": {"checksum": "sha256-SHA"}}}',
        '{"manifest": {"/../a": {"size": 1, "checksum": "sha256-SHA"}}}',
        '{"manifest": {"a": {"size": 1, "checksum": "sha256-SHA"}}}',
        '{"manifest": {"//a": {"size": 1, "checksum": "sha256-SHA"}}}',
    ],
)
def test_a_description_without_sense(text: str, tmp_path: Path) -> None:
    found = description(project(tmp_path, lock(jsr={"@s/a@1.0.0": {"integrity": SHA}})))
    with pytest.raises(UnsupportedError, match="makes no sense") as caught:
        list(files_of(found, text.replace("SHA", SHA).encode()))
    assert caught.value.where == "deno.lock:4"


def test_the_folder(tmp_path: Path) -> None:
    made = project(
        tmp_path,
        {
            "version": "4",
            "npm": {"a@1.0.0": {"integrity": sri("1")}, "a@2.0.0": {"integrity": sri("2")}},
            "jsr": {"@s/p@1.0.0": {"integrity": SHA}, "@s/p@1.1.0": {"integrity": SHA}},
            "remote": {"https://x.example:8443/m?q=1": SHA},
            "redirects": {
                "https://x.example/1": "https://x.example/2",
                "https://x.example/2": "https://x.example:8443/m?q=1",
                "https://x.example/round": "https://x.example/round",
            },
        },
    )
    shop = MemoryWorkshop()
    package = tarball({"package.json": (b'{"bin": "x", "main": "y"}', 0o644), "x": (b"#!", 0o755)})
    content = {NpmPackage: package, JsrDescription: b"{}", Module: b"export {}"}
    packed = [Packed(a, shop.add(content[type(a)])) for a in artifacts(made)]
    tree = {e.path: (e.mode, shop.content(e)) for e in FORMAT.layout(packed, shop)}

    def place(path: str) -> str:
        return hashlib.sha256(path.encode()).hexdigest()

    def module(url: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        metadata = json.dumps({"headers": headers, "url": url}, separators=(",", ":"))
        return 0o644, body + b"\n// denoCacheMetadata=" + metadata.encode()

    npm = "deno/npm/registry.npmjs.org/a"
    document = json.loads(tree.pop(f"{npm}/registry.json")[1])
    assert document["name"] == "a" and [*document["versions"]] == ["1.0.0", "2.0.0"]
    assert document["versions"]["1.0.0"] == {
        "bin": "x",
        "dist": {
            "integrity": sri("1"),
            "tarball": "https://registry.npmjs.org/a/-/a-1.0.0.tgz",
        },
        "version": "1.0.0",
    }
    for version in ("1.0.0", "2.0.0"):
        assert tree.pop(f"{npm}/{version}/x") == (0o755, b"#!")
        assert tree.pop(f"{npm}/{version}/package.json")[0] == 0o644
    jsr = "https://jsr.io/@s/p"
    known = {"latest": "1.1.0", "name": "p", "scope": "s", "versions": {"1.0.0": {}, "1.1.0": {}}}
    remote = "https://x.example:8443/m?q=1"
    script = "application/javascript"
    assert tree == {
        f"deno/remote/https/jsr.io/{place('/@s/p/meta.json')}": module(
            f"{jsr}/meta.json", json.dumps(known).encode(), content_type="application/json"
        ),
        **{
            f"deno/remote/https/jsr.io/{place(f'/@s/p/{v}_meta.json')}": module(
                f"{jsr}/{v}_meta.json", b"{}", content_type="application/json"
            )
            for v in ("1.0.0", "1.1.0")
        },
        f"deno/remote/https/x.example_PORT8443/{place('/m?q=1')}": module(
            remote, b"export {}", content_type=script
        ),
        **{
            f"deno/remote/https/x.example/{place(path)}": module(
                f"https://x.example{path}", b"", location=remote
            )
            for path in ("/1", "/2")
        },
    }


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[]", "no JSON object"),
        ('{"version": "3"}', "'3' of deno.lock is not read"),
        ("{}", "None of deno.lock is not read"),
        ('{"version": "5", "npm": []}', "npm is no object"),
        ('{"version": "5", "npm": {"a": {}}}', "names no version"),
        ('{"version": "5", "npm": {"a@1.0.0": 1}}', "no description"),
        ('{"version": "5", "npm": {"a@1.0.0": {"integrity": 1}}}', "as Deno writes"),
        ('{"version": "5", "npm": {"a@1.0.0": {"integrity": "x"}}}', "integrity"),
        ('{"version": "5", "npm": {"a@1.0.0": {"os": "linux"}}}', "os is no list"),
        ('{"version": "5", "npm": {"../a@1.0.0": {}}}', "not a package name"),
        ('{"version": "5", "npm": {"a@1.0.0/..": {}}}', "not a version"),
        ('{"version": "5", "npm": {"a@1.0.0": {"tarball": "ftp://x"}}}', "http"),
        ('{"version": "5", "jsr": {"@s/../a@1.0.0": {}}}', "JSR package"),
        ('{"version": "5", "jsr": {"@s/a@1.0.0": {}}}', "sha256"),
        ('{"version": "5", "remote": {"file:///etc/passwd": ""}}', "http"),
        ('{"version": "5", "remote": {"https://x.example/": "0"}}', "sha256"),
        ('{"version": "5", "redirects": {"https://x.example/": 1}}', "http"),
    ],
)
def test_refused(text: str, what: str, tmp_path: Path) -> None:
    with pytest.raises((LockfileError, UnsupportedError), match=what) as caught:
        FORMAT.read(project(tmp_path, text), LINUX)
    assert caught.value.where and caught.value.where.startswith("deno.lock")


def test_a_jsr_address_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(LockfileError, match="JSR_URL"):
        FORMAT.read(project(tmp_path, lock(), environ={"JSR_URL": "jsr.example"}), LINUX)


@pytest.mark.parametrize(
    ("environ", "os", "folder"),
    [
        ({}, "linux", "/home/me/.cache/deno"),
        ({"XDG_CACHE_HOME": "/x"}, "linux", "/x/deno"),
        ({}, "macos", "/home/me/Library/Caches/deno"),
        ({"DENO_DIR": "/d"}, "linux", "/d"),
    ],
)
def test_deno_s_own_folder(environ: dict[str, str], os: str, folder: str) -> None:
    roots = FORMAT.native_roots(Host(environ=environ, home=Path("/home/me"), os=os))
    assert {path: str(place) for path, place in roots.items()} == {"deno": folder}
