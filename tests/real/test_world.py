"""The loopback world serves the real clients, so that what it teaches vendorpack is true."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.real.clients import tool
from tests.world import World, basic
from tests.world.git import GitHost, Repository

pytestmark = pytest.mark.real

LOGIN = "user:canary-password"


def git(world: World, *arguments: str, **environ: str) -> str:
    done = subprocess.run(
        [tool("git"), *arguments],
        env={
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **world.environ,
            **environ,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def published(folder: Path) -> tuple[Path, str]:
    repository = Repository(folder / "library")
    commit = repository.commit({"a": b"1"})
    repository.publish(folder / "served")
    return folder / "served", commit


@pytest.mark.parametrize("kind", ["smart", "named", "dumb"])
def test_git_over_https_with_a_login(tmp_path: Path, kind: str) -> None:
    served, commit = published(tmp_path)
    with World(tmp_path) as world:
        site = world.site(tls=True)
        host = site.mount("git", GitHost(served, kind), login=basic(LOGIN))
        with pytest.raises(subprocess.CalledProcessError):
            git(world, "ls-remote", f"{host.url}/library.git")
        url = f"{host.url}/library.git".replace("://", f"://{LOGIN}@")
        assert git(world, "ls-remote", url, "HEAD").split() == [commit, "HEAD"]


def test_git_over_ssh(tmp_path: Path) -> None:
    served, commit = published(tmp_path)
    with World(tmp_path) as world:
        ssh = world.ssh(served)
        listed = git(
            world, "ls-remote", f"{ssh.url}/library.git", "HEAD", GIT_SSH_COMMAND=ssh.command
        )
        assert listed.split() == [commit, "HEAD"]
        with pytest.raises(subprocess.CalledProcessError):
            git(world, "ls-remote", f"{ssh.url}/../secret", GIT_SSH_COMMAND=ssh.command)
