"""rehearse: the install as it will run behind the gap, and what it reached for."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from vendorpack import boundary
from vendorpack.bundle.manifest import Manifest
from vendorpack.bundle.reader import open_bundle
from vendorpack.commands.running import held_tree, with_served
from vendorpack.commands.using import environ_of, manifest_of
from vendorpack.console import Console
from vendorpack.dataclass import dataclass
from vendorpack.errors import ReachedOutError, UsageError
from vendorpack.formats import boundary_of, load, rooms
from vendorpack.model import Lack
from vendorpack.progress import counted
from vendorpack.project import Host
from vendorpack.rehearse.certificates import VARIABLES, authority
from vendorpack.rehearse.isolation import adopt_orphans, isolate
from vendorpack.rehearse.ledger import Ledger, Reached, command_shown
from vendorpack.rehearse.listeners import Listeners
from vendorpack.rehearse.output import Output
from vendorpack.rehearse.project import copy_project, project_of
from vendorpack.room import Format

_KEPT: Final = re.compile(
    "PATH|LANG|LANGUAGE|LC_.*|TERM|TZ|USER|LOGNAME|SHELL|TMPDIR|COLUMNS|LINES|NO_COLOR"
)
"""Of the environment. The rest could point to caches and logins of this machine."""
_SHOWN: Final = 40


def rehearse(
    path: Path,
    command: Sequence[str],
    passed: Sequence[str],
    served: bool,
    console: Console,
    host: Host,
) -> int:
    """Run a command with a bundle, an empty home and no network; the command's exit code.

    path: a bundle, or an unpacked one. command: empty for the format's own install command.
    passed: further variables, `NAME` or `NAME=VALUE`. served: as of `run --serve`.
    Raises `ReachedOutError` if it reached for anything (with --json the answer has it, and that
    error's code is returned); the process is cut off from the network from then on.
    """
    chosen = _chosen(passed, host.environ)
    here = Path.cwd()
    project = project_of(here, host.home)
    manifest, prefix = _unpacked(path, host)
    words = list(command) or _install_command(manifest)
    work = Path(tempfile.mkdtemp(prefix="vendorpack-rehearse-"))
    try:
        copy = work / "project"
        copy_project(project, copy, without=work)
        home = work / "home"
        home.mkdir()
        trusted = authority()
        isolate({project: copy}, (prefix,), work)
        adopt_orphans()
        ledger = Ledger()
        listeners = Listeners(ledger, trusted, socket.gethostname())
        listeners.start()
        environ = {
            **{name: value for name, value in host.environ.items() if _KEPT.fullmatch(name)},
            "HOME": str(home),
        }
        if trusted is not None:
            trusted.write(work / "authority.pem")
            environ |= dict.fromkeys(VARIABLES, str(work / "authority.pem"))
        there = replace(host, environ=chosen, home=home)
        pairs = environ_of(manifest.head.environment, prefix, there)
        environ |= {**chosen, **dict(pairs), "VENDORPACK_PREFIX": str(prefix)}
        if served:
            environ = with_served(manifest, prefix, environ)
        code, said = _run(words, here, environ, console)
        listeners.settle()
        reached = ledger.reached()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    # The bundle's own formats know best; another one may know what to pack beside it.
    names = dict.fromkeys([*sorted(manifest.head.layouts), *(room.name for room in rooms())])
    asked = [load(name) for name in names] if reached or code else []
    found = _Found(
        command_shown(words),
        code,
        [(one, _remedy(asked, one)) for one in reached],
        _lacks(asked, said) if code else [],
    )
    return _report(found, trusted is not None, project, console)


def _install_command(manifest: Manifest) -> list[str]:
    beside = {room.name for room in rooms() if room.supplement}
    names = sorted(manifest.head.layouts.keys() - beside)
    if len(names) == 1:
        return ["sh", "-c", load(names[0]).command]
    raise UsageError(
        "the bundle is for several clients" if names else "the bundle is for no client",
        fix="Say what to run, such as: " + "; ".join(f"-- {load(n).command}" for n in names),
    )


def _chosen(passed: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    chosen = {}
    for item in passed:
        name, given, value = item.partition("=")
        if not given and name not in environ:
            raise UsageError(f"--env: there is no variable {name}", fix=f"Or: --env {name}=VALUE")
        chosen[name] = value if given else environ[name]
    return chosen


def _unpacked(path: Path, host: Host) -> tuple[Manifest, Path]:
    """What is in it and where it lies unpacked; it is unpacked if it does not."""
    if path.is_dir():
        manifest = manifest_of(path)[0]
        boundary.refuse_unknown(boundary.check_opened(manifest, boundary_of))
        return manifest, path.resolve()
    with open_bundle(path) as bundle:
        boundary.refuse_unknown(bundle.unknown)
        return bundle.manifest, held_tree(bundle, host)


def _run(
    words: Sequence[str], folder: Path, environ: Mapping[str, str], console: Console
) -> tuple[int, str]:
    """Run it; its exit code, and the end of what it printed."""
    program = shutil.which(words[0], path=environ.get("PATH"))
    if program is None:
        raise UsageError(f"there is no command {words[0]!r}")
    console.out.flush()
    error = sys.stderr.fileno()
    output = Output()
    with output.passed_on(error if console.as_json else sys.stdout.fileno(), error) as (out, err):
        child = subprocess.Popen(
            words, executable=program, cwd=folder, env=environ, stdout=out, stderr=err
        )
        try:
            code = child.wait()
        finally:
            _end_all()
    return code if code >= 0 else 128 - code, output.text


def _end_all() -> None:
    """End what was left running: it is ours now (`adopt_orphans`)."""
    children = Path("/proc/thread-self/children")
    while children.exists() and (left := children.read_text().split()):
        for number in map(int, left):
            os.kill(number, signal.SIGKILL)
            os.waitpid(number, 0)


@dataclass(frozen=True, slots=True)
class _Found:
    """What came of it. reached: with a remedy each; empty if nothing comes of it."""

    command: str
    code: int
    reached: Sequence[tuple[Reached, str | None]]
    lacks: Sequence[Lack]


def _remedy(asked: Sequence[Format], one: Reached) -> str | None:
    found = (room.explain_request(one.address) for room in asked)
    return next((said for said in found if said is not None), None)


def _lacks(asked: Sequence[Format], text: str) -> list[Lack]:
    found: dict[str, Lack] = {}
    for room in asked:
        for one in room.explain_output(text):
            found.setdefault(one.what, one)
    return [*found.values()]


def _report(found: _Found, whole: bool, project: Path, console: Console) -> int:
    serious = [one for one, remedy in found.reached if remedy != ""]
    if console.as_json:
        console.answer_json(_as_json(found))
        return ReachedOutError.exit_code if serious else found.code
    for one, remedy in found.reached[:_SHOWN]:
        times = "" if one.times == 1 else f" ({one.times} times)"
        harmless = " (nothing comes of it)" if remedy == "" else ""
        console.answer(f"reached for {one.address}{times}{harmless}")
        for process in one.by:
            console.answer(f"    by {process.command} in {_below(process.folder, project)}")
        if remedy:
            console.answer(f"    {remedy}")
    if len(found.reached) > _SHOWN:
        console.answer(f"… and for {len(found.reached) - _SHOWN} more (--json has all)")
    for lack in found.lacks:
        console.answer(f"lacks {lack.what}")
        console.answer(f"    {lack.remedy}")
    if not serious:
        return found.code
    if not whole and any(one.address.startswith("https://") for one in serious):
        console.say(
            "whole https addresses are seen with trustme: pip install 'vendorpack[rehearse]'"
        )
    raise ReachedOutError(
        f"behind the gap this command would lack an answer to {counted(len(serious), 'request')} "
        f"(it ended with {found.code})",
        fix="See what is said of each above. A file that an install fetches by itself can be "
        "packed as an extra; a package that is missing has to be in a lockfile.",
    )


def _below(folder: str, project: Path) -> str:
    path = Path(folder)
    return str(path.relative_to(project)) if path.is_relative_to(project) else folder


def _as_json(found: _Found) -> dict[str, Any]:
    return {
        "command": found.command,
        "exit_code": found.code,
        "reached": [
            {
                "address": one.address,
                "times": one.times,
                "by": [{"command": by.command, "folder": by.folder} for by in one.by],
                "harmless": remedy == "",
                "remedy": remedy or None,
            }
            for one, remedy in found.reached
        ],
        "lacks": [{"what": one.what, "remedy": one.remedy} for one in found.lacks],
    }
