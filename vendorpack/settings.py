"""The options that a project keeps in its repository: `vendorpack.toml`, or `[tool.vendorpack]`.

The file counts for all lockfiles in its folder and below. It is looked for from a lockfile's folder
upwards, to the root of the repository (the folder with `.git`) or of the file system; the nearest
one counts, alone. Its keys are the command line's own options, by the names they have there. A
section `[lockfile."web/package-lock.json"]` has those of one lockfile that differ.

It is a file of the project's: who is not to be trusted with it is said in `docs/security.md`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from vendorpack.dataclass import dataclass
from vendorpack.errors import UsageError

NAME: Final = "vendorpack.toml"
SHARED: Final = "pyproject.toml"
"""Where they may stand in a table of their own, beside other tools'."""
TABLE: Final = ("tool", "vendorpack")
SECTION: Final = "lockfile"

Value: TypeAlias = "bool | int | str | list[str]"
_MAX_SIZE: Final = 1 << 20
_AT_LINE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")
_KEY: Final = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[\w-]+)\s*[=.]""")
_KINDS: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "a number",
    str: "a string",
    list: "a list of strings",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What may stand in the file. name: the option's, without dashes.

    kind: bool, int, str or list (of strings). of_lockfile: whether it may differ by lockfile.
    instead_of: another option that it takes the place of, in whatever is more specific.
    """

    name: str
    kind: type
    of_lockfile: bool = False
    instead_of: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """All settings that there are.

    general: the table of those that no format has, asked for once there is a file. more: those of
    single formats, by name.
    """

    general: Callable[[], Mapping[str, Setting]]
    more: Callable[[str], Setting | None]

    def get(self, name: str) -> Setting | None:
        """The setting of a name; None if there is none."""
        return self.general().get(name) or self.more(name)


@dataclass(frozen=True, slots=True)
class Settings:
    """One file's. path: of the file. sections: lockfile (relative to the file) to its own."""

    path: Path
    general: Mapping[str, Value]
    sections: Mapping[str, Mapping[str, Value]]
    lines: Mapping[tuple[str, str], int]
    """(lockfile or empty, name) to the line that has it."""

    @property
    def folder(self) -> Path:
        """What the file's paths are relative to."""
        return self.path.parent

    def section_of(self, lockfile: Path) -> tuple[str, Mapping[str, Value]]:
        """The section of a lockfile: its name in the file, and what it has."""
        name = Path(os.path.relpath(lockfile, self.folder)).as_posix()
        return (name, self.sections[name]) if name in self.sections else ("", {})

    def where(self, name: str, section: str = "") -> str:
        """`path:line` of a setting, for errors."""
        line = self.lines.get((section, name))
        return str(self.path) if line is None else f"{self.path}:{line}"


def above(folder: Path, known: Known) -> Settings | None:
    """The settings that count in a folder (absolute, resolved); None if there are none.

    Raises `UsageError` for what cannot be in the file, or a file of somebody else's.
    """
    found = (_in_folder(place, folder, known) for place in _upwards(folder))
    return next((settings for settings in found if settings is not None), None)


def root_of(folder: Path) -> Path | None:
    """The root of the repository that a folder (absolute) is in; None if it is in none."""
    *_, last = _upwards(folder)
    return last if _is_root(last) else None


def _upwards(folder: Path) -> Iterator[Path]:
    """The folder and those above it, to the root of the repository or of the file system."""
    for place in (folder, *folder.parents):
        yield place
        if _is_root(place):
            return


def _is_root(place: Path) -> bool:
    return (place / ".git").exists()


def _in_folder(place: Path, folder: Path, known: Known) -> Settings | None:
    own = _read(place / NAME, folder)
    shared = _read(place / SHARED, folder, named=TABLE[1].encode())
    table = {} if shared is None else _table_of(shared, place / SHARED)
    if own is None:
        return _settings(place / SHARED, table, shared or b"", known) if TABLE[1] in table else None
    if TABLE[1] in table:
        raise UsageError(
            f"{NAME} and [{'.'.join(TABLE)}] in {SHARED} beside it both have options",
            where=str(place),
            fix="Keep one of them.",
        )
    return _settings(place / NAME, {TABLE[1]: _parse(own, place / NAME)}, own, known)


def quoted(text: str) -> str:
    """A string of TOML, or the part of a header."""
    return json.dumps(text, ensure_ascii=False)


def _table_of(data: bytes, path: Path) -> Mapping[str, Any]:
    table = _parse(data, path).get(TABLE[0])
    return table if isinstance(table, dict) else {}


