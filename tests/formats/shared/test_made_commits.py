"""Commits that are made here are what git itself makes of the same files."""

from __future__ import annotations

import io
from pathlib import Path

from tests.memory import MemoryWorkshop
from tests.world.git import Repository
from vendorpack.formats._shared.git.made import commit_pack, made_repository
from vendorpack.formats._shared.git.pack import read_pack

FILES = {
    "config.json": b'{"dl": "x"}',
    "a": b"",
    "ab/cd/name": b"1\n",
    # A folder is sorted as if it ended with a slash.
    "ab.c": b"2",
    "ab-c/x": b"2",
    "ab0": b"3",
    "large": bytes(200_000),
}


def test_git_makes_the_same_tree(tmp_path: Path) -> None:
    pack = read_pack(io.BytesIO(commit_pack(FILES)))
    repository = Repository(tmp_path / "r")
    repository.commit(FILES)
    assert pack.root.hex() == repository.git("rev-parse", "HEAD^{tree}")


def test_git_reads_the_repository(tmp_path: Path) -> None:
    workshop = MemoryWorkshop()
    entries = list(made_repository("r", FILES, "refs/remotes/origin/HEAD", workshop))
    assert entries == list(made_repository("r", FILES, "refs/remotes/origin/HEAD", workshop))
    workshop.write(entries, tmp_path)
    repository = Repository.__new__(Repository)
    repository.folder = tmp_path / "r"
    repository.git("fsck", "--full", "--strict")
    assert repository.git("cat-file", "blob", "refs/remotes/origin/HEAD:ab/cd/name") == "1"
    assert repository.git("log", "--format=%an <%ae> %at", "refs/remotes/origin/HEAD") == "- <> 0"
