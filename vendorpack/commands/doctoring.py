"""doctor: whether an install from a bundle can work on this machine, before it is tried.

The rooms say what it takes (`vendorpack.demands`); here the machine is looked at. Nothing is
written, and nothing asked over a network: clients are only told to print their version.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vendorpack.bundle.manifest import Manifest
from vendorpack.commands.using import manifest_of
from vendorpack.console import Console
from vendorpack.dataclass import dataclass
from vendorpack.demands import (
    Client,
    Contents,
    Demand,
    Glibc,
    Library,
    Tool,
    Trap,
    served,
    version_of,
)
from vendorpack.errors import LockfileError, UnfitError, UsageError
from vendorpack.formats import load, rooms
from vendorpack.model import Target
from vendorpack.progress import counted
from vendorpack.project import Host
from vendorpack.target import parse_target, this_machine

_PATIENCE: Final = 30.0
"""Seconds for a client to say its version."""
_VERSION: Final = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+)+)")
_HEADERS: Final = ("/usr/local/include", "/usr/include", "/opt/homebrew/include")
_COMMENT: Final = re.compile(r"\s*[#;]")


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one demand. good: None where only the install will tell."""

    good: bool | None
    what: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """The machine, and the project that is installed."""

    host: Host
    project: Path
    machine: Target
    glibc: str | None

    def which(self, program: str) -> str | None:
        """Where a program is; one with a `/` in its name is the project's own."""
        if "/" in program:
            path = self.project / program
            return str(path) if os.access(path, os.X_OK) and path.is_file() else None
        return shutil.which(program, path=self.host.environ.get("PATH", os.defpath))

    def header(self, name: str) -> Path | None:
        """Where a header is, as far as compilers look by themselves or are told to."""
        told = (self.host.environ.get(variable, "") for variable in ("CPATH", "C_INCLUDE_PATH"))
        folders = [folder for text in told for folder in text.split(os.pathsep) if folder]
        for folder in map(Path, (*folders, *_HEADERS)):
            # Debian has those that differ by CPU in a folder of their own.
            for path in (folder / name, *sorted(folder.glob(f"*-linux-*/{name}"))):
                if path.is_file():
                    return path
        return None

    def version(self, path: str, client: Client) -> str | None:
        """What a program says its version is; None if it does not."""
        try:
            done = subprocess.run(
                [path, *client.arguments],
                cwd=self.project,
                env={**self.host.environ, **dict(client.environ)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        said = (done.stdout or done.stderr).decode(errors="replace")
        found = _VERSION.search(said) or re.search(r"(\d+(?:\.\d+)+)", said)
        return found[1] if found and done.returncode == 0 else None

    def lines(self, file: str) -> Iterator[tuple[int, str]]:
        """The lines of a configuration file, with their numbers; none if it is not there."""
        path = self.host.home / file[2:] if file.startswith("~/") else self.project / file
        try:
            data = self.host.config_bytes(path) or b""
        except LockfileError:
            return
        for number, line in enumerate(data.decode(errors="replace").splitlines(), 1):
            if not _COMMENT.match(line):
                yield number, line


def doctor(path: Path, project: Path, console: Console, host: Host) -> int:
    """Say what an install needs, and whether it is here; the exit code. Raises `BundleError`."""
    if not project.is_dir():
        raise UsageError("the project is no folder", where=str(project))
    manifest, bundle_id = manifest_of(path)
    site = Site(host, project, this_machine(), _glibc())
    found = [*examined(manifest, site)]
    bad = sum(one.good is False for one in found)
    if console.as_json:
        rows = [{"good": one.good, "what": one.what, "fix": one.fix or None} for one in found]
        console.answer_json({"id": bundle_id, "good": not bad, "findings": rows})
    else:
        for one in found:
            mark = {True: "ok", False: "NO", None: "?"}[one.good]
            console.answer(f"{mark:<3} {one.what}")
            if one.fix:
                console.answer(f"    {one.fix}")
        console.say(f"{counted(bad, 'thing')} in the way" if bad else "nothing is in the way")
    return UnfitError.exit_code if bad else 0


def examined(manifest: Manifest, site: Site) -> Iterator[Finding]:
    """All that the bundle's formats want, each once."""
    head = manifest.head
    targets = {
        str(text)
        for options in head.options.values()
        if isinstance(options, dict) and isinstance(chosen := options.get("targets"), list)
        for text in chosen
    }
    yield from _platform(targets, site)
    paths = [file.path for file in manifest.files]
    known = {room.name for room in rooms()}
    demands: list[Demand] = []
    if head.environment.git_sources:
        demands.append(
            Tool(("git",), "commits are cloned from the bundle", "Install git: apt-get install git")
        )
    for name in sorted(head.layouts):
        if name not in known:
            yield Finding(None, f"{name}: no format of that name is known here")
            continue
        options = [
            value
            for lock in head.lockfiles
            if lock.format == name and isinstance(value := head.options.get(lock.path), dict)
        ]
        own = [one for one in head.artifacts if one.get("format") == name]
        demands += load(name).demands(Contents(own, paths, options))
    for demand in dict.fromkeys(demands):
        yield from looked_for(demand, site)


def looked_for(demand: Demand, site: Site) -> Iterator[Finding]:
    """What came of one demand; nothing where it does not concern this machine."""
    match demand:
        case Client():
            yield _client(demand, site)
        case Tool():
            yield _tool(demand, site)
        case Library():
            yield _library(demand, site)
        case Glibc():
            yield from _floor(demand, site)
        case Trap():
            yield from _trap(demand, site)


def _platform(targets: set[str], site: Site) -> Iterator[Finding]:
    """Whether it was packed for a machine of this kind."""
    parsed = [parse_target(text) for text in targets]
    here = site.machine
    if not parsed:
        return
    if any((t.os, t.cpu, t.libc) == (here.os, here.cpu, here.libc) for t in parsed):
        yield Finding(True, f"packed for {here}")
        return
    packed = ", ".join(sorted(targets))
    yield Finding(False, f"packed for {packed}, and this is {here}", f"Pack with --target {here}.")


def _client(client: Client, site: Site) -> Finding:
    seen = f" (tried: {client.seen})" if client.seen else ""
    others: list[str] = []
    for program in client.programs:
        path = site.which(program)
        if path is None:
            continue
        version = site.version(path, client)
        if version is None:
            others.append(f"{path} does not say its version")
        elif served(version, client.ranges):
            return Finding(True, f"{program} {version}{seen}")
        else:
            others.append(f"{program} {version} at {path}")
    wanted = " or ".join(client.programs[:1] if not client.ranges else [_wanted(client)])
    if not others:
        return Finding(False, f"there is no {wanted}", client.otherwise)
    why = f": {client.why}" if client.why else ""
    return Finding(False, f"{', '.join(others)}, and it takes {wanted}{why}", client.otherwise)


def _wanted(client: Client) -> str:
    """`pnpm 10 or newer`, `python 3.12`, of a client's ranges."""
    joined: list[tuple[str, str]] = []
    for low, high in client.ranges:
        begun = joined.pop()[0] if joined and joined[-1][1] == low else low
        joined.append((begun, high))
    words = []
    for low, high in joined:
        following = version_of(high) if high else ()
        same = following and version_of(low) == (*following[:-1], following[-1] - 1)
        end = "" if same else f" and below {high}" if high else " or newer"
        words.append(f"{low}{end}")
    return f"{client.programs[-1].removeprefix('./')} {', '.join(words)}"


def _tool(tool: Tool, site: Site) -> Finding:
    path = next((path for name in tool.any_of if (path := site.which(name)) is not None), None)
    if path is not None:
        return Finding(True, f"{path}: {tool.why}")
    good = False if tool.is_sure else None
    return Finding(good, f"there is no {' or '.join(tool.any_of)}: {tool.why}", tool.otherwise)


def _library(library: Library, site: Site) -> Finding:
    path = next((path for name in library.headers if (path := site.header(name))), None)
    if path is not None:
        return Finding(True, f"{path}: {library.why}")
    return Finding(None, f"there is no {library.headers[0]}: {library.why}", library.otherwise)


def _floor(floor: Glibc, site: Site) -> Iterator[Finding]:
    if floor.cpu != site.machine.cpu or site.glibc is None:
        return
    if version_of(site.glibc) >= version_of(floor.at_least):
        yield Finding(True, f"glibc {site.glibc}; {floor.why} take {floor.at_least}")
    else:
        what = f"glibc {site.glibc} is too old: {floor.why} take {floor.at_least}"
        yield Finding(False, what, floor.otherwise)


def _trap(trap: Trap, site: Site) -> Iterator[Finding]:
    pattern = re.compile(trap.pattern)
    if trap.name:
        value = site.host.environ.get(trap.name)
        if value is not None and pattern.search(value):
            yield Finding(False, f"{trap.name} is set: {trap.why}", trap.otherwise)
        return
    for number, line in site.lines(trap.file):
        if pattern.search(line):
            key = re.split(r"[=:]", line, maxsplit=1)[0].strip()  # a value may be a secret
            yield Finding(False, f"{trap.file}:{number}: {key}: {trap.why}", trap.otherwise)


def _glibc() -> str | None:
    """The version of this machine's C library; None where it is not glibc."""
    try:
        said = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return None
    return said.rpartition(" ")[2] or None
