"""pdm.lock through the room."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.memory import MemoryWorkshop
from tests.world.distributions import LINUX, WINDOWS, options, project, sha256, wheel
from tests.world.pypi_memory import FILES, MemoryPypi
from vendorpack.errors import IntegrityError, LockfileError, UnsupportedError, VendorpackError
from vendorpack.formats._shared.python import direct_references
from vendorpack.formats._shared.python.distributions import Distribution, GitProject, Release
from vendorpack.formats._shared.python.index import DEFAULT_INDEX
from vendorpack.formats._shared.python.pip_config import load_pip_config
from vendorpack.formats.pdm import FORMAT, git_requirements, requirements
from vendorpack.formats.pdm.manifest import load_sources
from vendorpack.model import Lockfile, Options, Packed

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "foo-1.0-py3-none-any.whl"
TEST = "test-2-py3-none-any.whl"
FOO = {NAME: wheel("foo", "1.0", {}), TEST: wheel("test", "2", {})}
METADATA = """
[metadata]
groups = ["default", "dev"]
strategy = ["inherit_metadata"]
lock_version = "4.5.1"
content_hash = "sha256:00"
"""
LOCK = f"""{METADATA}
[[package]]
name = "foo"
version = "1.0"
groups = ["default"]
files = [{{file = "{NAME}", hash = "sha256:{sha256(FOO[NAME])}"}}]

[[package]]
name = "foo"
version = "1.0"
extras = ["x"]
groups = ["default"]
files = [{{file = "{NAME}", hash = "sha256:{sha256(FOO[NAME])}"}}]

[[package]]
name = "test"
version = "2"
groups = ["dev"]
marker = "sys_platform == 'linux'"
files = [
    {{url = "{FILES}{TEST}", hash = "sha256:{sha256(FOO[TEST])}"}},
]
"""
GIT = f'\n[[package]]\nname = "v"\ngit = "https://git.example/v.git"\nrevision = "{COMMIT}"\n'


def read(folder: Path, text: str, asked: Options, **files: str) -> Lockfile:
    named = {name.replace("_", "."): content for name, content in files.items()}
    return FORMAT.read(project(folder, "pdm.lock", {"pdm.lock": text, **named}), asked)


def test_groups_and_markers(tmp_path: Path) -> None:
    lockfile = read(tmp_path, LOCK, options(LINUX))
    foo, test = lockfile.artifacts
    assert isinstance(foo, Release)
    assert isinstance(test, Distribution)
    assert (foo.where, foo.indexes) == ("pdm.lock:8", (DEFAULT_INDEX,))
    assert (test.url, test.why) == (FILES + "test-2-py3-none-any.whl", ("dev",))
    assert test.places == ("wheelhouse",)
    assert lockfile.warnings[0].what.startswith("`pdm install` asks test itself, offline too")
    assert [a.name for a in read(tmp_path, LOCK, options(WINDOWS)).artifacts] == ["foo"]
    assert [a.name for a in read(tmp_path, LOCK, options(LINUX, dev=False)).artifacts] == ["foo"]
    with pytest.raises(LockfileError, match="no group nope"):
        read(tmp_path, LOCK, options(LINUX, groups=["nope"]))


def test_sources_of_the_project(tmp_path: Path) -> None:
    pyproject = """
