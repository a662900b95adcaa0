"""The user's way, for any client: lock online, pack, plain tar, install without a network."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli import Cli
from tests.real.clients import Machine, copy_project, extract
from tests.world import World

Command = Sequence[str | Path]


def online(command: Command, project: Path, env: Mapping[str, str]) -> str:
    """Run a client's command with the network that is here: all it printed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=project,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@dataclass(frozen=True)
class Way:
    """How a client locks a project, installs it and shows that it works.

    files: the project, as its author wrote it.
    lock, install, proof: commands in the project; of lock and install, several.
    said: what the proof prints.
    path: folders with the client's programs.
    locking, packing, installing: environment of each step, over that of a user who has set
        nothing; `world.environ` is there for the first two.
    home: files of the user's home while locking and packing (`.netrc`); there are none at the
        target.
    options: of `vendorpack pack`.
    """

    files: Mapping[str, str]
    install: Sequence[Command]
    proof: Command
    said: str
    lock: Sequence[Command] = ()
    path: Sequence[Path] = ()
    locking: Mapping[str, str] = field(default_factory=dict)
    packing: Mapping[str, str] = field(default_factory=dict)
    installing: Mapping[str, str] = field(default_factory=dict)
    home: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()

    def go(self, world: World, folder: Path) -> Path:
        """All of it; answers with the unpacked bundle. No secret may be in there."""
        project = folder / "project"
        for name, text in self.files.items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text)
        home = folder / "home"
        home.mkdir()
        for name, text in self.home.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(text)
            (home / name).chmod(0o600)
        self._lock(world, folder, project)
        before = {p: p.read_bytes() for p in sorted(project.rglob("*")) if p.is_file()}
        cli = Cli(folder, environ={**world.environ, **self.packing})
        done = cli.ok("pack", project, *self.options, "-o", folder / "deps.tar.zst")
        assert "canary" not in done.out + done.err
        assert {p: p.read_bytes() for p in before} == before  # nothing of the user's is edited
        prefix = extract(folder / "deps.tar.zst", folder / "deps")
        given = (self.files, self.locking, self.packing, self.home)
        if any("canary" in text for texts in given for text in texts.values()):
            secret = [p for p in prefix.rglob("*") if p.is_file() and b"canary" in p.read_bytes()]
            assert secret == []
        self._install(copy_project(project, folder / "target" / "project"), prefix)
        return prefix

    def _lock(self, world: World, folder: Path, project: Path) -> None:
        here = Machine(folder, self.path)
        for command in self.lock:
            online(command, project, here.env({**world.environ, **self.locking}))

    def _install(self, project: Path, prefix: Path) -> None:
        there = Machine(project.parent, self.path)
        before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
        for command in self.install:
            there.offline(*command, cwd=project, prefix=prefix, env=self.installing)
        assert {p: p.read_bytes() for p in before} == before
        shown = there.offline(*self.proof, cwd=project, prefix=prefix, env=self.installing)
        assert shown.splitlines()[-len(self.said.splitlines()) :] == self.said.splitlines(), shown
