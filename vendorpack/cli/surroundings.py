"""The output's name, and this machine: what commands ask before they begin."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from vendorpack.console import Console
from vendorpack.errors import StoreError, UsageError
from vendorpack.files.pipes import check_output, is_stdout, is_stream
from vendorpack.project import Host

_OTHER_KINDS: Final = frozenset({".gz", ".tgz", ".bz2", ".xz", ".txz", ".zip", ".7z"})


def this_host() -> Host:
    """This machine's configuration. A machine without a home still packs."""
    try:
        home = Path.home()
    except RuntimeError:
        home = Path("/nonexistent")
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    return Host(dict(os.environ), home, system)


def checked_output(path: Path) -> Path:
    """The file or stream, if a bundle can be written to it as far as can be told.

    To be asked before anything is downloaded. Raises `UsageError`, `StoreError`.
    """
    if path.suffix in _OTHER_KINDS and not (is_stream(path) or path.is_dir()):
        fix = "Name it .tar.zst, or .tar for one without compression."
        raise UsageError(f"a bundle is no {path.suffix}", where=str(path), fix=fix)
    return checked_file(path, "deps.tar.zst")


def checked_file(path: Path, example: str) -> Path:
    """The file or stream, if anything can be written to it as far as can be told.

    Raises `UsageError`, `StoreError`.
    """
    check_output(path)
    if is_stream(path):
        return path
    if path.is_dir():
        fix = f"Name a file: {path / example}"
        raise UsageError("the output is a folder", where=str(path), fix=fix)
    if not _is_folder(path.parent):
        fix = f"mkdir -p {path.parent}"
        raise StoreError("the output's folder does not exist", where=str(path), fix=fix)
    return path


def _is_folder(path: Path) -> bool:
    """As `Path.is_dir`, which says of a name that is too long only that nothing is there."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def checked_document(path: Path, example: str) -> Path:
    """The same for what is no bundle, and may be shown on a terminal."""
    return path if is_stdout(path) else checked_file(path, example)


def console_beside(
    outputs: Iterable[Path | None],
    *,
    quiet: bool = False,
    verbose: bool = False,
    as_json: bool = False,
) -> Console:
    """Where to speak: not on standard output if one of the outputs is that."""
    taken = any(path is not None and is_stdout(path) for path in outputs)
    out = sys.stderr if taken else None
    return Console(out=out, quiet=quiet, verbose=verbose, as_json=as_json)
