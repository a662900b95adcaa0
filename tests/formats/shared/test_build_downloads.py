"""What a build fetches by itself is found where it is written down, and named when packing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendorpack.formats._shared.python.builds.downloads import downloads_of, says_downloads
from vendorpack.formats._shared.python.builds.system import build_system_of

LIST = "CMakeLists.txt"


def found(tools: set[str], **files: str) -> list[str]:
    return list(downloads_of({name: text.encode() for name, text in files.items()}, tools))


def cmake(text: str) -> list[str]:
    return list(downloads_of({LIST: text.encode()}, {"cmake"}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FetchContent_Declare(zmq\n  URL ${ZMQ_URL}\n)", ["zmq (CMakeLists.txt:1)"]),
        ("\nfetchcontent_declare( zmq URL https://h/z.tgz )", ["zmq (CMakeLists.txt:2)"]),
        ("FetchContent_Declare(a GIT_REPOSITORY https://h/a GIT_TAG v1)", ["a (CMakeLists.txt:1)"]),
        ('ExternalProject_Add(b\n URL "https://h/b.tgz")', ["b (CMakeLists.txt:1)"]),
        ("file(DOWNLOAD https://h/c.txt out)", ["https://h/c.txt (CMakeLists.txt:1)"]),
        ("CPMAddPackage(NAME d VERSION 1)", ["d (CMakeLists.txt:1)"]),
        ('CPMAddPackage("gh:fmtlib/fmt#7.1.3")', ["gh:fmtlib/fmt#7.1.3 (CMakeLists.txt:1)"]),
        # What lies in the source is not fetched.
        ("FetchContent_Declare(a SOURCE_DIR third/a)", []),
        ('FetchContent_Declare(a URL "${CMAKE_CURRENT_SOURCE_DIR}/a.tgz")', []),
        ("ExternalProject_Add(a URL ${PROJECT_SOURCE_DIR}/a.tgz)", []),
        ("FetchContent_Declare(a URL ./a.tgz)", []),
        ("FetchContent_Declare(a URL /opt/a.tgz)", []),
        ("file(READ https://h/c.txt out)", []),
        # Nor is what a comment says.
        ("# FetchContent_Declare(a URL https://h/a)", []),
        ("#[[ FetchContent_Declare(a URL https://h/a)\n]]\n", []),
        ("#[=[\n]]FetchContent_Declare(a URL https://h/a)\n]=]\n", []),
        ("#[[\n\n]]FetchContent_Declare(a URL https://h/a)", ["a (CMakeLists.txt:3)"]),
        ("my_FetchContent_Declare(a URL https://h/a)", []),
        ("FetchContent_Declare(", []),
        ("CPMAddPackage()", []),
        ("FetchContent_Declare(URL)", []),
        ("file(DOWNLOAD)", []),
    ],
)
def test_cmake(text: str, expected: list[str]) -> None:
    assert cmake(text) == expected


def test_cmake_s_other_files() -> None:
    """Those of the project's folders count; what is vendored is mostly built otherwise."""
    call = "FetchContent_Declare(a URL https://h/a)"
    read = {"python/CMakeLists.txt", "CMakeLists.txt"}
    passed = {"third_party/CMakeLists.txt", "tests/CMakeLists.txt", "a/b/CMakeLists.txt", "x.cmake"}
    assert [path for path in (*read, *passed) if says_downloads(path)] == [*read]
    files = dict.fromkeys(read | passed, call.encode())
    assert list(downloads_of(files, {"scikit-build-core"})) == [
        "a (CMakeLists.txt:1)",
        "a (python/CMakeLists.txt:1)",
    ]
    assert not list(downloads_of(files, {"setuptools"}))


@pytest.mark.parametrize(
    ("wrap", "folders", "is_fetched"),
    [
        ("[wrap-file]\ndirectory = qhull-8\nsource_url = https://h/q.tgz", [], True),
        ("[wrap-file]\ndirectory = qhull-8\nsource_url = https://h/q.tgz", ["qhull-8"], False),
        ("[wrap-file]\ndirectory = qhull-8\nsource_url = https://h/q.tgz", ["qhull"], True),
        ("[wrap-git]\nurl = https://h/q.git\nrevision = head", [], True),
        ("[wrap-git]\nurl = https://h/q.git\nrevision = head", ["qhull"], False),
        ("[wrap-redirect]\nfilename = x/subprojects/y.wrap", [], False),
        ("not a wrap", [], False),
        ("", [], False),
    ],
)
def test_meson(wrap: str, folders: list[str], is_fetched: bool) -> None:
    files = {"subprojects/qhull.wrap": wrap}
    files |= {f"subprojects/{folder}/meson.build": "" for folder in folders}
    assert all(map(says_downloads, files))
    expected = ["qhull (subprojects/qhull.wrap)"] if is_fetched else []
    assert found({"meson-python"}, **files) == expected
    assert not found({"cmake"}, **files)


def test_by_the_build_system() -> None:
    """What a backend asks for by itself tells that CMake is run."""
    files = {
        "pyproject.toml": b'[build-system]\nrequires = ["scikit-build-core"]\n'
        b'build-backend = "scikit_build_core.build"\n',
        LIST: b"FetchContent_Declare(zmq URL https://h/z.tgz)",
    }
    assert build_system_of(files, "x").downloads == ("zmq (CMakeLists.txt:1)",)
    assert build_system_of({LIST: files[LIST]}, "x").downloads == ()


@given(st.text(alphabet='#[]=()\n"$ aFU{}/.') | st.text())
def test_any_text(text: str) -> None:
    """Whatever stands there, reading it ends, and quotes its lines."""
    for file in (LIST, "subprojects/a.wrap"):
        for said in downloads_of({file: text.encode()}, {"cmake", "meson"}):
            assert f"({file}" in said
