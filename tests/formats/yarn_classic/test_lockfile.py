"""What is read from a lockfile: which tarballs, from where, under which names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.yarn_classic.locks import (
    HEAD,
    address,
    artifacts,
    entry,
    lock,
    project,
    read,
    registry_entry,
    sha1,
    sri,
)
from vendorpack.digest import Digest
from vendorpack.errors import LockfileError, UnsupportedError
from vendorpack.formats._shared.npm.registry import ALIAS_REGISTRY, DEFAULT_REGISTRY
from vendorpack.formats.yarn_classic import FORMAT
from vendorpack.formats.yarn_classic.artifacts import MirrorCommit, mirror_name
from vendorpack.model import Options
from vendorpack.target import parse_target


def test_an_entry_becomes_an_artifact(tmp_path: Path) -> None:
    (found,) = artifacts(project(tmp_path, lock(registry_entry("@s/a"))))
    assert (found.name, found.version) == ("@s/a", "1.0.0")
    assert found.purl == "pkg:npm/%40s/a@1.0.0"
    assert found.url == ALIAS_REGISTRY + "@s/a/-/a-1.0.0.tgz"
    assert found.sources == (DEFAULT_REGISTRY + "@s/a/-/a-1.0.0.tgz",)
    assert found.integrity.algorithms == ("sha512", "sha1")  # Yarn checks both
    assert found.file_name == "@s-a-1.0.0.tgz"
    assert found.where == "yarn.lock:5"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://registry.example/lodash/-/lodash-4.17.21.tgz", "lodash-4.17.21.tgz"),
        ("https://registry.example/@s/a/-/a-1.0.0.tgz", "@s-a-1.0.0.tgz"),
        ("https://registry.example/@s%2fa/-/a-1.0.0.tgz", "@s-a-1.0.0.tgz"),
        ("https://registry.example/api/npm/all/@s/a/-/a-1.0.0.tgz?x=1", "@s-a-1.0.0.tgz"),
        ("https://registry.example/@s/a/-/@s/a-1.0.0.tgz", "@s-a-1.0.0.tgz"),
        ("https://registry.example/a/_attachments/a-1.0.0.tgz", "a-1.0.0.tgz"),
        ("https://files.example/x/y/z.tar.gz", "z.tar.gz"),
        ("https://codeload.example/u/r/tar.gz/0f3ce1", "0f3ce1"),
    ],
)
def test_names_in_the_mirror(url: str, name: str) -> None:
    assert mirror_name(url) == name


def test_names_with_two_readings_never_share_a_file(tmp_path: Path) -> None:
    names = ["@a/b", "a-b", "b", "@a/b-c", "@a-b/c"]
    # `@a/b-c` and `@a-b/c` are `@a-b-c-1.0.0.tgz` and `@a-b-c-1.0.0.tgz`: Yarn's own flaw.
    found = artifacts(project(tmp_path, lock(*map(registry_entry, names[:-1]))))
    assert len({a.file_name for a in found}) == len(names) - 1
    with pytest.raises(UnsupportedError, match=r"@a/b-c .* and @a-b/c ") as caught:
        artifacts(project(tmp_path, lock(*map(registry_entry, names))))
    assert caught.value.where == "yarn.lock:26 and yarn.lock:33"


def test_one_file_for_entries_that_are_the_same_tarball(tmp_path: Path) -> None:
    other_host = entry("a@1", address("a", registry=DEFAULT_REGISTRY), integrity=sri(b"a@1.0.0"))
    old = entry("x@npm:a@1", address("a"))
    (found,) = artifacts(project(tmp_path, lock(registry_entry("a"), other_host, old)))
    assert found.integrity.algorithms == ("sha512", "sha1")


def test_one_name_for_two_tarballs_is_refused(tmp_path: Path) -> None:
    one = entry("a@https://x.example/a.tgz", "https://x.example/a.tgz", integrity=sri(b"1"))
    for integrity in (sri(b"2"), ""):
        two = entry("b@https://y.example/a.tgz", "https://y.example/a.tgz", integrity=integrity)
        with pytest.raises(UnsupportedError, match=r"x\.example/a\.tgz and .*y\.example/a\.tgz"):
            artifacts(project(tmp_path, lock(one, two)))


def test_aliases_have_their_own_name(tmp_path: Path) -> None:
    text = lock(entry("other@npm:@s/a@^1.0.0", address("@s/a"), integrity=sri(b"")))
    assert [a.name for a in artifacts(project(tmp_path, text))] == ["@s/a"]


def test_other_tarballs_keep_their_address(tmp_path: Path) -> None:
    sha = "0123456789" * 4
    url = f"https://codeload.example/u/r/tar.gz/{sha}"
    (found,) = artifacts(project(tmp_path, lock(entry("r@u/r", url))))
    assert (found.url, found.sources, found.file_name) == (url, (url,), sha)
    assert not found.integrity
    assert found.registry is None
    assert "?download_url=https%3A%2F%2Fcodeload.example" in found.purl
    text = lock(entry("r@u/r", f"{url}#{sha1(b'x')}"))
    (found,) = artifacts(project(tmp_path, text))
    assert found.integrity.digests == (Digest.from_hex("sha1", sha1(b"x")),)


def test_what_lies_in_the_project_is_passed_over(tmp_path: Path) -> None:
    text = lock(
        entry("a@file:./a", None),
        entry("b@file:./b.tgz", "file:./b.tgz#" + sha1(b"b")),
        entry("c@./c.tgz", "./c.tgz"),
        registry_entry("d"),
    )
    assert [a.name for a in artifacts(project(tmp_path, text))] == ["d"]


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("resolved", "asked", "file_name"),
    [
        ("git+https://git.example/u/r.git", "https://git.example/u/r.git", "r.git"),
        ("git+ssh://git@git.example/u/r.git", "ssh://git@git.example/u/r.git", "r.git"),
        ("git://git.example/u/r", "https://git.example/u/r", "r"),
        ("git+ssh://git@gitlab.com:u/r.git", "https://gitlab.com/u/r.git", "r.git"),
        ("ssh://git@git.example/u/r", "ssh://git@git.example/u/r", "r"),
        ("https://git.example/u/r.git", "https://git.example/u/r.git", "r.git"),
        ("git+ssh://git@github.com/u/r.git", "https://github.com/u/r.git", "r.git"),
    ],
)
def test_git(tmp_path: Path, resolved: str, asked: str, file_name: str) -> None:
    (found,) = read(project(tmp_path, lock(entry("r@git", f"{resolved}#{COMMIT}")))).artifacts
    assert isinstance(found, MirrorCommit)
    assert found.url == f"git+{asked}#{COMMIT}"
    assert (found.file_name, found.root) == (f"{file_name}-{COMMIT}", "")


def test_an_archive_of_a_git_host_is_the_commit(tmp_path: Path) -> None:
    url = f"https://codeload.github.com/u/r/tar.gz/{COMMIT}"
    (found,) = read(project(tmp_path, lock(entry("r@u/r", url)))).artifacts
    assert isinstance(found, MirrorCommit)
    assert found.url == f"git+https://github.com/u/r.git#{COMMIT}"
    assert (found.file_name, found.root) == (COMMIT, "package")
    text = lock(entry("r@u/r", url, integrity=sri(b"r")))
    assert artifacts(project(tmp_path, text))[0].url == url


@pytest.mark.parametrize(
    "resolved",
    [
        "git+https://git.example/u/r.git#0f3ce1",
        "git+https://git.example/u/r.git#main",
        f"git+https://u:s3cret@git.example/u/r.git#{COMMIT}",
        f"git@git.example:u/r.git#{COMMIT}",
        f"git+file:///u/r.git#{COMMIT}",
    ],
)
def test_git_that_is_refused(tmp_path: Path, resolved: str) -> None:
    with pytest.raises((UnsupportedError, LockfileError)) as caught:
        read(project(tmp_path, lock(entry("r@git", resolved))))
    assert caught.value.where == "yarn.lock:5"
    assert "s3cret" not in str(caught.value)


def test_the_configured_registry_is_asked(tmp_path: Path) -> None:
    text = lock(registry_entry("@s/a"), registry_entry("b"))
    yarnrc = 'registry "https://yarn.example/all/"\n'
    npmrc = "registry=https://npm.example/\n@s:registry=https://s.example\n"

    def asked(folder: str, **more: str) -> list[str]:
        found = artifacts(project(tmp_path / folder, text, **more))  # type: ignore[arg-type]
        assert found[0].url == ALIAS_REGISTRY + "@s/a/-/a-1.0.0.tgz"
        return [source for a in found for source in a.sources]

    a, b = "@s/a/-/a-1.0.0.tgz", "b/-/b-1.0.0.tgz"
    assert asked("1", npmrc=npmrc) == [f"https://s.example/{a}", f"https://npm.example/{b}"]
    assert asked("2", yarnrc=yarnrc, npmrc=npmrc)[1] == f"https://yarn.example/all/{b}"
    assert asked("3", home_yarnrc=yarnrc)[1] == f"https://yarn.example/all/{b}"
    assert asked("4", yarnrc=f'registry "{ALIAS_REGISTRY}"\n')[1] == DEFAULT_REGISTRY + b
    with pytest.raises(LockfileError) as caught:
        asked("5", yarnrc="\nregistry nonsense\n")
    assert caught.value.where == ".yarnrc:2"


def test_the_public_registry_is_never_asked_without_tls(tmp_path: Path) -> None:
    url = address("a", registry=DEFAULT_REGISTRY).replace("https:", "http:")
    other = "http://files.example/b.tgz"
    found = artifacts(project(tmp_path, lock(entry("a@1", url), entry("b@1", other))))
    assert [a.sources for a in found] == [(DEFAULT_REGISTRY + "a/-/a-1.0.0.tgz",), (other,)]


def test_every_platform_is_always_taken(tmp_path: Path) -> None:
    one = project(tmp_path, lock(registry_entry("a")))
    target = Options(targets=(parse_target("windows-x86_64"),), dev=False)
    assert FORMAT.fingerprint(one, target) == FORMAT.fingerprint(one, Options()) == {}
    assert FORMAT.read(one, target) == read(one)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("__metadata:\n  version: 8\n", "Yarn 2 or newer"),
        ("# yarn lockfile v2\n", "v2 is not known"),
        (HEAD + "a 1\n", "no section"),
        (lock("a:\n  version 1\n"), "no range"),
        (lock("a@1:\n  resolved x\n"), "no version"),
        (lock(entry("a@1", "https://x.example/"), ""), "not the address"),
        (lock(entry("a@1", "https://x.example/..")), "not the address"),
        (lock(entry("a@1", "https://x.example/a b.tgz")), "not the address"),
        (lock(entry("a@1", "https://[/a.tgz")), "not the address"),
        (lock(entry("a@1", "ftp://x.example/a.tgz")), "not the address"),
        (lock(entry("a@1", "https://x.example/\u00e9.tgz")), "not an address"),
        (lock(entry("a@1", address("a"), integrity="sha512-x")), "integrity"),
        (lock(entry("a@1", address("a"), integrity="crc-x")), "integrity"),
        (lock(entry("..@1", address("a"))), "not a package name"),
        (lock(entry("../a@1", address("a"))), "not a package name"),
        (lock(registry_entry("a"), registry_entry("a")), "two entries"),
        (HEAD + "<<<<<<< HEAD\n", "merge conflict"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(LockfileError, match=message) as caught:
        artifacts(project(tmp_path, text))
    assert (caught.value.where or "").startswith("yarn.lock")