[[tool.pdm.source]]
name = "pypi"
url = "https://mirror.example/simple"
[[tool.pdm.source]]
name = "private"
url = "https://index.example/simple"
"""
    lockfile = read(tmp_path, LOCK, options(LINUX, dev=False), pyproject_toml=pyproject)
    foo = lockfile.artifacts[0]
    assert isinstance(foo, Release)
    assert "asks private, pypi itself" in lockfile.warnings[0].what
    assert foo.indexes == ("https://mirror.example/simple/", "https://index.example/simple/")


PATTERNS = """
[[tool.pdm.source]]
name = "corp"
url = "https://corp.example/simple"
include_packages = ["F?o", "Corp_*"]
[[tool.pdm.source]]
name = "rest"
url = "https://rest.example/simple"
exclude_packages = ["te*", "corp.x"]
"""


def test_patterns_choose_the_index(tmp_path: Path) -> None:
    asked = project(tmp_path, "pdm.lock", {"pdm.lock": LOCK, "pyproject.toml": PATTERNS})
    corp, rest = "https://corp.example/simple/", "https://rest.example/simple/"
    sources = load_sources(asked)
    assert sources.asked_for("foo") == (corp,)
    assert sources.asked_for("Corp.X") == (corp,)
    assert sources.asked_for("test") == (DEFAULT_INDEX, corp)
    assert sources.asked_for("other") == (DEFAULT_INDEX, corp, rest)
    foo = FORMAT.read(asked, options(LINUX, dev=False)).artifacts[0]
    assert isinstance(foo, Release)
    assert foo.indexes == (corp,)
    plain = PATTERNS.replace("exclude_packages", "exclude")
    other = project(tmp_path, "pdm.lock", {"pdm.lock": LOCK, "pyproject.toml": PATTERNS})
    before = FORMAT.fingerprint(other, options(LINUX))
    (tmp_path / "project/pyproject.toml").write_text(plain)
    assert FORMAT.fingerprint(other, options(LINUX)) != before


def test_a_sourced_bundle_is_not_configuration(tmp_path: Path) -> None:
    """What vendorpack.env set in the shell says where that bundle is, and no more."""
    environ = {
        "VENDORPACK_PREFIX": "/opt/deps",
        "PDM_PYPI_URL": "file:///opt/deps/pip/simple",
        "PIP_FIND_LINKS": "/opt/deps/pip/wheelhouse",
    }
    shell = project(tmp_path, "pdm.lock", {"pdm.lock": LOCK}, environ)
    assert FORMAT.fingerprint(shell, options(LINUX)) == FORMAT.fingerprint(
        project(tmp_path, "pdm.lock", {}), options(LINUX)
    )
    assert load_pip_config(shell.host).find_links == ()
    own = project(tmp_path, "pdm.lock", {}, environ | {"PDM_PYPI_URL": "file:///opt/simple"})
    with pytest.raises(LockfileError, match=r"not an http\(s\) address"):
        FORMAT.read(own, options(LINUX))


def test_the_requirements_file(tmp_path: Path) -> None:
    workshop = MemoryWorkshop()
    world = MemoryPypi(FOO)
    direct = "https://x.example/direct-1.0-py3-none-any.whl"
    world.urls |= {direct: b"direct", f"git+https://git.example/v.git#{COMMIT}": b"pack"}
    text = f"""{LOCK}
