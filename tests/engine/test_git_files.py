"""Files of a repository's newest commit, from servers of every kind with the real git."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.world import Site
from tests.world.git import GitHost, Repository
from vendorpack.errors import FetchError, PolicyError
from vendorpack.fetch import git_files
from vendorpack.fetch.git_client import GitAddress, OutOfReach
from vendorpack.fetch.git_files import read_head


def read(url: str, *paths: str, beside: Path, protocol: str = "http") -> dict[str, bytes]:
    address = GitAddress(url, "", "HEAD")
    return asyncio.run(read_head(address, paths, beside, environ=os.environ, protocols=(protocol,)))


@pytest.mark.parametrize("kind", ["smart", "named", "dumb"])
def test_the_newest_commits_files(tmp_path: Path, kind: str) -> None:
    repository = Repository(tmp_path / "index")
    repository.commit({"config.json": b"old", "3/o/one": b"1\n"})
    repository.commit({"config.json": b"new\n", "empty": b""})
    repository.publish(tmp_path / "served")
    work = tmp_path / "work"
    work.mkdir()
    with Site() as site:
        url = f"{site.mount('', GitHost(tmp_path / 'served', kind)).url}/index.git"
        found = read(url, "config.json", "missing", "empty", "3/o/one", beside=work / "x")
    assert found == {"config.json": b"new\n", "empty": b"", "3/o/one": b"1\n"}
    assert list(work.iterdir()) == []


def test_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository(tmp_path / "index")
    repository.commit({"folder/file": b"12345"})
    beside = tmp_path / "x"
    with pytest.raises(FetchError, match="did not hand out folder"):
        read(repository.url, "folder", beside=beside, protocol="file")
    monkeypatch.setattr(git_files, "MAX_FILE_SIZE", 4)
    with pytest.raises(FetchError, match="folder/file is larger"):
        read(repository.url, "folder/file", beside=beside, protocol="file")


def test_what_is_no_repository(tmp_path: Path) -> None:
    beside = tmp_path / "x"
    (tmp_path / "served").mkdir()
    with Site() as site:
        url = site.mount("", GitHost(tmp_path / "served")).url
        with pytest.raises(OutOfReach):
            read(f"{url}/index.git", "config.json", beside=beside)
    with pytest.raises(PolicyError, match="'file'"):
        read(tmp_path.as_uri(), "config.json", beside=beside)
    empty = Repository(tmp_path / "empty")
    with pytest.raises(FetchError, match="HEAD"):
        read(empty.url, "config.json", beside=beside, protocol="file")
