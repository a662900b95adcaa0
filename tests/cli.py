"""The command line as a user runs it: a process of its own, with an environment of its own."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.warm import LIMIT, Server

CHECKOUT = Path(__file__).parents[1]

_ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0"}
"""A locale that speaks only ASCII: for the whole suite once, if VENDORPACK_TEST_ASCII is set."""


@dataclass(frozen=True)
class Done:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Cli:
    """Runs vendorpack with a home and a store below `folder`, and nothing else of this user.

    before: what is put before the command.
    """

    folder: Path
    store: str = "store"
    environ: Mapping[str, str] | None = None
    umask: int = 0o022
    before: Sequence[str] = ()

    def env(self) -> dict[str, str]:
        """The whole environment of a run."""
        kept = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            "HOME": str(self.folder / "home"),
            "VENDORPACK_STORE_DIR": str(self.folder / self.store),
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(_ASCII if "VENDORPACK_TEST_ASCII" in os.environ else {}),
            **(self.environ or {}),
        }

    def __call__(self, *args: str | Path, cwd: Path | None = None) -> Done:
        """Run to the end. No traceback may ever show."""
        done = self._forked(args, cwd or self.folder) or self._run(args, cwd or self.folder)
        assert "Traceback" not in done.err, done.err
        assert "defect in vendorpack" not in done.err, done.err
        return done

    def ok(self, *args: str | Path, cwd: Path | None = None) -> Done:
        """Run, and succeed."""
        done = self(*args, cwd=cwd)
        assert done.code == 0, f"exit code {done.code}\n{done.out}{done.err}"
        return done

    def start(self, *args: str | Path, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Run in the background, to be interrupted."""
        return subprocess.Popen(
            [*self.before, *self.argv(*args)],
            cwd=cwd or self.folder,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _run(self, args: Sequence[str | Path], cwd: Path) -> Done:
        done = subprocess.run(
            [*self.before, *self.argv(*args)],
            cwd=cwd,
            env=self.env(),
            umask=self.umask,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def _forked(self, args: Sequence[str | Path], cwd: Path) -> Done | None:
        """By a process that has imported it (VENDORPACK_TEST_WARM), if that is the same."""
        if "VENDORPACK_TEST_WARM" not in os.environ or self.before:
            return None
        server, env = _server(), self.env()
        if not server.fits(env):
            return None
        return Done(*server.run([*map(str, args)], env, cwd, self.umask))

    @staticmethod
    def argv(*args: str | Path) -> list[str]:
        """The command itself, for a test that runs it in its own way."""
        return [sys.executable, "-m", "vendorpack", *map(str, args)]


@functools.cache
def _server() -> Server:
    return Server(Cli(CHECKOUT).env(), CHECKOUT)