def _read(path: Path, folder: Path, named: bytes = b"") -> bytes | None:
    """The file's bytes; None if it is not there, or has not the word that it must have.

    Whoever owns the file could as well be the one who made the lockfile, or is the user; in a
    folder above, which others may write to, it could be anybody.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_SIZE + 1)
            owner = os.fstat(file.fileno()).st_uid
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"cannot read the file: {error.strerror}", where=str(path)) from None
    if named not in data:
        return None
    if len(data) > _MAX_SIZE:
        raise UsageError(f"the file is larger than {_MAX_SIZE >> 20} MiB", where=str(path))
    if owner not in (0, os.getuid(), folder.stat().st_uid):
        raise UsageError(
            "a file of options that belongs to somebody else than you and your project",
            where=str(path),
            fix="Read it, and own it (chown) if you want it; or pass --no-project-config.",
        )
    return data


def _parse(data: bytes, path: Path) -> Mapping[str, Any]:
    import tomllib  # noqa: PLC0415 - only where there is such a file

    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError("the file is not UTF-8", where=f"{path}:{line}") from None
    except tomllib.TOMLDecodeError as error:
        match = _AT_LINE.search(str(error))
        line = int(match[1]) if match and match[1] else data.count(b"\n") + 1
        what = _AT_LINE.sub("", str(error))
        raise UsageError(f"the file is not valid TOML: {what}", where=f"{path}:{line}") from None
    except (RecursionError, ValueError) as error:
        raise UsageError(f"the file cannot be read: {error}", where=str(path)) from None


# -- what is in it -----------------------------------------------------------------------------


def _settings(path: Path, holder: Mapping[str, Any], data: bytes, known: Known) -> Settings:
    table = holder[TABLE[1]]
    if not isinstance(table, dict):
        raise UsageError(f"[{'.'.join(TABLE)}] is not a table", where=str(path))
    prefix = TABLE if path.name == SHARED else ()
    lines = dict(_lines(data.decode(), prefix))
    sections = table.get(SECTION, {})
    bare = Settings(path, {}, {}, lines)
    if not isinstance(sections, dict) or not all(isinstance(v, dict) for v in sections.values()):
        raise UsageError(
            f"{SECTION!r} has a table for each lockfile",
            where=bare.where(SECTION),
            fix=f'Write [{".".join((*prefix, SECTION))}."path/of/the.lockfile"] and its options.',
        )
    general = {name: value for name, value in table.items() if name != SECTION}
    _check(bare, "", general, known)
    for name, own in sections.items():
        if not (path.parent / name).is_file():
            raise UsageError(
                f"there is no lockfile {name!r} here",
                where=bare.where("", name),
                fix=f"Name it relative to {path.parent}.",
            )
        _check(bare, name, own, known)
    return Settings(path, general, sections, lines)


def _check(bare: Settings, section: str, table: Mapping[str, Any], known: Known) -> None:
    """Refuse what there is not, what is not of its type, and what cannot be here."""
    for name, value in table.items():
        where = bare.where(name, section)
        setting = known.get(name)
        if setting is None:
            raise UsageError(f"there is no option {name!r}", where=where, fix=_meant(name, known))
        if section and not setting.of_lockfile:
            raise UsageError(
                f"{name!r} is for a whole run, not for one lockfile",
                where=where,
                fix="Put it above all sections.",
            )
        words = value if isinstance(value, list) else [value]
        if type(value) is not setting.kind or (
            setting.kind in (str, list) and not all(type(w) is str and w for w in words)
        ):
            raise UsageError(f"{name!r} has to be {_KINDS[setting.kind]}", where=where)
        other = setting.instead_of
        if other and value and table.get(other):
            raise UsageError(f"{name!r} and {other!r} exclude each other", where=where)


def _meant(name: str, known: Known) -> str:
    dashed = name.replace("_", "-").removeprefix("--")
    import difflib  # noqa: PLC0415

    near = difflib.get_close_matches(dashed, known.general())
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return "`vendorpack init` writes a file that names them all."


def _lines(text: str, prefix: tuple[str, ...]) -> Iterator[tuple[tuple[str, str], int]]:
    """(section, name) of each line that begins a setting or a section, with the line's number.

    The text is known to be TOML; only strings of several lines could be taken for more than they
    are, and an error then has the wrong line.
    """
    at: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):
        path: tuple[str, ...] | None = None
        if line.lstrip().startswith("["):
            path = at = _chain(line) or at
        elif match := _KEY.match(line):
            path = (*at, *(_chain(line) or (match[1].strip("\"'"),)))
        if path is None or path[: len(prefix)] != prefix:
            continue
        match path[len(prefix) :]:
            case ("lockfile", section):
                yield ("", SECTION), number
                yield (section, ""), number
            case ("lockfile", section, name, *_):
                yield (section, name), number
            case (name, *_):
                yield ("", name), number


def _chain(line: str) -> tuple[str, ...] | None:
    """The keys of a header, or of a setting that begins in this line; None if it does not end."""
    import tomllib  # noqa: PLC0415

    start = line if line.lstrip().startswith("[") else f"{line.partition('=')[0]} = 0"
    try:
        value: Any = tomllib.loads(start)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    keys = []
    while isinstance(value, dict) and value:
        ((key, value),) = value.items()
        keys.append(key)
    return tuple(keys)
