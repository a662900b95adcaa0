"""A copy of the project for the rehearsal, as a fresh checkout would have it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from vendorpack.errors import UsageError
from vendorpack.files.disk import system_error


def project_of(folder: Path, home: Path) -> Path:
    """The folder that the project is in: the work tree that git has there, or this one.

    home: whose work tree, if it is one, is no project. Raises `UsageError` if the folder itself
    is that, or the root.
    """
    folder = folder.resolve()
    answer = _git(folder, "rev-parse", "--show-toplevel")
    top = Path(answer[0]) if answer else folder
    if top in (home.resolve(), Path("/")):
        top = folder
    if top in (home.resolve(), Path("/")):
        raise UsageError(
            "a rehearsal copies the project, and this is no project's folder",
            where=str(top),
            fix="Go to the folder of the project first.",
        )
    return top


def copy_project(project: Path, copy: Path, *, without: Path) -> None:
    """Copy all but what git ignores there, which an earlier install may have left.

    without: a folder that has no place in it. Raises `StoreError`.
    """
    ignored = _git(
        project, "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"
    )
    skipped = {project / name.rstrip("/") for name in ignored} | {without}
    try:
        shutil.copytree(project, copy, symlinks=True, ignore=_ignoring(skipped))
    except shutil.Error as error:
        raise system_error(OSError(*error.args[0][0][::-1])) from None
    except OSError as error:
        raise system_error(error) from None


def _ignoring(skipped: set[Path]) -> Callable[[str, list[str]], list[str]]:
    return lambda folder, names: [name for name in names if Path(folder, name) in skipped]


def _git(folder: Path, *words: str) -> list[str]:
    """What git answers, split at NUL or line feeds; nothing without git or a work tree."""
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *words]
    try:
        done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    except OSError:
        return []
    if done.returncode:
        return []
    text = done.stdout.decode(errors="surrogateescape")
    return [line for line in text.replace("\0", "\n").split("\n") if line]