[[package]]
name = "direct"
version = "1.0"
url = "{direct}"
groups = ["default"]
files = [{{file = "direct-1.0-py3-none-any.whl", hash = "sha256:{sha256(b"direct")}"}}]
"""
    locked = project(tmp_path, "pdm.lock", {"pdm.lock": text})
    _, packed = world.packed(FORMAT, locked, options(LINUX), workshop)
    entries = {entry.path: entry for entry in FORMAT.layout(packed, workshop)}
    assert workshop.content(entries["pip/requirements-pdm.txt"]).decode() == (
        f"direct @ {direct} \\\n    --hash=sha256:{sha256(b'direct')}\n"
        f"foo==1.0 \\\n    --hash=sha256:{sha256(FOO[NAME])}\n"
        "test==2 ; sys_platform == 'linux' \\\n"
        f"    --hash=sha256:{sha256(FOO[TEST])}\n"
    )
    link = f'<a href="../../wheelhouse/{NAME}#sha256={sha256(FOO[NAME])}">{NAME}</a><br>\n'
    page = f"<!DOCTYPE html><html><body>\n{link}</body></html>\n".encode()
    assert workshop.content(entries["pip/simple/foo/index.html"]) == page
    other = page.replace(b"foo-1.0", b"foo-2.0")
    assert FORMAT.merge("pip/simple/foo/index.html", other, page).count(b"<a ") == 2
    assert FORMAT.merge("pip/simple/foo/index.html", page, page) == page
    assert not [p for p in entries if "direct" in p and "simple" in p]
    assert [p for p in entries if "wheelhouse" in p] == [
        f"pip/wheelhouse/{NAME}",
        "pip/wheelhouse/test-2-py3-none-any.whl",
    ]


def test_commits_have_a_requirements_file_of_their_own(tmp_path: Path) -> None:
    """pip refuses them in one with hashes."""
    lockfile = read(tmp_path, LOCK + GIT, options(LINUX))
    git = [a for a in lockfile.artifacts if isinstance(a, GitProject)]
    assert "requirements-pdm-git.txt" in lockfile.warnings[0].what
    below = direct_references.submodule(git[0], "sub", "https://git.example/sub.git", "1" * 40)
    packed = [Packed(artifact, MemoryWorkshop().add(b"")) for artifact in (*git, below)]
    assert git_requirements(packed).decode() == f"v @ git+https://git.example/v.git@{COMMIT}\n"
    assert requirements(packed) == b""


def test_files_in_a_table_of_their_own(tmp_path: Path) -> None:
    """As PDM 2.0 to 2.7 wrote them."""
    old = f"""
[[package]]
name = "Test"
version = "2"
summary = "x"

[[package]]
name = "foo"
version = "1.0"

[metadata]
lock_version = "4.0"
content_hash = "sha256:00"

[metadata.files]
"Test 2" = [{{url = "{FILES}{TEST}", hash = "sha256:{sha256(FOO[TEST])}"}}]
"foo 1.0" = [{{file = "{NAME}", hash = "sha256:{sha256(FOO[NAME])}"}}]
"""
    lockfile = read(tmp_path, old, options(LINUX))
    assert [(a.name, a.integrity.digests[0].hex, a.url) for a in lockfile.artifacts] == [
        ("test", sha256(FOO[TEST]), f"{FILES}{TEST}"),
        ("foo", sha256(FOO[NAME]), None),
    ]
    with pytest.raises(LockfileError, match="'files' is not an array of tables"):
        read(tmp_path, old.replace("[{file", '["x", {file'), options(LINUX))


def test_another_file_under_a_locked_name(tmp_path: Path) -> None:
    changed = MemoryPypi({NAME: wheel("foo", "1.0", {"evil": b""})})
    with pytest.raises(IntegrityError, match="the index offers another file under the name foo"):
        changed.located(FORMAT, project(tmp_path, "pdm.lock", {"pdm.lock": LOCK}), options(LINUX))


@pytest.mark.parametrize(
    ("text", "error", "where"),
    [
        ("", LockfileError, "pdm.lock"),
        (METADATA.replace("4.5.1", "5.0"), LockfileError, "pdm.lock"),
        (METADATA + "[[package]]\nname = 3", LockfileError, "pdm.lock:7"),
        (METADATA + "[[package]]\nname = 'a'", LockfileError, "pdm.lock:7"),
        (LOCK.replace("sha256:", "sha256-"), LockfileError, "pdm.lock:8"),
        (LOCK.replace(f'"{NAME}"', '"../x.whl"'), LockfileError, "pdm.lock:8"),
        (LOCK.replace("sys_platform", "nonsense"), LockfileError, "pdm.lock:21"),
        (METADATA + GIT.replace(COMMIT, "main"), UnsupportedError, "pdm.lock:8"),
    ],
)
def test_locks_that_cannot_be_used(
    tmp_path: Path, text: str, error: type[VendorpackError], where: str
) -> None:
    with pytest.raises(error) as caught:
        read(tmp_path, text, options(LINUX))
    assert caught.value.where == where
