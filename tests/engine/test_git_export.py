"""Exports of commits, from real repositories with the real git."""

from __future__ import annotations

import asyncio
import os
import tarfile
from pathlib import Path

import pytest

from tests.world.git import Repository
from vendorpack.errors import FetchError, PolicyError, UnsupportedError
from vendorpack.fetch.git_client import GitAddress
from vendorpack.fetch.git_export import export_commit


def export(address: GitAddress, out: Path, **settings: object) -> dict[str, bytes]:
    arguments = {"environ": os.environ, "protocols": ("file",), **settings}
    asyncio.run(export_commit(address, out, **arguments))  # type: ignore[arg-type]
    files = {}
    with tarfile.open(out, ignore_zeros=True) as archive:
        for info in archive:
            if info.isreg():
                file = archive.extractfile(info)
                assert file is not None
                files[info.name] = file.read()
    return files


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_a_commit_by_its_names(tmp_path: Path, object_format: str) -> None:
    repository = Repository(tmp_path / "origin", object_format)
    repository.commit({"a": b"behind the tips"})
    behind = repository.git("rev-parse", "HEAD")
    repository.commit({"a": b"tagged"})
    repository.git("tag", "-a", "sub/v1", "-m", "x")
    tip = repository.commit({"a": b"tip"})
    for number, (commit, ref, content) in enumerate(
        [
            ("", "refs/tags/sub/v1", b"tagged"),
            (tip[:12], None, b"tip"),
            (tip, None, b"tip"),
            (behind[:12], None, b"behind the tips"),
            (behind, None, b"behind the tips"),
        ]
    ):
        files = export(GitAddress(repository.url, commit, ref), tmp_path / str(number))
        assert files == {"tree/a": content, "raw/a": content}


def test_attributes_count_in_one_of_the_two(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "origin")
    rules = b"dos text eol=crlf\nid ident\nhidden export-ignore\nfilled export-subst\n"
    files = {"dos": b"a\nb\n", "id": b"$Id$", "hidden": b"x", "filled": b"$Format:%H$"}
    commit = repository.commit({".gitattributes": rules, **files})
    blob = repository.git("rev-parse", "HEAD:id")
    found = export(GitAddress(repository.url, commit), tmp_path / "out")
    assert {name: found[f"raw/{name}"] for name in files} == files
    assert found["tree/dos"] == b"a\r\nb\r\n"
    assert found["tree/id"] == f"$Id: {blob} $".encode()
    assert found["tree/hidden"] == b"x"
    assert found["tree/filled"] == b"$Format:%H$"


def test_what_is_not_there(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "origin")
    commit = repository.commit({"a": b"x"})
    repository.git("checkout", "-q", "--orphan", "other")
    proposed = repository.commit({"a": b"proposed"})
    repository.git("update-ref", "refs/pull/1/head", proposed)
    repository.git("checkout", "-q", "main")
    repository.git("branch", "-q", "-D", "other")
    url, out = repository.url, tmp_path / "out"
    for address, error in (
        (GitAddress(url, "", "refs/tags/v1"), FetchError),
        (GitAddress(url, proposed[:12]), FetchError),
        (GitAddress(url, commit[:7]), UnsupportedError),
        (GitAddress(url, "--output=x12"), UnsupportedError),
        (GitAddress(url, "", "--upload-pack=x"), PolicyError),
        (GitAddress(f"{url}-not", commit), FetchError),
    ):
        with pytest.raises(error):
            export(address, out)
    assert not out.exists()
    with pytest.raises(PolicyError):
        export(GitAddress(url, commit), out, protocols=("https",))
