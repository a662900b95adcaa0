"""The archive made of a commit has the very files that `git archive` has."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import tarfile
from pathlib import Path

from tests.world.git import Repository
from vendorpack.fetch.git import fetch_commit
from vendorpack.fetch.git_client import GitAddress
from vendorpack.formats._shared.git.archive import tar_of_commit

Members = dict[str, tuple[bytes, bytes, bool, str]]


def archive(folder: Path, repository: Repository, commit: str, prefix: str) -> bytes:
    pack = folder / "pack"
    address = GitAddress(repository.url, commit)
    asyncio.run(fetch_commit(address, pack, environ=os.environ, protocols=["file"]))
    with pack.open("rb") as file:
        return b"".join(tar_of_commit(file, len(commit) // 2, prefix))


def members(data: bytes) -> Members:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {
            member.name: (
                member.type,
                file.read() if member.isfile() and (file := tar.extractfile(member)) else b"",
                bool(member.mode & 0o100) and member.isfile(),
                member.linkname,
            )
            for member in tar
            if not member.isdir()
        }


def test_as_git_makes_it(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "r")
    (repository.folder / "deep").mkdir()
    (repository.folder / "deep/link").symlink_to("../a")
    (repository.folder / "run").write_text("#!/bin/sh\n")
    (repository.folder / "run").chmod(0o755)
    commit = repository.commit(
        {
            "a": b"x" * 512,
            "empty": b"",
            "é/ü": b"not ASCII",
            "l" * 120 + "/" + "m" * 120: b"long",
        }
    )
    made = archive(tmp_path, repository, commit, "p")
    by_git = subprocess.run(
        ["git", "archive", "--format=tar", "--prefix=p/", commit],
        cwd=repository.folder,
        check=True,
        capture_output=True,
    ).stdout
    assert members(made) == members(by_git)
    assert len(made) % 512 == 0
    assert members(archive(tmp_path, repository, commit, "")).keys() == {
        name.removeprefix("p/") for name in members(made)
    }
