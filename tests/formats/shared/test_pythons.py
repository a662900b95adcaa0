"""The Python that a project asks for decides what a target without one gets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli import Cli
from vendorpack.errors import UsageError
from vendorpack.formats._shared.python import pythons
from vendorpack.formats._shared.python.pythons import (
    AskedPython,
    alternatives_of,
    said_of_pythons,
    with_pythons,
)
from vendorpack.model import Options
from vendorpack.target import parse_target

BARE = parse_target("linux-x86_64-gnu")
NAMED = parse_target("linux-x86_64-gnu-py3.11")


@pytest.mark.parametrize(
    ("text", "minors"),
    [
        (">=3.13", [13, 14]),
        ("==3.11.*", [11]),
        ("^3.12", [12, 13, 14]),
        ("^3.12.4", [12, 13, 14]),
        ("~3.12", [12]),
        ("~3", [9, 10, 11, 12, 13, 14]),
        ("~=3.12", [12, 13, 14]),
        ("~=3.12.1", [12]),
        ("3.12", [12]),
        ("3.12.7", [12]),
        ("3.12.*", [12]),
        (">=3.9,<3.11 || >=3.13, !=3.13.0", [9, 10, 13, 14]),
        (">3.12, <=3.13.*", [12, 13]),
        (">= 3.10.5, < 3.11.2", [10, 11]),
        ("*", [9, 10, 11, 12, 13, 14]),
        ("", [9, 10, 11, 12, 13, 14]),
        ("nonsense", [9, 10, 11, 12, 13, 14]),
    ],
)
def test_what_a_lock_allows(text: str, minors: list[int]) -> None:
    asked = AskedPython(alternatives_of(text), text)
    assert [minor for minor in range(9, 15) if asked.fits(minor)] == minors


@pytest.mark.parametrize(
    ("text", "named", "chosen", "why"),
    [
        (">=3.9", "", "3.11", "which runs here"),
        (">=3.9", "3.14t", "3.14t", "which .python-version names"),
        (">=3.13", "", "3.13", "the oldest that >=3.13 allows"),
        (">=3.13", "3.12", "3.13", "the oldest that >=3.13 allows"),
        ("", "", "3.11", "which runs here"),
        (">=4", "", "3.11", "which runs here"),
    ],
)
def test_what_a_target_without_python_gets(
    monkeypatch: pytest.MonkeyPatch, text: str, named: str, chosen: str, why: str
) -> None:
    monkeypatch.setattr(pythons, "this_python", lambda: ("py", "3.11"))
    asked = AskedPython(alternatives_of(text), text, "uv.lock", named)
    options = Options(targets=(BARE,))
    assert str(with_pythons(options, asked).targets[0]) == f"linux-x86_64-gnu-py{chosen}"
    [warning] = said_of_pythons(options, asked, "uv.lock")
    assert f"{chosen}, {why}, is taken" in warning.what


def test_a_target_that_the_lock_excludes() -> None:
    asked = AskedPython(alternatives_of(">=3.13"), ">=3.13", "uv.lock")
    with pytest.raises(UsageError, match=r"asks for >=3\.13") as caught:
        with_pythons(Options(targets=(NAMED,)), asked)
    suggested = "-py{}.{}".format(*max((3, 13), sys.version_info[:2]))
    assert caught.value.fix is not None and suggested in caught.value.fix
    advice = AskedPython(asked.alternatives, ">=3.13", "Pipfile.lock", is_advice=True)
    options = Options(targets=(NAMED,))
    assert with_pythons(options, advice) == options
    [warning] = said_of_pythons(options, advice, "")
    assert "another Python than the lockfile asks for" in warning.what


LOCKS = {
    "uv.lock": 'version = 1\nrequires-python = ">=3.13"\n',
    "poetry.lock": 'package = []\n\n[metadata]\nlock-version = "2.1"\n'
    'python-versions = "^3.13"\ncontent-hash = "x"\n',
    "Pipfile.lock": '{"_meta": {"hash": {"sha256": "x"}, "pipfile-spec": 6, '
    '"requires": {"python_version": "3.13"}, "sources": []}, "default": {}, "develop": {}}',
    "pdm.lock": '[metadata]\ngroups = ["default"]\nstrategy = ["inherit_metadata"]\n'
    'lock_version = "4.5.0"\ncontent_hash = "x"\n\n[[metadata.targets]]\n'
    'requires_python = ">=3.13"\n',
    "pylock.toml": 'lock-version = "1.0"\nrequires-python = ">=3.13"\ncreated-by = "x"\n'
    "packages = []\n",
}


@pytest.mark.parametrize("name", LOCKS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_room_reads_its_lock(tmp_path: Path, name: str, end: str) -> None:
    (tmp_path / name).write_bytes(LOCKS[name].replace("\n", end).encode())
    cli = Cli(tmp_path)
    excluded = cli("pack", "--dry-run", "--target", "linux-x86_64-gnu-py3.12")
    assert excluded.code == (0 if name == "Pipfile.lock" else 2)
    assert "3.13" in excluded.err
    assert cli("key", "--target", "linux-x86_64-gnu-py3.12").code == excluded.code
    (tmp_path / ".python-version").write_text("3.13\n")
    chosen = cli("pack", "--dry-run", "--target", "linux-x86_64-gnu")
    assert chosen.code == 0
    assert "names no Python; 3.13, which .python-version names" in chosen.err
    named = cli("key", "--target", "linux-x86_64-gnu-py3.13")
    assert cli("key", "--target", "linux-x86_64-gnu").out == named.out
