"""Commits with files in git-lfs are named when they are packed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Cli
from tests.world.git import Repository, git_server

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


@pytest.mark.parametrize("kind", ["pointers", "text about them"])
def test_pointers_are_named(tmp_path: Path, kind: str) -> None:
    served = tmp_path / "served"
    repository = Repository(tmp_path / "demo")
    text = POINTER if kind == "pointers" else b"A pointer:\n" + POINTER + b"is a file.\n"
    commit = repository.commit({"a.bin": text, "b/c.bin": text, "pyproject.toml": b""})
    other = repository.commit({"b/c.bin": text.replace(b"12345", b"5")})
    repository.publish(served)
    assert commit != other
    project = tmp_path / "project"
    project.mkdir()
    with git_server(served) as url:
        requirement = f"demo @ git+{url}/demo.git@{other}\n"
        (project / "requirements.txt").write_text(requirement)
        cli = Cli(tmp_path)
        command: list[str | Path] = ["pack", project, "--allow-host", url, "--pip-build-deps", "no"]
        command += ["--target", "linux-x86_64-gnu-py3.12", "-o", tmp_path / "deps.tar.zst"]
        for _ in range(2):  # also if it comes from the store
            said = cli.ok(*command).err
            assert ("2 files (12,350 bytes) in git-lfs" in said) is (kind == "pointers")
            assert ("GIT_LFS_SKIP_SMUDGE=1" in said) is (kind == "pointers")
            (tmp_path / "deps.tar.zst").unlink()
