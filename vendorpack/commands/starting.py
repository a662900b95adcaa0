"""init: a project's file of options, with a comment on each."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from vendorpack.console import Console
from vendorpack.discover import Found, discover
from vendorpack.errors import DiscoveryError, UsageError
from vendorpack.files import temporary
from vendorpack.files.disk import storage_error
from vendorpack.formats import load
from vendorpack.key import compute_key
from vendorpack.model import Options, Target
from vendorpack.project import Host
from vendorpack.settings import NAME, SECTION, Known, Setting, above, quoted
from vendorpack.target import parse_target, this_machine

_WIDTH: Final = 88
_EXAMPLES: Final[Mapping[type, str]] = {bool: "true", int: "3", str: '"…"', list: '["…"]'}
_BEGINNING: Final = """\
Options of vendorpack for the lockfiles in this folder and below. Each is an option of the command \
line; one that is typed wins. What decides the content is in the key, so that the key is the same \
on every machine.\
"""
_SECTIONS: Final = "What differs for one lockfile, by its path from here:"


def init(folder: Path, known: Known, console: Console, host: Host) -> None:
    """Write the file into a folder, from the lockfiles in it and below.

    Raises `UsageError` if there is one.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise UsageError("this is no folder", where=str(folder))
    present = above(folder, known)
    if present is not None and present.folder == folder:
        raise UsageError(
            "there are options already", where=str(present.path), fix="Edit that file."
        )
    path = folder / NAME
    try:
        found: Sequence[Found] = discover([folder], recursive=True, host=host)
    except DiscoveryError as error:
        console.warn(f"{error.what}: the file names no lockfile", error.where or "")
        found = ()
    text = "\n".join([*_text(folder, found, known), ""])
    try:
        temporary.write_file(path, text.encode())
    except OSError as error:
        raise storage_error(error, path) from None
    for one in found:
        console.say(f"{one.room.name}: {one.project.path}")
    if present is not None:
        console.say(f"{present.path} does not count for this folder any more")
    console.report(os.path.relpath(path))


def _text(folder: Path, found: Sequence[Found], known: Known) -> Iterator[str]:
    yield from _comment(_BEGINNING)
    paths = [Path(os.path.relpath(one.project.path, folder)) for one in found]
    active = {"target": f'["{_target(found)}"]'}
    if any(len(path.parts) > 1 for path in paths):
        active["recursive"] = "true"
    for setting in known.general().values():
        yield ""
        yield from _setting(setting, active.get(setting.name))
    for name in dict.fromkeys(one.room.name for one in found):
        for own in sorted(load(name).options):
            setting = known.more(f"{name}-{own}") or Setting(own, str)
            yield ""
            yield from _setting(setting, None)
    yield ""
    yield from _comment(_SECTIONS)
    for path in [path.as_posix() for path in paths] or ["web/the.lockfile"]:
        yield f"# [{SECTION}.{quoted(path)}]"
        yield '# group = ["…"]'


def _setting(setting: Setting, value: str | None) -> Iterator[str]:
    yield from _comment(setting.help)
    line = f"{setting.name} = {value or _EXAMPLES[setting.kind]}"
    yield line if value else f"# {line}"


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False):
        yield f"# {line}"


def _target(found: Sequence[Found]) -> Target:
    """This machine, with the runtimes that these lockfiles' rooms choose for here."""
    here = this_machine()
    asked = [replace(one, options=Options(targets=(here,))) for one in found]
    runtimes = set(here.runtimes)
    for options in compute_key(asked).options.values():
        targets = options.get("targets") if isinstance(options, dict) else None
        for text in targets if isinstance(targets, list) else ():
            runtimes.update(parse_target(str(text)).runtimes)
    return replace(here, runtimes=tuple(sorted(runtimes)))
