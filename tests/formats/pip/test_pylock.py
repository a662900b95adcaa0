"""pylock.toml: what is selected for which target."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.world.distributions import LINUX, MAC, WINDOWS, options, project
from vendorpack.errors import LockfileError, UnsupportedError, UsageError, VendorpackError
from vendorpack.formats._shared.python.distributions import Distribution, GitProject
from vendorpack.formats.pip import FORMAT
from vendorpack.model import Artifact, Lockfile, Options

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LOCK = f"""
lock-version = "1.0"
created-by = "someone"
extras = ["fast"]
dependency-groups = ["docs"]

[[packages]]
name = "foo"
version = "1.0"
index = "https://index.example/simple"
[packages.sdist]
url = "https://files.example/foo-1.0.tar.gz"
hashes = {{ sha256 = "{"aa" * 32}" }}
[[packages.wheels]]
url = "https://files.example/foo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"
size = 10
hashes = {{ sha256 = "{"bb" * 32}", blake2b = "00" }}

[[packages]]
name = "pywin32"
version = "3"
marker = "sys_platform == 'win32'"
[[packages.wheels]]
url = "https://files.example/pywin32-3-cp311-cp311-win_amd64.whl"
hashes = {{ sha256 = "{"cc" * 32}" }}

[[packages]]
name = "docs"
version = "1"
marker = "'docs' in dependency_groups or 'fast' in extras"
[[packages.wheels]]
url = "https://files.example/docs-1-py3-none-any.whl"
hashes = {{ sha256 = "{"dd" * 32}" }}

[[packages]]
name = "direct"
[packages.archive]
url = "https://x.example/archive/main.zip"
subdirectory = "py"
hashes = {{ sha512 = "{"ee" * 64}" }}

[[packages]]
name = "versioned"
[packages.vcs]
type = "git"
url = "https://git.example/v.git"
commit-id = "{COMMIT}"

[[packages]]
name = "here"
[packages.directory]
path = "."
"""


def read(folder: Path, text: str, asked: Options) -> Lockfile:
    return FORMAT.read(project(folder, "pylock.toml", {"pylock.toml": text}), asked)


def names(artifacts: tuple[Artifact, ...]) -> list[str]:
    return [a.filename if isinstance(a, Distribution) else a.name for a in artifacts]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (options(LINUX), ["foo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"]),
        (options(MAC), ["foo-1.0.tar.gz"]),
        (options(WINDOWS), ["foo-1.0.tar.gz", "pywin32-3-cp311-cp311-win_amd64.whl"]),
        (options(MAC, groups=["docs"]), ["foo-1.0.tar.gz", "docs-1-py3-none-any.whl"]),
        (options(MAC, groups=["fast"]), ["foo-1.0.tar.gz", "docs-1-py3-none-any.whl"]),
        (
            options(),
            [
                "foo-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
                "foo-1.0.tar.gz",
                "pywin32-3-cp311-cp311-win_amd64.whl",
                "docs-1-py3-none-any.whl",
            ],
        ),
    ],
)
def test_selection(tmp_path: Path, asked: Options, expected: list[str]) -> None:
    lockfile = read(tmp_path, LOCK, asked)
    assert names(lockfile.artifacts) == [*expected, "main.zip", "versioned"]
    assert "folder '.'" in lockfile.warnings[0].what


def test_what_an_artifact_says(tmp_path: Path) -> None:
    foo, direct, versioned = read(tmp_path, LOCK, options(LINUX)).artifacts
    assert isinstance(foo, Distribution)
    assert isinstance(direct, Distribution)
    assert isinstance(versioned, GitProject)
    assert (foo.size, foo.version, foo.where) == (10, "1.0", "pylock.toml:7")
    assert [(d.algorithm, d.hex[:2]) for d in foo.integrity.digests] == [("sha256", "bb")]
    assert foo.places == direct.places == ("cache",)
    assert (direct.subdirectory, direct.integrity.algorithms) == ("py", ("sha512",))
    assert direct.built_for == (LINUX,)
    assert versioned.commit == COMMIT


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('lock-version = "1.0"', 'lock-version = "2.0"', LockfileError),
        ('lock-version = "1.0"', "", LockfileError),
        ('name = "foo"', 'name = "Foo"', LockfileError),
        ('"' + "bb" * 32 + '"', '"bb"', LockfileError),
        ('"' + "bb" * 32 + '"', "3", LockfileError),
        ("sys_platform == 'win32'", "nonsense", LockfileError),
        (COMMIT, COMMIT[:10], UnsupportedError),
        ('type = "git"', 'type = "hg"', UnsupportedError),
        ('url = "https://x.example/archive/main.zip"', 'path = "main.zip"', UnsupportedError),
        ("https://x.example/archive", "file:///archive", LockfileError),
        ("sys_platform == 'win32'", "sys_platform == 'linux'", UnsupportedError),
        ("[[packages]]", "requires-python = '>=3.13'\n[[packages]]", UsageError),
    ],
)
def test_locks_that_cannot_be_used(
    tmp_path: Path, old: str, new: str, error: type[VendorpackError]
) -> None:
    assert old in LOCK
    with pytest.raises(error) as caught:
        read(tmp_path, LOCK.replace(old, new, 1), options(LINUX))
    assert (caught.value.where or "").startswith("pylock.toml")


def test_unknown_groups(tmp_path: Path) -> None:
    with pytest.raises(LockfileError, match="no group or extra nope"):
        read(tmp_path, LOCK, options(LINUX, groups=["nope"]))


def test_a_patch_release_that_fits_is_enough(tmp_path: Path) -> None:
    text = LOCK.replace("extras =", "requires-python = '>=3.12.4'\nextras =", 1)
    assert read(tmp_path, text, options(LINUX)).artifacts
    with pytest.raises(UnsupportedError, match="does not satisfy"):
        read(tmp_path, text, options("linux-x86_64-gnu-py3.12.3"))
