"""Requirements files as text: lines, options, files that they name."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.world.distributions import LINUX, project
from vendorpack.errors import LockfileError, UnsupportedError, VendorpackError
from vendorpack.formats._shared.python.pip_config import index_address
from vendorpack.formats.pip import FORMAT
from vendorpack.formats.pip.requirements import (
    Line,
    Requirements,
    is_local,
    logical_lines,
    read_requirements,
    split_options,
)
from vendorpack.model import Options
from vendorpack.redact import redact_text


def read(
    folder: Path, files: dict[str, str], environ: dict[str, str] | None = None
) -> Requirements:
    return read_requirements(project(folder, "requirements.txt", files, environ))


def test_lines() -> None:
    text = (
        "# a comment \\\n"
        "one==1 \\\n    --hash=sha256:00 \\\n\n"
        "two==2 # said # twice\n"
        "three==3 \\\n# cut\n--hash=x\r\n"
        "url#egg=name\n"
        "last \\"
    )
    assert list(logical_lines(text)) == [
        (2, "one==1     --hash=sha256:00"),
        (5, "two==2"),
        (6, "three==3"),
        (8, "--hash=x"),
        (9, "url#egg=name"),
        (10, "last"),
    ]


@pytest.mark.parametrize(
    ("text", "requirement", "options"),
    [
        ("a==1 ; x < '3' --hash=sha256:0", "a==1 ; x < '3'", [("--hash", "sha256:0")]),
        ("a --hash sha256:0 --hash=b:1", "a", [("--hash", "sha256:0"), ("--hash", "b:1")]),
        ("-rbase.txt", "", [("--requirement", "base.txt")]),
        ("-r base.txt", "", [("--requirement", "base.txt")]),
        ("--requirement='a b.txt'", "", [("--requirement", "a b.txt")]),
        ("-i https://x.example/a=b", "", [("--index-url", "https://x.example/a=b")]),
        ("--pre --no-index", "", [("--pre", ""), ("--no-index", "")]),
        ("a==1 -C k=v", "a==1", [("--config-settings", "k=v")]),
    ],
)
def test_options(text: str, requirement: str, options: list[tuple[str, str]]) -> None:
    assert split_options(text, "here") == (requirement, options)


@pytest.mark.parametrize("text", ["--what", "-z", "a --hash", "--pre=1", "-r 'open"])
def test_bad_options(text: str) -> None:
    with pytest.raises(LockfileError) as caught:
        split_options(text, "requirements.txt:3")
    assert caught.value.where == "requirements.txt:3"


def test_files_that_files_name(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {
            "requirements.txt": "-r sub/base.txt\n-c limits.txt\na==1\n",
            "sub/base.txt": "b==1\n-r ../requirements.txt\n-c ../limits.txt\n--index-url https://i.example/\n",
            "limits.txt": "c==1 --hash=sha256:00\n",
        },
    )
    assert found.lines == [
        Line("b==1", (), "sub/base.txt:1", False),
        Line("c==1", ("sha256:00",), "limits.txt:1", True),
        Line("a==1", (), "requirements.txt:3", False),
    ]
    assert sorted(found.files) == ["limits.txt", "sub/base.txt"]
    assert found.index_url == ("https://i.example/", "sub/base.txt:4")


def test_the_key_depends_on_the_files_that_are_named(tmp_path: Path) -> None:
    files = {"requirements.txt": "-r base.txt\n", "base.txt": "a==1\n"}
    options = Options(targets=(LINUX,))
    before = FORMAT.fingerprint(project(tmp_path, "requirements.txt", files), options)
    windows = FORMAT.fingerprint(
        project(tmp_path, "requirements.txt", {**files, "base.txt": "a==1\r\n"}), options
    )
    after = FORMAT.fingerprint(
        project(tmp_path, "requirements.txt", {**files, "base.txt": "a==2\n"}), options
    )
    assert before == windows
    assert before != after


@pytest.mark.parametrize(
    ("text", "error", "line"),
    [
        ("\n-r gone.txt", LockfileError, 2),
        ("-r https://x.example/base.txt", UnsupportedError, 1),
        ("-c /etc/passwd", UnsupportedError, 1),
        ("a\n${A}==1", UnsupportedError, 2),
        ("-i https://${HOST}/simple", UnsupportedError, 1),
        ("a==1\0", LockfileError, 1),
        ("a @ https://x.example/${A}/a.zip", UnsupportedError, 1),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, text: str, error: type[VendorpackError], line: int
) -> None:
    with pytest.raises(error) as caught:
        read(tmp_path, {"requirements.txt": text})
    assert caught.value.where == f"requirements.txt:{line}"


def test_encodings(tmp_path: Path) -> None:
    locked = project(tmp_path, "requirements.txt", {"requirements.txt": ""})
    path = locked.folder / "requirements.txt"
    for data in (
        "﻿a==1 # é".encode(),
        "a==1 # é".encode("utf-16"),
        "# -*- coding: latin-1 -*-\na==1 # é".encode("latin-1"),
    ):
        path.write_bytes(data)
        assert [line.text for line in read_requirements(locked).lines] == ["a==1"]
    for data in (b"a==1\n\xff", b"# coding: nonsense\n", b"\xff\xfea"):
        path.write_bytes(data)
        with pytest.raises(LockfileError):
            read_requirements(locked)


def test_variables_only_in_user_names_and_passwords(tmp_path: Path) -> None:
    text = "-i https://${USER_1}:${PASSWORD}@index.example/simple\n--extra-index-url https://${NO}@x.example/\n"
    found = read(tmp_path, {"requirements.txt": text}, {"USER_1": "me", "PASSWORD": "s3cret"})
    assert found.index_url == ("https://me:s3cret@index.example/simple", "requirements.txt:1")
    assert found.extra_index_urls == [("https://${NO}@x.example/", "requirements.txt:2")]
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize("value", ["a/b", "1/b", "a@b:c", "a?b#c", "a b\tc", "a\"b'c<d>", "ä%2F"])
def test_a_variable_is_a_login_and_nothing_else(tmp_path: Path, value: str) -> None:
    """Whatever its value has in it, the address stays the one that is written, and shows none."""
    text = "-i https://me:${P}@index.example/simple\na @ https://${P}@x.example/a.zip extra\n"
    found = read(tmp_path, {"requirements.txt": text}, {"P": value})
    assert found.index_url is not None
    address, logins = index_address(*found.index_url)
    assert address == "https://index.example/simple/"
    [(_, header)] = logins
    login = base64.b64decode(header.removeprefix("Basic ")).decode()
    assert login == f"me:{unquote(value)}"
    assert redact_text(found.lines[0].text) == "a @ https://x.example/a.zip extra"


@pytest.mark.parametrize("line", ["://[${A}foo @ ", "1://${A}@x.example/ foo", "${A}://x@y foo"])
def test_a_variable_before_an_at_sign_alone_is_no_login(tmp_path: Path, line: str) -> None:
    with pytest.raises(UnsupportedError, match="a variable of the environment") as caught:
        read(tmp_path, {"requirements.txt": line}, {"A": "s3cret"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "local"),
    [
        (".", True),
        ("./a", True),
        ("a/b.whl", True),
        ("a.tar.gz", True),
        ("a-1-py3-none-any.whl ; x == 'y'", True),
        ("a @ file:///tmp/a.whl", True),
        ("file:a", True),
        ("a==1", False),
        ("a[x]==1.0", False),
        ("a @ https://x.example/a.whl", False),
        ("git+https://x.example/a.git@b", False),
    ],
)
def test_local_requirements(text: str, local: bool) -> None:
    assert is_local(text) is local


def test_spaces_without_end_take_no_time() -> None:
    """Each of a million is looked at once."""
    [(_, line)] = logical_lines("a==1" + " " * 1_000_000 + "b")
    assert line.startswith("a==1 ") and len(line) == 1_000_005
    assert [*logical_lines("a==1 \t # why\n  # only this\n")] == [(1, "a==1")]


def test_a_tab_before_an_option() -> None:
    """As pip 23 takes it; others refuse it, which is theirs to say."""
    assert split_options("a==1\t--hash=sha256:00", "x:1") == ("a==1", [("--hash", "sha256:00")])


def test_a_line_without_end_is_refused_at_once(tmp_path: Path) -> None:
    begun = time.process_time()
    attack = "b==1\na==1 --hash=sha256:" + "0" * 8_000_000
    with pytest.raises(LockfileError, match="more than 262,144 characters") as error:
        read(tmp_path, {"requirements.txt": attack})
    assert error.value.where == "requirements.txt:2"
    assert time.process_time() - begun < 5


def test_a_line_of_very_many_hashes_is_read(tmp_path: Path) -> None:
    hashes = " \\\n".join(f"    --hash=sha256:{number:064x}" for number in range(2000))
    found = read(tmp_path, {"requirements.txt": f"a==1 \\\n{hashes}\n"})
    assert len(found.lines[0].hashes) == 2000
