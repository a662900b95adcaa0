"""Which wheels a target takes."""

from __future__ import annotations

import pytest
from packaging.tags import sys_tags

from vendorpack.formats._shared.python.wheels import (
    Binary,
    best_wheels,
    choose,
    has_to_build,
    release_of,
    supported_tags,
)
from vendorpack.target import parse_target, this_machine, this_python

NUMPY = [
    "numpy-2.3.2-cp312-cp312-macosx_10_13_x86_64.whl",
    "numpy-2.3.2-cp312-cp312-macosx_11_0_arm64.whl",
    "numpy-2.3.2-cp312-cp312-macosx_14_0_arm64.whl",
    "numpy-2.3.2-cp312-cp312-manylinux_2_27_aarch64.manylinux_2_28_aarch64.whl",
    "numpy-2.3.2-cp312-cp312-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    "numpy-2.3.2-cp312-cp312-musllinux_1_2_x86_64.whl",
    "numpy-2.3.2-cp312-cp312-win32.whl",
    "numpy-2.3.2-cp312-cp312-win_amd64.whl",
    "numpy-2.3.2-cp313-cp313t-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
]
CRYPTOGRAPHY = [
    "cryptography-46.0.1-cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    "cryptography-46.0.1-cp311-abi3-manylinux_2_28_x86_64.whl",
    "cryptography-46.0.1-cp311-abi3-manylinux_2_34_x86_64.whl",
    "cryptography-46.0.1-cp38-abi3-manylinux_2_34_x86_64.whl",
]


@pytest.mark.parametrize(
    ("files", "target", "best"),
    [
        (NUMPY, "linux-x86_64-gnu-py3.12", [4]),
        (NUMPY, "linux-aarch64-gnu-py3.12", [3]),
        (NUMPY, "linux-x86_64-musl-py3.12", [5]),
        (NUMPY, "linux-aarch64-musl-py3.12", []),
        (NUMPY, "windows-i686-py3.12", [6]),
        (NUMPY, "windows-x86_64-py3.12", [7]),
        (NUMPY, "linux-x86_64-gnu-py3.13t", [8]),
        (NUMPY, "linux-x86_64-gnu-py3.13", []),
        (NUMPY, "macos-x86_64-py3.12", [0]),
        # On macOS 12 and 13 pip takes another one than on 14.
        (NUMPY, "macos-aarch64-py3.12", [2, 1]),
        # With glibc 2.28 pip takes another one than with 2.34; older glibc does not count.
        (CRYPTOGRAPHY, "linux-x86_64-gnu-py3.12", [2, 1]),
        (CRYPTOGRAPHY, "linux-x86_64-gnu-py3.9", [3]),
        # A target that names its version has one client.
        (CRYPTOGRAPHY, "linux-x86_64-gnu2.36-py3.12", [2]),
        (CRYPTOGRAPHY, "linux-x86_64-gnu2.34-py3.12", [2]),
        (CRYPTOGRAPHY, "linux-x86_64-gnu2.33-py3.12", [1]),
        (CRYPTOGRAPHY, "linux-x86_64-gnu2.27-py3.12", [0]),
        (CRYPTOGRAPHY, "linux-x86_64-gnu2.16-py3.12", []),
        (NUMPY, "linux-x86_64-musl1.2-py3.12", [5]),
        (NUMPY, "linux-x86_64-musl1.1-py3.12", []),
        (NUMPY, "macos14-aarch64-py3.12", [2]),
        (NUMPY, "macos13-aarch64-py3.12", [1]),
        (["six-1.17.0-py2.py3-none-any.whl"], "freebsd-x86_64-py3.12", [0]),
        (["a-1-py3-none-any.whl", "a-1-2-py3-none-any.whl"], "macos-aarch64-py3.12", [1]),
        (["a-1-py3-none-any.whl", "a-1-cp312-none-any.whl"], "macos-aarch64-py3.12", [1]),
        (["a-1.tar.gz", "a-1-nonsense.whl", "a.whl"], "linux-x86_64-gnu-py3.12", []),
    ],
)
def test_best_wheels(files: list[str], target: str, best: list[int]) -> None:
    expected = tuple(files[number] for number in best)
    assert best_wheels(files, parse_target(target)) == expected
    assert best_wheels(reversed(files), parse_target(target)) == expected


