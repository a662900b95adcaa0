"""Real package managers, run with the network cut off.

`.ci/clients FOLDER` installs them; VENDORPACK_CLIENTS names that folder. A test that misses a
client is skipped and says which; with VENDORPACK_REQUIRE_CLIENTS set, as in CI, it fails.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NoReturn

import pytest

from tests.cli import Cli, Done

PROJECTS = Path(__file__).parent / "projects"
_REQUIRED = "VENDORPACK_REQUIRE_CLIENTS" in os.environ


NO_NAMESPACES: Final = "no network can be cut off here: be root, or allow user namespaces to users"


def miss(what: str) -> NoReturn:
    """Skip, or fail where nothing may be missing."""
    if _REQUIRED:
        pytest.fail(f"{what}, and VENDORPACK_REQUIRE_CLIENTS is set")
    pytest.skip(what)


def client(name: str) -> Path:
    """The folder of an installed client, such as `npm-11`."""
    folder = os.environ.get("VENDORPACK_CLIENTS")
    if folder is None:
        miss(f"{name}: run `.ci/clients FOLDER` and set VENDORPACK_CLIENTS to that folder")
    path = Path(folder) / name
    if not path.is_dir():
        miss(f"{name} is not in {folder}: run `.ci/clients {folder}`")
    return path


def tool(name: str) -> str:
    """A program of the system, such as `cargo`."""
    path = shutil.which(name)
    if path is None:
        miss(f"{name} is not installed: install the package of that name")
    return path


@functools.cache
def cut_off() -> tuple[str, ...] | None:
    """What to put before a command so that it has no network; None if nothing does here."""
    for options in (("-n",), ("-n", "--map-current-user")):
        prefix = ("unshare", *options)
        with contextlib.suppress(OSError):
            if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
                return prefix
    return None


@dataclass(frozen=True)
class Machine:
    """A target: an empty home, a project, and no network."""

    folder: Path
    path: Sequence[Path] = ()
    """Folders with the client's programs, before the system's."""

    @property
    def home(self) -> Path:
        """The user's home, empty at first."""
        return self.folder / "home"

    def env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a user who has set nothing."""
        self.home.mkdir(parents=True, exist_ok=True)
        paths = [*map(str, self.path), "/usr/local/bin", "/usr/bin", "/bin"]
        return {"PATH": ":".join(paths), "HOME": str(self.home), "LANG": "C.UTF-8", **(more or {})}

    def offline(
        self,
        *command: str | Path,
        cwd: Path,
        prefix: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command without any network, `vendorpack.env` of `prefix` sourced first.

        Returns all it printed; fails the test if it fails.
        """
        done = self.attempt(*command, cwd=cwd, prefix=prefix, env=env)
        assert done.code == 0, f"{command} ended with {done.code}:\n{done.out}"
        return done.out

    def attempt(
        self,
        *command: str | Path,
        cwd: Path,
        prefix: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Done:
        """As `offline`, but it may fail. Standard error is part of `out`."""
        alone = cut_off()
        if alone is None:
            miss(NO_NAMESPACES)
        source = f'. "{prefix}/vendorpack.env" && ' if prefix is not None else ""
        argv = [*alone, "sh", "-c", f'{source}exec "$@"', "sh", *map(str, command)]
        done = subprocess.run(
            argv,
            cwd=cwd,
            env=self.env(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=900,
        )
        return Done(done.returncode, done.stdout, "")


def pack(cli: Cli, *args: str | Path) -> Done:
    """`vendorpack pack` over the real registry; skips where that cannot be reached."""
    done = cli("pack", *args)
    if done.code == 7 and "cannot" in done.err:
        miss(f"the registry cannot be reached:\n{done.err}")
    assert done.code == 0, done.err
    return done


def extract(bundle: Path, into: Path) -> Path:
    """What a target without vendorpack does: `tar --zstd -xf`."""
    if shutil.which("zstd") is None:
        miss("zstd is not installed")
    into.mkdir(parents=True)
    subprocess.run(["tar", "--zstd", "-xf", bundle, "-C", into], check=True)
    return into


def another_user(*own: Path) -> tuple[str, ...]:
    """What to put before a command so that nobody in particular runs it.

    own: folders that shall be this user's; temporary folders above them are opened for everybody.
    """
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        miss("only root, with setpriv of util-linux, can run a command as another user")
    for folder in own:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.parents:
            if path.is_relative_to(tempfile.gettempdir()) and path.stat().st_mode & 0o055 != 0o055:
                path.chmod(path.stat().st_mode | 0o055)
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, 65534, 65534)
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def users(cli: Cli) -> list[Cli]:
    """Who is here and, if that is root, the same without being root and without privileges.

    That is in a user namespace: from outside of it their files are their own still.
    """
    if os.getuid() != 0:
        return [cli]
    ordinary = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
    if subprocess.run([*ordinary, "true"], capture_output=True).returncode != 0:
        miss("no user namespaces are allowed here")
    return [cli, replace(cli, before=ordinary)]


def copy_project(source: Path, into: Path) -> Path:
    """The project as it is checked out at the target."""
    shutil.copytree(source, into)
    for path in (into, *into.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    return into
