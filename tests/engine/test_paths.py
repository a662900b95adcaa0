from __future__ import annotations

import pytest

from vendorpack.files.paths import MAX_PATH, PathError, Tree, check_path, fold, windows_problem


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a/b.c/..d/e..",
        ".hidden/x",
        "npm/größe/日本",
        "a b/~/@scope/%20",
        "wh./a.wh.b",
        "a" * 255,
        "/".join(["é" * 127] * 15),
        "CON/a:b",
    ],
)
def test_good_paths(path: str) -> None:
    check_path(path)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "empty"),
        ("/a", "absolute"),
        ("//a", "absolute"),
        ("a/", "empty part"),
        ("a//b", "empty part"),
        (".", "empty part, or one that is . or .."),
        ("./a", ". or .."),
        ("a/./b", ". or .."),
        ("..", ". or .."),
        ("../a", ". or .."),
        ("a/../b", ". or .."),
        ("a/..", ". or .."),
        ("a\\b", "backslash"),
        ("..\\a", "backslash"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("a\x1b[31m", "control"),
        ("a\x7f", "control"),
        ("a\x9bm", "control"),
        (".wh.a", "container layer"),
        ("a/.wh..wh..opq", "container layer"),
        ("a/.wh.b/c", "container layer"),
        ("a\udc80", "Unicode"),
        ("a" * 256, "longer than 255"),
        ("é" * 128, "longer than 255"),
        ("/".join(["a" * 254] * 16), f"longer than {MAX_PATH}"),
    ],
)
def test_bad_paths(path: str, why: str) -> None:
    with pytest.raises(PathError, match=why):
        check_path(path)


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("a/b", "a/b", "twice"),
        ("a/B", "a/b", "the same path to some systems"),
        ("straße", "STRASSE", "the same path to some systems"),
        ("caf\u00e9", "cafe\u0301", "the same path to some systems"),
        ("\u212b", "\u00e5", "the same path to some systems"),
        ("a", "a/b", "not a folder"),
        ("a", "A/b/c", "not a folder"),
        ("a/b/c", "a/b", "lie below it"),
        ("A/b/c", "a", "lie below it"),
    ],
)
def test_paths_in_each_others_way(first: str, second: str, why: str) -> None:
    tree = Tree()
    tree.add(first)
    with pytest.raises(PathError, match=why):
        tree.add(second)


def test_paths_beside_each_other() -> None:
    tree = Tree()
    for path in ("a/b", "a/c", "A/d", "ab", "a.b/c"):
        tree.add(path)
    assert len(tree) == 5


def test_many_paths_that_are_kept_elsewhere() -> None:
    paths = [f"{'ab'[number % 2]}/File{number}" for number in range(3000)]
    tree = Tree(paths.__getitem__)
    for path in paths:
        tree.add(path)
    assert len(tree) == 3000
    assert [tree.number(path) for path in paths] == list(range(3000))
    assert tree.number("a/file0") is None  # only some systems take it for the same
    assert tree.number("b/File0") is None
    for path, why in ((paths[7], "there twice"), (paths[7].upper(), "'b/File7' is the same")):
        with pytest.raises(PathError, match=why):
            tree.add(path)


def test_fold_is_stable() -> None:
    for text in ("ΑΣ", "\u017ft", "İ", "ǰ", "ᾳ"):
        assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("path", "good"),
    [
        ("a/b.tgz", True),
        ("console/nul-b", True),
        ("a/NUL", False),
        ("com1.txt/a", False),
        ("a:b", False),
        ("a/b./c", False),
        ("a ", False),
        ("a?b", False),
    ],
)
def test_windows_names(path: str, good: bool) -> None:
    assert (windows_problem(path) is None) == good