def test_the_tags_of_this_machine_are_all_there_in_their_order() -> None:
    here = this_machine()
    target = parse_target(f"{here}-{''.join(this_python())}")
    ours = list(supported_tags(target))
    theirs = [tag for tag in sys_tags() if "musl" not in tag.platform]
    assert [tag for tag in ours if tag in set(theirs)] == theirs


def test_choose_takes_the_sdist_where_no_wheel_fits() -> None:
    files = [*NUMPY, "numpy-2.3.2.zip", "numpy-2.3.2.tar.gz"]
    linux, bsd = parse_target("linux-x86_64-gnu-py3.12"), parse_target("freebsd-x86_64-py3.12")
    assert choose(files, [linux, bsd], filename=str) == ((NUMPY[4], "numpy-2.3.2.tar.gz"), ())
    assert choose(files, [linux], filename=str, wheels=False) == (("numpy-2.3.2.tar.gz",), ())
    assert choose(files, [linux, bsd], filename=str, sdists=False) == ((NUMPY[4],), (bsd,))
    assert choose([*files, "numpy.exe"], [], filename=str) == (tuple(files), ())


@pytest.mark.parametrize(
    ("newest", "target", "takes"),
    [
        ("manylinux_2_39_x86_64", "linux-x86_64-gnu-py3.12", [0, 1]),
        ("manylinux_2_39_x86_64", "linux-x86_64-gnu2.36-py3.12", [1]),
        ("manylinux_2_39_x86_64", "linux-x86_64-gnu2.39-py3.12", [0]),
        ("manylinux_2_28_x86_64", "linux-x86_64-gnu-py3.12", [0]),
        ("macosx_14_0_arm64", "macos-aarch64-py3.12", [0, 1]),
        ("macosx_14_0_arm64", "macos15.1-aarch64-py3.12", [0]),
        ("macosx_12_0_arm64", "macos-aarch64-py3.12", [0]),
        ("musllinux_1_2_x86_64", "linux-x86_64-musl-py3.12", [0]),
        ("win_amd64", "windows-x86_64-py3.12", [0]),
    ],
)
def test_a_wheel_too_new_for_the_target_does_not_hide_the_sdist(
    newest: str, target: str, takes: list[int]
) -> None:
    files = [f"a-1-cp312-cp312-{newest}.whl", "a-1.tar.gz"]
    chosen, missing = choose(files, [parse_target(target)], filename=str)
    assert chosen == tuple(files[number] for number in takes) and not missing
    assert has_to_build(files, parse_target(target)) == (1 in takes)
    only, missing = choose(files, [parse_target(target)], filename=str, sdists=False)
    assert bool(only) != bool(missing)


def test_only_and_no_binary() -> None:
    binary = Binary(only=frozenset({":all:"}), none=frozenset({"lxml"}))
    assert binary.allows_wheels("six")
    assert not binary.allows_sdists("six")
    assert not binary.allows_wheels("lxml")
    assert binary.allows_sdists("lxml")


@pytest.mark.parametrize(
    ("filename", "name", "version"),
    [
        ("foo_bar-1.0-py3-none-any.whl", "foo-bar", "1.0"),
        ("foo_bar-1.0-py3-none-any.whl", "foo", None),
        ("foo-bar-1.0.tar.gz", "foo-bar", "1.0"),
        ("foo_bar-1.0.post1.zip", "foo-bar", "1.0.post1"),
        ("foo-bar-1.0.tar.gz", "foo", None),
        ("Foo.Bar-1!2.0+cpu.tar.bz2", "foo-bar", "1!2.0+cpu"),
        ("foo-1.0.exe", "foo", None),
        ("foo-1.0-win32.zip", "foo", None),
    ],
)
def test_release_of(filename: str, name: str, version: str | None) -> None:
    found = release_of(filename, name)
    assert (None if found is None else str(found)) == version
