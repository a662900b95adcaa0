"""The command line and a project's file: which options the file may have, and who wins.

What is typed wins, then what a variable of the environment says, then the file. The table of what
may stand there is made of the command line's own options, those that `InFile` marks.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import typer
from typer.models import OptionInfo

from vendorpack.cli.options import InFile
from vendorpack.console import Console
from vendorpack.errors import VendorpackError
from vendorpack.settings import Known, Setting, Settings, Value, above


@functools.cache
def table() -> Mapping[str, Setting]:
    """All that may stand in a file, but for the formats' own options."""
    from vendorpack.cli.packing import pack  # noqa: PLC0415 - has them all, and imports this

    found = {}
    for parameter in inspect.signature(pack).parameters.values():
        mark, name = _mark(parameter), _name(parameter)
        if mark is not None:
            kind, text = _kind(parameter.annotation), _option(parameter).help or ""
            found[name] = Setting(name, kind, mark.of_lockfile, mark.instead_of, text)
    return found


def of_room(name: str) -> Setting | None:
    """A format's own option; None if no format has it."""
    from vendorpack.formats import load, rooms  # noqa: PLC0415

    for room in rooms():
        own = name.removeprefix(f"{room.name}-")
        if own != name and own in load(room.name).options:
            return Setting(name, str, of_lockfile=True, help=load(room.name).options[own])
    return None


def known() -> Known:
    """All that may stand in a file."""
    return Known(table, of_room)


def _mark(parameter: inspect.Parameter) -> InFile | None:
    metadata = getattr(parameter.annotation, "__metadata__", ())
    return next((one for one in metadata if isinstance(one, InFile)), None)


def _option(parameter: inspect.Parameter) -> OptionInfo:
    return next(one for one in parameter.annotation.__metadata__ if isinstance(one, OptionInfo))


def _name(parameter: inspect.Parameter) -> str:
    """The option's long name, without dashes."""
    if _mark(parameter) is None:
        return ""
    option = _option(parameter)
    # In `Annotated` the first name of an option is where else its default would be.
    names = [str(name).partition("/")[0] for name in (option.default, *(option.param_decls or ()))]
    long = next((name for name in names if name.startswith("--")), None)
    return long.removeprefix("--") if long else parameter.name.replace("_", "-")


def _kind(annotation: Any) -> type:
    """bool, int, str or list, of an option's type."""
    plain = get_args(annotation)[0]
    if get_origin(plain) is UnionType:
        plain = get_args(plain)[0]
    plain = get_origin(plain) or plain
    return plain if plain in (bool, int, list) else str


def typed(context: typer.Context, name: str) -> bool:
    """Whether a parameter was given, on the command line or by its variable."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def configured(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command from the project's file what nobody typed, of what counts for a whole run.

    What may differ by lockfile is seen to in `Selection`. To be put above `grouped`.
    """
    parameters = inspect.signature(command).parameters
    kept = {
        name: (_name(parameter), mark, parameter.annotation)
        for name, parameter in parameters.items()
        if (mark := _mark(parameter)) is not None and not mark.of_lockfile
    }

    @functools.wraps(command)
    def run(**values: Any) -> None:
        context: typer.Context = values["context"]
        settings, granted = None, []
        if not values["no_project_config"]:
            own = [option for param in context.command.params for option in param.opts]
            settings = settings_of(values["paths"] or (), own)
        for name, (key, mark, annotation) in kept.items():
            if settings is None or key not in settings.general or typed(context, name):
                continue
            if not any(values.get(other) for other in mark.unless):
                values[name] = _placed(settings, settings.general[key], key, annotation)
                if key.startswith("allow-"):
                    granted.append(f"{settings.where(key)}: {key} {', '.join(values[name])}")
        console = Console(quiet=bool(values.get("quiet")))
        for line in granted:
            console.say(line)
        command(**values)

    return run


def settings_of(tokens: Sequence[str], own: Sequence[str] = ()) -> Settings | None:
    """What counts for all that the command line names: from the folder that they share upwards.

    own: the options that the command has, to say which of them a misspelt one may be.
    """
    from vendorpack.cli.selection import split_room_options  # noqa: PLC0415 - it imports this

    paths = [Path(file) for file in split_room_options(tokens, own)[0]] or [Path()]
    folders = [path.resolve() if path.is_dir() else path.parent.resolve() for path in paths]
    return _above(Path(os.path.commonpath(folders)))


@functools.cache
def _above(folder: Path) -> Settings | None:
    """What counts in a folder; lockfiles of one folder, and a whole run, ask for the same."""
    return above(folder, known())


def _placed(settings: Settings, value: Value, key: str, annotation: Any) -> Any:
    """A value as the command line would have it: paths are relative to the file."""
    if key == "store" and "://" not in str(value):
        return str(settings.folder / str(value))
    if not isinstance(value, str) or Path not in get_args(get_args(annotation)[0]):
        return value
    if value == "-":
        return Path(value)
    return Path(os.path.relpath(settings.folder / value))


def of_lockfile(lockfile: Path) -> tuple[Settings, str, Mapping[str, Value]] | None:
    """What a file says for a lockfile (absolute): the file, its section there, and both as one."""
    settings = _above(lockfile.parent)
    if settings is None:
        return None
    words = known()
    section, own = settings.section_of(lockfile)
    ruled_out = {s.instead_of for name in own if (s := words.get(name)) is not None}
    general = {
        name: value
        for name, value in settings.general.items()
        if name not in ruled_out
        and (setting := words.get(name)) is not None
        and setting.of_lockfile
    }
    return settings, section, {**general, **own}


def located(error: VendorpackError, where: str) -> VendorpackError:
    """The error, with the line of the file that has the value."""
    error.where = error.where or where
    return error


def room_options(names: Iterable[str]) -> list[str]:
    """Those that are a format's own."""
    return [name for name in names if name not in table()]
