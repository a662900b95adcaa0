"""Requirements files through the room: what is chosen, from where, and what it becomes."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from tests.memory import MemoryWorkshop
from tests.world.distributions import LINUX, WINDOWS, options, project, sdist, sha256, wheel
from tests.world.git import Repository
from tests.world.pypi_memory import FILES, MemoryPypi, pinned
from vendorpack.errors import (
    FetchError,
    IntegrityError,
    LockfileError,
    UnsupportedError,
    UsageError,
    VendorpackError,
)
from vendorpack.fetch.git import fetch_commit
from vendorpack.fetch.git_client import GitAddress
from vendorpack.formats._shared.git.submodule_sources import ALLOWED_PROTOCOLS
from vendorpack.formats._shared.python.distributions import Distribution, GitProject
from vendorpack.formats._shared.python.index import DEFAULT_INDEX
from vendorpack.formats.pip import FORMAT
from vendorpack.model import Credential, Lockfile, Options, Trust

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LINUX_WHEEL = "foo_bar-1.0-cp312-cp312-manylinux_2_28_x86_64.whl"
WINDOWS_WHEEL = "foo_bar-1.0-cp311-cp311-win_amd64.whl"
FOO = {
    LINUX_WHEEL: wheel("foo-bar", "1.0", {"linux": b""}),
    WINDOWS_WHEEL: wheel("foo-bar", "1.0", {"windows": b""}),
    "foo-bar-1.0.tar.gz": sdist("foo-bar", "1.0", {"setup.py": b"1/0"}),
    "foo_bar-1.1-py3-none-any.whl": wheel("foo-bar", "1.1", {}),
}
FOO_1 = {name: data for name, data in FOO.items() if "1.1" not in name}
TOOLS = {
    "setuptools-80.0-py3-none-any.whl": wheel("setuptools", "80.0", {}),
    "wheel-0.46-py3-none-any.whl": wheel("wheel", "0.46", {}),
}


def read(folder: Path, text: str, asked: Options, **files: str) -> Lockfile:
    named = {name.replace("_", "."): content for name, content in files.items()}
    return FORMAT.read(
        project(folder, "requirements.txt", {"requirements.txt": text, **named}), asked
    )


def locate(
    folder: Path, text: str, world: MemoryPypi, *targets: object, **extra: str
) -> tuple[list[str], Lockfile]:
    asked = Options(
        targets=options(*targets).targets,
        extra={f"pip-{name.replace('_', '-')}": value for name, value in extra.items()},
    )
    lockfile = world.located(
        FORMAT, project(folder, "requirements.txt", {"requirements.txt": text}), asked
    )
    return [a.filename for a in lockfile.artifacts if isinstance(a, Distribution)], lockfile


# -- choosing --------------------------------------------------------------------------------


def test_each_target_takes_its_file(tmp_path: Path) -> None:
    text = f"Foo.Bar[x]==1.0 {pinned(FOO_1)}\n"
    world = MemoryPypi(FOO)
    bsd = "freebsd-x86_64-py3.12"
    assert locate(tmp_path, text, world, LINUX)[0] == [LINUX_WHEEL]
    assert locate(tmp_path, text, world, LINUX, WINDOWS)[0] == [LINUX_WHEEL, WINDOWS_WHEEL]
    assert locate(tmp_path, text, world, LINUX, bsd)[0] == [LINUX_WHEEL, "foo-bar-1.0.tar.gz"]
    assert locate(tmp_path, text, world)[0] == list(FOO_1)
    assert locate(tmp_path, text, world, LINUX, no_binary="foo_bar")[0] == ["foo-bar-1.0.tar.gz"]
    in_file = "--no-binary :all:\n" + text
    assert locate(tmp_path, in_file, world, LINUX)[0] == ["foo-bar-1.0.tar.gz"]
    with pytest.raises(UnsupportedError, match="no wheel for freebsd"):
        locate(tmp_path, text, world, bsd, only_binary=":all:")


def test_a_file_is_pinned_by_its_own_hash(tmp_path: Path) -> None:
    _, lockfile = locate(tmp_path, f"\nfoo-bar==1 {pinned(FOO_1)}", MemoryPypi(FOO), LINUX)
    (artifact,) = lockfile.artifacts
    assert isinstance(artifact, Distribution)
    assert [d.hex for d in artifact.integrity.digests] == [sha256(FOO[LINUX_WHEEL])]
    assert (artifact.name, artifact.version) == ("foo-bar", "1.0")
    assert (artifact.url, artifact.size) == (FILES + LINUX_WHEEL, len(FOO[LINUX_WHEEL]))
    assert (artifact.where, artifact.trust) == ("requirements.txt:2", Trust.LOCKFILE)
    assert artifact.purl == "pkg:pypi/foo-bar@1.0"


def test_files_that_are_not_locked_are_passed_over(tmp_path: Path) -> None:
    text = f"foo-bar==1.0 {pinned(FOO, 'foo-bar-1.0.tar.gz')}"
    found, lockfile = locate(tmp_path, text, MemoryPypi(FOO), LINUX)
    assert found == ["foo-bar-1.0.tar.gz"]
    (artifact,) = lockfile.artifacts
    assert isinstance(artifact, Distribution)
    assert artifact.built_for == (LINUX,)


def test_markers(tmp_path: Path) -> None:
    text = f"foo-bar==1.0 ; sys_platform == 'win32' {pinned(FOO_1)}"
    assert locate(tmp_path, text, MemoryPypi(FOO), LINUX)[0] == []
    assert locate(tmp_path, text, MemoryPypi(FOO), LINUX, WINDOWS)[0] == [WINDOWS_WHEEL]


def test_constraints_pin_what_the_requirements_name(tmp_path: Path) -> None:
    lockfile = read(
        tmp_path,
        "-c limits.txt\nfoo-bar ; os_name == 'posix'\n",
        options(LINUX),
        limits_txt=f"foo_bar==1.0 {pinned(FOO_1)}\nother==3\n",
    )
    (artifact,) = lockfile.artifacts
    assert (artifact.version, len(artifact.integrity.digests)) == ("1.0", 3)
    assert artifact.where == "requirements.txt:2"
    (warning,) = lockfile.warnings
    assert "constraints alone ask for nothing: other" in warning.what


def test_a_requirement_without_hash_is_left_to_the_policy(tmp_path: Path) -> None:
    found, lockfile = locate(tmp_path, "foo-bar==1.0", MemoryPypi(FOO), LINUX)
    assert found == [LINUX_WHEEL]
    assert not lockfile.artifacts[0].integrity


@pytest.mark.parametrize(
    "text", ["foo", "foo>=1", "foo==1.*", "foo==1,!=1.1", "foo~=1.0 --hash=sha256:" + "0" * 64]
)
def test_what_is_not_pinned_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(LockfileError, match="is not pinned to one version") as caught:
        read(tmp_path, f"# x\n{text}\n", options(LINUX))
    assert caught.value.where == "requirements.txt:2"
    assert "generate-hashes" in (caught.value.fix or "")


@pytest.mark.parametrize(
    "text",
    [
        "foo==",
        "foo bar",
        "foo==1 ; nonsense",
        "foo @ ftp://x.example/foo-1.zip",
        "foo @ https:///foo-1.zip",
        "https://x.example/",
        "[" * 3000,
        "foo==1 --hash=md5:00",
    ],
)
def test_what_is_no_requirement(tmp_path: Path, text: str) -> None:
    with pytest.raises(LockfileError) as caught:
        read(tmp_path, text, options(LINUX))
    assert caught.value.where == "requirements.txt:1"


# -- direct references -----------------------------------------------------------------------


def test_direct_urls(tmp_path: Path) -> None:
    lockfile = read(
        tmp_path,
        f"foo @ https://x.example/a%2B/foo-1.0.zip#sha256={'ab' * 32}&subdirectory=py\n"
        f"https://x.example/bar-2.0-py3-none-any.whl --hash=sha256:{'cd' * 32}\n"
        f"https://x.example/v1.tar.gz#egg=baz[x]&sha256={'ef' * 32}\n",
        options(LINUX),
    )
    found = [a for a in lockfile.artifacts if isinstance(a, Distribution)]
    assert [(a.name, a.version, a.url, a.subdirectory, a.places) for a in found] == [
        ("foo", "1.0", "https://x.example/a%2B/foo-1.0.zip", "py", ("cache",)),
        ("bar", "2.0", "https://x.example/bar-2.0-py3-none-any.whl", "", ("cache",)),
        ("baz", "", "https://x.example/v1.tar.gz", "", ("cache",)),
    ]
    assert [d.hex[:2] for a in found for d in a.integrity.digests] == ["ab", "cd", "ef"]


def test_a_login_in_an_address_is_used_and_not_shown(tmp_path: Path) -> None:
    text = "foo @ https://me:${PW}@x.example/foo-1.0.zip --hash=sha256:" + "00" * 32
    locked = project(tmp_path, "requirements.txt", {"requirements.txt": text}, {"PW": "s3cret"})
    (artifact,) = FORMAT.read(locked, options(LINUX)).artifacts
    assert artifact.url == "https://x.example/foo-1.0.zip"
    assert artifact.sources == ("https://me:s3cret@x.example/foo-1.0.zip",)


def test_git(tmp_path: Path) -> None:
    lockfile = read(
        tmp_path,
        f"foo @ git+https://git.example/a/foo.git@{COMMIT}#subdirectory=py\n"
        f"-e git+ssh://git@git.example/bar@{COMMIT}#egg=bar\n",
        options(LINUX),
    )
    foo, bar = lockfile.artifacts
    assert isinstance(foo, GitProject)
    assert isinstance(bar, GitProject)
    assert (foo.remote, foo.subdirectory) == ("https://git.example/a/foo.git", "py")
    assert foo.url == f"git+https://git.example/a/foo.git#{COMMIT}"
    assert (bar.name, bar.remote) == ("bar", "ssh://git@git.example/bar")
    for address in (
        "git+https://git.example/foo.git@main",
        "git+https://git.example/foo.git",
        f"git+https://user:pass@git.example/foo.git@{COMMIT}",
        f"hg+https://hg.example/foo@{COMMIT}",
    ):
        with pytest.raises(UnsupportedError) as caught:
            read(tmp_path, f"foo @ {address}", options(LINUX))
        assert "pass@" not in str(caught.value)


def test_submodules(tmp_path: Path) -> None:
    """They are packed and served, and are no projects: nothing is built in them."""
    inner, outer = Repository(tmp_path / "inner.git"), Repository(tmp_path / "outer.git")
    inner_commit = inner.commit({"pyproject.toml": b"[build-system]\nrequires = ['missing']\n"})
    outer.commit({"pyproject.toml": b"[build-system]\nrequires = []\nbuild-backend = 'back'\n"})
    outer.git("submodule", "add", "-q", inner.url, "sub")
    modules = outer.folder / ".gitmodules"
    modules.write_text(modules.read_text().replace(inner.url, "../inner.git"))
    commit = outer.commit({})
    world = MemoryPypi({})
    for repository, oid in ((inner, inner_commit), (outer, commit)):
        pack = tmp_path / oid
        address = GitAddress(repository.url, oid)
        asyncio.run(fetch_commit(address, pack, environ=os.environ, protocols=["file"]))
        url = f"https://git.example/{repository.folder.name}"
        world.urls[f"git+{url}#{oid}"] = pack.read_bytes()
    text = f"outer @ git+https://git.example/outer.git@{commit}\n"
    locked = project(tmp_path, "requirements.txt", {"requirements.txt": text})
    workshop = MemoryWorkshop()
    _, packed = world.packed(FORMAT, locked, options(LINUX), workshop)
    assert [one.artifact.url for one in packed] == sorted(world.urls)
    environment = FORMAT.environment(packed)
    assert [url for url, _ in environment.git_sources] == [
        "https://git.example/inner.git",
        "https://git.example/outer.git",
    ]
    assert ALLOWED_PROTOCOLS in environment.variables
    assert "GIT_CONFIG_PARAMETERS" in [variable.name for variable in environment.variables]
    folders = {entry.path.split("/")[2] for entry in FORMAT.layout(packed, workshop)}
    assert {folder.rpartition("-")[0] for folder in folders} == {"inner", "outer"}


def test_local_requirements_are_named(tmp_path: Path) -> None:
    lockfile = read(tmp_path, "-e .\n./sub\nfoo @ file:///srv/foo.whl\n", options(LINUX))
    assert lockfile.artifacts == ()
    assert [w.where for w in lockfile.warnings] == [f"requirements.txt:{n}" for n in (1, 2, 3)]


# -- the index's answers ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("gone==1.0 " + pinned(FOO_1), FetchError, "no index has a project named gone"),
        ("foo-bar==7.0 " + pinned(FOO_1), FetchError, "the index has no foo-bar 7.0"),
        (
            f"foo-bar==1.0 --hash=sha256:{'ab' * 32}",
            IntegrityError,
            "no file of foo-bar 1.0 on the index has a hash that is locked",
        ),
        (
            f"--only-binary=foo-bar\nfoo-bar==1.0 {pinned(FOO, WINDOWS_WHEEL)}",
            UnsupportedError,
            "foo-bar 1.0 has no wheel for linux-x86_64-gnu-py3.12",
        ),
        (
            f"foo-bar==1.0 {pinned(FOO, WINDOWS_WHEEL)}",
            UnsupportedError,
            "foo-bar 1.0 has neither a wheel for linux-x86_64-gnu-py3.12 nor an sdist",
        ),
    ],
)
def test_errors_each_with_its_own_message(
    tmp_path: Path, text: str, error: type[VendorpackError], message: str
) -> None:
    with pytest.raises(error) as caught:
        locate(tmp_path, text, MemoryPypi(FOO), LINUX)
    assert caught.value.what == message
    assert (caught.value.where or "").startswith("requirements.txt:")


OTHER = {LINUX_WHEEL: wheel("foo-bar", "1.0", {"evil": b""})}
EXTRA = "https://other.example/simple/"


def test_a_second_index_with_other_bytes(tmp_path: Path) -> None:
    world = MemoryPypi(FOO, more={EXTRA: OTHER})
    text = f"--extra-index-url {EXTRA}\nfoo-bar==1.0 "
    _, lockfile = locate(tmp_path, text + pinned(FOO_1), world, LINUX)
    assert [a.url for a in lockfile.artifacts] == [FILES + LINUX_WHEEL]
    assert [w.what.partition("foo")[0] for w in lockfile.warnings] == [f"{EXTRA} has another "]
    # Whichever index has the locked bytes is right.
    _, lockfile = locate(tmp_path, text + pinned(OTHER), world, LINUX)
    assert [a.url for a in lockfile.artifacts] == [EXTRA + "files/" + LINUX_WHEEL]
    for locked in ("", f"{pinned(FOO_1)} {pinned(OTHER)}"):
        with pytest.raises(IntegrityError, match=r"two indexes have .* with different bytes"):
            locate(tmp_path, text + locked, world, LINUX)


def test_yanked_files_and_lost_hashes_are_warned_of(tmp_path: Path) -> None:
    text = f"foo-bar==1.0 {pinned(FOO_1)} --hash=sha256:{'ab' * 32}"
    found, lockfile = locate(tmp_path, text, MemoryPypi(FOO, yanked=[LINUX_WHEEL]), LINUX)
    assert found == [LINUX_WHEEL]
    assert [w.what for w in lockfile.warnings] == [
        "the index has no file for a locked hash of foo-bar 1.0",
        f"{LINUX_WHEEL} was yanked: broken",
    ]


def test_only_the_index_that_is_named_is_asked(tmp_path: Path) -> None:
    index = "https://index.example/simple/"
    world = MemoryPypi(FOO, index=index)
    text = f"--index-url {index.rstrip('/')}\nfoo-bar==1.0 {pinned(FOO_1)}"
    _, lockfile = locate(tmp_path, text, world, LINUX)
    assert world.index.asked == [index + "foo-bar/"]
    # Named by the lockfile is not allowed by the user.
    assert "https://index.example" not in lockfile.access.origins
    assert DEFAULT_INDEX.removesuffix("/simple/") in lockfile.access.origins


def test_configuration_and_its_secrets(tmp_path: Path) -> None:
    home = tmp_path / "home" / ".config" / "pip"
    home.mkdir(parents=True)
    (home / "pip.conf").write_text(
        "[global]\nindex-url = https://me:s3cret@index.example/simple\n"
        "[install]\nextra-index-url =\n  https://extra.example/a\n  https://tok3n@extra.example/b\n"
    )
    locked = project(
        tmp_path,
        "requirements.txt",
        {"requirements.txt": "foo==1 --hash=sha256:" + "00" * 32},
        {
            "XDG_CONFIG_DIRS": str(tmp_path / "none"),
            "XDG_CONFIG_HOME": str(tmp_path / "home/.config"),
        },
    )
    lockfile = FORMAT.read(locked, options(LINUX))
    (release,) = lockfile.artifacts
    assert getattr(release, "indexes") == (  # noqa: B009
        "https://index.example/simple/",
        "https://extra.example/a/",
        "https://extra.example/b/",
    )
    assert {"https://index.example", "https://extra.example"} <= lockfile.access.origins
    basic = "Basic bWU6czNjcmV0"
    assert lockfile.access.credentials == (
        Credential("https://extra.example/", "Basic dG9rM246"),
        Credential("https://extra.example/b/", "Basic dG9rM246"),
        Credential("https://index.example/", basic),
        Credential("https://index.example/simple/", basic),
    )
    shown = repr(lockfile) + repr(FORMAT.fingerprint(locked, options(LINUX)))
    assert "s3cret" not in shown
    assert "tok3n" not in shown
    assert basic not in shown


# -- packing ---------------------------------------------------------------------------------


def test_a_bundle(tmp_path: Path) -> None:
    direct = sdist("direct", "1", {"pyproject.toml": b"[build-system]\nrequires = ['setuptools']"})
    world = MemoryPypi({**FOO, **TOOLS})
    url = FILES + "direct-1.tar.gz"
    world.urls[url] = direct
    text = (
        f"foo-bar==1.0 {pinned(FOO, 'foo-bar-1.0.tar.gz')}\n"
        f"direct @ {url} {pinned({'x': direct})}\n"
    )
    locked = project(tmp_path, "requirements.txt", {"requirements.txt": text})
    asked = Options(
        targets=(LINUX,), extra={"pip-old-cache": "yes", "pip-build-lock": "build-lock.toml"}
    )
    workshop = MemoryWorkshop()
    lockfile, packed = world.packed(FORMAT, locked, asked, workshop)
    entries = {entry.path: entry for entry in FORMAT.layout(packed, workshop)}
    fan = "/".join([*(name := hashlib.sha224(url.encode()).hexdigest())[:5], name])
    assert sorted(entries) == sorted(
        [
            f"pip/cache/http/{fan}",
            f"pip/cache/http-v2/{fan}",
            f"pip/cache/http-v2/{fan}.body",
            "pip/wheelhouse/foo-bar-1.0.tar.gz",
            *(f"pip/wheelhouse/{name}" for name in TOOLS),
        ]
    )
    assert workshop.content(entries[f"pip/cache/http-v2/{fan}.body"]) == direct
    assert direct in workshop.content(entries[f"pip/cache/http/{fan}"])
    assert all(entry.artifact is not None and entry.mode == 0o644 for entry in entries.values())
    variables = FORMAT.environment(packed).variables
    assert [(v.name, v.value, v.is_path) for v in variables] == [
        ("PIP_CACHE_DIR", "pip/cache", True),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1", False),
        ("PIP_FIND_LINKS", "pip/wheelhouse", True),
        ("PIP_NO_INDEX", "1", False),
    ]
    whys = {p.artifact.name: p.artifact.why for p in packed}
    assert whys["setuptools"] == ("build", "build of direct 1", "build of foo-bar 1.0")
    assert whys["foo-bar"] == ()

    # The build lock is honoured: a newer setuptools changes nothing, byte for byte.
    (written,) = FORMAT.side_files(locked, lockfile, packed, workshop).values()
    (locked.folder / "build-lock.toml").write_bytes(written)
    newer = MemoryPypi(
        {**FOO, **TOOLS, "setuptools-99-py3-none-any.whl": wheel("setuptools", "99", {})}
    )
    newer.urls[url] = direct
    relocked, repacked = newer.packed(FORMAT, locked, asked, workshop)
    assert [e.path for e in FORMAT.layout(repacked, workshop)] == list(entries)
    assert FORMAT.side_files(locked, relocked, repacked, workshop) == {"build-lock.toml": written}


def test_build_dependencies_can_be_left_out(tmp_path: Path) -> None:
    text = f"foo-bar==1.0 {pinned(FOO, 'foo-bar-1.0.tar.gz')}\n"
    locked = project(tmp_path, "requirements.txt", {"requirements.txt": text})
    asked = Options(targets=(LINUX,), extra={"pip-build-deps": "no"})
    _, packed = MemoryPypi(FOO).packed(FORMAT, locked, asked, MemoryWorkshop())
    assert [p.artifact.name for p in packed] == ["foo-bar"]
    with pytest.raises(UsageError, match="yes or no"):
        FORMAT.read(locked, Options(extra={"pip-build-deps": "maybe"}))


def test_a_target_without_python_is_named(tmp_path: Path) -> None:
    lockfile = read(tmp_path, f"foo==1 {pinned(FOO_1)}", options("linux-x86_64-gnu"))
    assert "names no Python" in lockfile.warnings[0].what


def test_names_that_differ_in_dashes_are_one(tmp_path: Path) -> None:
    files = {"A_b.c-1.0-py3-none-any.whl": wheel("A-b.c", "1.0", {})}
    for name in ("a-b-c", "A_b.c", "a.B__c"):
        assert locate(tmp_path, f"{name}==1.0 {pinned(files)}", MemoryPypi(files), LINUX)[
            0
        ] == list(files)
