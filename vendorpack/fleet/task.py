"""What a worker does: pack one bundle, in a process of its own, by the command itself.

So the bundle is the one that `vendorpack pack` makes there, with the worker's own configuration:
its environment, `.netrc`, `.npmrc`. No login is in a task, nor in what comes back.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Final

from vendorpack import __version__
from vendorpack.dataclass import dataclass
from vendorpack.errors import KeyMismatchError, StoreError, UsageError, VendorpackError
from vendorpack.files import temporary
from vendorpack.files.disk import system_error

_PLACE: Final = "fleet"
_PROJECT: Final = "project"
_WARNING: Final = "warning: "
_own: Final = threading.local()


@dataclass(frozen=True, slots=True)
class Task:
    """A bundle to pack. name, folder, key: as the plan has them.

    files: by path; place: of the lockfiles' folder among them. arguments: of `pack`. store: where
    the bundle goes; push: a repository that it goes to as well. artifacts: how many its lockfiles
    name.
    """

    name: str
    folder: str
    key: str
    files: Mapping[str, bytes] = field(repr=False)
    place: str
    arguments: tuple[str, ...]
    store: str
    push: str | None
    artifacts: int
    version: str = __version__


@dataclass(frozen=True, slots=True)
class Warmed:
    """What one worker put into the store for a bundle that another one packs."""

    downloaded: int = 0
    bytes_downloaded: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a bundle. state: packed, there (already) or failed.

    size: of the bundle; downloaded, bytes_downloaded: of artifacts that came from registries;
    seconds, worker: how long it took, and where; error: as the commands' `--json` has it.
    """

    name: str
    folder: str
    key: str
    state: str
    id: str | None = None
    size: int = 0
    downloaded: int = 0
    bytes_downloaded: int = 0
    seconds: float = 0.0
    worker: str = ""
    pushed: str | None = None
    warnings: tuple[str, ...] = ()
    error: Mapping[str, Any] | None = None

    def failed(self, error: VendorpackError) -> Outcome:
        """The same bundle, which is not where it should be."""
        texts = {"error": error.what, "where": error.where, "fix": error.fix}
        said = {name: text for name, text in texts.items() if text}
        return replace(self, state="failed", error={**said, "exit_code": error.exit_code})


def carry_out(task: Task, warmed: Sequence[Warmed] = ()) -> Outcome:
    """Pack the bundle, into the store. Whatever goes wrong is in the outcome.

    warmed: what other workers fetched for it before.
    """
    started = time.monotonic()
    outcome = Outcome(task.name, task.folder, task.key, "packed", worker=platform.node())
    warnings: list[str] = []
    try:
        with _laid(task) as folder:
            outcome = _packed(task, folder, outcome, warnings)
    except VendorpackError as error:
        outcome = outcome.failed(error)
    except OSError as error:
        outcome = outcome.failed(system_error(error))
    return replace(
        outcome,
        downloaded=outcome.downloaded + sum(one.downloaded for one in warmed),
        bytes_downloaded=outcome.bytes_downloaded + sum(one.bytes_downloaded for one in warmed),
        seconds=round(time.monotonic() - started, 3),
        warnings=tuple(warnings),
    )


def warm_up(task: Task, share: str) -> Warmed:
    """Fetch a share (`2/5`) of what the bundle needs, into the store.

    Whatever goes wrong is found, and said, by who packs.
    """
    try:
        with _laid(task) as folder:
            words = _words(task, folder, f"--share={share}")
            made = _run([], folder, ["store", "warm"], *words)
    except (VendorpackError, OSError):
        return Warmed()
    return Warmed(made["downloaded"], made["bytes_downloaded"])


def _packed(task: Task, folder: Path, outcome: Outcome, warnings: list[str]) -> Outcome:
    bundle = folder / "deps.tar.zst"
    made = _run(warnings, folder, ["pack"], *_words(task, folder, f"--output={bundle}"))
    if made["key"] != task.key:
        raise KeyMismatchError(
            "what would be packed here is not what was planned",
            where=f"planned key {task.key}\nkey here    {made['key']}",
            fix="Name the --target; and let the worker have the planner's registries (.npmrc, "
            "pip.conf, variables …), as far as they decide what is packed.",
        )
    pushed = None
    if task.push is not None:
        pushed = str(_run(warnings, folder, ["push"], str(bundle), task.push)["reference"])
    return replace(
        outcome,
        id=made["id"],
        size=bundle.stat().st_size,
        downloaded=made.get("downloaded", 0),
        bytes_downloaded=made.get("bytes_downloaded", 0),
        pushed=pushed,
    )


def _words(task: Task, folder: Path, option: str) -> tuple[str, ...]:
    """What a command that reads the task's lockfiles is told."""
    project = str(folder / _PROJECT / task.place)
    return (*task.arguments, option, f"--store={task.store}", project)


@contextmanager
def _laid(task: Task) -> Iterator[Path]:
    """A folder with the task's files, for a while. Raises `UsageError` of another release."""
    if task.version != __version__:
        raise UsageError(
            f"the worker has vendorpack {__version__}, and the task is of {task.version}",
            fix="Give the workers the same release.",
        )
    holder = Path(tempfile.gettempdir())
    temporary.sweep(holder, _PLACE)  # what workers left that were killed
    folder, fd = temporary.create_folder(holder, _PLACE)
    try:
        _lay(task.files, folder / _PROJECT)
        yield folder
    finally:
        temporary.remove(folder)
        os.close(fd)


def _lay(files: Mapping[str, bytes], tree: Path) -> None:
    (tree / ".git").mkdir(parents=True)  # above it nothing is looked for
    for name, data in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _run(
    warnings: list[str], folder: Path, command: Sequence[str], *words: str
) -> Mapping[str, Any]:
    """A command's answer; folder: for what it says. Raises its error."""
    out, err = folder / f"{command[-1]}.out", folder / f"{command[-1]}.err"
    status = _starter().run([*command, *words, "--json", "--quiet"], out, err)
    lines = err.read_text("utf-8", "replace").splitlines() if err.exists() else []
    warnings += [line.removeprefix(_WARNING) for line in lines if line.startswith(_WARNING)]
    try:
        answer: Mapping[str, Any] = json.loads(out.read_text("utf-8", "replace"))
    except (FileNotFoundError, ValueError):
        raise StoreError(
            f"the process that packed ended early (status {status})",
            where="\n".join(lines[-3:]) or None,
            fix="Is there enough memory?",
        ) from None
    if status:
        error = VendorpackError(answer["error"], where=answer.get("where"), fix=answer.get("fix"))
        error.exit_code = answer["exit_code"]
        raise error
    return answer


class _Starter:
    """A process of `vendorpack.fleet.starter`; it ends with this one."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            # Not from the current folder, in which a file may have a module's name.
            [sys.executable, "-X", "utf8", "-P", "-m", "vendorpack.fleet.starter"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def run(self, words: Sequence[str], out: Path, err: Path) -> int:
        """The exit code of a command; negative if a signal ended it, or this process."""
        asking, answering = self._process.stdin, self._process.stdout
        assert asking is not None and answering is not None
        try:
            asking.write(json.dumps([words, str(out), str(err)]) + "\n")
            asking.flush()
            return int(answering.readline())
        except (OSError, ValueError):
            self._process.kill()
            del _own.starter
            return -self._process.wait()


def _starter() -> _Starter:
    """The one of this thread, which does one thing at a time."""
    if not hasattr(_own, "starter"):
        _own.starter = _Starter()
    starter: _Starter = _own.starter
    return starter
